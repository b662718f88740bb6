//! Where the reactor becomes the scheduler's driver. Neither knows the other.

use kasasagi_reactor::Reactor;
use kasasagi_scheduler::Driver;

/// Timers that a worker fires between two of its tasks: so many that a turn of the queue stays short while very many
/// are due, and so many that they get ahead. The worker looks again after as many polls or more, as a rule.
const TIMERS: usize = 64;

pub(crate) struct IoDriver(pub(crate) Reactor);

impl Driver for IoDriver {
    fn now(&self) -> u64 {
        self.0.now()
    }

    fn deadline(&self, seat: usize) -> u64 {
        self.0.deadline(seat)
    }

    fn fire(&self, seat: usize, now: u64) -> usize {
        self.0.fire_some(seat, now, TIMERS)
    }

    fn look(&self, max_events: usize) -> usize {
        self.0.look(max_events)
    }

    fn attend(&self, until: u64, max_events: usize) -> usize {
        self.0.attend(until, max_events)
    }

    fn unpark(&self) {
        self.0.interrupt();
    }
}
