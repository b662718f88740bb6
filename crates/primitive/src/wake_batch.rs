//! Wakers taken under a lock, to be woken outside it.
//!
//! Waking runs foreign code: a task's schedule function, a combinator's bookkeeping, sometimes a drop of the
//! whole future. None of it may run while a lock of ours is held.

use std::task::Waker;

/// How many wakers a batch holds: one lock round trip is spread over so many wakes, and the batch stays
/// below half a kilobyte of stack. tokio's figure.
pub const BATCH: usize = 32;

/// Up to [`BATCH`] wakers on the stack.
///
/// A batch that is dropped wakes what it holds: a panic in one waker loses no other wake.
#[derive(Debug)]
pub struct WakeBatch {
    wakers: [Option<Waker>; BATCH],
    len: usize,
}

impl Default for WakeBatch {
    fn default() -> Self {
        Self::new()
    }
}

impl WakeBatch {
    /// An empty batch.
    pub fn new() -> Self {
        Self { wakers: [const { None }; BATCH], len: 0 }
    }

    /// Whether the caller has to wake the batch before it can push more.
    pub fn is_full(&self) -> bool {
        self.len == BATCH
    }

    /// Whether there is nobody to wake.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many there are to wake.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Adds a waker.
    ///
    /// # Panics
    /// When the batch is full.
    #[track_caller]
    pub fn push(&mut self, waker: Waker) {
        assert!(!self.is_full(), "a full wake batch must be woken before it takes more");
        self.wakers[self.len] = Some(waker);
        self.len += 1;
    }

    /// Wakes all, in the order in which they were added. To be called with no lock held.
    pub fn wake_all(&mut self) {
        // A waker that panics must not take the rest with it: they are woken by the drop.
        let mut rest = Rest { batch: self, next: 0 };
        rest.wake();
    }
}

impl Drop for WakeBatch {
    fn drop(&mut self) {
        if self.len > 0 {
            self.wake_all();
        }
    }
}

struct Rest<'a> {
    batch: &'a mut WakeBatch,
    next: usize,
}

impl Rest<'_> {
    fn wake(&mut self) {
        while self.next < self.batch.len {
            let waker = self.batch.wakers[self.next].take();
            self.next += 1;
            if let Some(waker) = waker {
                waker.wake();
            }
        }
        self.batch.len = 0;
    }
}

impl Drop for Rest<'_> {
    fn drop(&mut self) {
        self.wake();
    }
}
