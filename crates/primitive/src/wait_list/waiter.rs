//! A future's node, and what became of it.
#![allow(unsafe_code, reason = "nodes live in pinned futures and point at each other")]

use super::row::Link;
use crate::cell::UnsafeCell;
use std::fmt;
use std::marker::PhantomPinned;
use std::pin::Pin;
use std::ptr::NonNull;
use std::task::Waker;

pub(super) struct Seat<T> {
    // The number of the list that the node was moved to, until its future follows it; else 0. Guarded by the lock of
    // the list that its future believes it in.
    pub(super) away: UnsafeCell<u64>,
    // Guarded by the lock of the list that it is in.
    pub(super) node: UnsafeCell<Node<T>>,
}

/// What became of a waiter that is not out.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// In line.
    Queued,
    /// Its offer was taken back, and it is in no row.
    Missed,
    /// Served for good, and in no row.
    Served,
    /// Served, and still in the row: it may be taken back.
    Offered,
}

pub(super) struct Node<T> {
    pub(super) previous: Link<T>,
    pub(super) next: Link<T>,
    pub(super) standing: Standing,
    pub(super) waker: Option<Waker>,
    pub(super) value: T,
}

impl<T> Node<T> {
    /// Waits on under `waker`, a clone of which is to be in `clone` if it is another than before; gives that one back.
    #[inline]
    pub(super) fn wait_under(
        &mut self,
        waker: &Waker,
        clone: &mut Option<Waker>,
    ) -> Option<Option<Waker>> {
        if self.waker.as_ref().is_some_and(|old| old.will_wake(waker)) {
            return Some(None);
        }
        clone.take().map(|new| self.waker.replace(new))
    }
}

/// A future's node; a pinned field of it.
///
/// Dropped while it is not out, it ends the process: the list would point into freed memory. A future's own
/// `drop` calls [`WaitList::remove`](super::WaitList::remove), and so this is a bug of the primitive and never of its user.
pub struct Waiter<T> {
    // The number of the list, or 0 when out. Belongs to the future; the list never touches it.
    pub(super) home: u64,
    // Belongs to whoever holds the list's lock while `home` is not 0, else to the future.
    seat: Seat<T>,
    _pinned: PhantomPinned,
}

// SAFETY: a waiter may move between threads together with its future: the links are touched under the lock only,
// and the value and waker are Send.
unsafe impl<T: Send> Send for Waiter<T> {}
// SAFETY: nothing of a node can be reached through `&Waiter`.
unsafe impl<T: Send> Sync for Waiter<T> {}

impl<T> Waiter<T> {
    /// A waiter in no list, which will ask for `value`.
    #[inline]
    pub fn new(value: T) -> Self {
        let node =
            Node { previous: None, next: None, standing: Standing::Queued, waker: None, value };
        let seat = Seat { away: UnsafeCell::new(0), node: UnsafeCell::new(node) };
        Self { home: 0, seat, _pinned: PhantomPinned }
    }

    /// Whether it is in no list and owed nothing: dropping it needs no lock.
    #[inline]
    pub fn is_out(&self) -> bool {
        self.home == 0
    }

    #[inline]
    pub(super) fn parts(self: Pin<&mut Self>) -> (&mut u64, NonNull<Seat<T>>) {
        // SAFETY: nothing is moved out of the pinned waiter: `home` is a number, and the node is only pointed at.
        let this = unsafe { self.get_unchecked_mut() };
        (&mut this.home, NonNull::from(&this.seat))
    }
}

impl<T> Drop for Waiter<T> {
    #[inline]
    fn drop(&mut self) {
        if self.home != 0 {
            // A panic would unwind and free the node all the same.
            crate::tell::tell("a waiter was dropped while it was in a wait list");
            std::process::abort();
        }
        // Nobody else may be at the node any more; in a model this is checked.
        self.seat.node.with_mut(|_| ());
    }
}

/// Whether the waiter was moved, and its future has not followed it; asked under the lock of the list it came to.
#[inline]
pub(super) fn is_away<T>(seat: NonNull<Seat<T>>) -> bool {
    // SAFETY: the waiter is the caller's.
    let seat = unsafe { seat.as_ref() };
    // SAFETY: the lock that guards it is held by the caller.
    seat.away.with(|away| unsafe { *away != 0 })
}

/// Runs `f` on the node.
///
/// # Safety
/// The node is alive, and the caller holds `&mut` to the list that it is in, or it is in none and the caller's.
#[inline]
pub(super) unsafe fn with<T, R>(node: NonNull<Seat<T>>, f: impl FnOnce(&mut Node<T>) -> R) -> R {
    // SAFETY: the node is alive, says the caller.
    let seat = unsafe { node.as_ref() };
    seat.node.with_mut(|node| {
        // SAFETY: the caller holds the lock that guards the node, and `f` cannot reach it a second time.
        f(unsafe { &mut *node })
    })
}

impl<T> fmt::Debug for Waiter<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waiter").field("out", &self.is_out()).finish_non_exhaustive()
    }
}
