//! The futures that wait for a lock.

use super::{OwnedReadGuard, OwnedWriteGuard, ReadGuard, RwLock, WriteGuard};
use crate::gate::{Alone, Among, Enter, Gate};
use crate::guarded::{Exclusive, Shared};
use kasasagi_primitive::sync::Arc;
use pin_project_lite::pin_project;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

pin_project! {
    /// Waits to read; made by [`RwLock::read`].
    ///
    /// # Cancel safety
    /// Cancel safe, but gives up its place in the line. Those behind it get what it was already given.
    #[must_use = "it locks nothing until it is awaited"]
    pub struct Reading<'a, T: ?Sized> {
        lock: &'a RwLock<T>,
        #[pin]
        enter: Enter<&'a Gate, Among>,
    }
}

pin_project! {
    /// Waits to read, with a guard that owns the lock; made by [`RwLock::read_owned`].
    ///
    /// # Cancel safety
    /// Cancel safe, but gives up its place in the line. Those behind it get what it was already given.
    #[must_use = "it locks nothing until it is awaited"]
    pub struct ReadingOwned<T: ?Sized> {
        #[pin]
        enter: Enter<Arc<RwLock<T>>, Among>,
    }
}

impl<'a, T: ?Sized> Reading<'a, T> {
    #[inline]
    pub(super) fn new(lock: &'a RwLock<T>, enter: Enter<&'a Gate, Among>) -> Self {
        Self { lock, enter }
    }
}

impl<T: ?Sized> ReadingOwned<T> {
    pub(super) fn new(enter: Enter<Arc<RwLock<T>>, Among>) -> Self {
        Self { enter }
    }
}

impl<'a, T: ?Sized> Future for Reading<'a, T> {
    type Output = ReadGuard<'a, T>;

    /// # Panics
    /// When it is polled after it gave its result.
    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let right = ready!(this.enter.poll(cx));
        Poll::Ready(ReadGuard::new(Shared::borrowed(right, &this.lock.guarded)))
    }
}

impl<T: ?Sized> Future for ReadingOwned<T> {
    type Output = OwnedReadGuard<T>;

    /// # Panics
    /// When it is polled after it gave its result.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let right = ready!(self.project().enter.poll(cx));
        Poll::Ready(OwnedReadGuard::new(Shared::owned(right)))
    }
}

impl<T: ?Sized> fmt::Debug for Reading<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reading").field("lock", &self.lock).finish_non_exhaustive()
    }
}

impl<T: ?Sized> fmt::Debug for ReadingOwned<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadingOwned").finish_non_exhaustive()
    }
}

pin_project! {
    /// Waits to write; made by [`RwLock::write`].
    ///
    /// # Cancel safety
    /// Cancel safe, but gives up its place in the line. Those behind it get what it was already given.
    #[must_use = "it locks nothing until it is awaited"]
    pub struct Writing<'a, T: ?Sized> {
        lock: &'a RwLock<T>,
        #[pin]
        enter: Enter<&'a Gate, Alone>,
    }
}

pin_project! {
    /// Waits to write, with a guard that owns the lock; made by [`RwLock::write_owned`].
    ///
    /// # Cancel safety
    /// Cancel safe, but gives up its place in the line. Those behind it get what it was already given.
    #[must_use = "it locks nothing until it is awaited"]
    pub struct WritingOwned<T: ?Sized> {
        #[pin]
        enter: Enter<Arc<RwLock<T>>, Alone>,
    }
}

impl<'a, T: ?Sized> Writing<'a, T> {
    #[inline]
    pub(super) fn new(lock: &'a RwLock<T>, enter: Enter<&'a Gate, Alone>) -> Self {
        Self { lock, enter }
    }
}

impl<T: ?Sized> WritingOwned<T> {
    pub(super) fn new(enter: Enter<Arc<RwLock<T>>, Alone>) -> Self {
        Self { enter }
    }
}

impl<'a, T: ?Sized> Future for Writing<'a, T> {
    type Output = WriteGuard<'a, T>;

    /// # Panics
    /// When it is polled after it gave its result.
    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let right = ready!(this.enter.poll(cx));
        Poll::Ready(WriteGuard::new(Exclusive::borrowed(right, &this.lock.guarded)))
    }
}

impl<T: ?Sized> Future for WritingOwned<T> {
    type Output = OwnedWriteGuard<T>;

    /// # Panics
    /// When it is polled after it gave its result.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let right = ready!(self.project().enter.poll(cx));
        Poll::Ready(OwnedWriteGuard::new(Exclusive::owned(right)))
    }
}

impl<T: ?Sized> fmt::Debug for Writing<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writing").field("lock", &self.lock).finish_non_exhaustive()
    }
}

impl<T: ?Sized> fmt::Debug for WritingOwned<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WritingOwned").finish_non_exhaustive()
    }
}
