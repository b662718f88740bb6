//! Access to the value of a lock that it keeps alive.

use super::RwLock;
use crate::guarded::{Exclusive, Shared};
use kasasagi_primitive::sync::Arc;
use std::fmt;
use std::ops::{Deref, DerefMut};

/// Access to the value of a [`RwLock`] that it keeps alive, or to a part of it, among other readers, until it is dropped.
#[must_use = "reading ends when the guard is dropped; bind it to a name: `let guard = …`"]
pub struct OwnedReadGuard<T: ?Sized, U: ?Sized = T> {
    held: Shared<Arc<RwLock<T>>, U>,
}

/// Access to the value of a [`RwLock`] that it keeps alive, alone, until it is dropped.
#[must_use = "writing ends when the guard is dropped; bind it to a name: `let guard = …`"]
pub struct OwnedWriteGuard<T: ?Sized> {
    held: Exclusive<Arc<RwLock<T>>, T>,
}

/// Access to a part of the value of a [`RwLock`] that it keeps alive, alone, until it is dropped; made by
/// [`OwnedWriteGuard::map`].
#[must_use = "writing ends when the guard is dropped; bind it to a name: `let guard = …`"]
pub struct OwnedMappedWriteGuard<T: ?Sized, U: ?Sized> {
    held: Exclusive<Arc<RwLock<T>>, U>,
}

impl<T: ?Sized, U: ?Sized> OwnedReadGuard<T, U> {
    pub(super) fn new(held: Shared<Arc<RwLock<T>>, U>) -> Self {
        Self { held }
    }

    /// Goes on with a part of the value, a field for example.
    ///
    /// # Examples
    /// ```
    /// # use kasasagi_sync::{OwnedReadGuard, RwLock};
    /// use std::sync::Arc;
    /// let pair = Arc::new(RwLock::new((1, "one")));
    /// let mut waits = std::pin::pin!(RwLock::read_owned(Arc::clone(&pair)));
    /// # use std::{future::Future, task::{Context, Poll, Waker}};
    /// # let Poll::Ready(guard) = waits.as_mut().poll(&mut Context::from_waker(Waker::noop())) else { unreachable!() };
    /// let word = OwnedReadGuard::map(guard, |pair| pair.1);
    /// assert_eq!(&*word, "one");
    /// ```
    pub fn map<V: ?Sized>(guard: Self, f: impl FnOnce(&U) -> &V) -> OwnedReadGuard<T, V> {
        OwnedReadGuard::new(guard.held.map(f))
    }
}

impl<T: ?Sized> OwnedWriteGuard<T> {
    pub(super) fn new(held: Exclusive<Arc<RwLock<T>>, T>) -> Self {
        Self { held }
    }

    /// Goes on reading: lets other readers in, and no writer in between.
    pub fn downgrade(guard: Self) -> OwnedReadGuard<T> {
        OwnedReadGuard::new(guard.held.downgrade())
    }

    /// Goes on with a part of the value, a field for example.
    ///
    /// It cannot be downgraded any more: what was reached through `&mut` may be reached by readers in another way.
    pub fn map<U: ?Sized>(
        guard: Self,
        f: impl FnOnce(&mut T) -> &mut U,
    ) -> OwnedMappedWriteGuard<T, U> {
        OwnedMappedWriteGuard { held: guard.held.map(f) }
    }
}

impl<T: ?Sized, U: ?Sized> OwnedMappedWriteGuard<T, U> {
    /// Goes on with a part of the part.
    pub fn map<V: ?Sized>(
        guard: Self,
        f: impl FnOnce(&mut U) -> &mut V,
    ) -> OwnedMappedWriteGuard<T, V> {
        OwnedMappedWriteGuard { held: guard.held.map(f) }
    }
}

impl<T: ?Sized, U: ?Sized> Deref for OwnedMappedWriteGuard<T, U> {
    type Target = U;
    #[inline]
    fn deref(&self) -> &U {
        &self.held
    }
}

impl<T: ?Sized, U: ?Sized> DerefMut for OwnedMappedWriteGuard<T, U> {
    #[inline]
    fn deref_mut(&mut self) -> &mut U {
        &mut self.held
    }
}

impl<T: ?Sized, U: ?Sized + fmt::Debug> fmt::Debug for OwnedMappedWriteGuard<T, U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized, U: ?Sized> Deref for OwnedReadGuard<T, U> {
    type Target = U;
    #[inline]
    fn deref(&self) -> &U {
        &self.held
    }
}

impl<T: ?Sized> Deref for OwnedWriteGuard<T> {
    type Target = T;
    #[inline]
    fn deref(&self) -> &T {
        &self.held
    }
}

impl<T: ?Sized> DerefMut for OwnedWriteGuard<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        &mut self.held
    }
}

impl<T: ?Sized, U: ?Sized + fmt::Debug> fmt::Debug for OwnedReadGuard<T, U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for OwnedWriteGuard<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
