//! A thread's place to wait: a token and a thread.
//!
//! `unpark` leaves a token; `park` takes it, and waits for it if there is none. Several tokens count as one.
//! Only the thread that made the parker may wait on it.

use crate::sync::Arc;
use crate::sync::atomic::{AtomicU32, Ordering};
use crate::thread::{self, Thread};
use std::fmt;
use std::task::{Wake, Waker};
use std::time::Duration;

const EMPTY: u32 = 0;
const NOTIFIED: u32 = 1;

struct Place {
    token: AtomicU32,
    thread: Thread,
}

/// The waiting side; belongs to one thread.
pub struct Parker {
    place: Arc<Place>,
    // Waiting on another thread's place would never end: neither Send nor Sync.
    _not_send: std::marker::PhantomData<*const ()>,
}

/// The waking side.
#[derive(Clone)]
pub struct Unparker {
    place: Arc<Place>,
}

impl Default for Parker {
    fn default() -> Self {
        Self::new()
    }
}

impl Parker {
    /// A place for the calling thread, without a token.
    pub fn new() -> Self {
        let place = Arc::new(Place { token: AtomicU32::new(EMPTY), thread: thread::current() });
        Self { place, _not_send: std::marker::PhantomData }
    }

    /// The waking side.
    pub fn unparker(&self) -> Unparker {
        Unparker { place: Arc::clone(&self.place) }
    }

    /// Waits until there is a token, and takes it.
    pub fn park(&self) {
        // A swap, not a load: it reads the latest token in modification order, and so synchronizes with every
        // unpark that was folded into it (Acquire pairs with the Release of `unpark`).
        while self.place.token.swap(EMPTY, Ordering::Acquire) != NOTIFIED {
            thread::park();
        }
    }

    /// Takes a token if there is one, and does not wait.
    pub fn try_park(&self) -> bool {
        // The load first: who spins must not take the line from who unparks. The swap as in `park`.
        self.place.token.load(Ordering::Relaxed) == NOTIFIED
            && self.place.token.swap(EMPTY, Ordering::Acquire) == NOTIFIED
    }

    /// Waits for a token, `limit` at most; says whether it got one. May return early without one.
    pub fn park_timeout(&self, limit: Duration) -> bool {
        if self.place.token.swap(EMPTY, Ordering::Acquire) == NOTIFIED {
            return true;
        }
        thread::park_timeout(limit);
        self.place.token.swap(EMPTY, Ordering::Acquire) == NOTIFIED
    }
}

impl Unparker {
    /// Leaves a token; a thread that waits goes on.
    pub fn unpark(&self) {
        if self.place.token.swap(NOTIFIED, Ordering::AcqRel) == EMPTY {
            self.place.thread.unpark();
        }
    }

    /// A waker that leaves a token.
    pub fn into_waker(self) -> Waker {
        std::sync::Arc::new(Token(self)).into()
    }
}

struct Token(Unparker);

impl Wake for Token {
    fn wake(self: std::sync::Arc<Self>) {
        self.0.unpark();
    }

    fn wake_by_ref(self: &std::sync::Arc<Self>) {
        self.0.unpark();
    }
}

impl fmt::Debug for Parker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parker").finish_non_exhaustive()
    }
}

impl fmt::Debug for Unparker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unparker").finish_non_exhaustive()
    }
}
