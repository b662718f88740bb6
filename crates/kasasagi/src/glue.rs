//! Where the reactor becomes the scheduler's driver. Neither knows the other.

use kasasagi_reactor::Reactor;
use kasasagi_scheduler::Driver;

pub(crate) struct IoDriver(pub(crate) Reactor);

impl Driver for IoDriver {
    fn now(&self) -> u64 {
        self.0.now()
    }

    fn deadline(&self, seat: usize) -> u64 {
        self.0.deadline(seat)
    }

    fn fire(&self, seat: usize, now: u64, max: usize) -> usize {
        self.0.fire_some(seat, now, max)
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
