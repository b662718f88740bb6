//! Access to the value of a lock that it keeps alive.

use super::RwLock;
use crate::guarded::{Exclusive, Shared};
use kasasagi_primitive::sync::Arc;
use std::fmt;
use std::ops::{Deref, DerefMut};

/// Access to the value of a [`RwLock`] that it keeps alive, among other readers, until it is dropped.
#[must_use = "reading ends when the guard is dropped; bind it to a name: `let guard = …`"]
pub struct OwnedReadGuard<T: ?Sized> {
    held: Shared<Arc<RwLock<T>>, T>,
}

/// Access to the value of a [`RwLock`] that it keeps alive, alone, until it is dropped.
#[must_use = "writing ends when the guard is dropped; bind it to a name: `let guard = …`"]
pub struct OwnedWriteGuard<T: ?Sized> {
    held: Exclusive<Arc<RwLock<T>>, T>,
}

impl<T: ?Sized> OwnedReadGuard<T> {
    pub(super) fn new(held: Shared<Arc<RwLock<T>>, T>) -> Self {
        Self { held }
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
}

impl<T: ?Sized> Deref for OwnedReadGuard<T> {
    type Target = T;
    #[inline]
    fn deref(&self) -> &T {
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

impl<T: ?Sized + fmt::Debug> fmt::Debug for OwnedReadGuard<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for OwnedWriteGuard<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
