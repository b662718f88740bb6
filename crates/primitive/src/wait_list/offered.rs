//! What is served for the time being: seen by its future, or taken back.
#![allow(unsafe_code, reason = "nodes live in pinned futures and point at each other")]

use super::{Seat, Standing, WaitList, Waiter, is_away, with};
use crate::offers::At;
use std::mem;
use std::pin::Pin;
use std::ptr::NonNull;
use std::task::Waker;

impl<T: Copy> WaitList<T> {
    /// How many offers were neither seen by their futures nor taken back.
    pub fn offers(&self) -> usize {
        self.offers.len
    }

    /// As [`pop_front`](Self::pop_front); what is served to a future that was last polled in a task is an offer.
    pub fn offer_front(&mut self) -> Option<Waker> {
        let head = self.line.head?;
        let waker = self.pop_front();
        // SAFETY: it was the head just now, and its future cannot leave without the lock, which the caller holds.
        let in_task = unsafe {
            with(head, |node| {
                let in_task = node.at != At::NOWHERE;
                if in_task {
                    node.standing = Standing::Offered;
                    node.left = false;
                }
                in_task
            })
        };
        if in_task {
            // SAFETY: it is in no row, and the lock is held.
            unsafe { self.offers.push_back(head) };
        }
        waker
    }

    /// Where a waiter's future was polled last.
    ///
    /// # Panics
    /// When the waiter is not in this list.
    #[track_caller]
    pub fn at(&self, waiter: Pin<&mut Waiter<T>>) -> At {
        let node = self.own(waiter);
        // SAFETY: the waiter is in this list, whose lock the caller holds.
        unsafe { with(node, |node| node.at) }
    }

    /// Says where a waiter's future is polled now.
    ///
    /// # Panics
    /// When the waiter is not in this list.
    #[track_caller]
    pub fn set_at(&mut self, waiter: Pin<&mut Waiter<T>>, at: At) {
        let node = self.own(waiter);
        // SAFETY: the waiter is in this list, whose lock the caller holds.
        unsafe { with(node, |node| node.at = at) };
    }

    /// Takes back what was offered to a task, and left at the end of the poll `at` although it was there, unseen, at the
    /// end of an earlier one. Says whether there are others, which are left for the first time.
    pub fn withdraw(&mut self, at: At, mut taken: impl FnMut(T)) -> bool {
        let mut is_first = false;
        let mut next = self.offers.head;
        while let Some(node) = next {
            // SAFETY: the node is among the offers of this list, whose lock the caller holds.
            let missed = unsafe {
                with(node, |node| {
                    next = node.next;
                    if node.at.task != at.task || node.at == at {
                        return None;
                    }
                    if !mem::replace(&mut node.left, true) {
                        is_first = true;
                        return None;
                    }
                    node.standing = Standing::Missed;
                    Some(node.value)
                })
            };
            if let Some(value) = missed {
                // SAFETY: as above.
                unsafe { self.offers.unlink(node) };
                taken(value);
            }
        }
        is_first
    }

    /// If the waiter's offer was taken back: it is out from now on, and what it asks for.
    ///
    /// # Panics
    /// When the waiter is not in this list.
    #[track_caller]
    pub fn take_missed(&mut self, mut waiter: Pin<&mut Waiter<T>>) -> Option<T> {
        let node = self.own(waiter.as_mut());
        // SAFETY: the waiter is in this list, whose lock the caller holds.
        let (standing, value) = unsafe { with(node, |node| (node.standing, node.value)) };
        if standing != Standing::Missed {
            return None;
        }
        *waiter.parts().0 = 0;
        Some(value)
    }

    /// Whether nobody in line came before a waiter that was here and missed its turn.
    pub fn comes_first(&self, waiter: Pin<&mut Waiter<T>>) -> bool {
        let ticket = self.ticket_of(waiter.parts().1);
        self.line.head.is_none_or(|head| self.ticket_of(head) > ticket)
    }

    /// Puts a waiter that was here and missed its turn into the line, where its place was.
    ///
    /// # Panics
    /// When the waiter is not out.
    #[track_caller]
    pub fn push_again(&mut self, waiter: Pin<&mut Waiter<T>>, waker: Waker, at: At) {
        let node = self.enter(waiter, waker, at);
        let ticket = self.ticket_of(node);
        let mut behind = self.line.head;
        while let Some(other) = behind.filter(|other| self.ticket_of(*other) < ticket) {
            // SAFETY: the node stands in this line, whose lock the caller holds.
            behind = unsafe { with(other, |other| other.next) };
        }
        // SAFETY: the node is in no row, the other in this line, and the lock is held.
        unsafe { self.line.insert(node, behind) };
    }

    fn ticket_of(&self, node: NonNull<Seat<T>>) -> u64 {
        // SAFETY: the node is in this line, or the caller's and in no list; the lock is held.
        unsafe { with(node, |node| node.ticket) }
    }

    #[track_caller]
    fn own(&self, waiter: Pin<&mut Waiter<T>>) -> NonNull<Seat<T>> {
        let (home, node) = waiter.parts();
        assert!(
            *home != 0 && *home == self.id && !is_away(node),
            "a waiter is looked at under the lock of its own list"
        );
        node
    }
}
