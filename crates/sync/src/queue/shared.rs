//! What a queue is made of: one lock, and behind it the items, who waits, and the counts that keep both fair.
//!
//! An item that is put while getters wait is promised to the one in front, which is woken and takes it in its own poll;
//! room that a getter makes is kept, in the same way, for the putter in front. Nobody else gets at either, and who is
//! dropped meanwhile passes it on. So, whenever the lock is free:
//!
//! - getters wait only while every item is promised: `promised == len`;
//! - putters wait only while there is no room that is not kept: `len + kept == capacity`, and never after a shutdown.
//!
//! Wakers are woken, and items dropped, after the lock.

use super::error::{PutError, TaskDoneError, TryGetError, TryPutError};
use super::store::Store;
use super::taking::Taking;
use crate::Closed;
use kasasagi_primitive::sync::{ShortLock, ShortLockGuard};
use kasasagi_primitive::wait_list::{Place, Turn, WaitList, Waiter};
use kasasagi_primitive::wake_batch::{WakeBatch, drop_caught, wake_caught};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

/// What all handles of a queue share.
pub(super) struct Shared<T> {
    /// `usize::MAX` if there is no bound.
    pub(super) capacity: usize,
    state: ShortLock<State<T>>,
}

pub(super) struct State<T> {
    pub(super) store: Store<T>,
    /// Items that getters were woken for, and have not taken yet.
    promised: usize,
    /// Room that putters were woken for, and have not filled yet.
    kept: usize,
    /// Items that were put, and not yet called done.
    pub(super) unfinished: usize,
    /// How often `unfinished` has become zero: who began to wait before the last time is to be woken.
    round: u64,
    pub(super) is_shut: bool,
    pub(super) getters: WaitList<()>,
    pub(super) putters: WaitList<()>,
    /// Each with the round in which it came.
    joiners: WaitList<u64>,
}

/// What the counts say where an item is taken.
const THERE: &str = "an item is there, says the count";

/// One to wake, when it goes: declared before the lock is taken, and so dropped after it, a panic or not.
struct Wake(Option<Waker>);

impl Drop for Wake {
    fn drop(&mut self) {
        // An item may be on its way out with us: it is not to be lost because somebody else's waker panics.
        if let Some(waker) = self.0.take() {
            wake_caught(waker);
        }
    }
}

impl<T> State<T> {
    /// Adds an item for which there is room. The one in front is woken for it, or for one before it.
    #[inline]
    fn push(&mut self, item: T, wake: &mut Wake) {
        // Counted first: `push` may run the item's own `Ord`, which may panic.
        self.unfinished += 1;
        if !self.getters.is_empty() {
            self.promised += 1;
            wake.0 = self.getters.pop_front();
        }
        self.store.push(item);
    }

    /// Takes an item that is there, and is not promised to another. `into` is a [`Taking`]'s: an `Ord` may panic, and
    /// then the item is dropped after the lock.
    #[inline]
    fn take(&mut self, into: &mut Option<T>, wake: &mut Wake) {
        // Counted first, as in `push`.
        if !self.putters.is_empty() {
            self.kept += 1;
            wake.0 = self.putters.pop_front();
        }
        self.store.pop(into);
    }

    /// Whether some wait for what will never come.
    #[inline]
    fn is_over(&self) -> bool {
        self.is_shut && self.store.len() == 0 && !self.getters.is_empty()
    }

    /// Takes the next out of its line that waits in vain, or whose wait is over.
    fn next_to_tell(&mut self) -> Option<Waker> {
        let round = self.round;
        if self.joiners.front().is_some_and(|came| *came < round) {
            return self.joiners.pop_front();
        }
        if !self.is_shut {
            return None;
        }
        if !self.putters.is_empty() {
            return self.putters.pop_front();
        }
        if self.store.len() == 0 { self.getters.pop_front() } else { None }
    }
}

impl<T> Shared<T> {
    pub(super) fn new(capacity: usize, store: Store<T>) -> Self {
        let state = State {
            store,
            promised: 0,
            kept: 0,
            unfinished: 0,
            round: 0,
            is_shut: false,
            getters: WaitList::new(),
            putters: WaitList::new(),
            joiners: WaitList::new(),
        };
        Self { capacity, state: ShortLock::new(state) }
    }

