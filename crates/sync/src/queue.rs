//! Queues: items from some tasks to others, in order, with room for so many.
//!
//! One type does it all; what an order changes is only where items lie (`store.rs`). How waiting is kept fair stands in
//! `shared.rs`.

mod blocking;

mod error;
mod futures;
mod guard;
mod lifo;
mod priority;
mod shared;
mod store;
mod taking;

pub use error::{PutError, TaskDoneError, TryGetError, TryPutError};
pub use futures::{Get, GetGuarded, Join, Put};
pub use guard::{ItemGuard, OwnedItemGuard};
pub use lifo::LifoQueue;
pub use priority::PriorityQueue;

use crate::Closed;
use blocking::block_on;
use kasasagi_primitive::sync::Arc;
use shared::Shared;
use std::fmt;
use std::panic::Location;
use store::Store;

/// Hands items from some tasks to others, first in, first out; and knows when all of them are done.
///
/// A bounded queue makes producers wait while consumers are behind; prefer it. An unbounded one grows until the memory
/// is full. For one value that is sent once take [`promise`](crate::promise()); to let only so many tasks run at a time,
/// [`Semaphore`](crate::Semaphore).
///
/// Any number of tasks and threads put and get. Each item goes to exactly one of them. Those who wait, for an item or for
/// room, are served in the order in which they came, and a newcomer does not overtake; so items of one producer come out
/// in the order in which it put them. A put happens before the get that takes its item. A clone is another handle of
/// the same queue. Works under any executor.
///
/// # Examples
/// ```
/// use kasasagi_sync::Queue;
/// let queue = Queue::bounded(2);
/// assert!(queue.try_put("bread").is_ok() && queue.try_put("milk").is_ok());
/// // The third one comes back.
/// assert_eq!(queue.try_put("eggs").map_err(|full| full.into_inner()), Err("eggs"));
/// assert_eq!(queue.try_get(), Ok("bread"));
/// ```
///
/// Counterpart: `asyncio.Queue`.
pub struct Queue<T> {
    shared: Arc<Shared<T>>,
}

impl<T> Queue<T> {
    /// A queue with room for so many items.
    ///
    /// Memory is taken as items come.
    ///
    /// # Panics
    /// When there is room for none.
    ///
    /// Counterpart: `asyncio.Queue(maxsize)`.
    #[track_caller]
    pub fn bounded(capacity: usize) -> Self {
        Self::with(capacity, Store::fifo())
    }

    /// A queue that always has room.
    ///
    /// Counterpart: `asyncio.Queue()`.
    pub fn unbounded() -> Self {
        Self::with(usize::MAX, Store::fifo())
    }

    #[track_caller]
    fn with(capacity: usize, store: Store<T>) -> Self {
        assert!(
            capacity > 0,
            "a bounded queue has room for one item at least; asyncio's `maxsize=0` is `Queue::unbounded()`"
        );
        Self { shared: Arc::new(Shared::new(capacity, store)) }
    }

