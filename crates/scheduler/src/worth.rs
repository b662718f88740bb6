//! Whether it pays that several seats run at once: what all of them do together, against what one does alone.
//!
//! Tasks that meet at one lock, or wake each other across seats, may take several times as long on two seats as on one,
//! in cache lines that change hands, in wakes and in sleeps. Nobody can tell that from a task. But steps can be counted,
//! polls and the leaf operations in them: a seat that is the only one awake notes how long a step takes; others count,
//! for a while, the steps of all seats. If these are hardly more than one alone would have done in that time, they hand
//! over what they have, and sleep for as long as what there is is held together. All that only where steps are small, so
//! that a mistake costs little, and not for long.

use crate::seat::Local;
use crate::shared::Shared;
use kasasagi_primitive::MODEL;
use kasasagi_primitive::sync::atomic::{AtomicU64, Ordering};
use kasasagi_primitive::task_context;

/// Steps are timed in sixteenths of a nanosecond.
const FINE: u64 = 16;
/// How long steps are counted before the counts say something: a few checks, as leaf operations are told at each.
const TRIAL: u64 = 200_000;
/// Counts of longer ago are of something else.
const STALE: u64 = 2_000_000;
/// How long it is remembered what a step takes alone.
const REMEMBERED: u64 = 50_000_000;
/// How long the others are to sleep so that it is known again, and how seldom.
const ALONE_FOR: u64 = 300_000;
const ALONE_EACH: u64 = 10_000_000;
/// Together seats are to do that much more than one alone, in sixteenths: a quarter.
const MORE: u64 = 20;

/// How long a step takes a seat that runs alone.
#[derive(Debug)]
pub(crate) struct Worth {
    /// Zero: not known.
    alone: AtomicU64,
    /// Since when.
    noted: AtomicU64,
    /// When it was last tried.
    tried: AtomicU64,
}

/// What was when a seat began to count.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Trial {
    at: u64,
    steps: u64,
}

/// What the counts say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Pays,
    Futile,
    /// It is not known what one would do alone.
    Unknown,
}

impl Worth {
    pub(crate) fn new() -> Self {
        Self { alone: AtomicU64::new(0), noted: AtomicU64::new(0), tried: AtomicU64::new(0) }
    }

    /// A seat that was alone has done so many steps in that time. Hints: races cost a wrong one.
    pub(crate) fn note(&self, now: u64, took: u64, steps: u64) {
        let step = took.saturating_mul(FINE) / steps.max(1);
        let before = self.alone.load(Ordering::Relaxed);
        // What is of another size is of another kind.
        let is_like = before / 2 < step && step / 2 < before;
        self.alone.store(if is_like { (before * 3 + step) / 4 } else { step }, Ordering::Relaxed);
        self.noted.store(now, Ordering::Relaxed);
    }

    pub(crate) fn judge(&self, now: u64, took: u64, steps: u64, small: u64) -> Verdict {
        let alone = self.alone.load(Ordering::Relaxed);
        let is_fresh = now.saturating_sub(self.noted.load(Ordering::Relaxed)) < REMEMBERED;
        let is_small = alone > 0 && alone < small.saturating_mul(FINE);
        if is_fresh && is_small {
            let by_one = steps.saturating_mul(alone);
            let is_futile = by_one < took.saturating_mul(MORE);
            return if is_futile { Verdict::Futile } else { Verdict::Pays };
        }
        let may_be_small = took < steps.saturating_mul(small);
        let tried = self.tried.load(Ordering::Relaxed);
        let is_due = tried == 0 || now.saturating_sub(tried) >= ALONE_EACH;
        if may_be_small && is_due {
            self.tried.store(now, Ordering::Relaxed);
            return Verdict::Unknown;
        }
        Verdict::Pays
    }
}

impl Shared {
    fn steps(&self) -> u64 {
        self.seats.iter().fold(0, |sum, seat| {
            let counters = &seat.counters;
            sum.wrapping_add(counters.polls.get()).wrapping_add(counters.leaves.get())
        })
    }

    /// Which other seats are awake, or about to be.
    fn awake_beside(&self, seat: usize) -> u32 {
        let absent = self.idle.parked() | self.vacant.load(Ordering::Relaxed);
        self.idle.seats() & !absent & !(1 << seat)
    }
}

impl Local {
    /// Weighs what was polled since the last check, `polled` polls in `took` nanoseconds. Says whether this seat is to
    /// step back.
    pub(crate) fn weigh(&self, now: u64, took: u64, polled: u32) -> bool {
        if MODEL || self.shared.seats.len() == 1 {
            return false;
        }
        let steps = self.tell_leaves() + u64::from(polled);
        let shared = &*self.shared;
        let others = shared.awake_beside(self.index);
        if others == 0 {
            self.trial.set(None);
            if self.alone.replace(true) {
                shared.worth.note(now, took, steps);
            }
            return false;
        }
        self.alone.set(false);
        // The lowest of those who are awake stays. So do those who have tasks that nobody else may run.
        if others.trailing_zeros() as usize > self.index || !self.pinned.is_empty() {
            self.trial.set(None);
            return false;
        }
        let Some(trial) = self.trial.get().filter(|trial| now.saturating_sub(trial.at) < STALE)
        else {
            self.trial.set(Some(Trial { at: now, steps: shared.steps() }));
            return false;
        };
        let since = now.saturating_sub(trial.at);
        if since < TRIAL {
            return false;
        }
        let all = shared.steps();
        self.trial.set(Some(Trial { at: now, steps: all }));
        let steps = all.wrapping_sub(trial.steps);
        match shared.worth.judge(now, since, steps, shared.config.worth_sharing) {
            Verdict::Pays => return false,
            Verdict::Futile => shared.idle.wake_was_futile(now),
            Verdict::Unknown => shared.idle.hold_for(now, ALONE_FOR),
        }
        true
    }

    /// Counts the leaf operations since the last time, and says how many they were.
    pub(crate) fn tell_leaves(&self) -> u64 {
        let leaves = task_context::leaves();
        let more = leaves.wrapping_sub(self.leaves.replace(leaves));
        self.seat().counters.leaves.add(more);
        more
    }

    /// Leaves what is queued here to others, and sleeps.
    pub(crate) fn step_back(&self) {
        self.trial.set(None);
        self.leave_queue();
        // It was judged.
        self.helps.set(false);
        self.futile.set(true);
        self.sleep();
    }

    /// Puts what is queued here where others take it from although it is held. Before the seat's bit says that it sleeps:
    /// who goes to sleep last looks there.
    pub(crate) fn leave_queue(&self) {
        let injector = &self.shared.injector;
        let first = self.upcoming.take().into_iter().chain(self.seat().slot.take());
        first.for_each(|task| injector.push(task));
        while let Some(task) = self.core.deque.pop() {
            injector.push(task);
        }
    }
}
