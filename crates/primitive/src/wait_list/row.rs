//! Nodes in a row, linked through each other.
#![allow(unsafe_code, reason = "nodes live in pinned futures and point at each other")]

use super::{Seat, with};
use std::ptr::NonNull;

pub(super) type Link<T> = Option<NonNull<Seat<T>>>;

/// The ends of a row. A node stands in one row at most, and whoever calls holds the lock of the list that has the row.
pub(super) struct Row<T> {
    pub(super) head: Link<T>,
    pub(super) tail: Link<T>,
    pub(super) len: usize,
}

impl<T> Row<T> {
    pub(super) const fn new() -> Self {
        Self { head: None, tail: None, len: 0 }
    }

    /// Puts a node at the end.
    ///
    /// # Safety
    /// The node is alive, in no row, and the caller's; the lock of the list is held.
    pub(super) unsafe fn push_back(&mut self, node: NonNull<Seat<T>>) {
        // SAFETY: the caller's promise.
        unsafe { self.insert(node, None) };
    }

    /// Puts a node in front of another, or at the end.
    ///
    /// # Safety
    /// As above; and the other is in this row.
    pub(super) unsafe fn insert(&mut self, node: NonNull<Seat<T>>, behind: Link<T>) {
        let previous = match behind {
            // SAFETY: it is in this row, pinned until it is removed.
            Some(behind) => unsafe { with(behind, |behind| behind.previous.replace(node)) },
            None => self.tail.replace(node),
        };
        // SAFETY: the node is the caller's.
        unsafe {
            with(node, |node| {
                node.previous = previous;
                node.next = behind;
            });
        }
        match previous {
            // SAFETY: a neighbour is in this row too.
            Some(previous) => unsafe { with(previous, |previous| previous.next = Some(node)) },
            None => self.head = Some(node),
        }
        self.len += 1;
    }

    /// Joins the neighbours of a node.
    ///
    /// # Safety
    /// The node is in this row, and the lock of the list is held.
    pub(super) unsafe fn unlink(&mut self, node: NonNull<Seat<T>>) {
        // SAFETY: the caller's promise.
        let (previous, next) =
            unsafe { with(node, |node| (node.previous.take(), node.next.take())) };
        match previous {
            // SAFETY: a neighbour is in this row too, and pinned until it is removed.
            Some(previous) => unsafe { with(previous, |previous| previous.next = next) },
            None => self.head = next,
        }
        match next {
            // SAFETY: as above.
            Some(next) => unsafe { with(next, |next| next.previous = previous) },
            None => self.tail = previous,
        }
        self.len -= 1;
    }
}