    /// Puts an item, waiting until there is room.
    ///
    /// Those who wait are served in the order of their first poll. It completes at once if there is room.
    ///
    /// # Errors
    /// [`PutError`] once the queue is shut down, also to those who wait already; with the item.
    ///
    /// # Cancel safety
    /// Cancel safe, but gives up its place in the line. Dropped before it is ready, it has put nothing, and its item is
    /// dropped with it.
    ///
    /// Counterpart: `asyncio.Queue.put`.
    #[track_caller]
    pub fn put(&self, item: T) -> Put<'_, T> {
        Put::new(&self.shared, item, Location::caller())
    }

    /// Puts an item if there is room, and nobody waits for it.
    ///
    /// # Errors
    /// [`TryPutError::Full`] or [`TryPutError::Closed`], with the item.
    ///
    /// Counterpart: `asyncio.Queue.put_nowait`.
    pub fn try_put(&self, item: T) -> Result<(), TryPutError<T>> {
        self.shared.try_put(item)
    }

    /// Puts an item from a thread, which sleeps until there is room.
    ///
    /// It stands in the same line as tasks do.
    ///
    /// # Errors
    /// [`PutError`] once the queue is shut down, also to those who wait already; with the item.
    ///
    /// # Panics
    /// Inside a task: its worker would sleep. There it is `put(item).await`.
    #[track_caller]
    pub fn put_blocking(&self, item: T) -> Result<(), PutError<T>> {
        block_on(self.put(item), "Queue::put_blocking", "queue.put(item)")
    }

    /// Takes the item whose turn it is, waiting until there is one.
    ///
    /// Items come out in the order of the queue; those who wait are served in the order of their first poll. When it is
    /// done with, say so: [`task_done`](Self::task_done).
    ///
    /// # Errors
    /// [`Closed`] once the queue is shut down and empty, also to those who wait already.
    ///
    /// # Cancel safety
    /// Cancel safe, but gives up its place in the line. It takes the item when it becomes ready, and not before.
    ///
    /// Counterpart: `asyncio.Queue.get`.
    #[track_caller]
    pub fn get(&self) -> Get<'_, T> {
        Get::new(&self.shared, Location::caller())
    }

    /// Takes an item if there is one for which nobody waits.
    ///
    /// # Errors
    /// [`TryGetError::Empty`] or [`TryGetError::Closed`].
    ///
    /// Counterpart: `asyncio.Queue.get_nowait`.
    pub fn try_get(&self) -> Result<T, TryGetError> {
        self.shared.try_get()
    }

    /// Takes an item on a thread, which sleeps until there is one.
    ///
    /// It stands in the same line as tasks do.
    ///
    /// # Errors
    /// [`Closed`] once the queue is shut down and empty, also to those who wait already.
    ///
    /// # Panics
    /// Inside a task: its worker would sleep. There it is `get().await`.
    #[track_caller]
    pub fn get_blocking(&self) -> Result<T, Closed> {
        block_on(self.get(), "Queue::get_blocking", "queue.get()")
    }

    /// As [`get`](Self::get), with an item that is done when its guard is dropped: nobody can forget it.
    ///
    /// # Errors
    /// [`Closed`] once the queue is shut down and empty, also to those who wait already.
    ///
    /// # Cancel safety
    /// Cancel safe, but gives up its place in the line. It takes the item when it becomes ready, and not before.
    ///
    /// Counterpart: none; asyncio's users write `try: … finally: queue.task_done()`.
    #[track_caller]
    pub fn get_guarded(&self) -> GetGuarded<'_, T> {
        GetGuarded::new(self, self.get())
    }

    /// Says that an item that was taken is done; once for each. The last one lets [`join`](Self::join) return.
    ///
    /// # Errors
    /// [`TaskDoneError`] when every item that was ever put is done already.
    ///
    /// Counterpart: `asyncio.Queue.task_done`.
    pub fn task_done(&self) -> Result<(), TaskDoneError> {
        self.shared.task_done()
    }

    /// Waits until every item that was put is done.
    ///
    /// At once if there is none. Whoever waits when the last one is done returns, even if more are put meanwhile. An item
    /// that was taken and is never called done, by a task that was cancelled say, or a `None` that means the end,
    /// keeps it waiting for ever; [`unfinished`](Self::unfinished) tells how many there are, and
    /// [`get_guarded`](Self::get_guarded) helps.
    ///
    /// # Cancel safety
    /// Cancel safe: dropped before it is ready, it has done nothing.
    ///
    /// Counterpart: `asyncio.Queue.join`.
    #[track_caller]
    pub fn join(&self) -> Join<'_, T> {
        Join::new(&self.shared, Location::caller())
    }

    /// As [`join`](Self::join) on a thread, which sleeps meanwhile.
    ///
    /// # Panics
    /// Inside a task: its worker would sleep. There it is `join().await`.
    #[track_caller]
    pub fn join_blocking(&self) {
        block_on(self.join(), "Queue::join_blocking", "queue.join()");
    }

    /// Takes no more items: those who put get [`PutError`], also those who wait already.
    ///
    /// What is left can still be taken; then those who get, and those who wait to, get [`Closed`]. If it is `immediate`,
    /// what is left is dropped and counts as done; items that were taken before still have to be called done. A second
    /// call does no harm, and may throw away what the first one left.
    ///
    /// Counterpart: `asyncio.Queue.shutdown`.
    pub fn shutdown(&self, immediate: bool) {
        self.shared.shut_down(immediate);
    }

    /// Whether [`shutdown`](Self::shutdown) was called.
    pub fn is_shut_down(&self) -> bool {
        self.shared.lock().is_shut
    }

    /// How many items are in it at the moment.
    ///
    /// Counterpart: `asyncio.Queue.qsize`.
    pub fn len(&self) -> usize {
        self.shared.lock().store.len()
    }

    /// Whether no item is in it at the moment.
    ///
    /// Counterpart: `asyncio.Queue.empty`.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether as many items are in it as can be; never, if it is unbounded.
    ///
    /// Counterpart: `asyncio.Queue.full`.
    pub fn is_full(&self) -> bool {
        self.len() >= self.shared.capacity
    }

    /// How many items there is room for; `None` if it is unbounded.
    ///
    /// Counterpart: `asyncio.Queue.maxsize`.
    pub fn capacity(&self) -> Option<usize> {
        Some(self.shared.capacity).filter(|capacity| *capacity != usize::MAX)
    }

    /// How many items were put, and not yet called done: those in it, and those that somebody works on.
    pub fn unfinished(&self) -> usize {
        self.shared.lock().unfinished
    }
}

impl<T> Clone for Queue<T> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<T> fmt::Debug for Queue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, len, getters, putters, unfinished, is_shut) = {
            let state = self.shared.lock();
            let (getters, putters) = (state.getters.len(), state.putters.len());
            (
                state.store.name(),
                state.store.len(),
                getters,
                putters,
                state.unfinished,
                state.is_shut,
            )
        };
        f.debug_struct(name)
            .field("len", &len)
            .field("capacity", &self.capacity())
            .field("getters", &getters)
            .field("putters", &putters)
            .field("unfinished", &unfinished)
            .field("shut_down", &is_shut)
            .finish()
    }
}

const _: () = {
    const fn shared<T: Send + Sync>() {}
    shared::<Queue<std::cell::Cell<u8>>>();
    shared::<Put<'_, u8>>();
    shared::<Get<'_, std::cell::Cell<u8>>>();
    shared::<GetGuarded<'_, u8>>();
    shared::<Join<'_, std::cell::Cell<u8>>>();
    shared::<ItemGuard<'_, u8>>();
    shared::<OwnedItemGuard<u8>>();
    shared::<LifoQueue<u8>>();
    shared::<PriorityQueue<u8>>();
};
