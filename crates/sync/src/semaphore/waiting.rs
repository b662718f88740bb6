//! The slow path: those who come to the line with the semaphore.

use super::line::{Inside, Line};
use super::{CLOSED, Excess, ONE, Semaphore, TryAcquireError, WAITERS, Wish};
use crate::Closed;
use kasasagi_primitive::hint;
use kasasagi_primitive::offers;
use kasasagi_primitive::sync::ShortLockGuard;
use kasasagi_primitive::sync::atomic::Ordering;
use kasasagi_primitive::wait_list::{Look, Place, WaitList, Waiter};
use kasasagi_primitive::wake_batch::WakeBatch;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

impl Semaphore {
    #[inline]
    pub(super) fn line(&self) -> &Arc<Line> {
        match self.line.get() {
            Some(line) => line,
            None => self.make_line(),
        }
    }

    #[cold]
    fn make_line(&self) -> &Arc<Line> {
        // Fails if another is there first, or is being written: that takes it a few instructions.
        let _ = self.line.set(Arc::new(Line::new(self.bound)));
        loop {
            if let Some(line) = self.line.get() {
                return line;
            }
            hint::spin_loop();
        }
    }

    /// Whether the permits are in the line; the lock is held.
    #[inline]
    fn is_engaged(&self) -> bool {
        self.word.load(Ordering::Relaxed) & WAITERS != 0
    }

    /// Moves the free permits from the word into the line, unless they are there.
    fn engage(&self, inside: &mut Inside) {
        let mut word = self.word.load(Ordering::Relaxed);
        while word & WAITERS == 0 {
            let next = WAITERS | (word & CLOSED);
            // A release may slip in before, and must be seen. Acquire: it happens before the one who is served with it.
            match self.word.compare_exchange_weak(word, next, Ordering::Acquire, Ordering::Relaxed)
            {
                Ok(_) => {
                    inside.free = word / ONE;
                    return;
                }
                Err(now) => word = now,
            }
        }
    }

