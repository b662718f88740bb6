//! Tasks that only one seat may run: its queue, which nobody else touches, and an inbox for wakes from elsewhere.
//!
//! Both are linked by the tasks themselves; a task is in one of them at a time, once.
#![allow(unsafe_code, reason = "the queue and the inbox hold raw task pointers")]

use kasasagi_primitive::sync::atomic::{AtomicPtr, Ordering};
use kasasagi_task::Runnable;
use std::cell::Cell;
use std::ptr::{NonNull, null_mut};

/// Tasks pinned to a seat, sent from elsewhere: a stack that the seat takes whole.
#[derive(Debug)]
pub(crate) struct Inbox(AtomicPtr<()>);

impl Inbox {
    pub(crate) fn new() -> Self {
        Self(AtomicPtr::new(null_mut()))
    }

    pub(crate) fn push(&self, task: Runnable) {
        let raw = task.into_raw();
        let mut head = self.0.load(Ordering::Relaxed);
        loop {
            // SAFETY: the task is ours until the exchange below makes it the inbox's.
            unsafe { Runnable::set_next_of(raw, head) };
            match self.0.compare_exchange_weak(
                head,
                raw.as_ptr(),
                Ordering::Release,
                Ordering::Relaxed,
            ) {
                Ok(_) => return,
                Err(actual) => head = actual,
            }
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.load(Ordering::Relaxed).is_null()
    }

    /// Takes all, oldest first.
    pub(crate) fn take(&self, mut each: impl FnMut(Runnable)) {
        if self.is_empty() {
            return;
        }
        let mut newest = self.0.swap(null_mut(), Ordering::Acquire);
        let mut oldest = null_mut();
        while let Some(raw) = NonNull::new(newest) {
            // SAFETY: the whole stack became ours by the swap.
            newest = unsafe { Runnable::next_of(raw) };
            // SAFETY: as above.
            unsafe { Runnable::set_next_of(raw, oldest) };
            oldest = raw.as_ptr();
        }
        while let Some(raw) = NonNull::new(oldest) {
            // SAFETY: as above; read before the task is given on.
            oldest = unsafe { Runnable::next_of(raw) };
            // SAFETY: pushed once, and taken once.
            each(unsafe { Runnable::from_raw(raw) });
        }
    }
}

/// Tasks that only this seat may run, first in, first out.
#[derive(Debug)]
pub(crate) struct Pinned {
    first: Cell<*mut ()>,
    last: Cell<*mut ()>,
}

impl Pinned {
    pub(crate) fn new() -> Self {
        Self { first: Cell::new(null_mut()), last: Cell::new(null_mut()) }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.first.get().is_null()
    }

    pub(crate) fn push(&self, task: Runnable) {
        let raw = task.into_raw();
        // SAFETY: the task is ours, and goes into this queue.
        unsafe { Runnable::set_next_of(raw, null_mut()) };
        match NonNull::new(self.last.get()) {
            // SAFETY: the last one is in this queue.
            Some(last) => unsafe { Runnable::set_next_of(last, raw.as_ptr()) },
            None => self.first.set(raw.as_ptr()),
        }
        self.last.set(raw.as_ptr());
    }

    pub(crate) fn pop(&self) -> Option<Runnable> {
        let raw = NonNull::new(self.first.get())?;
        // SAFETY: the first one is in this queue.
        let next = unsafe { Runnable::next_of(raw) };
        self.first.set(next);
        if next.is_null() {
            self.last.set(null_mut());
        }
        // SAFETY: pushed once, and taken out just now.
        Some(unsafe { Runnable::from_raw(raw) })
    }

    /// Moves all of `other` behind what is here.
    pub(crate) fn append(&self, other: &Self) {
        while let Some(task) = other.pop() {
            self.push(task);
        }
    }
}
