//! The queue whose least item comes out first.

use super::{Queue, Store};
use std::fmt;
use std::ops::Deref;

/// A [`Queue`] whose least item comes out first.
///
/// Everything else is as there, and all methods are [`Queue`]'s. Of equal items any may come first: put a number beside
/// each, `(priority, number, item)`, if that matters. Those who wait are served in the order in which they came; who comes
/// first gets the least item there is.
///
/// Items are compared under the queue's lock: their `Ord` is to be short, and must not use the queue. If it panics
/// in a get, the item that was being taken is dropped and counts as done, and the order of the others may be lost.
///
/// # Examples
/// ```
/// use kasasagi_sync::PriorityQueue;
/// let queue = PriorityQueue::unbounded();
/// for job in [(2, "feed the cat"), (1, "put out the fire")] {
///     assert!(queue.try_put(job).is_ok());
/// }
/// assert_eq!(queue.try_get(), Ok((1, "put out the fire")));
/// ```
///
/// Counterpart: `asyncio.PriorityQueue`.
pub struct PriorityQueue<T>(Queue<T>);

impl<T: Ord> PriorityQueue<T> {
    /// A queue with room for so many items.
    ///
    /// # Panics
    /// When there is room for none.
    #[track_caller]
    pub fn bounded(capacity: usize) -> Self {
        Self(Queue::with(capacity, Store::priority()))
    }

    /// A queue that always has room.
    pub fn unbounded() -> Self {
        Self(Queue::with(usize::MAX, Store::priority()))
    }
}

impl<T> Deref for PriorityQueue<T> {
    type Target = Queue<T>;

    fn deref(&self) -> &Queue<T> {
        &self.0
    }
}

impl<T> Clone for PriorityQueue<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> fmt::Debug for PriorityQueue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
