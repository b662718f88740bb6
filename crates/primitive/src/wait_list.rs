//! First come, first served: the waiters of a primitive, in the order in which they came.
//!
//! The list lives inside the primitive's lock, the nodes inside the pinned futures, so that waiting allocates
//! nothing. Whoever holds `&mut WaitList` holds the lock, and touches any node of that list; nobody else touches
//! any. A future goes through these states, and may be dropped in each:
//!
//! ```text
//!            push_back             pop_front, by whoever serves it
//!    out ───────────────► queued ───────────────────────────────► served
//!     ▲                     │ remove: it gives up its place          │ poll: it sees so   (or remove: it
//!     └─────────────────────┴────────────────────────────────────────┘  was dropped, and passes it on)
//! ```
//!
//! What is served to a task may be an *offer* ([`WaitList::offer_front`]): the list keeps the node until the future sees
//! it, and can take the offer back ([`WaitList::withdraw`]). Then the waiter is *missed*: in no line, until its future
//! asks again and gets in where its place was ([`WaitList::push_again`]).
//!
//! A list may move those at its front into another list of the same kind ([`WaitList::move_front`]): so what was
//! notified stands in the line of a lock, and is not woken in vain. Its future then has to
//! [follow](WaitList::follow) it, before it is polled or removed.
//!
//! The pattern, for an author of a primitive:
//!
//! 1. `poll`: take the lock; if the waiter is out, look once more whether it has to wait at all, and `push_back`;
//!    else [`WaitList::poll_by`] it. Clone a waker only before the lock, drop one that came back only after it.
//! 2. Serving: take the lock; change what `front` shows, `pop_front`, put the waker into a
//!    [`WakeBatch`](crate::wake_batch::WakeBatch); release the lock; wake.
//! 3. `drop`: if [`Waiter::is_out`], nothing. Else take the lock and [`WaitList::remove`] it; when that says
//!    [`Place::Served`], what was served is the dropped future's no longer: hand it to the next.
#![allow(unsafe_code, reason = "nodes live in pinned futures and point at each other")]

mod offered;
mod row;
mod turn;
mod waiter;

pub use offered::Offered;
pub use turn::{Look, Place, Turn};
pub use waiter::Waiter;

use crate::counter::Counter;
use row::Row;
use std::fmt;
use std::mem;
use std::pin::Pin;
use std::ptr::NonNull;
use std::task::Waker;
use waiter::{Seat, Standing, is_away, with};

/// Where a list's number comes from.
static NEXT: Counter = Counter::new(1);

/// The waiters, to be kept behind the primitive's lock.
///
/// `T` is what each asks for, and what it is told when it is served. The list has to outlive its waiters: a
/// future borrows or owns the primitive whose lock the list is in.
pub struct WaitList<T> {
    // 0 until the first waiter comes. A waiter remembers it, and so cannot be used with another list, whose lock
    // would not be the one that guards its node.
    id: u64,
    row: Row<T>,
    // How many came of those whose places are numbered.
    tickets: u64,
}

// SAFETY: the list owns access to its nodes, which are values and wakers; its pointers are followed only by
// whoever holds `&mut` to it, on whatever thread.
unsafe impl<T: Send> Send for WaitList<T> {}
// SAFETY: through `&WaitList` only its own words are read, no node.
unsafe impl<T: Send> Sync for WaitList<T> {}

impl<T> WaitList<T> {
    /// Nobody waits yet.
    pub const fn new() -> Self {
        Self { id: 0, row: Row::new(), tickets: 0 }
    }

    /// Whether nobody waits.
    pub fn is_empty(&self) -> bool {
        self.row.first.is_none()
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.row.waiting
    }

    /// Puts a waiter at the end of the line.
    ///
    /// # Panics
    /// When the waiter is not out.
    #[track_caller]
    pub fn push_back(&mut self, waiter: Pin<&mut Waiter<T>>, waker: Waker) {
        let node = self.enter(waiter, waker);
        self.link(node);
    }

    /// Makes a waiter one of this list; the caller puts its node into the line.
    #[inline]
    #[track_caller]
    fn enter(&mut self, waiter: Pin<&mut Waiter<T>>, waker: Waker) -> NonNull<Seat<T>> {
        let (home, node) = waiter.parts();
        assert!(*home == 0, "a waiter stands in one line, once");
        self.number();
        // SAFETY: the waiter is out, so its node is the caller's.
        unsafe {
            with(node, |node| {
                node.standing = Standing::Queued;
                node.waker = Some(waker);
            });
        }
        *home = self.id;
        node
    }

    /// Puts a node, which is in no list, at the end.
    fn link(&mut self, node: NonNull<Seat<T>>) {
        // SAFETY: the node is in no list, and the caller's, who holds the lock of this one.
        unsafe { self.row.insert(node, None) };
    }

    /// Moves the one at the front to the end of another list, whose lock is held too; says whether there was one.
    ///
    /// Its future finds that out by [`follow`](Self::follow), and belongs to the other list from then on.
    pub fn move_front(&mut self, to: &mut Self) -> bool {
        let Some(head) = self.row.first else { return false };
        to.number();
        // SAFETY: the head stands in this line, whose lock the caller holds.
        unsafe { self.row.remove(head) };
        to.link(head);
        // SAFETY: the head was in this list, and is in the other now; the caller holds both locks.
        let seat = unsafe { head.as_ref() };
        // SAFETY: the lock of the list that its future believes it in, this one, is held.
        seat.away.with_mut(|away| unsafe { *away = to.id });
        true
    }

