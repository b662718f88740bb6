//! What a waiter learns of its place in the line.

use crate::offers::At;
use std::task::Waker;

/// What a waiter that is polled learns.
#[derive(Debug)]
#[must_use = "a replaced waker is dropped after the lock, and what was served is the caller's now"]
pub enum Turn<T> {
    /// It waits on, under the waker it was polled with; the one before is to be dropped outside the lock.
    Wait(Option<Waker>),
    /// It was served, and is out.
    Served(T),
}

/// What a waiter was when it was removed.
#[derive(Debug)]
#[must_use = "what was served has to go to the next in line, and the waker is dropped after the lock"]
pub enum Place<T> {
    /// In no list.
    Out,
    /// In line; with its waker, to be dropped outside the lock.
    Queued(Option<Waker>),
    /// Served, and it did not know yet.
    Served(T),
}

/// What a waiter learns that may be offered something.
#[derive(Debug)]
#[must_use = "a replaced waker is dropped after the lock, and what was served is the caller's now"]
pub enum Look<T> {
    /// As [`Turn::Wait`].
    Wait(Option<Waker>),
    /// It was served, and is out; it was polled last where it says.
    Served(T, At),
    /// It was served, and that was taken back: it is out, and asks for this; the clone of its waker is there.
    Missed(T),
}
