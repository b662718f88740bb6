//! Jobs that have ended, and whose waiters have not been told yet: several are told at once.
//!
//! What is kept true whenever the lock is released: while there are any, the lookout watches, who tells them at each of
//! its looks; or somebody comes, and tells them. Whoever takes the lookout out of its seat calls it.

use super::State;
use super::next::{From, Step};
use crate::job::AnyJob;
use kasasagi_primitive::MODEL;
use std::mem;

/// So many are told at once at most: a call, and the change of threads that it brings about, is shared by enough.
const MOST: usize = if MODEL { 2 } else { 32 };

impl State {
    /// Whether a thread that takes a job now may tell of its end later: it goes on with others, and somebody watches.
    pub(super) fn may_tell_later(&self) -> bool {
        !self.queue.is_empty() && self.lookout.is_some()
    }

    /// Notes that a job has ended, quietly. The crew is not quiet before it has been told.
    pub(in super::super) fn tell_later(&mut self, job: AnyJob) {
        self.untold.push(job);
        self.ending += 1;
    }

    /// Takes those that are to be told now into `now`, which is empty: all, unless this thread goes on with what is as short.
    pub(in super::super) fn take_untold(&mut self, from: From, step: &Step, now: &mut Vec<AnyJob>) {
        let goes_on = from == From::Quiet && matches!(step, Step::Run { .. });
        if !goes_on || self.lookout.is_none() || self.untold.len() >= MOST {
            mem::swap(&mut self.untold, now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::{Job, JobInfo};
    use crate::slot::Place;
    use std::panic::Location;

    fn job() -> AnyJob {
        std::sync::Arc::new(Job::new(JobInfo::new(Location::caller()), || ()))
    }

    fn run() -> Step {
        Step::Run { job: job(), quietly: false }
    }

    fn watched() -> State {
        State { lookout: Some(Place::new(1).slot), ..State::default() }
    }

    #[test]
    fn a_crew_is_not_quiet_before_all_have_been_told() {
        let (mut state, mut now) = (watched(), Vec::new());
        state.tell_later(job());
        assert!(!state.is_quiet());
        state.take_untold(From::Call, &Step::Rest, &mut now);
        assert!(!state.is_quiet(), "it is about to be told");
        assert!(state.end_all(now.len()).is_none());
        assert!(state.is_quiet());
    }

    #[test]
    fn who_goes_on_under_a_watch_tells_later_and_all_others_at_once() {
        for (from, step, is_watched, left) in [
            (From::Quiet, run(), true, 1),
            (From::Quiet, run(), false, 0),
            (From::Quiet, Step::Search, true, 0),
            (From::Job, run(), true, 0),
            (From::Search, run(), true, 0),
        ] {
            let (mut state, mut now) = (watched(), Vec::new());
            state.lookout = state.lookout.filter(|_| is_watched);
            state.tell_later(job());
            state.take_untold(from, &step, &mut now);
            assert_eq!((state.untold.len(), now.len()), (left, 1 - left));
        }
    }

    #[test]
    fn so_many_are_told_that_none_waits_for_long() {
        let (mut state, mut now) = (watched(), Vec::new());
        for _ in 1..MOST {
            state.tell_later(job());
            state.take_untold(From::Quiet, &run(), &mut now);
            assert!(now.is_empty());
        }
        state.tell_later(job());
        state.take_untold(From::Quiet, &run(), &mut now);
        assert_eq!(now.len(), MOST);
    }
}
