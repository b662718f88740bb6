//! What holds a lock; released on drop.

use super::Lock;
use crate::gate::Gate;
use crate::guarded::Exclusive;
use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};

/// Access to the value of a [`Lock`], which is released when it is dropped.
#[must_use = "the lock is released when the guard is dropped; bind it to a name: `let guard = …`"]
pub struct LockGuard<'a, T: ?Sized> {
    pub(crate) held: Exclusive<&'a Gate, T>,
    _lock: PhantomData<&'a Lock<T>>,
}

/// Access to a part of the value of a [`Lock`], which is released when it is dropped; made by [`LockGuard::map`].
#[must_use = "the lock is released when the guard is dropped; bind it to a name: `let guard = …`"]
pub struct MappedLockGuard<'a, U: ?Sized> {
    held: Exclusive<&'a Gate, U>,
    _value: PhantomData<&'a mut U>,
}

impl<'a, T: ?Sized> LockGuard<'a, T> {
    #[inline]
    pub(crate) fn new(held: Exclusive<&'a Gate, T>) -> Self {
        Self { held, _lock: PhantomData }
    }

    /// Goes on with a part of the value, a field for example; the lock stays held.
    ///
    /// # Examples
    /// ```
    /// # use kasasagi_sync::{Lock, LockGuard};
    /// let pair = Lock::new((1, "one"));
    /// let guard = pair.try_lock().expect("nobody has it");
    /// let mut number = LockGuard::map(guard, |pair| &mut pair.0);
    /// *number += 1;
    /// drop(number);
    /// assert_eq!(pair.into_inner(), (2, "one"));
    /// ```
    pub fn map<U: ?Sized>(guard: Self, f: impl FnOnce(&mut T) -> &mut U) -> MappedLockGuard<'a, U> {
        MappedLockGuard { held: guard.held.map(f), _value: PhantomData }
    }
}

impl<'a, U: ?Sized> MappedLockGuard<'a, U> {
    /// Goes on with a part of the part.
    pub fn map<V: ?Sized>(guard: Self, f: impl FnOnce(&mut U) -> &mut V) -> MappedLockGuard<'a, V> {
        MappedLockGuard { held: guard.held.map(f), _value: PhantomData }
    }
}

impl<T: ?Sized> Deref for LockGuard<'_, T> {
    type Target = T;
    #[inline]
    fn deref(&self) -> &T {
        &self.held
    }
}

impl<T: ?Sized> DerefMut for LockGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        &mut self.held
    }
}

impl<U: ?Sized> Deref for MappedLockGuard<'_, U> {
    type Target = U;
    #[inline]
    fn deref(&self) -> &U {
        &self.held
    }
}

impl<U: ?Sized> DerefMut for MappedLockGuard<'_, U> {
    #[inline]
    fn deref_mut(&mut self) -> &mut U {
        &mut self.held
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for LockGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<U: ?Sized + fmt::Debug> fmt::Debug for MappedLockGuard<'_, U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