    #[inline]
    pub(super) fn lock(&self) -> ShortLockGuard<'_, State<T>> {
        self.state.lock()
    }

    #[inline]
    fn has_room(&self, state: &State<T>) -> bool {
        state.store.len() + state.kept < self.capacity
    }

    #[inline]
    pub(super) fn try_put(&self, item: T) -> Result<(), TryPutError<T>> {
        let mut wake = Wake(None);
        let mut state = self.lock();
        if state.is_shut {
            return Err(TryPutError::Closed(item));
        }
        if !self.has_room(&state) {
            return Err(TryPutError::Full(item));
        }
        state.push(item, &mut wake);
        Ok(())
    }

    #[inline]
    pub(super) fn try_get(&self) -> Result<T, TryGetError> {
        let (mut wake, mut taking) = (Wake(None), Taking::from(self));
        let mut state = self.lock();
        if state.promised == state.store.len() {
            let is_closed = state.is_shut && state.promised == 0;
            return Err(if is_closed { TryGetError::Closed } else { TryGetError::Empty });
        }
        state.take(&mut taking.item, &mut wake);
        self.leave_with(state);
        Ok(taking.item.take().expect(THERE))
    }

    /// Puts the item, or gets in line for room; the item is taken when the answer is there.
    ///
    /// # Panics
    /// When there is no item: the answer was given.
    #[inline]
    pub(super) fn poll_put(
        &self,
        item: &mut Option<T>,
        mut waiter: Pin<&mut Option<Waiter<()>>>,
        cx: &Context<'_>,
    ) -> Poll<Result<(), PutError<T>>> {
        let it = item.take().expect("a future is not polled after it gave its result");
        let (mut wake, mut waker) = (Wake(None), None);
        let mut state = self.lock();
        if let Some(waiter) = waiter.as_mut().as_pin_mut() {
            let turn;
            (state, turn) = self.ask(state, |state| &mut state.putters, waiter, cx.waker());
            match turn {
                Turn::Wait(before) => {
                    *item = Some(it);
                    drop(state);
                    drop(before);
                    return Poll::Pending;
                }
                // What was kept was given up by a shutdown.
                Turn::Served(()) if state.is_shut => {}
                Turn::Served(()) => state.kept -= 1,
            }
        } else {
            while !state.is_shut && !self.has_room(&state) {
                if let Some(waker) = waker.take() {
                    *item = Some(it);
                    line_up(&mut state.putters, waiter, waker);
                    return Poll::Pending;
                }
                // A clone is foreign code, and made without the lock; then it has to look again.
                drop(state);
                waker = Some(cx.waker().clone());
                state = self.lock();
            }
        }
        if state.is_shut {
            return Poll::Ready(Err(PutError(it)));
        }
        state.push(it, &mut wake);
        Poll::Ready(Ok(()))
    }

    /// What one who stands in a line is to do.
    fn ask<'a>(
        &'a self,
        mut state: ShortLockGuard<'a, State<T>>,
        line: fn(&mut State<T>) -> &mut WaitList<()>,
        mut waiter: Pin<&mut Waiter<()>>,
        waker: &Waker,
    ) -> (ShortLockGuard<'a, State<T>>, Turn<()>) {
        let mut clone = None;
        loop {
            if let Some(turn) = line(&mut state).poll_by(waiter.as_mut(), waker, &mut clone) {
                return (state, turn);
            }
            drop(state);
            clone = Some(waker.clone());
            state = self.lock();
        }
    }

    /// Takes an item, or gets in line for one.
    #[inline]
    pub(super) fn poll_get(
        &self,
        mut waiter: Pin<&mut Option<Waiter<()>>>,
        cx: &Context<'_>,
    ) -> Poll<Result<T, Closed>> {
        let (mut wake, mut taking, mut waker) = (Wake(None), Taking::from(self), None);
        let mut state = self.lock();
        if let Some(waiter) = waiter.as_mut().as_pin_mut() {
            let turn;
            (state, turn) = self.ask(state, |state| &mut state.getters, waiter, cx.waker());
            match turn {
                Turn::Wait(before) => {
                    drop(state);
                    drop(before);
                    return Poll::Pending;
                }
                // Sent away, or what was promised was thrown away: in both cases nothing comes after it.
                Turn::Served(()) if state.store.len() == 0 => return Poll::Ready(Err(Closed)),
                Turn::Served(()) => state.promised -= 1,
            }
        } else {
            while state.promised == state.store.len() {
                if state.is_shut && state.promised == 0 {
                    return Poll::Ready(Err(Closed));
                }
                if let Some(waker) = waker.take() {
                    line_up(&mut state.getters, waiter, waker);
                    return Poll::Pending;
                }
                // A clone is foreign code, and made without the lock; then it has to look again.
                drop(state);
                waker = Some(cx.waker().clone());
                state = self.lock();
            }
        }
        state.take(&mut taking.item, &mut wake);
        self.leave_with(state);
        Poll::Ready(Ok(taking.item.take().expect(THERE)))
    }

    /// Gives the lock back after an item was taken; it may have been the last one ever.
    #[inline]
    fn leave_with(&self, state: ShortLockGuard<'_, State<T>>) {
        let is_over = state.is_over();
        drop(state);
        if is_over {
            self.tell();
        }
    }

    /// A put is dropped: out of the line, and room that was kept for it is kept for the next.
    pub(super) fn leave_putters(&self, waiter: Pin<&mut Waiter<()>>) {
        if waiter.is_out() {
            return;
        }
        let mut wake = Wake(None);
        let mut state = self.lock();
        let place = state.putters.remove(waiter);
        if matches!(place, Place::Served(())) && !state.is_shut {
            state.kept -= 1;
            if !state.putters.is_empty() {
                state.kept += 1;
                wake.0 = state.putters.pop_front();
            }
        }
        drop(state);
        drop_place(place);
    }

    /// A get is dropped: out of the line, and an item that was promised to it is promised to the next, or anybody's.
    pub(super) fn leave_getters(&self, waiter: Pin<&mut Waiter<()>>) {
        if waiter.is_out() {
            return;
        }
        let mut wake = Wake(None);
        let mut state = self.lock();
        let place = state.getters.remove(waiter);
        if matches!(place, Place::Served(())) && state.store.len() > 0 {
            state.promised -= 1;
            if !state.getters.is_empty() {
                state.promised += 1;
                wake.0 = state.getters.pop_front();
            }
        }
        drop(state);
        drop_place(place);
    }

    pub(super) fn task_done(&self) -> Result<(), TaskDoneError> {
        let mut state = self.lock();
        let left = state.unfinished.checked_sub(1).ok_or(TaskDoneError(()))?;
        state.unfinished = left;
        if left == 0 {
            state.round += 1;
            if !state.joiners.is_empty() {
                drop(state);
                self.tell();
            }
        }
        Ok(())
    }

    /// Waits until every item is done; `waiter` is made when it has to.
    pub(super) fn poll_join(
        &self,
        mut waiter: Pin<&mut Option<Waiter<u64>>>,
        cx: &Context<'_>,
    ) -> Poll<()> {
        // Out again: it was told that all is done, and somebody asks anew.
        let standing = waiter.as_mut().as_pin_mut().filter(|waiter| !waiter.is_out());
        if let Some(mut waiter) = standing {
            let mut clone = None;
            loop {
                let turn = self.lock().joiners.poll_by(waiter.as_mut(), cx.waker(), &mut clone);
                match turn {
                    Some(Turn::Served(_)) => return Poll::Ready(()),
                    // The waker of the poll before is dropped here, after the lock.
                    Some(Turn::Wait(_)) => return Poll::Pending,
                    None => clone = Some(cx.waker().clone()),
                }
            }
        }
        if self.lock().unfinished == 0 {
            return Poll::Ready(());
        }
        // A clone is foreign code, and made without the lock; then it has to look again.
        let waker = cx.waker().clone();
        let mut state = self.lock();
        if state.unfinished == 0 {
            drop(state);
            return Poll::Ready(());
        }
        waiter.set(Some(Waiter::new(state.round)));
        if let Some(waiter) = waiter.as_pin_mut() {
            state.joiners.push_back(waiter, waker);
        }
        Poll::Pending
    }

    pub(super) fn leave_joiners(&self, waiter: Pin<&mut Waiter<u64>>) {
        if waiter.is_out() {
            return;
        }
        let mut state = self.lock();
        let place = state.joiners.remove(waiter);
        drop(state);
        drop(place);
    }

    /// Takes no more items; gives those that are left, or throws them away.
    pub(super) fn shut_down(&self, immediate: bool) {
        let mut thrown_away = None;
        {
            let mut state = self.lock();
            state.is_shut = true;
            state.kept = 0;
            let left = state.store.len();
            if immediate && left > 0 {
                thrown_away = Some(state.store.take());
                state.promised = 0;
                state.unfinished = state.unfinished.saturating_sub(left);
                if state.unfinished == 0 {
                    state.round += 1;
                }
            }
        }
        self.tell();
        drop(thrown_away);
    }

    /// Wakes everybody who waits in vain, or whose wait is over, batch by batch.
    #[cold]
    fn tell(&self) {
        loop {
            let mut batch = WakeBatch::new();
            {
                let mut state = self.lock();
                while !batch.is_full() {
                    let Some(waker) = state.next_to_tell() else { break };
                    batch.push(waker);
                }
            }
            let is_last = !batch.is_full();
            batch.wake_all_caught();
            if is_last {
                return;
            }
        }
    }
}

/// Puts one who has to wait to the end of a line.
fn line_up(line: &mut WaitList<()>, mut waiter: Pin<&mut Option<Waiter<()>>>, waker: Waker) {
    waiter.set(Some(Waiter::new(())));
    if let Some(waiter) = waiter.as_pin_mut() {
        line.push_back(waiter, waker);
    }
}

/// Drops the waker of one who left; a future that is dropped in a panic must not panic again.
fn drop_place(place: Place<()>) {
    if let Place::Queued(Some(waker)) = place {
        drop_caught(waker);
    }
}
