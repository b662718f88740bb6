//! The task's waker: a reference to the task, and one read-modify-write a wake.
#![allow(
    unsafe_code,
    reason = "a waker is a pointer and a vtable; each waker holds one counted reference"
)]

use crate::cell::{Header, Ptr};
use kasasagi_primitive::task_context::{self, TaskContext};
use std::mem::ManuallyDrop;
use std::ptr::NonNull;
use std::task::{RawWaker, RawWakerVTable, Waker};

static VTABLE: RawWakerVTable = RawWakerVTable::new(clone, wake, wake_by_ref, drop_waker);

fn raw(task: Ptr) -> RawWaker {
    RawWaker::new(task.0.as_ptr().cast_const().cast(), &VTABLE)
}

unsafe fn task(data: *const ()) -> Ptr {
    // SAFETY: `raw` made the pointer from a NonNull.
    Ptr(unsafe { NonNull::new_unchecked(data.cast::<Header>().cast_mut()) })
}

unsafe fn clone(data: *const ()) -> RawWaker {
    // SAFETY: called by a Waker of ours, which holds a reference.
    let task = unsafe { task(data) };
    task.state().add_ref();
    raw(task)
}

unsafe fn wake(data: *const ()) {
    // SAFETY: called by a Waker of ours, whose reference goes into the wake.
    let task = unsafe { task(data) };
    task.follow(task.state().wake());
}

unsafe fn wake_by_ref(data: *const ()) {
    // SAFETY: called by a Waker of ours, which holds a reference.
    let task = unsafe { task(data) };
    task.follow(task.state().wake_by_ref());
}

unsafe fn drop_waker(data: *const ()) {
    // SAFETY: called by a Waker of ours, whose reference is given up.
    let task = unsafe { task(data) };
    task.follow(task.state().drop_ref());
}

/// A waker without a reference of its own, for the poll under way: the runner's keeps the task alive.
#[inline]
pub(crate) fn borrowed(task: Ptr) -> ManuallyDrop<Waker> {
    // SAFETY: the vtable keeps the contract of RawWaker; never dropped, so no reference is given up.
    ManuallyDrop::new(unsafe { Waker::from_raw(raw(task)) })
}

/// How the context of a task leads to its waker: for leaves that are polled with another one.
pub(crate) fn announce() {
    // SAFETY: contexts that are entered are fields of headers, and their tasks alive.
    unsafe { task_context::set_make_waker(of_context) };
}

/// A waker of the task with this context.
///
/// # Safety
/// It is a field of a task's header, and the task alive.
unsafe fn of_context(context: *const TaskContext) -> Waker {
    // SAFETY: the caller's promise.
    let header = unsafe { context.cast::<u8>().sub(std::mem::offset_of!(Header, rest.context)) };
    // SAFETY: as above.
    let task = unsafe { task(header.cast()) };
    Waker::clone(&borrowed(task))
}

/// Whether `waker` is `task`'s own, and not a combinator's.
#[inline]
pub(crate) fn is_of(waker: &Waker, task: Ptr) -> bool {
    std::ptr::eq(waker.data(), task.0.as_ptr().cast_const().cast())
        && std::ptr::eq(waker.vtable(), &raw const VTABLE)
}
