//! The seat of this thread.
#![allow(unsafe_code, reason = "the thread-local points to the seat that this thread sits in")]

use crate::seat::Local;
use kasasagi_primitive::thread_local;
use std::cell::Cell;

thread_local! {
    static CURRENT: Cell<*const Local> = Cell::new(std::ptr::null())
}

/// The thread sits until this is dropped; `local` is borrowed for as long.
#[derive(Debug)]
pub(crate) struct Sitting<'a> {
    previous: *const Local,
    _local: std::marker::PhantomData<&'a Local>,
}

/// Makes `local` the seat of this thread.
pub(crate) fn sit(local: &Local) -> Sitting<'_> {
    let previous = CURRENT.with(|current| current.replace(local));
    Sitting { previous, _local: std::marker::PhantomData }
}

impl Drop for Sitting<'_> {
    fn drop(&mut self) {
        CURRENT.with(|current| current.set(self.previous));
    }
}

/// Shows the seat of this thread to `f`; `None` if the thread sits in none.
#[inline]
pub(crate) fn with<R>(f: impl FnOnce(Option<&Local>) -> R) -> R {
    // SAFETY: `sit` borrows what it stores until its guard puts the previous pointer back.
    CURRENT.with(|current| f(unsafe { current.get().as_ref() }))
}
