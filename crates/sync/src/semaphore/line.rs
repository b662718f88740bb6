//! The slow path: the line, under its lock.

use super::{CLOSED, Excess, ONE, Semaphore, WAITERS, Want};
use crate::Closed;
use kasasagi_primitive::sync::MutexGuard;
use kasasagi_primitive::sync::atomic::Ordering;
use kasasagi_primitive::wait_list::{Place, Turn, WaitList, Waiter};
use kasasagi_primitive::wake_batch::{Lead, WakeBatch, wake};
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

impl Semaphore {
    /// Asks whether a waiter in line was served meanwhile.
    pub(crate) fn poll_queued(
        &self,
        mut waiter: Pin<&mut Waiter<Want>>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Closed>> {
        let mut clone = None;
        loop {
            let turn = self.line.lock().poll_by(waiter.as_mut(), cx.waker(), &mut clone);
            match turn {
                Some(Turn::Served(want)) if want.closed => return Poll::Ready(Err(Closed)),
                Some(Turn::Served(_)) => return Poll::Ready(Ok(())),
                // The waker of the poll before is dropped here, after the lock.
                Some(Turn::Wait(_)) => return Poll::Pending,
                None => clone = Some(cx.waker().clone()),
            }
        }
    }

    pub(super) fn queue(
        &self,
        permits: usize,
        waiter: Pin<&mut Waiter<Want>>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Closed>> {
        let waker = cx.waker().clone();
        let mut line = self.line.lock();
        // Under the lock WAITERS and CLOSED stand still. If WAITERS is set, the whole word does; if not, a release may
        // slip in before it is, and must be seen: so both are done by compare-exchange.
        let mut word = self.word.load(Ordering::Relaxed);
        while word & (WAITERS | CLOSED) == 0 {
            let enough = word / ONE >= permits;
            let next = if enough { word - permits * ONE } else { word | WAITERS };
            match self.word.compare_exchange_weak(word, next, Ordering::Acquire, Ordering::Relaxed)
            {
                Ok(_) if enough => {
                    drop(line);
                    return Poll::Ready(Ok(()));
                }
                Ok(_) => break,
                Err(now) => word = now,
            }
        }
        if word & CLOSED != 0 {
            drop(line);
            return Poll::Ready(Err(Closed));
        }
        line.push_back(waiter, waker);
        Poll::Pending
    }

    /// Adds permits under the lock and serves the front of the line with them.
    pub(super) fn hand_over(&self, permits: usize) -> Result<(), Excess> {
        let mut line = self.line.lock();
        if let Some(first) = self.hand_straight(&mut line, permits) {
            // Nothing is free, and that is enough for one who wants nothing.
            match first {
                Some(first) if self.can_serve(&mut line) => self.serve_many(line, first),
                Some(first) => {
                    drop(line);
                    wake(first);
                }
                None => self.serve_all(line),
            }
            return Ok(());
        }
        self.put_back(permits)?;
        self.serve_all(line);
        Ok(())
    }

    /// Gives the one at the front just what is released, if that is what it wants and nothing else is free: the word
    /// stays as it is, but for the last one's leaving the line. What was done before is seen through the lock.
    #[inline]
    fn hand_straight(&self, line: &mut WaitList<Want>, permits: usize) -> Option<Option<Waker>> {
        let is_all = self.word.load(Ordering::Relaxed) == WAITERS && permits <= self.bound;
        if !is_all || line.front()?.permits != permits {
            return None;
        }
        if line.len() == 1 {
            self.word.store(0, Ordering::Relaxed);
        }
        Some(line.pop_front())
    }

    /// Adds permits under the lock; WAITERS may be set, or no longer.
    fn put_back(&self, permits: usize) -> Result<(), Excess> {
        let mut word = self.word.load(Ordering::Relaxed);
        // Release: as in `add_permits`, since the line may have emptied, and a newcomer takes without the lock.
        while let Err(now) = self.word.compare_exchange_weak(
            word,
            self.more(word, permits)?,
            Ordering::Release,
            Ordering::Relaxed,
        ) {
            word = now;
        }
        Ok(())
    }

    /// As `put_back`, up to the bound: others that were added meanwhile may have filled a bounded one up.
    fn fill_up_with(&self, permits: usize) {
        let mut word = self.word.load(Ordering::Relaxed);
        loop {
            let room = self.bound.saturating_sub(word / ONE);
            let next = word + permits.min(room) * ONE;
            match self.word.compare_exchange_weak(word, next, Ordering::Release, Ordering::Relaxed)
            {
                Ok(_) => return,
                Err(now) => word = now,
            }
        }
    }

    /// Serves whom it can, and wakes them outside the lock.
    fn serve_all<'a>(&'a self, mut line: MutexGuard<'a, WaitList<Want>>) {
        while self.can_serve(&mut line) {
            // One that has no waker was woken already, and comes by itself.
            let Some(first) = self.serve(&mut line) else { continue };
            if self.can_serve(&mut line) {
                return self.serve_many(line, first);
            }
            drop(line);
            return wake(first);
        }
    }

    /// The same for more than one, batch by batch.
    #[cold]
    fn serve_many<'a>(&'a self, line: MutexGuard<'a, WaitList<Want>>, first: Waker) {
        drop(line);
        // Should a waker panic, the others are served and woken all the same.
        let rest = Rest(self, Self::serve_again);
        let lead = Lead::new(first);
        let mut batch = WakeBatch::new();
        loop {
            let mut line = self.line.lock();
            while !batch.is_full() && self.can_serve(&mut line) {
                if let Some(waker) = self.serve(&mut line) {
                    batch.push(waker);
                }
            }
            drop(line);
            if batch.is_empty() {
                break;
            }
            batch.wake_all();
        }
        mem::forget(rest);
        lead.follow();
    }

