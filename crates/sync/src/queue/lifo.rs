//! The queue whose newest item comes out first.

use super::{Queue, Store};
use std::fmt;
use std::ops::Deref;

/// A [`Queue`] whose newest item comes out first: a stack that tasks wait at.
///
/// Everything else is as there, and all methods are [`Queue`]'s: only the items are in another order, those who wait are
/// served in the order in which they came.
///
/// # Examples
/// ```
/// use kasasagi_sync::LifoQueue;
/// let queue = LifoQueue::unbounded();
/// for item in [1, 3, 2] {
///     assert!(queue.try_put(item).is_ok());
/// }
/// assert_eq!([queue.try_get(), queue.try_get(), queue.try_get()], [Ok(2), Ok(3), Ok(1)]);
/// ```
///
/// Counterpart: `asyncio.LifoQueue`.
pub struct LifoQueue<T>(Queue<T>);

impl<T> LifoQueue<T> {
    /// A queue with room for so many items.
    ///
    /// # Panics
    /// When there is room for none.
    #[track_caller]
    pub fn bounded(capacity: usize) -> Self {
        Self(Queue::with(capacity, Store::lifo()))
    }

    /// A queue that always has room.
    pub fn unbounded() -> Self {
        Self(Queue::with(usize::MAX, Store::lifo()))
    }
}

impl<T> Deref for LifoQueue<T> {
    type Target = Queue<T>;

    fn deref(&self) -> &Queue<T> {
        &self.0
    }
}

impl<T> Clone for LifoQueue<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> fmt::Debug for LifoQueue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
