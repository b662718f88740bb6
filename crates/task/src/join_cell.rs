//! Where a handle leaves its waker for whoever completes the task: written by the handle while WAITS is clear, and
//! read by the completer that sees WAITS.
//!
//! Two atomic words, since the completer copies them before the exchange that makes them its own: the handle may be
//! writing others meanwhile, after it took WAITS back. Then the exchange fails, for RENEWED is set, and the copy is
//! thrown away.
#![allow(unsafe_code, reason = "a waker is taken apart into its two words, and put together again")]

use kasasagi_primitive::sync::atomic::{AtomicPtr, Ordering};
use std::mem::ManuallyDrop;
use std::ptr::null_mut;
use std::task::{RawWakerVTable, Waker};

/// The two words. What orders them is the state word.
#[derive(Debug)]
pub(crate) struct JoinCell {
    data: AtomicPtr<()>,
    vtable: AtomicPtr<RawWakerVTable>,
}

/// A copy of the words; a waker only for whom the state word gives it to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Words {
    data: *const (),
    vtable: *const RawWakerVTable,
}

impl JoinCell {
    #[inline]
    pub(crate) fn new() -> Self {
        Self { data: AtomicPtr::new(null_mut()), vtable: AtomicPtr::new(null_mut()) }
    }

    /// Puts the handle's waker here; the handle calls it while WAITS is clear.
    #[inline]
    pub(crate) fn put(&self, waker: Waker) {
        let waker = ManuallyDrop::new(waker);
        self.data.store(waker.data().cast_mut(), Ordering::Relaxed);
        self.vtable.store(std::ptr::from_ref(waker.vtable()).cast_mut(), Ordering::Relaxed);
    }

    #[inline]
    pub(crate) fn peek(&self) -> Words {
        Words {
            data: self.data.load(Ordering::Relaxed),
            vtable: self.vtable.load(Ordering::Relaxed),
        }
    }

    /// Whether the waker here is as good as `waker`; the handle calls it while WAITS is set.
    pub(crate) fn is(&self, waker: &Waker) -> bool {
        let words = self.peek();
        words.data == waker.data() && std::ptr::eq(words.vtable, waker.vtable())
    }
}

impl Words {
    /// The waker.
    ///
    /// # Safety
    /// The words were read while WAITS was set and not taken back, and by the state word the waker is the caller's.
    #[inline]
    pub(crate) unsafe fn into_waker(self) -> Waker {
        // SAFETY: they came from a waker, whose vtable is 'static.
        let vtable = unsafe { &*self.vtable };
        // SAFETY: the words of a waker that `put` took apart, and put together once, says the caller.
        unsafe { Waker::new(self.data, vtable) }
    }
}