    /// Asks whether a waiter in line was served meanwhile.
    #[inline]
    pub(crate) fn poll_queued(
        &self,
        mut waiter: Pin<&mut Waiter<Wish>>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Closed>> {
        let line = self.line();
        let mut clone = None;
        loop {
            let mut inside = line.lock();
            let seen = |at| offers::look(line, at);
            match inside.list.poll_at(waiter.as_mut(), cx.waker(), &mut clone, seen) {
                Some(Look::Served(want, at)) => {
                    line.settle(&mut inside, Some(&self.word));
                    drop(inside);
                    offers::part(line, at);
                    return Poll::Ready(if want.closed { Err(Closed) } else { Ok(()) });
                }
                // The waker of the poll before is dropped after the lock.
                Some(Look::Wait(old)) => {
                    drop(inside);
                    drop(old);
                    return Poll::Pending;
                }
                Some(Look::Missed(want)) => {
                    drop(inside);
                    let waker = clone.unwrap_or_else(|| cx.waker().clone());
                    return self.queue_again(want.permits, waiter, waker);
                }
                None => {
                    drop(inside);
                    clone = Some(offers::waker(cx.waker()));
                }
            }
        }
    }

    /// Gets in line where its place was, as it had missed its turn.
    #[cold]
    fn queue_again(
        &self,
        permits: usize,
        waiter: Pin<&mut Waiter<Wish>>,
        waker: Waker,
    ) -> Poll<Result<(), Closed>> {
        self.queue(permits, true, waiter, waker)
    }

    /// Gets in line, at its end or where its place was.
    #[inline(always)]
    pub(super) fn queue(
        &self,
        permits: usize,
        again: bool,
        mut waiter: Pin<&mut Waiter<Wish>>,
        waker: Waker,
    ) -> Poll<Result<(), Closed>> {
        let line = self.line();
        let (here, waker) = offers::join_under(line, waker);
        let mut inside = line.lock();
        // Under the lock WAITERS and CLOSED stand still.
        self.engage(&mut inside);
        let is_first =
            inside.list.is_empty() || (again && inside.list.comes_first(waiter.as_mut()));
        let closed = inside.closed;
        if closed || (is_first && inside.free >= permits) {
            if !closed {
                inside.free -= permits;
            }
            line.settle(&mut inside, Some(&self.word));
            drop(inside);
            offers::part(line, here);
            drop(waker);
            return Poll::Ready(if closed { Err(Closed) } else { Ok(()) });
        }
        if again {
            inside.list.push_again(waiter, waker, here);
        } else {
            inside.list.push_back_at(waiter, waker, here);
        }
        Poll::Pending
    }

    /// Takes permits while the word says that they are in the line, if nobody waits there.
    #[cold]
    pub(super) fn take_in_line(&self, permits: usize) -> Result<(), TryAcquireError> {
        let mut inside = self.line().lock();
        if !self.is_engaged() {
            drop(inside);
            return self.take(permits);
        }
        if inside.closed {
            return Err(TryAcquireError::Closed);
        }
        if !inside.list.is_empty() || inside.free < permits {
            return Err(TryAcquireError::NoPermits);
        }
        inside.free -= permits;
        self.line().settle(&mut inside, Some(&self.word));
        Ok(())
    }

    #[cold]
    pub(super) fn free_in_line(&self) -> usize {
        let inside = self.line().lock();
        let word = self.word.load(Ordering::Relaxed);
        if word & WAITERS != 0 { inside.free } else { word / ONE }
    }

    /// Adds permits under the lock and serves the front of the line with them.
    pub(super) fn hand_over(&self, permits: usize) -> Result<(), Excess> {
        let line = self.line();
        let mut inside = line.lock();
        if !self.is_engaged() {
            return self.add_after(inside, permits);
        }
        let free = inside.free.checked_add(permits).filter(|free| *free <= self.bound);
        inside.free = free.ok_or(Excess)?;
        line.serve(inside, Some(&self.word));
        Ok(())
    }

    /// The permits went back to the word before the lock was there.
    #[cold]
    fn add_after(&self, inside: ShortLockGuard<'_, Inside>, permits: usize) -> Result<(), Excess> {
        drop(inside);
        self.add(permits)
    }

    /// A future is dropped: out of the line, and what it was given goes to the next.
    #[inline]
    pub(crate) fn leave(&self, waiter: Pin<&mut Waiter<Wish>>) {
        if !waiter.is_out() {
            self.leave_line(waiter);
        }
    }

    fn leave_line(&self, mut waiter: Pin<&mut Waiter<Wish>>) {
        let line = self.line();
        let mut inside = line.lock();
        let at = inside.list.at(waiter.as_mut());
        let place = inside.list.remove(waiter);
        if matches!(place, Place::Out) {
            // It missed its turn: it is in no line, and has nothing.
            return;
        }
        // Whatever comes back is seen by those who wait, and by who takes it without the lock.
        self.engage(&mut inside);
        if let Place::Served(Wish { value: want, .. }) = &place {
            if !want.closed {
                inside.fill_up_with(want.permits);
            }
        }
        // It may have stood in the way of one who wants less, too.
        line.serve_all(inside, Some(&self.word));
        offers::part(line, at);
        drop(place);
    }

    /// Moves all who stand in another line, whose lock is held, to the end of this one, and serves the one at the front
    /// if that is possible at once. Its waker is to be woken outside the locks.
    pub(crate) fn take_in(&self, from: &mut WaitList<Wish>) -> Option<Waker> {
        if from.is_empty() {
            return None;
        }
        let line = self.line();
        let mut inside = line.lock();
        // What is released before it is found below, what is released after it finds the line.
        self.engage(&mut inside);
        while inside.list.take_front(from) {}
        let roused = if inside.can_serve() { inside.serve() } else { None };
        line.settle(&mut inside, Some(&self.word));
        roused
    }

    /// Tells everybody in line that it is closed.
    pub(super) fn send_away(&self) {
        let line = self.line();
        let mut batch = WakeBatch::new();
        loop {
            let mut inside = line.lock();
            while !batch.is_full() {
                let Some(wish) = inside.list.front() else { break };
                wish.value.closed = true;
                if let Some(waker) = inside.list.pop_front() {
                    batch.push(waker);
                }
            }
            line.settle(&mut inside, Some(&self.word));
            drop(inside);
            if batch.is_empty() {
                return;
            }
            let rest = Rest(self);
            batch.wake_all();
            mem::forget(rest);
        }
    }
}

/// Does what is left to do, should a waker panic.
struct Rest<'a>(&'a Semaphore);

impl Drop for Rest<'_> {
    fn drop(&mut self) {
        self.0.send_away();
    }
}
