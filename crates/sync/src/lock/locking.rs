//! The futures that wait for a lock.

use super::{Lock, LockGuard, OwnedLockGuard};
use crate::gate::{Alone, Enter, Gate};
use crate::guarded::Exclusive;
use kasasagi_primitive::sync::Arc;
use pin_project_lite::pin_project;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

pin_project! {
    /// Waits for a lock; made by [`Lock::lock`].
    ///
    /// # Cancel safety
    /// Cancel safe, but gives up its place in the line. The lock, if it was already given, goes to the next.
    #[must_use = "it locks nothing until it is awaited"]
    pub struct Locking<'a, T: ?Sized> {
        lock: &'a Lock<T>,
        #[pin]
        enter: Enter<&'a Gate, Alone>,
    }
}

pin_project! {
    /// Waits for a lock, with a guard that owns it; made by [`Lock::lock_owned`].
    ///
    /// # Cancel safety
    /// Cancel safe, but gives up its place in the line. The lock, if it was already given, goes to the next.
    #[must_use = "it locks nothing until it is awaited"]
    pub struct LockingOwned<T: ?Sized> {
        #[pin]
        enter: Enter<Arc<Lock<T>>, Alone>,
    }
}

impl<'a, T: ?Sized> Locking<'a, T> {
    #[inline]
    pub(super) fn new(lock: &'a Lock<T>, enter: Enter<&'a Gate, Alone>) -> Self {
        Self { lock, enter }
    }
}

impl<'a, T: ?Sized> Future for Locking<'a, T> {
    type Output = LockGuard<'a, T>;

    /// # Panics
    /// When it is polled after it gave its result.
    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let right = ready!(this.enter.poll(cx));
        Poll::Ready(LockGuard::new(Exclusive::borrowed(right, &this.lock.guarded)))
    }
}

impl<T: ?Sized> LockingOwned<T> {
    pub(super) fn new(enter: Enter<Arc<Lock<T>>, Alone>) -> Self {
        Self { enter }
    }
}

impl<T: ?Sized> Future for LockingOwned<T> {
    type Output = OwnedLockGuard<T>;

    /// # Panics
    /// When it is polled after it gave its result.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let right = ready!(self.project().enter.poll(cx));
        Poll::Ready(OwnedLockGuard::new(Exclusive::owned(right)))
    }
}

impl<T: ?Sized> fmt::Debug for Locking<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Locking").field("lock", &self.lock).finish_non_exhaustive()
    }
}

impl<T: ?Sized> fmt::Debug for LockingOwned<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LockingOwned").finish_non_exhaustive()
    }
}
