//! An item that is done when it is dropped.

use super::Queue;
use std::fmt;
use std::ops::{Deref, DerefMut};

/// Says that an item is done, when it goes.
struct Done<'a, T>(&'a Queue<T>);

impl<T> Drop for Done<'_, T> {
    fn drop(&mut self) {
        // Too many only if the user called `task_done` for the same item as well.
        let _ = self.0.task_done();
    }
}

/// An item of a [`Queue`] that somebody works on; when it is dropped, it is done.
///
/// The item itself is dropped first: when [`Queue::join`] returns, the items are gone. Made by
/// [`Queue::get_guarded`].
#[must_use = "the item is done when its guard is dropped; bind it to a name: `let item = …`"]
pub struct ItemGuard<'a, T> {
    // Dropped in this order, also if the item's own drop panics.
    item: T,
    done: Done<'a, T>,
}

impl<'a, T> ItemGuard<'a, T> {
    pub(super) fn new(queue: &'a Queue<T>, item: T) -> Self {
        Self { item, done: Done(queue) }
    }

    /// Says that the item is done, and keeps it.
    pub fn into_inner(self) -> T {
        let Self { item, done } = self;
        drop(done);
        item
    }

    /// The same with a guard that keeps the queue alive, and may go to other tasks.
    pub fn into_owned(self) -> OwnedItemGuard<T> {
        let Self { item, done } = self;
        let queue = done.0.clone();
        // Not done: the owned guard will say so.
        std::mem::forget(done);
        OwnedItemGuard { item, done: OwnedDone(queue) }
    }
}

/// As `Done`, with a queue of its own.
struct OwnedDone<T>(Queue<T>);

impl<T> Drop for OwnedDone<T> {
    fn drop(&mut self) {
        // As in `Done`.
        let _ = self.0.task_done();
    }
}

/// As [`ItemGuard`], but keeps its queue alive and may go to other tasks; made by [`ItemGuard::into_owned`].
#[must_use = "the item is done when its guard is dropped; bind it to a name: `let item = …`"]
pub struct OwnedItemGuard<T> {
    // As in `ItemGuard`.
    item: T,
    done: OwnedDone<T>,
}

impl<T> OwnedItemGuard<T> {
    /// Says that the item is done, and keeps it.
    pub fn into_inner(self) -> T {
        let Self { item, done } = self;
        drop(done);
        item
    }
}

impl<T> Deref for ItemGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.item
    }
}

impl<T> DerefMut for ItemGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.item
    }
}

impl<T> Deref for OwnedItemGuard<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.item
    }
}

impl<T> DerefMut for OwnedItemGuard<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.item
    }
}

impl<T: fmt::Debug> fmt::Debug for ItemGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ItemGuard").field(&self.item).finish()
    }
}

impl<T: fmt::Debug> fmt::Debug for OwnedItemGuard<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OwnedItemGuard").field(&self.item).finish()
    }
}
