//! crossbeam-deque's names over a locked queue: loom cannot see the real one.
//!
//! It models the *contract* of the queues and is no stronger than they are: `is_empty` reads a length that
//! may be stale, and a `steal` answers `Retry` when it meets somebody else at work.

use super::sync::atomic::{AtomicUsize, Ordering};
use super::sync::{Arc, Mutex};
use std::collections::VecDeque;

#[derive(Debug)]
struct Queue<T> {
    items: Mutex<VecDeque<T>>,
    len: AtomicUsize,
}

impl<T> Queue<T> {
    fn new() -> Self {
        Self { items: Mutex::new(VecDeque::new()), len: AtomicUsize::new(0) }
    }

    fn push(&self, item: T) {
        let mut items = self.items.lock();
        items.push_back(item);
        self.len.store(items.len(), Ordering::Release);
    }

    fn pop(&self) -> Option<T> {
        let mut items = self.items.lock();
        let item = items.pop_front();
        self.len.store(items.len(), Ordering::Release);
        item
    }

    fn steal(&self) -> Steal<T> {
        let Some(mut items) = self.items.try_lock() else { return Steal::Retry };
        let Some(item) = items.pop_front() else { return Steal::Empty };
        self.len.store(items.len(), Ordering::Release);
        Steal::Success(item)
    }

    fn steal_batch_and_pop(&self, dest: &Worker<T>, limit: usize) -> Steal<T> {
        let Some(mut items) = self.items.try_lock() else { return Steal::Retry };
        let Some(first) = items.pop_front() else { return Steal::Empty };
        let more = (items.len() / 2).min(limit.saturating_sub(1));
        let batch: Vec<T> = items.drain(..more).collect();
        self.len.store(items.len(), Ordering::Release);
        drop(items);
        for item in batch {
            dest.push(item);
        }
        Steal::Success(first)
    }

    fn steal_batch(&self, dest: &Worker<T>, limit: usize) -> Steal<()> {
        let Some(mut items) = self.items.try_lock() else { return Steal::Retry };
        if items.is_empty() {
            return Steal::Empty;
        }
        let batch: Vec<T> = {
            let half = items.len().div_ceil(2).min(limit);
            items.drain(..half).collect()
        };
        self.len.store(items.len(), Ordering::Release);
        drop(items);
        for item in batch {
            dest.push(item);
        }
        Steal::Success(())
    }

    fn is_empty(&self) -> bool {
        self.len.load(Ordering::Acquire) == 0
    }
}

/// What a thief gets.
#[derive(Debug)]
pub enum Steal<T> {
    /// There was nothing.
    Empty,
    /// An item.
    Success(T),
    /// Somebody was in the way; there may be something.
    Retry,
}

impl<T> Steal<T> {
    /// Whether there was an item.
    pub fn is_success(&self) -> bool {
        matches!(self, Self::Success(_))
    }

    /// Whether somebody was in the way.
    pub fn is_retry(&self) -> bool {
        matches!(self, Self::Retry)
    }
}

/// The owner's end.
#[derive(Debug)]
pub struct Worker<T>(Arc<Queue<T>>);

/// The thieves' end.
#[derive(Debug)]
pub struct Stealer<T>(Arc<Queue<T>>);

impl<T> Clone for Stealer<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Worker<T> {
    /// A queue, first in, first out.
    pub fn new_fifo() -> Self {
        Self(Arc::new(Queue::new()))
    }

    /// A thieves' end.
    pub fn stealer(&self) -> Stealer<T> {
        Stealer(Arc::clone(&self.0))
    }

    /// Adds at the back.
    pub fn push(&self, item: T) {
        self.0.push(item);
    }

    /// Takes from the front.
    pub fn pop(&self) -> Option<T> {
        self.0.pop()
    }

    /// Whether it looks empty.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there seem to be.
    pub fn len(&self) -> usize {
        self.0.len.load(Ordering::Acquire)
    }
}

impl<T> Stealer<T> {
    /// Takes one from the front.
    pub fn steal(&self) -> Steal<T> {
        self.0.steal()
    }

    /// Takes up to half, at most `limit`: the first is returned, the rest go to `dest`.
    pub fn steal_batch_with_limit_and_pop(&self, dest: &Worker<T>, limit: usize) -> Steal<T> {
        self.0.steal_batch_and_pop(dest, limit)
    }

    /// Moves a batch to `dest`.
    pub fn steal_batch_with_limit(&self, dest: &Worker<T>, limit: usize) -> Steal<()> {
        self.0.steal_batch(dest, limit)
    }

    /// Whether it looks empty.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there seem to be.
    pub fn len(&self) -> usize {
        self.0.len.load(Ordering::Acquire)
    }
}

/// The queue for strangers.
#[derive(Debug)]
pub struct Injector<T>(Queue<T>);

impl<T> Default for Injector<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Injector<T> {
    /// An empty queue.
    pub fn new() -> Self {
        Self(Queue::new())
    }

    /// Adds at the back.
    pub fn push(&self, item: T) {
        self.0.push(item);
    }

    /// Takes one from the front.
    pub fn steal(&self) -> Steal<T> {
        self.0.steal()
    }

    /// Takes a batch: the first is returned, the rest go to `dest`.
    pub fn steal_batch_with_limit_and_pop(&self, dest: &Worker<T>, limit: usize) -> Steal<T> {
        self.0.steal_batch_and_pop(dest, limit)
    }

    /// Moves a batch to `dest`.
    pub fn steal_batch_with_limit(&self, dest: &Worker<T>, limit: usize) -> Steal<()> {
        self.0.steal_batch(dest, limit)
    }

    /// Whether it looks empty.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there seem to be.
    pub fn len(&self) -> usize {
        self.0.len.load(Ordering::Acquire)
    }
}
