//! One seat's place to sleep: on its thread's token, or in the driver.
//!
//! ```text
//!   EMPTY ──park──► PARKED ──unpark──► NOTIFIED ──(woken)──► EMPTY
//!     │  └─attend─► ATTENDING ─unpark──►  │
//!     └────────────unpark────────────────►┘   the next park or attend returns at once
//! ```
//! The token is only ever swapped: of a sleeper's exchange and a waker's swap the later sees the earlier, so
//! either the sleeper finds the token or the waker finds out where it sleeps.

use crate::driver::{Driver, NEVER};
use kasasagi_primitive::chaos;
use kasasagi_primitive::sync::Mutex;
use kasasagi_primitive::sync::atomic::{AtomicU32, Ordering};
use kasasagi_primitive::thread::{self, Thread};
use std::time::Duration;

const EMPTY: u32 = 0;
const PARKED: u32 = 1;
const ATTENDING: u32 = 2;
const NOTIFIED: u32 = 3;

#[derive(Debug)]
pub(crate) struct Sleeper {
    token: AtomicU32,
    /// The thread in the seat; locked only to wake one that sleeps, and when the seat changes hands.
    thread: Mutex<Option<Thread>>,
}

impl Sleeper {
    pub(crate) fn new() -> Self {
        Self { token: AtomicU32::new(EMPTY), thread: Mutex::new(None) }
    }

    /// The calling thread takes the seat.
    pub(crate) fn sit(&self) {
        *self.thread.lock() = Some(thread::current());
    }

    /// The calling thread leaves the seat.
    pub(crate) fn leave(&self) {
        *self.thread.lock() = None;
    }

    /// Waits for the token until `until`, by a clock that shows `now`; says whether it got it.
    pub(crate) fn park(&self, now: u64, until: u64) -> bool {
        if !self.lie_down(PARKED) {
            return true;
        }
        if until == NEVER {
            thread::park();
        } else {
            thread::park_timeout(Duration::from_nanos(until.saturating_sub(now)));
        }
        self.get_up()
    }

    /// Attends the driver until `until`; says whether it got the token, and how many events there were.
    pub(crate) fn attend(
        &self,
        driver: &dyn Driver,
        until: u64,
        max_events: usize,
    ) -> (bool, usize) {
        if !self.lie_down(ATTENDING) {
            return (true, driver.look(max_events));
        }
        let events = driver.attend(until, max_events);
        (self.get_up(), events)
    }

    fn lie_down(&self, how: u32) -> bool {
        let slept =
            self.token.compare_exchange(EMPTY, how, Ordering::AcqRel, Ordering::Acquire).is_ok();
        if !slept {
            // Acquire: what was done before the token was left is seen by the search that follows.
            self.token.swap(EMPTY, Ordering::AcqRel);
        }
        slept
    }

    fn get_up(&self) -> bool {
        chaos::delay();
        self.token.swap(EMPTY, Ordering::AcqRel) == NOTIFIED
    }

    /// Leaves the token, and ends the sleep if there is one.
    pub(crate) fn unpark(&self, driver: &dyn Driver) {
        match self.token.swap(NOTIFIED, Ordering::AcqRel) {
            PARKED => {
                // Cloned out of the lock: unpark is a system call.
                let thread = self.thread.lock().clone();
                if let Some(thread) = thread {
                    thread.unpark();
                }
            }
            ATTENDING => driver.unpark(),
            _ => {}
        }
    }
}
