//! What is served for the time being: seen by its future, or taken back.
#![allow(unsafe_code, reason = "nodes live in pinned futures and point at each other")]

use super::WaitList;
use super::turn::Look;
use super::waiter::{Node, Seat, Standing, Waiter, with};
use crate::offers::{At, is_same};
use std::mem;
use std::pin::Pin;
use std::ptr::NonNull;
use std::task::Waker;

/// What a waiter asks for that may be offered it.
#[derive(Debug, Clone, Copy)]
pub struct Offered<T> {
    /// What it asks for.
    pub value: T,
    // The poll of a task in which its future was polled last.
    at: At,
    // Its place among all that ever came to the list.
    ticket: u64,
    // The offer was left at the end of a poll already.
    left: bool,
}

impl<T> Offered<T> {
    /// Asks for `value`.
    #[inline]
    pub const fn new(value: T) -> Self {
        Self { value, at: At::NOWHERE, ticket: 0, left: false }
    }
}

impl<T> Node<Offered<T>> {
    /// As [`wait_under`](Self::wait_under), also for a waker that was made of the one the future is polled with.
    // Apart: most are polled again when they were served.
    #[inline(never)]
    fn wait_on(
        &mut self,
        waker: &Waker,
        clone: &mut Option<Waker>,
        seen: impl FnOnce(At) -> At,
    ) -> Option<Look<T>> {
        let is_same = self.waker.as_ref().is_some_and(|old| is_same(old, waker));
        let new = if is_same { None } else { Some(clone.take()?) };
        self.value.at = seen(self.value.at);
        Some(Look::Wait(new.and_then(|new| self.waker.replace(new))))
    }
}

impl<T: Copy> WaitList<Offered<T>> {
    /// How many offers were neither seen by their futures nor taken back.
    #[inline]
    pub fn offers(&self) -> usize {
        self.row.offers
    }

    /// As [`push_back`](Self::push_back), for a waiter that is polled at `at`: what it is served later may be an offer. Its
    /// waker was made by [`offers::waker`](crate::offers::waker).
    ///
    /// # Panics
    /// When the waiter is not out.
    #[inline]
    #[track_caller]
    pub fn push_back_at(&mut self, waiter: Pin<&mut Waiter<Offered<T>>>, waker: Waker, at: At) {
        let node = self.enter(waiter, waker);
        self.give_place(node, at);
        self.link(node);
    }

    /// As [`move_front`](Self::move_front), the other way round: who is moved here was polled in no task since.
    pub fn take_front(&mut self, from: &mut Self) -> bool {
        let has_moved = from.move_front(self);
        if let Some(last) = self.row.tail.filter(|_| has_moved) {
            self.give_place(last, At::NOWHERE);
        }
        has_moved
    }

    #[inline]
    fn give_place(&mut self, node: NonNull<Seat<Offered<T>>>, at: At) {
        self.tickets += 1;
        let ticket = self.tickets;
        // SAFETY: the node is in this list, or the caller's and in none; the lock is held.
        unsafe {
            with(node, |node| {
                node.value.at = at;
                node.value.ticket = ticket;
            });
        }
    }

    /// As [`pop_front`](Self::pop_front); what is served to a future that was last polled in a task is an offer.
    #[inline]
    pub fn offer_front(&mut self) -> Option<Waker> {
        let first = self.row.first?;
        // SAFETY: the first is in this list, whose lock the caller holds.
        let in_task = unsafe { with(first, |node| node.value.at.task != 0) };
        if !in_task {
            return self.pop_front();
        }
        // SAFETY: it is the first in line, and the lock is held.
        unsafe { self.row.pass(first) };
        // SAFETY: as above.
        unsafe {
            with(first, |node| {
                node.standing = Standing::Offered;
                node.value.left = false;
                node.waker.take()
            })
        }
    }

