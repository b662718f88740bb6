//! What is done with the future, later the output, of a cell whose type is forgotten.
//!
//! A table is made together with its cell, and called by whom the state word gives the stage: the runner, from the wake to
//! the end of its poll, and once COMPLETE the handle.
#![allow(
    unsafe_code,
    reason = "the vtable erases the future's type; the state word says who may touch it"
)]

use super::{Cell, Header, Home, Output, Ptr, Schedule, Stage, guarded};
use crate::error::JoinError;
use crate::meta::Spawn;
use crate::run::Runnable;
use crate::unread;
use std::cell::Cell as StdCell;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::ptr::NonNull;
use std::task::{Context, Poll};

/// An error may keep a block of up to so many bytes, since one of its own would not be much smaller.
const SMALL: usize = 512;

pub(crate) struct VTable {
    /// Polls the future; once it is ready, its output takes its place. Sets the flag if it unwinds after the
    /// future was dropped.
    pub(crate) poll: unsafe fn(NonNull<Header>, &mut Context<'_>, &StdCell<bool>) -> Poll<()>,
    pub(crate) drop_future: unsafe fn(NonNull<Header>),
    /// Puts an error where the future was.
    pub(crate) write_error: unsafe fn(NonNull<Header>, JoinError),
    /// Moves the output to where the pointer says.
    pub(crate) read_output: unsafe fn(NonNull<Header>, *mut ()),
    pub(crate) drop_output: unsafe fn(NonNull<Header>),
    pub(crate) schedule: unsafe fn(NonNull<Header>),
    /// Whether an error may keep the block.
    pub(crate) is_small: bool,
}

pub(super) struct Vt<W, S>(std::marker::PhantomData<(W, S)>);

impl<W: Spawn, S: Schedule> Vt<W, S> {
    pub(super) const TABLE: VTable = VTable {
        poll: poll::<W>,
        drop_future: drop_future::<W::Future>,
        write_error: write_error::<W::Future>,
        read_output: read_output::<W::Future>,
        drop_output: drop_output::<W>,
        schedule: schedule::<S>,
        is_small: size_of::<Cell<W::Future>>() <= SMALL,
    };
}

/// Shows the stage of the cell to `f`.
///
/// # Safety
/// `header` begins a `Cell<F>`, and the caller is the one whom the state word gives the stage.
#[inline]
unsafe fn with_stage<F: Future, R>(
    header: NonNull<Header>,
    f: impl FnOnce(*mut Stage<F>) -> R,
) -> R {
    // SAFETY: the caller says that this is a `Cell<F>`; it is alive while its state word is not zero.
    let cell = unsafe { header.cast::<Cell<F>>().as_ref() };
    cell.stage.with_mut(f)
}

unsafe fn poll<W: Spawn>(
    header: NonNull<Header>,
    cx: &mut Context<'_>,
    gone: &StdCell<bool>,
) -> Poll<()> {
    let poll = |stage: *mut Stage<W::Future>| {
        // SAFETY: the runner has the stage, and it holds the future until the poll below is ready.
        let future = unsafe { &mut *stage.cast::<W::Future>() };
        // SAFETY: the block does not move, and the future is dropped in place.
        let output = std::task::ready!(unsafe { Pin::new_unchecked(future) }.poll(cx));
        // The future is dropped before its output is shown; a panic in its drop is the task's.
        if std::mem::needs_drop::<W::Future>() {
            // SAFETY: as above; not used after this.
            if let Err(payload) = guarded(|| unsafe { stage.cast::<W::Future>().drop_in_place() }) {
                gone.set(true);
                // Not while unwinding: a second panic there would end the process.
                unread::drop_of(Some(Ptr(header)), output);
                resume_unwind(payload);
            }
        }
        if W::failure(&output).is_some() {
            unread::keep_hook(Ptr(header));
        }
        // SAFETY: the future is gone, its place is free.
        unsafe { stage.cast::<Output<W::Future>>().write(Ok(output)) };
        Poll::Ready(())
    };
    // SAFETY: the vtable and the cell were made together; the caller is the runner.
    unsafe { with_stage::<W::Future, _>(header, poll) }
}

unsafe fn drop_future<F: Future>(header: NonNull<Header>) {
    // SAFETY: the runner has the stage, and it holds the future.
    let drop = |stage: *mut Stage<F>| unsafe { stage.cast::<F>().drop_in_place() };
    // SAFETY: the vtable and the cell were made together; the caller is the runner.
    unsafe { with_stage::<F, _>(header, drop) }
}

unsafe fn write_error<F: Future>(header: NonNull<Header>, error: JoinError) {
    let write = |stage: *mut Stage<F>| {
        // SAFETY: the runner has the stage, and the future was dropped.
        unsafe { stage.cast::<Output<F>>().write(Err(error)) };
    };
    // SAFETY: the vtable and the cell were made together; the caller is the runner.
    unsafe { with_stage::<F, _>(header, write) }
}

unsafe fn read_output<F: Future>(header: NonNull<Header>, to: *mut ()) {
    let read = |stage: *mut Stage<F>| {
        // SAFETY: COMPLETE and the handle's word: the output is there, and taken once.
        let output = unsafe { stage.cast::<Output<F>>().read() };
        // SAFETY: the handle passes room for its output type, which is this future's.
        unsafe { to.cast::<Output<F>>().write(output) };
    };
    // SAFETY: the vtable and the cell were made together; the caller is the handle.
    unsafe { with_stage::<F, _>(header, read) }
}

unsafe fn drop_output<W: Spawn>(header: NonNull<Header>) {
    let drop = |stage: *mut Stage<W::Future>| {
        let output = stage.cast::<Output<W::Future>>();
        // SAFETY: COMPLETE; the caller is the handle, or the runner of a task without one.
        match unsafe { &*output } {
            Err(error) => unread::error(Ptr(header), error),
            Ok(value) => {
                if let Some(failure) = W::failure(value) {
                    unread::failure(Ptr(header), failure);
                }
            }
        }
        // SAFETY: as above.
        unsafe { output.drop_in_place() }
    };
    // SAFETY: the vtable and the cell were made together.
    unsafe { with_stage::<W::Future, _>(header, drop) }
}

unsafe fn schedule<S: Schedule>(header: NonNull<Header>) {
    let task = Ptr(header);
    let shared = task.header().rest.shared.cast::<S>().cast_mut();
    // SAFETY: `spawn` stored the address of a live Arc's content.
    let home = Home(unsafe { NonNull::new_unchecked(shared) });
    S::schedule(Runnable(task), home);
}
