//! Which waker is the polled task's own, and how one is come by.
#![allow(unsafe_code, reason = "a waker of a task is made from the place of its context")]

use super::{CONTEXT_AT, TaskContext};
use crate::MODEL;
use std::sync::OnceLock;
use std::task::Waker;

/// Makes a waker of the task with this context, which is being polled. It runs no foreign code, and takes no lock.
pub type MakeWaker = unsafe fn(*const TaskContext) -> Waker;

static MAKE: OnceLock<MakeWaker> = OnceLock::new();

/// Says how a task's own waker is made; heard once in a process.
///
/// # Safety
/// `make` may be called with each context that [`enter`](super::enter) is given in this process, until the guard is
/// dropped.
pub unsafe fn set_make_waker(make: MakeWaker) {
    let _ = MAKE.set(make);
}

/// Whether `waker` is the own one of the task with this context, and not a combinator's.
#[inline]
pub(crate) fn is_own(waker: &Waker, context: &TaskContext) -> bool {
    // Nobody else's waker points to the header: its address is given out in the task's own alone.
    let before = std::ptr::from_ref(context).addr().wrapping_sub(waker.data().addr());
    // In a model atomics are larger; no other block lies so near.
    before == CONTEXT_AT || (MODEL && before < 1024)
}

/// How a task's own waker is made, if that was said.
#[cold]
pub(crate) fn make_waker() -> Option<MakeWaker> {
    MAKE.get().copied()
}
