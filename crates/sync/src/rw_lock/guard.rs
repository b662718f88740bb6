//! Access to the value of a lock, borrowed.

use super::RwLock;
use crate::gate::Gate;
use crate::guarded::{Exclusive, Shared};
use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};

/// Access to the value of a [`RwLock`], among other readers, until it is dropped.
#[must_use = "reading ends when the guard is dropped; bind it to a name: `let guard = …`"]
pub struct ReadGuard<'a, U: ?Sized> {
    held: Shared<&'a Gate, U>,
    _value: PhantomData<&'a U>,
}

/// Access to the value of a [`RwLock`], alone, until it is dropped.
#[must_use = "writing ends when the guard is dropped; bind it to a name: `let guard = …`"]
pub struct WriteGuard<'a, T: ?Sized> {
    held: Exclusive<&'a Gate, T>,
    // Whoever is given the guard may let it read only, and so needs what a reader needs.
    _lock: PhantomData<&'a RwLock<T>>,
}

/// Access to a part of the value of a [`RwLock`], alone, until it is dropped; made by [`WriteGuard::map`].
#[must_use = "writing ends when the guard is dropped; bind it to a name: `let guard = …`"]
pub struct MappedWriteGuard<'a, U: ?Sized> {
    held: Exclusive<&'a Gate, U>,
    _value: PhantomData<&'a mut U>,
}

impl<'a, U: ?Sized> ReadGuard<'a, U> {
    #[inline]
    pub(super) fn new(held: Shared<&'a Gate, U>) -> Self {
        Self { held, _value: PhantomData }
    }

    /// Goes on with a part of the value, a field for example.
    pub fn map<V: ?Sized>(guard: Self, f: impl FnOnce(&U) -> &V) -> ReadGuard<'a, V> {
        ReadGuard::new(guard.held.map(f))
    }
}

impl<'a, T: ?Sized> WriteGuard<'a, T> {
    #[inline]
    pub(super) fn new(held: Exclusive<&'a Gate, T>) -> Self {
        Self { held, _lock: PhantomData }
    }

    /// Goes on reading: lets other readers in, and no writer in between.
    ///
    /// # Examples
    /// ```
    /// # use kasasagi_sync::{RwLock, WriteGuard};
    /// let lock = RwLock::new(1);
    /// let mut guard = lock.try_write().expect("nobody has it");
    /// *guard += 1;
    /// let guard = WriteGuard::downgrade(guard);
    /// assert_eq!(*guard + *lock.try_read().expect("nobody writes"), 4);
    /// ```
    pub fn downgrade(guard: Self) -> ReadGuard<'a, T> {
        ReadGuard::new(guard.held.downgrade())
    }

    /// Goes on with a part of the value, a field for example.
    ///
    /// It cannot be downgraded any more: what was reached through `&mut` may be reached by readers in another way.
    pub fn map<U: ?Sized>(
        guard: Self,
        f: impl FnOnce(&mut T) -> &mut U,
    ) -> MappedWriteGuard<'a, U> {
        MappedWriteGuard { held: guard.held.map(f), _value: PhantomData }
    }
}

impl<'a, U: ?Sized> MappedWriteGuard<'a, U> {
    /// Goes on with a part of the part.
    pub fn map<V: ?Sized>(
        guard: Self,
        f: impl FnOnce(&mut U) -> &mut V,
    ) -> MappedWriteGuard<'a, V> {
        MappedWriteGuard { held: guard.held.map(f), _value: PhantomData }
    }
}

impl<U: ?Sized> Deref for ReadGuard<'_, U> {
    type Target = U;
    #[inline]
    fn deref(&self) -> &U {
        &self.held
    }
}

impl<T: ?Sized> Deref for WriteGuard<'_, T> {
    type Target = T;
    #[inline]
    fn deref(&self) -> &T {
        &self.held
    }
}

impl<T: ?Sized> DerefMut for WriteGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        &mut self.held
    }
}

impl<U: ?Sized> Deref for MappedWriteGuard<'_, U> {
    type Target = U;
    #[inline]
    fn deref(&self) -> &U {
        &self.held
    }
}

impl<U: ?Sized> DerefMut for MappedWriteGuard<'_, U> {
    #[inline]
    fn deref_mut(&mut self) -> &mut U {
        &mut self.held
    }
}

impl<U: ?Sized + fmt::Debug> fmt::Debug for ReadGuard<'_, U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for WriteGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<U: ?Sized + fmt::Debug> fmt::Debug for MappedWriteGuard<'_, U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