    /// Whether a waiter was moved to another list; then it is in that one from now on.
    ///
    /// # Panics
    /// When the waiter did not come to this list.
    #[track_caller]
    pub fn follow(&mut self, waiter: Pin<&mut Waiter<T>>) -> bool {
        let (home, seat) = waiter.parts();
        assert!(
            *home != 0 && *home == self.id,
            "a waiter is looked for under the lock of its own list"
        );
        // SAFETY: the waiter is the caller's.
        let seat = unsafe { seat.as_ref() };
        // SAFETY: the lock of the list that its future believes it in, this one, is held.
        let away = seat.away.with_mut(|away| mem::take(unsafe { &mut *away }));
        if away != 0 {
            *home = away;
        }
        away != 0
    }

    /// Whether a waiter came to this list, or has followed to it.
    pub fn is_home_of(&self, waiter: &Waiter<T>) -> bool {
        waiter.home != 0 && waiter.home == self.id
    }

    fn number(&mut self) {
        if self.id == 0 {
            self.id = NEXT.take(1);
        }
    }

    /// What the one at the front asks for.
    pub fn front(&mut self) -> Option<&mut T> {
        self.row.first.map(|head| {
            // SAFETY: the head is in this list, whose lock the caller holds; it is pinned until it is removed.
            let seat = unsafe { head.as_ref() };
            // SAFETY: as above; the borrow of the list keeps every other access away while the value is shown.
            seat.node.with_mut(|node| unsafe { &mut (*node).value })
        })
    }

    /// Takes the waker of the one at the front, who stays there: to be woken outside the lock, so that it is polled.
    pub fn rouse_front(&mut self) -> Option<Waker> {
        let head = self.row.first?;
        // SAFETY: the head is in this list, whose lock the caller holds.
        unsafe { with(head, |node| node.waker.take()) }
    }

    /// Serves the one at the front: takes it out of the line, and returns its waker, to be woken outside the lock.
    ///
    /// `None` when nobody waits.
    pub fn pop_front(&mut self) -> Option<Waker> {
        let head = self.row.first?;
        // SAFETY: the head stands in this line, whose lock the caller holds.
        unsafe { self.row.remove(head) };
        // SAFETY: the node was in this list, whose lock the caller holds; its future cannot leave without it.
        unsafe {
            with(head, |node| {
                node.standing = Standing::Served;
                node.waker.take()
            })
        }
    }

    /// Asks whether a waiter was served meanwhile; if not, it waits on under `waker`, a clone of which is to be in
    /// `clone` if it is another than before. `None` says that there was none: clone it, without the lock, and ask again.
    ///
    /// ```text
    /// let mut clone = None;
    /// let turn = loop {
    ///     let turn = self.line.lock().poll_by(waiter.as_mut(), cx.waker(), &mut clone);
    ///     match turn {
    ///         Some(turn) => break turn,
    ///         None => clone = Some(cx.waker().clone()),
    ///     }
    /// };
    /// ```
    ///
    /// To clone a waker is to run foreign code, which may come back to the primitive.
    ///
    /// # Panics
    /// When the waiter is not in this list.
    #[track_caller]
    pub fn poll_by(
        &mut self,
        waiter: Pin<&mut Waiter<T>>,
        waker: &Waker,
        clone: &mut Option<Waker>,
    ) -> Option<Turn<T>>
    where
        T: Copy,
    {
        let (home, node) = self.own(waiter);
        // SAFETY: the waiter is in this list, whose lock the caller holds.
        let turn = unsafe {
            with(node, |node| match node.standing {
                Standing::Served => Some(Turn::Served(node.value)),
                _ => node.wait_under(waker, clone).map(Turn::Wait),
            })
        };
        if matches!(turn, Some(Turn::Served(_))) {
            *home = 0;
        }
        turn
    }

    /// As [`poll_by`](Self::poll_by), but clones the waker itself, under the lock: for wakers that are known.
    ///
    /// # Panics
    /// When the waiter is not in this list.
    #[track_caller]
    pub fn poll(&mut self, mut waiter: Pin<&mut Waiter<T>>, waker: &Waker) -> Turn<T>
    where
        T: Copy,
    {
        let mut clone = None;
        loop {
            match self.poll_by(waiter.as_mut(), waker, &mut clone) {
                Some(turn) => return turn,
                None => clone = Some(waker.clone()),
            }
        }
    }

    /// Takes a waiter out, whatever its state.
    ///
    /// # Panics
    /// When the waiter is in another list.
    #[track_caller]
    pub fn remove(&mut self, waiter: Pin<&mut Waiter<T>>) -> Place<T>
    where
        T: Copy,
    {
        if waiter.is_out() {
            return Place::Out;
        }
        let (home, node) = self.own(waiter);
        *home = 0;
        // SAFETY: the waiter is in this list, whose lock the caller holds.
        let (standing, value, waker) =
            unsafe { with(node, |node| (node.standing, node.value, node.waker.take())) };
        match standing {
            Standing::Served => Place::Served(value),
            Standing::Offered => {
                // SAFETY: it was passed, and the lock is held.
                unsafe { self.row.remove_passed(node) };
                Place::Served(value)
            }
            Standing::Missed => Place::Out,
            Standing::Queued => {
                // SAFETY: the node stands in this line, whose lock the caller holds.
                unsafe { self.row.remove(node) };
                Place::Queued(waker)
            }
        }
    }

    /// The parts of a waiter that is in this list, or was served there.
    #[inline]
    #[track_caller]
    fn own<'a>(&self, waiter: Pin<&'a mut Waiter<T>>) -> (&'a mut u64, NonNull<Seat<T>>) {
        let (home, node) = waiter.parts();
        assert!(
            *home == self.id && *home != 0 && !is_away(node),
            "a waiter is looked at under the lock of its own list"
        );
        (home, node)
    }
}

impl<T> Default for WaitList<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> fmt::Debug for WaitList<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaitList").field("len", &self.row.waiting).finish_non_exhaustive()
    }
}
