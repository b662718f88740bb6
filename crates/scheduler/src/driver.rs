//! The scheduler's one opening to the outside world: where an idle worker waits, and where a busy one looks.
//!
//! Only wakers, durations, moments and small integers cross it. The reactor implements nothing of this: the
//! roof joins the two in one short file. A moment is a `u64` of nanoseconds of the driver's clock.

use kasasagi_primitive::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};

/// A moment that never comes.
pub const NEVER: u64 = u64::MAX;

/// What the scheduler needs of the world outside: a clock, timers by seat, and events to wait for.
///
/// The contract, each line of which the scheduler relies on:
///
/// 1. At most one worker at a time is in `attend`; the scheduler sees to that. `look` may be called beside
///    it, and by several workers; who finds another at work returns 0.
/// 2. `unpark` ends the `attend` under way, or else the next. Several may count as one.
/// 3. Wakes are made with no lock of the driver's held. Woken tasks land in the queue of the worker that
///    calls, since the wake runs on its thread.
/// 4. `look` and `fire` do not block. A signal that interrupts a wait is not an error.
/// 5. `attend` may return early for no reason.
pub trait Driver: Send + Sync + 'static {
    /// The time now.
    fn now(&self) -> u64;

    /// When the earliest timer of `seat` is due; [`NEVER`] if it has none. Costs one load.
    fn deadline(&self, seat: usize) -> u64;

    /// Wakes whoever waits on timers of `seat` that are due at `now`, some `max` of them at most; returns how many.
    /// Any thread may. If there are more, the deadline stays in the past.
    fn fire(&self, seat: usize, now: u64, max: usize) -> usize;

    /// Wakes whoever waits for events that are there, at most `max_events`; returns how many.
    fn look(&self, max_events: usize) -> usize;

    /// As `look`, and waits for events until `until`, or until somebody calls `unpark`.
    fn attend(&self, until: u64, max_events: usize) -> usize;

    /// Ends the `attend` under way, or else the next.
    fn unpark(&self);

    /// Whether its timers go by a clock that stands still until `jump` moves it; `now` does not. The deadline of a seat
    /// is in the past then if something is due, else [`NEVER`]. Costs a load or two; asked before each sleep.
    ///
    /// Who has it begin or end to stand still calls [`Spawner::rouse`](crate::Spawner::rouse) afterwards.
    fn stands_still(&self) -> bool {
        false
    }

    /// Whether threads that the scheduler does not know hold the time: they are at work, and may wake a task. Whoever
    /// ends to hold it calls [`Spawner::reconsider`](crate::Spawner::reconsider) afterwards.
    fn is_held(&self) -> bool {
        false
    }

    /// Moves the clock that stands still on, to the first moment at which something is due; says whether something is.
    /// Called while no seat and no guest has anything to do. It fires nothing, does not block, and does not come
    /// back to the scheduler. `held`: what `is_held` said before.
    fn jump(&self, _held: bool) -> bool {
        false
    }
}

/// No outside world: a clock and a place to wait. For schedulers without I/O, and for models.
#[derive(Debug)]
pub struct NoDriver {
    start: Instant,
    unparked: Mutex<bool>,
    changed: Condvar,
}

impl Default for NoDriver {
    fn default() -> Self {
        Self::new()
    }
}

impl NoDriver {
    /// A driver without events.
    #[expect(clippy::disallowed_methods, reason = "this driver is a clock of its own")]
    pub fn new() -> Self {
        Self { start: Instant::now(), unparked: Mutex::new(false), changed: Condvar::new() }
    }
}

impl Driver for NoDriver {
    fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(NEVER)
    }

    fn deadline(&self, _: usize) -> u64 {
        NEVER
    }

    fn fire(&self, _: usize, _: u64, _: usize) -> usize {
        0
    }

    fn look(&self, _: usize) -> usize {
        0
    }

    fn attend(&self, until: u64, _: usize) -> usize {
        let mut unparked = self.unparked.lock();
        if !*unparked {
            if until == NEVER {
                self.changed.wait(&mut unparked);
            } else {
                let limit = Duration::from_nanos(until.saturating_sub(self.now()));
                let _ = self.changed.wait_for(&mut unparked, limit);
            }
        }
        *unparked = false;
        0
    }

    fn unpark(&self) {
        *self.unparked.lock() = true;
        self.changed.notify_one();
    }
}
