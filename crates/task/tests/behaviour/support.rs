//! A scheduler of one queue, and counts of what came and went.
#![allow(unsafe_code, reason = "a scheduler promises to outlive its tasks")]

use kasasagi_primitive::sync::{Arc, Mutex};
use kasasagi_task::slab::Heap;
use kasasagi_task::{Attributes, Birth, Home, JoinError, Ran, Runnable, Schedule, Task};
use std::collections::VecDeque;
use std::panic::Location;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

#[derive(Default)]
pub(crate) struct Queue(Mutex<VecDeque<Runnable>>);

// SAFETY: the tests hold the queue until every task of it is complete.
unsafe impl Schedule for Queue {
    fn schedule(task: Runnable, home: Home<Self>) {
        home.hold().push(task);
    }
}

impl Queue {
    pub(crate) fn push(&self, task: Runnable) {
        self.0.lock().push_back(task);
    }
    pub(crate) fn len(&self) -> usize {
        self.0.lock().len()
    }
    /// Runs the first task in the queue, if there is one.
    pub(crate) fn run_one(&self) {
        let due = self.0.lock().pop_front();
        if let Some(Ran::Requeue(task)) = due.map(Runnable::run) {
            self.push(task);
        }
    }
    /// Runs tasks until none is due.
    pub(crate) fn run(&self) {
        while self.len() > 0 {
            self.run_one();
        }
    }
}

/// A heap and its scheduler.
#[derive(Default)]
pub(crate) struct World {
    pub(crate) heap: Heap,
    pub(crate) queue: Arc<Queue>,
}

impl World {
    /// Makes a task, which is in the queue.
    pub(crate) fn spawn<F>(&self, future: F) -> Task<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let place = Location::caller();
        let attributes = Attributes::default();
        let birth =
            Birth { heap: &self.heap, home: &self.queue, id: 1, pin: None, place, attributes };
        let (due, task) = birth.spawn(future);
        self.queue.push(due);
        task
    }

    pub(crate) fn blocks(&self) -> usize {
        self.heap.collect();
        self.heap.usage().blocks
    }
}

/// How many of something were dropped.
#[derive(Default, Clone)]
pub(crate) struct Count(std::sync::Arc<AtomicUsize>);

impl Count {
    pub(crate) fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
    pub(crate) fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
    pub(crate) fn token(&self) -> Token {
        Token { count: self.clone(), panics: false }
    }
    /// A token whose drop panics, after it has counted.
    pub(crate) fn bomb(&self) -> Token {
        Token { count: self.clone(), panics: true }
    }
}

/// Counts its drop.
pub(crate) struct Token {
    count: Count,
    panics: bool,
}

impl Drop for Token {
    fn drop(&mut self) {
        self.count.add();
        assert!(!self.panics, "the drop of a bomb");
    }
}

pub(crate) fn poll<T>(waker: &Waker, mut task: &mut Task<T>) -> Poll<Result<T, JoinError>> {
    Pin::new(&mut task).poll(&mut Context::from_waker(waker))
}

/// The answer of a task that is complete.
pub(crate) fn answer<T>(task: &mut Task<T>) -> Result<T, JoinError> {
    match poll(Waker::noop(), task) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("the task has not completed"),
    }
}

/// The text that a task panicked with.
pub(crate) fn panic_text<T>(answer: Result<T, JoinError>) -> String {
    let Err(error) = answer else { panic!("the task gave an output") };
    let payload = error.into_panic().expect("the task panicked");
    match payload.downcast_ref::<&'static str>() {
        Some(text) => (*text).to_owned(),
        None => *payload.downcast::<String>().expect("a panic has a text"),
    }
}
