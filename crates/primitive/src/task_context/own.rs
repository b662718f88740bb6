//! Which waker is the polled task's own, and how one is come by.
#![allow(unsafe_code, reason = "a waker of a task is made from the place of its context")]

use super::{CONTEXT_AT, TaskContext, current};
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

/// The own waker of the polled task, if `waker` is another; `None` outside tasks.
#[inline]
pub(crate) fn own_beside(waker: &Waker) -> Option<Waker> {
    let context = current();
    // SAFETY: `enter`'s caller keeps the context valid while the thread-local points to it.
    let is_own = is_own(waker, unsafe { context.as_ref() }?);
    if is_own { None } else { make_beside(context, waker) }
}

#[cold]
fn make_beside(context: *const TaskContext, waker: &Waker) -> Option<Waker> {
    let make = MAKE.get()?;
    // SAFETY: the context was entered on this thread and not left, and who set it promised the rest.
    let own = unsafe { make(context) };
    (!own.will_wake(waker)).then_some(own)
}