    /// As [`poll_by`](Self::poll_by), for a waiter that may be offered something: what is in `clone` was made by
    /// [`offers::waker`](crate::offers::waker). `seen` is told where it was polled last, and says where it is polled now, if
    /// it waits on.
    ///
    /// # Panics
    /// When the waiter is not in this list.
    #[inline]
    #[track_caller]
    pub fn poll_at(
        &mut self,
        waiter: Pin<&mut Waiter<Offered<T>>>,
        waker: &Waker,
        clone: &mut Option<Waker>,
        seen: impl FnOnce(At) -> At,
    ) -> Option<Look<T>> {
        let (home, node) = self.own(waiter);
        // SAFETY: the waiter is in this list, whose lock the caller holds.
        let (look, standing) = unsafe {
            with(node, |node| {
                let look = match node.standing {
                    Standing::Served | Standing::Offered => {
                        Some(Look::Served(node.value.value, node.value.at))
                    }
                    // It is out only when nothing foreign is left to be done before it is in line again.
                    Standing::Missed => clone.is_some().then_some(Look::Missed(node.value.value)),
                    Standing::Queued => node.wait_on(waker, clone, seen),
                };
                (look, node.standing)
            })
        };
        match standing {
            Standing::Queued => return look,
            Standing::Missed if look.is_none() => return None,
            // SAFETY: it was passed, and the lock is held.
            Standing::Offered => unsafe { self.row.remove_passed(node) },
            Standing::Served | Standing::Missed => {}
        }
        *home = 0;
        look
    }

    /// Where a waiter's future was polled last.
    ///
    /// # Panics
    /// When the waiter is not in this list.
    #[track_caller]
    pub fn at(&self, waiter: Pin<&mut Waiter<Offered<T>>>) -> At {
        let (_, node) = self.own(waiter);
        // SAFETY: the waiter is in this list, whose lock the caller holds.
        unsafe { with(node, |node| node.value.at) }
    }

    /// Takes back what was offered to a task, and left at the end of the poll `at` although it was there, unseen, at the
    /// end of an earlier one; `may_take`: if what was offered was told already. Says whether something is left for later.
    pub fn withdraw(&mut self, at: At, may_take: bool, mut taken: impl FnMut(T)) -> bool {
        let mut is_left = false;
        let mut next = self.row.head;
        while let Some(node) = next.filter(|_| next != self.row.first) {
            // SAFETY: the node stands before the first in line of this list, whose lock the caller holds.
            let missed = unsafe {
                with(node, |node| {
                    next = node.next;
                    if node.value.at.task != at.task || node.value.at == at {
                        return None;
                    }
                    if !may_take || !mem::replace(&mut node.value.left, true) {
                        is_left = true;
                        return None;
                    }
                    node.standing = Standing::Missed;
                    Some(node.value.value)
                })
            };
            if let Some(value) = missed {
                // SAFETY: as above.
                unsafe { self.row.remove_passed(node) };
                taken(value);
            }
        }
        is_left
    }

    /// Whether nobody in line came before a waiter that was here and missed its turn.
    pub fn comes_first(&self, waiter: Pin<&mut Waiter<Offered<T>>>) -> bool {
        let ticket = self.ticket_of(waiter.parts().1);
        self.row.first.is_none_or(|first| self.ticket_of(first) > ticket)
    }

    /// Puts a waiter that was here and missed its turn into the line, where its place was.
    ///
    /// # Panics
    /// When the waiter is not out.
    #[track_caller]
    pub fn push_again(&mut self, waiter: Pin<&mut Waiter<Offered<T>>>, waker: Waker, at: At) {
        let node = self.enter(waiter, waker);
        // SAFETY: the node is the caller's, and in no row yet.
        unsafe { with(node, |node| node.value.at = at) };
        let ticket = self.ticket_of(node);
        let mut behind = self.row.first;
        while let Some(other) = behind.filter(|other| self.ticket_of(*other) < ticket) {
            // SAFETY: the node stands in this line, whose lock the caller holds.
            behind = unsafe { with(other, |other| other.next) };
        }
        // SAFETY: the node is in no row, the other in this line, and the lock is held.
        unsafe { self.row.insert(node, behind) };
    }

    fn ticket_of(&self, node: NonNull<Seat<Offered<T>>>) -> u64 {
        // SAFETY: the node is in this line, or the caller's and in no list; the lock is held.
        unsafe { with(node, |node| node.value.ticket) }
    }
}
