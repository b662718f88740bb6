//! A permit; returned on drop.

use super::{Owner, Semaphore, TryAcquireError};
use std::fmt;
use std::mem;

/// Permits of a [`Semaphore`], which return when it is dropped.
#[must_use = "the permit returns when it is dropped; bind it to a name: `let _permit = …`"]
pub struct Permit<'a> {
    semaphore: &'a Semaphore,
    permits: usize,
}

impl<'a> Permit<'a> {
    pub(super) fn new(semaphore: &'a Semaphore, permits: usize) -> Self {
        Self { semaphore, permits }
    }

    /// Takes the permits out of circulation for good.
    pub fn forget(self) {
        mem::forget(self);
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.semaphore.give_back(self.permits);
    }
}

impl fmt::Debug for Permit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit").field("permits", &self.permits).finish_non_exhaustive()
    }
}

/// A permit of a [`Semaphore`], or of a [`BoundedSemaphore`](crate::BoundedSemaphore), that it keeps alive; returns when it
/// is dropped.
#[must_use = "the permit returns when it is dropped; bind it to a name: `let _permit = …`"]
pub struct OwnedPermit {
    semaphore: Owner,
    permits: usize,
}

impl OwnedPermit {
    pub(super) fn new(semaphore: Owner, permits: usize) -> Self {
        Self { semaphore, permits }
    }

    /// One at once, or none; `owner` owns the semaphore.
    pub(crate) fn tried(
        owner: impl FnOnce() -> Owner,
        semaphore: &Semaphore,
    ) -> Result<Self, TryAcquireError> {
        semaphore.take(1).map(|()| Self::new(owner(), 1))
    }

    /// Takes the permit out of circulation for good.
    pub fn forget(mut self) {
        // The semaphore itself is not to be leaked.
        self.permits = 0;
    }
}

impl Drop for OwnedPermit {
    fn drop(&mut self) {
        if self.permits > 0 {
            self.semaphore.give_back(self.permits);
        }
    }
}

impl fmt::Debug for OwnedPermit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnedPermit").field("permits", &self.permits).finish_non_exhaustive()
    }
}
