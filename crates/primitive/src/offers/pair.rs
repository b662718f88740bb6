//! A foreign waker and the own one of a task, in one: woken, it wakes both.
//!
//! It is made for a future that waits under another waker than its task's, and may be offered something: the task has to
//! be polled then, wherever the other waker leads.
#![allow(
    unsafe_code,
    reason = "a waker is a pointer and a vtable, and each of these has a block of its own"
)]

use crate::stash;
use crate::task_context::{MakeWaker, current, is_own, make_waker};
use crate::wake_batch::{wake, wake_caught};
use std::ptr::NonNull;
use std::task::{RawWaker, RawWakerVTable, Waker};

/// Nobody shares a block: so it needs no count.
struct Pair {
    foreign: Waker,
    own: Waker,
}

static VTABLE: RawWakerVTable = RawWakerVTable::new(clone_pair, wake_pair, wake_by_ref, drop_pair);

/// A waker to wait under, for a future that is polled with this one and may be offered something.
pub fn waker(waker: &Waker) -> Waker {
    beside(waker.clone())
}

/// As [`waker`], of a clone.
#[cold]
pub(super) fn beside(foreign: Waker) -> Waker {
    let Some(make) = foreign_to(&foreign) else { return foreign };
    // SAFETY: the context was entered on this thread and not left; who set the function promised the rest.
    let own = unsafe { make(current()) };
    if own.will_wake(&foreign) { own } else { into_waker(Pair { foreign, own }) }
}

/// Whether a future that waits under `old`, which [`waker`] made, is polled with the same waker again, by the same task.
#[inline]
pub(crate) fn is_same(old: &Waker, waker: &Waker) -> bool {
    if old.will_wake(waker) { foreign_to(waker).is_none() } else { is_pair_of(old, waker) }
}

/// If `waker` is not the own one of the polled task: how that is made.
#[inline]
fn foreign_to(waker: &Waker) -> Option<MakeWaker> {
    let context = current();
    // SAFETY: `enter`'s caller keeps the context valid while the thread-local points to it.
    if is_own(waker, unsafe { context.as_ref() }?) { None } else { make_waker() }
}

#[cold]
fn is_pair_of(old: &Waker, waker: &Waker) -> bool {
    if !std::ptr::eq(old.vtable(), &raw const VTABLE) {
        return false;
    }
    // SAFETY: by its vtable it is a pair, and the block its own.
    let pair = unsafe { &*old.data().cast::<Pair>() };
    // SAFETY: as in `foreign_to`.
    let context = unsafe { current().as_ref() };
    pair.foreign.will_wake(waker) && context.is_some_and(|context| is_own(&pair.own, context))
}

fn into_waker(pair: Pair) -> Waker {
    // SAFETY: the vtable keeps the contract of RawWaker: the pointer is this waker's alone.
    unsafe { Waker::from_raw(raw(pair)) }
}

fn raw(pair: Pair) -> RawWaker {
    let block = stash::take::<Pair>();
    // SAFETY: the block is for a pair, and nobody has seen it.
    unsafe { block.write(pair) };
    RawWaker::new(block.as_ptr().cast_const().cast(), &VTABLE)
}

/// Takes the pair out of its block.
///
/// # Safety
/// `data` is a waker's of ours, which is given up.
unsafe fn take(data: *const ()) -> Pair {
    // SAFETY: `raw` made the pointer from a NonNull.
    let block = unsafe { NonNull::new_unchecked(data.cast::<Pair>().cast_mut()) };
    // SAFETY: the block is the waker's, and not read again.
    let pair = unsafe { block.read() };
    // SAFETY: `raw` took it from the stash, and it is used no more.
    unsafe { stash::give(block) };
    pair
}

unsafe fn clone_pair(data: *const ()) -> RawWaker {
    // SAFETY: called by a Waker of ours, whose block it is.
    let pair = unsafe { &*data.cast::<Pair>() };
    raw(Pair { foreign: pair.foreign.clone(), own: pair.own.clone() })
}

unsafe fn wake_pair(data: *const ()) {
    // SAFETY: called by a Waker of ours, which is given up.
    let Pair { foreign, own } = unsafe { take(data) };
    // The task last: then whatever the foreign one keeps is there when the task is polled. Also if that one panics.
    let last = Last(Some(own));
    wake(foreign);
    drop(last);
}

unsafe fn wake_by_ref(data: *const ()) {
    // SAFETY: called by a Waker of ours, whose block it is.
    let pair = unsafe { &*data.cast::<Pair>() };
    let last = Last(Some(pair.own.clone()));
    pair.foreign.wake_by_ref();
    drop(last);
}

unsafe fn drop_pair(data: *const ()) {
    // SAFETY: called by a Waker of ours, which is given up.
    drop(unsafe { take(data) });
}

/// A task that is woken when this is dropped.
struct Last(Option<Waker>);

impl Drop for Last {
    fn drop(&mut self) {
        if let Some(own) = self.0.take() {
            wake_caught(own);
        }
    }
}
