//! A short wait without sleep: to be called costs some 5 µs, and what comes next often comes sooner.
//!
//! Who has waited in vain waits half as long the next time. Who gave way, and got the processor back late, shares it
//! with somebody, perhaps with the one it waits for: the next time it sleeps, since who is called is put where a
//! processor is free.

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

pub(crate) struct Spin {
    yields: u32,
    is_crowded: bool,
}

impl Spin {
    pub(crate) fn new() -> Self {
        Self { yields: YIELDS, is_crowded: false }
    }

    /// Waits for a short while until `reached`; says whether it was.
    pub(crate) fn until(&mut self, mut reached: impl FnMut() -> bool) -> bool {
        if MODEL {
            return reached();
        }
        for _ in 0..LOOKS {
            if reached() {
                return true;
            }
            hint::spin_loop();
        }
        if std::mem::take(&mut self.is_crowded) {
            return reached();
        }
        let mut before = clock::now();
        for _ in 0..self.yields {
            if reached() {
                self.yields = YIELDS;
                return true;
            }
            thread::yield_now();
            let now = clock::now();
            if now - before > LATE {
                self.is_crowded = true;
                return reached();
            }
            before = now;
        }
        self.yields = (self.yields / 2).max(LEAST);
        reached()
    }
}
