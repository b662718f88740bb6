//! The slow path: the line, under its lock.

use super::{CLOSED, Excess, ONE, Semaphore, WAITERS, Want};
use crate::Closed;
use kasasagi_primitive::sync::MutexGuard;
use kasasagi_primitive::sync::atomic::Ordering;
use kasasagi_primitive::wait_list::{Place, Turn, WaitList, Waiter};
use kasasagi_primitive::wake_batch::WakeBatch;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

impl Semaphore {
    /// Asks whether a waiter in line was served meanwhile.
    pub(crate) fn poll_queued(
        &self,
        waiter: Pin<&mut Waiter<Want>>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Closed>> {
        let turn = self.line.lock().poll(waiter, cx.waker());
        match turn {
            Turn::Served(want) if want.closed => Poll::Ready(Err(Closed)),
            Turn::Served(_) => Poll::Ready(Ok(())),
            // The waker of the poll before is dropped here, after the lock.
            Turn::Wait(_) => Poll::Pending,
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
        let line = self.line.lock();
        self.put_back(permits)?;
        self.serve_all(line);
        Ok(())
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

    /// Serves whom it can, batch by batch, each woken outside the lock.
    fn serve_all<'a>(&'a self, mut line: MutexGuard<'a, WaitList<Want>>) {
        let mut batch = WakeBatch::new();
        while self.serve(&mut line, &mut batch) {
            drop(line);
            wake(&mut batch, self, Self::serve_again);
            line = self.line.lock();
        }
        drop(line);
        batch.wake_all();
    }

    fn serve_again(&self) {
        self.serve_all(self.line.lock());
    }

    /// Serves the front for as long as it can have what it wants; says whether the batch was full before that.
    fn serve(&self, line: &mut WaitList<Want>, batch: &mut WakeBatch) -> bool {
        while let Some(want) = line.front() {
            let want = *want;
            // WAITERS is set, and the lock is held: nobody else changes the word.
            let word = self.word.load(Ordering::Relaxed);
            if word & CLOSED != 0 || word / ONE < want.permits {
                return false;
            }
            if batch.is_full() {
                return true;
            }
            let last = usize::from(line.len() == 1) * WAITERS;
            self.word.fetch_sub(want.permits * ONE + last, Ordering::Acquire);
            if let Some(waker) = line.pop_front() {
                batch.push(waker);
            }
        }
        false
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
            Place::Served(want) if !want.closed => {
                // Others that were added meanwhile may have filled a bounded one up.
                let _ = self.put_back(want.permits);
            }
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
        let want = *line.front()?;
        let word = self.word.load(Ordering::Relaxed);
        if word / ONE < want.permits {
            return None;
        }
        let last = usize::from(line.len() == 1) * WAITERS;
        self.word.fetch_sub(want.permits * ONE + last, Ordering::Acquire);
        line.pop_front()
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
            wake(&mut batch, self, Self::send_away);
        }
    }
}

/// Wakes a batch with more to come: should a waker panic, `rest` is done all the same.
fn wake(batch: &mut WakeBatch, semaphore: &Semaphore, rest: fn(&Semaphore)) {
    struct Rest<'a>(&'a Semaphore, fn(&Semaphore));
    impl Drop for Rest<'_> {
        fn drop(&mut self) {
            (self.1)(self.0);
        }
    }
    let rest = Rest(semaphore, rest);
    batch.wake_all();
    mem::forget(rest);
}
