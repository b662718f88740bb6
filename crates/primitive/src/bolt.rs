//! The word of a lock that is held for some instructions only: [`ShortLock`](crate::sync::ShortLock)'s.
//!
//! Taking it is one compare-exchange; giving it back is a plain store, since nobody sleeps who would have to be woken. Who finds it
//! taken spins for a microsecond or two. Longer than that it is held only by a thread that was taken off its processor;
//! so then the others give up theirs, and later sleep for a little.

use crate::const_new;
use crate::hint;
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::thread;
use std::time::Duration;

/// How often the pause is doubled, from one turn of a spin on: 127 turns in all.
const DOUBLINGS: u32 = if crate::MODEL { 0 } else { 7 };
/// How often others are let run before the thread sleeps: a guess.
const YIELDS: u32 = if crate::MODEL { u32::MAX } else { 16 };
/// How long it sleeps then, each time: as long as the kernel is late by default.
const NAP: Duration = Duration::from_micros(50);

/// Open or shut.
#[derive(Debug)]
pub struct Bolt(AtomicBool);

impl Bolt {
    const_new! {
        /// Open.
        pub const fn new() -> Self {
            Self(AtomicBool::new(false))
        }
    }

    /// Shuts it, if it is open.
    #[inline]
    pub fn try_shut(&self) -> bool {
        // The load first: who tries in vain must not take the line from who has it.
        !self.0.load(Ordering::Relaxed) && self.turn()
    }

    /// Shuts it; if it is shut, as soon as it is open.
    #[inline]
    pub fn shut(&self) {
        if !self.turn() {
            self.wait();
        }
    }

    #[inline]
    fn turn(&self) -> bool {
        // Acquire: pairs with the Release of `open`. No swap: whoever has it opens it with a plain store, which nothing that
        // is written in vain should follow.
        self.0.compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    /// Opens it. Only for the one that has shut it.
    #[inline]
    pub fn open(&self) {
        // Release: what was done meanwhile happens before what the next one does.
        self.0.store(false, Ordering::Release);
    }

    #[cold]
    fn wait(&self) {
        let mut turn = 0;
        while !self.try_shut() {
            pause(turn);
            turn = turn.saturating_add(1);
        }
    }
}

impl Default for Bolt {
    fn default() -> Self {
        Self::new()
    }
}

/// Lets some time pass, the more the longer one has waited.
fn pause(turn: u32) {
    if turn < DOUBLINGS {
        (0..1_u32 << turn).for_each(|_| hint::spin_loop());
    } else if turn - DOUBLINGS < YIELDS {
        thread::yield_now();
    } else {
        nap();
    }
}

#[expect(clippy::disallowed_methods, reason = "the thread that has the lock does not run")]
fn nap() {
    thread::sleep(NAP);
}
