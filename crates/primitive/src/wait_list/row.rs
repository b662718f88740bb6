//! Nodes in a row, linked through each other.
#![allow(unsafe_code, reason = "nodes live in pinned futures and point at each other")]

use super::waiter::{Seat, with};
use std::ptr::NonNull;

pub(super) type Link<T> = Option<NonNull<Seat<T>>>;

/// Who was offered something, and has not seen it; behind them who is in line.
///
/// A node stands in one row at most, and whoever calls holds the lock of the list that has the row.
pub(super) struct Row<T> {
    pub(super) head: Link<T>,
    pub(super) tail: Link<T>,
    /// The first in line.
    pub(super) first: Link<T>,
    /// How many are in line.
    pub(super) waiting: usize,
    /// How many stand before them.
    pub(super) offers: usize,
}

impl<T> Row<T> {
    pub(super) const fn new() -> Self {
        Self { head: None, tail: None, first: None, waiting: 0, offers: 0 }
    }

    /// Puts a node into the line, in front of another or at the end.
    ///
    /// # Safety
    /// The node is alive, in no row, and the caller's; the other is in line; the lock of the list is held.
    #[inline]
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
        if self.first == behind {
            self.first = Some(node);
        }
        self.waiting += 1;
    }

    /// Takes out a node that is in line.
    ///
    /// # Safety
    /// It is, and the lock of the list is held.
    #[inline]
    pub(super) unsafe fn remove(&mut self, node: NonNull<Seat<T>>) {
        if self.first == Some(node) {
            // SAFETY: the node is in this row.
            self.first = unsafe { with(node, |node| node.next) };
        }
        self.waiting -= 1;
        // SAFETY: the caller's promise.
        unsafe { self.unlink(node) };
    }

    /// The first in line is offered something: it stays where it is, and the one behind it is the first.
    ///
    /// # Safety
    /// It is this one, and the lock of the list is held.
    #[inline]
    pub(super) unsafe fn pass(&mut self, first: NonNull<Seat<T>>) {
        // SAFETY: the node is in this row.
        self.first = unsafe { with(first, |node| node.next) };
        self.waiting -= 1;
        self.offers += 1;
    }

    /// Takes out a node that was offered something.
    ///
    /// # Safety
    /// It is one that was passed, and the lock of the list is held.
    #[inline]
    pub(super) unsafe fn remove_passed(&mut self, node: NonNull<Seat<T>>) {
        self.offers -= 1;
        // SAFETY: the caller's promise.
        unsafe { self.unlink(node) };
    }

    /// Joins the neighbours of a node.
    ///
    /// # Safety
    /// The node is in this row, and the lock of the list is held.
    #[inline]
    unsafe fn unlink(&mut self, node: NonNull<Seat<T>>) {
        // SAFETY: the caller's promise.
        let (previous, next) = unsafe { with(node, |node| (node.previous, node.next)) };
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
    }
}
