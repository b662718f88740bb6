//! What holds a lock and keeps it alive.

use super::Lock;
use crate::guarded::Exclusive;
use kasasagi_primitive::sync::Arc;
use std::fmt;
use std::ops::{Deref, DerefMut};

/// Access to the value of a [`Lock`] that it keeps alive; the lock is released when it is dropped.
#[must_use = "the lock is released when the guard is dropped; bind it to a name: `let guard = …`"]
pub struct OwnedLockGuard<T: ?Sized> {
    pub(crate) held: Exclusive<Arc<Lock<T>>, T>,
}

/// Access to a part of the value of a [`Lock`] that it keeps alive, which is released when it is dropped; made by
/// [`OwnedLockGuard::map`].
#[must_use = "the lock is released when the guard is dropped; bind it to a name: `let guard = …`"]
pub struct OwnedMappedLockGuard<T: ?Sized, U: ?Sized> {
    held: Exclusive<Arc<Lock<T>>, U>,
}

impl<T: ?Sized> OwnedLockGuard<T> {
    #[inline]
    pub(crate) fn new(held: Exclusive<Arc<Lock<T>>, T>) -> Self {
        Self { held }
    }

    /// Goes on with a part of the value, a field for example; the lock stays held.
    ///
    /// # Examples
    /// ```
    /// # use kasasagi_sync::{Lock, OwnedLockGuard};
    /// use std::sync::Arc;
    /// let pair = Arc::new(Lock::new((1, "one")));
    /// let guard = Lock::try_lock_owned(&pair).expect("nobody has it");
    /// let mut number = OwnedLockGuard::map(guard, |pair| &mut pair.0);
    /// std::thread::spawn(move || *number += 1).join().expect("no panic");
    /// assert_eq!(*pair.try_lock().expect("it is free again"), (2, "one"));
    /// ```
    pub fn map<U: ?Sized>(
        guard: Self,
        f: impl FnOnce(&mut T) -> &mut U,
    ) -> OwnedMappedLockGuard<T, U> {
        OwnedMappedLockGuard { held: guard.held.map(f) }
    }
}

impl<T: ?Sized, U: ?Sized> OwnedMappedLockGuard<T, U> {
    /// Goes on with a part of the part.
    pub fn map<V: ?Sized>(
        guard: Self,
        f: impl FnOnce(&mut U) -> &mut V,
    ) -> OwnedMappedLockGuard<T, V> {
        OwnedMappedLockGuard { held: guard.held.map(f) }
    }
}

impl<T: ?Sized> Deref for OwnedLockGuard<T> {
    type Target = T;
    #[inline]
    fn deref(&self) -> &T {
        &self.held
    }
}

impl<T: ?Sized> DerefMut for OwnedLockGuard<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        &mut self.held
    }
}

impl<T: ?Sized, U: ?Sized> Deref for OwnedMappedLockGuard<T, U> {
    type Target = U;
    #[inline]
    fn deref(&self) -> &U {
        &self.held
    }
}

impl<T: ?Sized, U: ?Sized> DerefMut for OwnedMappedLockGuard<T, U> {
    #[inline]
    fn deref_mut(&mut self) -> &mut U {
        &mut self.held
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for OwnedLockGuard<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized, U: ?Sized + fmt::Debug> fmt::Debug for OwnedMappedLockGuard<T, U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
