//! Where the reactor becomes the scheduler's driver. Neither knows the other.

use kasasagi_blocking::Pool;
use kasasagi_reactor::Reactor;
use kasasagi_scheduler::Driver;

pub(crate) struct IoDriver {
    pub(crate) reactor: Reactor,
    /// Its closures hold the time where that stands still.
    pub(crate) pool: Pool,
}

impl Driver for IoDriver {
    fn now(&self) -> u64 {
        self.reactor.now()
    }

    fn deadline(&self, seat: usize) -> u64 {
        self.reactor.deadline(seat)
    }

    fn fire(&self, seat: usize, now: u64, max: usize) -> usize {
        self.reactor.fire_some(seat, now, max)
    }

    fn look(&self, max_events: usize) -> usize {
        self.reactor.look(max_events)
    }

    fn attend(&self, until: u64, max_events: usize) -> usize {
        self.reactor.attend(until, max_events)
    }

    fn unpark(&self) {
        self.reactor.interrupt();
    }

    fn stands_still(&self) -> bool {
        self.reactor.is_paused()
    }

    fn is_held(&self) -> bool {
        !self.pool.is_quiet()
    }

    fn jump(&self, held: bool) -> bool {
        self.reactor.jump(held)
    }
}
