//! Wakers taken under a lock, to be woken outside it.
//!
//! Waking runs foreign code: a task's schedule function, a combinator's bookkeeping, sometimes a drop of the
//! whole future. None of it may run while a lock of ours is held.

use crate::MODEL;
use crate::task_context;
use std::any::Any;
use std::mem::{self, ManuallyDrop};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::task::Waker;
use std::thread;

/// How many wakers a batch holds: one lock round trip is spread over so many wakes, and the batch stays
/// below half a kilobyte of stack. tokio's figure.
pub const BATCH: usize = 32;

/// Up to [`BATCH`] wakers on the stack.
///
/// A batch that is dropped wakes what it holds. A panic in one waker loses no other wake.
#[derive(Debug)]
pub struct WakeBatch {
    /// Those beyond `len` are `None`, and a batch that is dropped has woken the others: there is nothing to look for.
    wakers: ManuallyDrop<[Option<Waker>; BATCH]>,
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
        Self { wakers: ManuallyDrop::new([const { None }; BATCH]), len: 0 }
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

    /// Takes out the one that was added first; the others keep their order.
    pub fn take_first(&mut self) -> Option<Waker> {
        // Its place stays, empty, until the batch is woken.
        self.wakers[..self.len].first_mut().and_then(Option::take)
    }

    /// Wakes all, in the order in which they were added. To be called with no lock held.
    ///
    /// # Panics
    /// If a waker panics, with the first one's payload, when all have been woken; not while this thread unwinds.
    pub fn wake_all(&mut self) {
        if let Some(payload) = self.wake_each() {
            go_on(payload);
        }
    }

    /// As `wake_all`, for an engine that runs on others' behalf: what a waker panics with ends here. The panic hook
    /// has told of it.
    pub fn wake_all_caught(&mut self) {
        if let Some(payload) = self.wake_each() {
            drop_payload(payload);
        }
    }

    fn wake_each(&mut self) -> Option<Box<dyn Any + Send>> {
        let mut first = None;
        for waker in &mut self.wakers[..mem::take(&mut self.len)] {
            let Some(waker) = waker.take() else { continue };
            if let Err(payload) = try_wake(waker) {
                match first {
                    None => first = Some(payload),
                    Some(_) => drop_payload(payload),
                }
            }
        }
        first
    }
}

/// Wakes one waker, also in a `drop`: while this thread unwinds, its panic ends here, as a second one would end the
/// process. To be called with no lock held.
///
/// # Panics
/// If the waker panics; not while this thread unwinds.
#[inline]
pub fn wake(waker: Waker) {
    if thread::panicking() {
        return wake_caught(waker);
    }
    waker.wake();
}

/// Wakes one waker, and lets its panic end here.
pub fn wake_caught(waker: Waker) {
    if let Err(payload) = try_wake(waker) {
        drop_payload(payload);
    }
}

/// Drops one waker, and lets its panic end here.
pub fn drop_caught(waker: Waker) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(waker))) {
        drop_payload(payload);
    }
}

/// A waker's panic goes on, unless this thread unwinds already.
fn go_on(payload: Box<dyn Any + Send>) {
    if thread::panicking() {
        return drop_payload(payload);
    }
    resume_unwind(payload);
}

fn try_wake(waker: Waker) -> Result<(), Box<dyn Any + Send>> {
    if MODEL {
        // A panic is the model's verdict, and must reach it.
        waker.wake();
        return Ok(());
    }
    catch_unwind(AssertUnwindSafe(|| waker.wake()))
}

/// Drops a panic's payload, whose own drop may panic again.
pub(crate) fn drop_payload(payload: Box<dyn Any + Send>) {
    if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        // Twice is malice; the second one is leaked.
        mem::forget(second);
    }
}

impl Drop for WakeBatch {
    fn drop(&mut self) {
        if self.len > 0 {
            // It may be a panic that drops it, and a second one would end the process.
            self.wake_all_caught();
        }
    }
}

/// The first of several that are woken at once, so that their tasks run in the order in which they are served.
///
/// A worker runs next what its task has woken last, and the others in the order of their wakes. So in a task the first
/// one is woken last; elsewhere first. Dropped before it was woken, it wakes.
#[derive(Debug)]
pub struct Lead(Option<Waker>);

impl Lead {
    /// Wakes it at once, unless this is a task. To be called with no lock held.
    ///
    /// # Panics
    /// If the waker panics; not while this thread unwinds.
    pub fn new(waker: Waker) -> Self {
        if task_context::current().is_null() {
            wake(waker);
            return Self(None);
        }
        Self(Some(waker))
    }

    /// Wakes it, if that was not done yet: all others were.
    ///
    /// # Panics
    /// If the waker panics; not while this thread unwinds.
    pub fn follow(mut self) {
        if let Some(waker) = self.0.take() {
            wake(waker);
        }
    }
}

impl Drop for Lead {
    fn drop(&mut self) {
        if let Some(waker) = self.0.take() {
            wake_caught(waker);
        }
    }
}
