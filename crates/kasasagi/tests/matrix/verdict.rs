//! What has to be true of a task when all is over.

use crate::axes::Panics;
use crate::probe::Probe;
use kasasagi_primitive::chaos::CHAOS;
use std::sync::atomic::Ordering;

/// What the handle said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Result {
    /// It was dropped without being asked.
    Unasked,
    /// It said that the task has not ended.
    Missing,
    Output,
    Cancelled,
    Panicked,
}

/// Everything that was made is gone, once.
pub(crate) fn balance(probe: &Probe) -> std::result::Result<(), String> {
    let tallies = [
        ("futures", &probe.futures),
        ("outputs", &probe.outputs),
        ("payloads", &probe.payloads),
        ("join wakers", &probe.join_wakers),
    ];
    for (what, tally) in tallies {
        let (made, gone) = tally.counts();
        if made != gone {
            return Err(format!("{what}: {made} made, {gone} gone"));
        }
    }
    Ok(())
}

/// What the result has to be, by what was seen of the task.
fn expected(probe: &Probe) -> Result {
    let panics = probe.case.panics;
    match probe.polls.load(Ordering::Acquire) {
        // Ended before it came to an end of its own, by a cancellation or a shutdown.
        0 | 1 if panics.in_first_poll() && probe.polls.load(Ordering::Acquire) == 1 => {
            Result::Panicked
        }
        0 | 1 if matches!(panics, Panics::FutureDrop | Panics::PollAndDrop) => Result::Panicked,
        0 | 1 => Result::Cancelled,
        _ if matches!(panics, Panics::SecondPoll | Panics::FutureDrop) => Result::Panicked,
        _ => Result::Output,
    }
}

pub(crate) fn judge(probe: &Probe, result: Result) -> std::result::Result<(), String> {
    let (made, _) = probe.futures.counts();
    if made != 1 {
        return Err(format!("{made} futures"));
    }
    let polls = probe.polls.load(Ordering::Acquire);
    // Chaos wakes for nothing.
    if polls > 2 && !CHAOS {
        return Err(format!("polled {polls} times"));
    }
    if polls > 1 && !CHAOS && probe.case.cancels_before_the_wake() {
        return Err("polled on after it was cancelled".into());
    }
    if probe.loud.load(Ordering::Acquire) {
        return Err("the drop of the handle panicked".into());
    }
    if probe.astray.load(Ordering::Acquire) {
        return Err("something ran on a thread where it must not".into());
    }
    let expected = expected(probe);
    if result != Result::Unasked && result != expected {
        return Err(format!("the result is {result:?}, and not {expected:?}, after {polls} polls"));
    }
    Ok(())
}
