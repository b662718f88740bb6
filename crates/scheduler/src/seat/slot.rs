//! The task that was woken last, to be run next from a warm cache: the owner puts, anybody may take.
//!
//! Only the owner stores a task; whoever exchanges it away has it.
#![allow(unsafe_code, reason = "the slot holds a raw task pointer")]

use kasasagi_primitive::sync::atomic::{AtomicPtr, Ordering};
use kasasagi_task::Runnable;
use std::ptr::{NonNull, null_mut};

/// A place for one task: the owner puts, the owner and thieves take.
#[derive(Debug)]
pub(crate) struct Slot(AtomicPtr<()>);

impl Slot {
    pub(crate) fn new() -> Self {
        Self(AtomicPtr::new(null_mut()))
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.load(Ordering::Relaxed).is_null()
    }

    /// Puts a task; returns the one that was there. Only the owner may.
    #[inline]
    pub(crate) fn put(&self, task: Runnable) -> Option<Runnable> {
        let new = task.into_raw().as_ptr();
        // Only the owner stores a task, so an empty slot stays empty: a plain store will do.
        if self.is_empty() {
            self.0.store(new, Ordering::Release);
            return None;
        }
        Self::back(self.0.swap(new, Ordering::AcqRel))
    }

    /// Takes the task, if it is still there.
    #[inline]
    pub(crate) fn take(&self) -> Option<Runnable> {
        if self.is_empty() {
            return None;
        }
        Self::back(self.0.swap(null_mut(), Ordering::AcqRel))
    }

    fn back(raw: *mut ()) -> Option<Runnable> {
        // SAFETY: only `put` stores pointers, from `into_raw`; the exchange that removed it made it ours.
        NonNull::new(raw).map(|raw| unsafe { Runnable::from_raw(raw) })
    }
}
