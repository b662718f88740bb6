//! The watch: what is neglected behind a long poll, and for how long at most.
//!
//! A worker that sleeps while others run sleeps with a limit, if nobody does so already: it has the watch. At
//! each limit it looks at how many polls the others have made. A seat whose count stood still since the last look is in a long
//! poll: its queue, its slot and its overdue timers are served here; events are served anyhow, since who
//! wakes attends the driver if nobody does. Who has the watch and finds work passes it on, at most once in
//! [`PASS`], since it costs a wake; who goes to sleep without it meanwhile looks again after that time, and if
//! there is nobody who will, it is passed on all the same. When everybody has slept for [`QUIET`], the watch ends
//! and nobody ticks. So at any time somebody is awake and has yet to decide, or nobody runs, or nobody sleeps, or
//! a sleeper has a limit.
//!
//! Go's `sysmon` is the model; here it is no thread, but whoever is idle.

use crate::driver::NEVER;
use crate::seat::{Local, Wakes};
use crate::worker::FIRED_IDLE;
use kasasagi_primitive::sync::atomic::Ordering;

/// How long everybody has to sleep before the watch ends.
const QUIET: u64 = 50_000_000;

/// How often it is passed on at most. 10 ms: a hundred wakes a second where two workers take events in turns, some
/// 0.05 % of a processor. With 50 ms every second event behind a long poll waited for 43 ms.
const PASS: u64 = 10_000_000;

/// A poll that takes longer than this on average is worth sharing, whatever was thought before.
const LARGE: u64 = 20_000;

impl Local {
    /// Which other seats run, or look for work.
    pub(crate) fn running_others(&self) -> u32 {
        let shared = &*self.shared;
        shared.idle.seats()
            & !shared.vacant.load(Ordering::Relaxed)
            & !shared.idle.parked()
            & !(1 << self.index)
    }

    /// Takes the watch if it is needed, and says until when this seat may sleep for its sake.
    pub(crate) fn watch_until(&self, now: u64) -> u64 {
        let shared = &*self.shared;
        if shared.seats.len() == 1 {
            return NEVER;
        }
        if !self.watching.get() && self.running_others() != 0 && shared.idle.try_watch() {
            self.watching.set(true);
            self.quiet_since.set(now);
            self.remember_polls(now);
        }
        if self.watching.get() {
            return self.last_look.get().saturating_add(shared.config.sentinel_period);
        }
        // Without the watch: it may have been dropped by a worker that could not pass it on in this time.
        let passed = shared.last_watch.load(Ordering::Relaxed).saturating_add(PASS);
        if passed <= now {
            return NEVER;
        }
        shared.idle.will_look_again(self.index);
        self.relooks.set(true);
        passed
    }

    fn remember_polls(&self, now: u64) {
        self.last_look.set(now);
        let mut seen = self.seen_polls.borrow_mut();
        for (seen, seat) in seen.iter_mut().zip(&self.shared.seats) {
            *seen = seat.counters.polls.get();
        }
    }

    /// Awake: looks after the others, if this seat has the watch.
    pub(crate) fn watch(&self, now: u64) {
        if !self.watching.get() {
            return;
        }
        // Woken early: a count that stood still for less than the period proves nothing.
        if now.saturating_sub(self.last_look.get()) < self.shared.config.sentinel_period {
            return;
        }
        let mut running = self.running_others();
        if running != 0 {
            self.quiet_since.set(now);
        } else if now.saturating_sub(self.quiet_since.get()) > QUIET {
            self.watching.set(false);
            self.shared.idle.stop_watching();
            return;
        }
        let was_held = self.shared.idle.is_held();
        while running != 0 {
            let seat = running.trailing_zeros() as usize;
            running &= running - 1;
            let polls = self.shared.seats[seat].counters.polls.get();
            let since = polls.wrapping_sub(self.seen_polls.borrow()[seat]);
            if since == 0 {
                self.rescue(seat, now);
            } else if now.saturating_sub(self.last_look.get()) / since > LARGE {
                // It keeps tasks that are too large for that, and may not look outside before many of them.
                self.shared.idle.end_hold();
            }
        }
        self.remember_polls(now);
        // This seat has something to do now, and does not go and look what else was held.
        if was_held && !self.core.deque.is_empty() && self.sees_work() {
            self.shared.maybe_wake();
        }
    }

    /// Serves what `seat` neglects.
    fn rescue(&self, seat: usize, now: u64) {
        let shared = &*self.shared;
        // Its tasks are too large to wait for it.
        shared.idle.end_hold();
        let other = &shared.seats[seat];
        let limit = shared.config.steal_limit;
        let mut rescued = 0;
        if other.stealer.steal_batch_with_limit(&self.core.deque, limit).is_success() {
            rescued += 1;
        } else if let Some(task) = other.slot.take() {
            self.core.deque.push(task);
            rescued += 1;
        }
        if shared.driver.deadline(seat) <= now {
            rescued += self.with_wakes(Wakes::Driver, || shared.driver.fire(seat, now, FIRED_IDLE));
        }
        if rescued > 0 {
            self.seat().counters.rescues.add(1);
        }
    }

    /// About to run: the watch, if this seat has it, goes to somebody who sleeps; and if nobody has it,
    /// somebody gets it.
    pub(crate) fn pass_watch_on(&self) {
        let idle = &self.shared.idle;
        if self.watching.replace(false) {
            idle.stop_watching();
        }
        if !idle.lacks_watch(false) {
            return;
        }
        let now = self.last_check.get().max(kasasagi_primitive::task_context::coarse_now());
        let last = self.shared.last_watch.load(Ordering::Relaxed);
        if now.saturating_sub(last) < PASS && last != 0 && !idle.lacks_watch(true) {
            return;
        }
        self.shared.last_watch.store(now.max(1), Ordering::Relaxed);
        // It wakes as a searcher, finds nothing, sees that others run, and goes to sleep with the watch.
        if let Some(seat) = idle.choose_any() {
            self.shared.seats[seat].called_to_look.store(true, Ordering::Relaxed);
            self.shared.unpark(seat);
        }
    }
}