    fn serve_again(&self) {
        self.serve_all(self.line.lock());
    }

    /// Whether the one at the front can have what it wants.
    fn can_serve(&self, line: &mut WaitList<Want>) -> bool {
        let Some(want) = line.front() else { return false };
        // WAITERS is set, and the lock is held: nobody else changes the word.
        let word = self.word.load(Ordering::Relaxed);
        word & CLOSED == 0 && word / ONE >= want.permits
    }

    /// Gives the one at the front what it wants.
    fn serve(&self, line: &mut WaitList<Want>) -> Option<Waker> {
        let permits = line.front()?.permits;
        let last = usize::from(line.len() == 1) * WAITERS;
        self.word.fetch_sub(permits * ONE + last, Ordering::Acquire);
        line.pop_front()
    }

    /// A future is dropped: out of the line, and what it was given goes to the next.
    #[inline]
    pub(crate) fn leave(&self, waiter: Pin<&mut Waiter<Want>>) {
        if !waiter.is_out() {
            self.leave_line(waiter);
        }
    }

    fn leave_line(&self, waiter: Pin<&mut Waiter<Want>>) {
        let mut line = self.line.lock();
        let place = line.remove(waiter);
        match &place {
            Place::Served(want) if !want.closed => self.fill_up_with(want.permits),
            Place::Queued(_) if line.is_empty() => {
                self.word.fetch_and(!WAITERS, Ordering::Relaxed);
            }
            _ => {}
        }
        // It may have stood in the way of one who wants less, too.
        self.serve_all(line);
        drop(place);
    }

    /// Moves all who stand in another line, whose lock is held, to the end of this one, and serves the one at the front
    /// if that is possible at once. Its waker is to be woken outside the locks.
    pub(crate) fn take_in(&self, from: &mut WaitList<Want>) -> Option<Waker> {
        if from.is_empty() {
            return None;
        }
        let mut line = self.line.lock();
        // Blindly: what is released before it is found below, what is released after it finds the line.
        self.word.fetch_or(WAITERS, Ordering::Relaxed);
        while from.move_front(&mut line) {}
        if self.can_serve(&mut line) { self.serve(&mut line) } else { None }
    }

    /// Tells everybody in line that it is closed.
    pub(super) fn send_away(&self) {
        let mut batch = WakeBatch::new();
        loop {
            let mut line = self.line.lock();
            while !batch.is_full() {
                let Some(want) = line.front() else { break };
                want.closed = true;
                if let Some(waker) = line.pop_front() {
                    batch.push(waker);
                }
            }
            if line.is_empty() {
                self.word.fetch_and(!WAITERS, Ordering::Relaxed);
            }
            drop(line);
            if batch.is_empty() {
                return;
            }
            let rest = Rest(self, Self::send_away);
            batch.wake_all();
            mem::forget(rest);
        }
    }
}

/// Does what is left to do, should a waker panic.
struct Rest<'a>(&'a Semaphore, fn(&Semaphore));

impl Drop for Rest<'_> {
    fn drop(&mut self) {
        (self.1)(self.0);
    }
}
