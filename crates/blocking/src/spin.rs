//! A short wait without sleep: to be called costs some 5 µs, and what comes next often comes sooner.
//!
//! Who has waited in vain waits half as long the next time. Who gave way, and got the processor back late, shares it
//! with somebody, most likely with the one it waits for: the next time it gives way at once.

use crate::clock;
use kasasagi_primitive::{MODEL, hint, thread};
use std::time::Duration;

/// Looks without giving way: some 1.5 µs.
const LOOKS: u32 = 64;

/// Looks that let others run in between; each takes 0.5 µs if nobody wants to.
const YIELDS: u32 = 32;

/// Fewer than these it is never.
const LEAST: u32 = 2;

/// Somebody else ran.
const LATE: Duration = Duration::from_micros(2);

/// Who ran so often, and has not done what is waited for, does something else.
const TURNS: u32 = 2;

pub(crate) struct Spin {
    yields: u32,
    is_shared: bool,
}

impl Spin {
    pub(crate) fn new() -> Self {
        Self { yields: YIELDS, is_shared: false }
    }

    /// Waits for a short while until `reached`; says whether it was.
    pub(crate) fn until(&mut self, mut reached: impl FnMut() -> bool) -> bool {
        if MODEL {
            return reached();
        }
        let looks = if self.is_shared { 1 } else { LOOKS };
        for _ in 0..looks {
            if reached() {
                return true;
            }
            hint::spin_loop();
        }
        let (mut before, mut turns) = (clock::now(), 0);
        for _ in 0..self.yields {
            thread::yield_now();
            let now = clock::now();
            let was_late = now - before > LATE;
            before = now;
            if reached() {
                (self.yields, self.is_shared) = (YIELDS, was_late);
                return true;
            }
            turns += u32::from(was_late);
            if turns == TURNS {
                break;
            }
        }
        (self.yields, self.is_shared) = ((self.yields / 2).max(LEAST), false);
        false
    }
}
