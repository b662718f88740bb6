//! Permits, first come, first served.
//!
//! One word tells all: how many permits are free, whether somebody waits, whether it is closed. While nobody waits,
//! acquire and release are one compare-exchange each. While somebody waits (`WAITERS`) the word changes only under
//! the lock of the line: newcomers queue, and released permits go to the front. `WAITERS` is set and cleared under
//! the lock, in the same step in which the line becomes non-empty or empty.
//!
//! Permits stay in the word until the front can have all it asked for, and nobody passes it meanwhile; so a large
//! request is not starved by small ones.

mod acquire;
mod permit;

pub use acquire::{Acquire, AcquireOwned};
pub use permit::{OwnedPermit, Permit};

use crate::Closed;
use acquire::Request;
use kasasagi_primitive::sync::atomic::{AtomicUsize, Ordering};
use kasasagi_primitive::sync::{Arc, Mutex, MutexGuard};
use kasasagi_primitive::wait_list::{Place, Turn, WaitList, Waiter};
use kasasagi_primitive::wake_batch::WakeBatch;
use std::error::Error;
use std::fmt;
use std::mem;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Somebody is in line. Set and cleared under the line's lock only.
const WAITERS: usize = 1;
/// No more permits are given. Set once, under the line's lock, and never cleared.
const CLOSED: usize = 2;
/// One permit.
const ONE: usize = 4;

/// Lets at most so many tasks do something at a time.
///
/// Not for data that is guarded only for a moment: that is what `std::sync::Mutex` is for.
///
/// Permits are given first come, first served: a released permit goes to whoever has waited longest, and neither a
/// newcomer nor [`try_acquire`](Self::try_acquire) overtakes. A permit's release happens before the acquire that gets
/// it next. Works under any executor.
///
/// # Examples
/// ```
/// use kasasagi_sync::Semaphore;
/// let limit = Semaphore::new(1);
/// let permit = limit.try_acquire();
/// assert!(permit.is_ok() && limit.try_acquire().is_err());
/// drop(permit);
/// assert_eq!(limit.available_permits(), 1);
/// ```
///
/// Counterpart: `asyncio.Semaphore`.
pub struct Semaphore {
    word: AtomicUsize,
    line: Mutex<WaitList<Want>>,
}

/// What a waiter asks for, and what becomes of it.
#[derive(Debug, Clone, Copy)]
struct Want {
    permits: usize,
    closed: bool,
}

/// Why [`Semaphore::try_acquire`] gave no permit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TryAcquireError {
    /// Too few permits are free, or others wait for them already.
    NoPermits,
    /// The semaphore is closed.
    Closed,
}

impl Semaphore {
    /// Most permits a semaphore can have.
    pub const MAX_PERMITS: usize = usize::MAX >> 2;

    kasasagi_primitive::const_new! {
        /// A semaphore with so many permits.
        ///
        /// # Panics
        /// When there are more than [`MAX_PERMITS`](Self::MAX_PERMITS).
        #[track_caller]
        pub const fn new(permits: usize) -> Self {
            assert!(permits <= Self::MAX_PERMITS, "a semaphore has at most `MAX_PERMITS` permits");
            Self { word: AtomicUsize::new(permits * ONE), line: Mutex::new(WaitList::new()) }
        }
    }

    /// Takes a permit, waiting until there is one.
    ///
    /// Waiters are served in the order of their first poll. The permit returns when it is dropped.
    ///
    /// # Errors
    /// [`Closed`] once the semaphore is closed, also to those who wait already.
    ///
    /// # Cancel safety
    /// Cancel safe, but gives up its place in the line. A permit it was already given goes to the next.
    ///
    /// Counterpart: `asyncio.Semaphore.acquire`.
    #[track_caller]
    pub fn acquire(&self) -> Acquire<'_> {
        self.acquire_many(1)
    }

    /// Takes several permits at once, waiting until there are so many.
    ///
    /// It holds its place in the line until it can have them all; those behind it wait too. More than the semaphore
    /// ever has is waited for until it is closed. None of them is there at once, unless others wait.
    ///
    /// # Errors
    /// [`Closed`] once the semaphore is closed, also to those who wait already.
    ///
    /// # Cancel safety
    /// Cancel safe, but gives up its place in the line. Permits it was already given go to the next.
    ///
    /// # Panics
    /// When there are more than [`MAX_PERMITS`](Self::MAX_PERMITS).
    #[track_caller]
    pub fn acquire_many(&self, permits: usize) -> Acquire<'_> {
        assert!(permits <= Self::MAX_PERMITS, "a semaphore has at most `MAX_PERMITS` permits");
        Acquire::new(Request::new(self, permits, Location::caller()))
    }

    /// As [`acquire`](Self::acquire), with a permit that keeps the semaphore alive and can be sent to other tasks.
    ///
    /// # Errors
    /// [`Closed`] once the semaphore is closed, also to those who wait already.
    ///
    /// # Cancel safety
    /// Cancel safe, but gives up its place in the line. A permit it was already given goes to the next.
    #[track_caller]
    pub fn acquire_owned(semaphore: Arc<Self>) -> AcquireOwned {
        AcquireOwned::new(Request::new(semaphore, 1, Location::caller()))
    }

    /// Takes a permit if one is free and nobody waits.
    ///
    /// # Errors
    /// [`TryAcquireError::NoPermits`] or [`TryAcquireError::Closed`].
    pub fn try_acquire(&self) -> Result<Permit<'_>, TryAcquireError> {
        self.take(1).map(|()| Permit::new(self, 1))
    }

    /// Adds permits; there may be more of them than at first.
    ///
    /// # Panics
    /// When there would be more than [`MAX_PERMITS`](Self::MAX_PERMITS) free.
    ///
    /// Counterpart: `asyncio.Semaphore.release`.
    #[track_caller]
    pub fn add_permits(&self, permits: usize) {
        let mut word = self.word.load(Ordering::Relaxed);
        while word & WAITERS == 0 {
            let next = more(word, permits);
            // Release: what was done under the permit happens before the acquire that takes it.
            match self.word.compare_exchange_weak(word, next, Ordering::Release, Ordering::Relaxed)
            {
                Ok(_) => return,
                Err(now) => word = now,
            }
        }
        self.hand_over(permits);
    }

    /// Gives no more permits: those who wait, and all who come, get [`Closed`].
    ///
    /// Permits that are out stay valid, and are counted again when they return.
    pub fn close(&self) {
        {
            let _line = self.line.lock();
            // Release: what was done before the close happens before the error of whoever sees it.
            self.word.fetch_or(CLOSED, Ordering::Release);
        }
        self.send_away();
    }

    /// Whether [`close`](Self::close) was called.
    pub fn is_closed(&self) -> bool {
        self.word.load(Ordering::Relaxed) & CLOSED != 0
    }

    /// How many permits are free at the moment.
    ///
    /// While others wait, none of them can be had: they are being kept for the front of the line.
    pub fn available_permits(&self) -> usize {
        self.word.load(Ordering::Relaxed) / ONE
    }

    /// Takes permits, if there are enough and nobody waits.
    fn take(&self, permits: usize) -> Result<(), TryAcquireError> {
        // Acquire, also where it fails: pairs with the Release of `close`.
        let mut word = self.word.load(Ordering::Acquire);
        loop {
            if word & CLOSED != 0 {
                return Err(TryAcquireError::Closed);
            }
            if word & WAITERS != 0 || word / ONE < permits {
                return Err(TryAcquireError::NoPermits);
            }
            let next = word - permits * ONE;
            // Acquire: pairs with the Release of `add_permits`.
            match self.word.compare_exchange_weak(word, next, Ordering::Acquire, Ordering::Acquire)
            {
                Ok(_) => return Ok(()),
                Err(now) => word = now,
            }
        }
    }

    /// Asks for `permits`, and gets in line for them.
    fn poll_take(
        &self,
        permits: usize,
        waiter: Pin<&mut Waiter<Want>>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Closed>> {
        if waiter.is_out() {
            match self.take(permits) {
                Ok(()) => return Poll::Ready(Ok(())),
                Err(TryAcquireError::Closed) => return Poll::Ready(Err(Closed)),
                Err(TryAcquireError::NoPermits) => return self.queue(permits, waiter, cx),
            }
        }
        let turn = self.line.lock().poll(waiter, cx.waker());
        match turn {
            Turn::Served(want) if want.closed => Poll::Ready(Err(Closed)),
            Turn::Served(_) => Poll::Ready(Ok(())),
            // The waker of the poll before is dropped here, after the lock.
            Turn::Wait(_) => Poll::Pending,
        }
    }

    fn queue(
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
    #[track_caller]
    fn hand_over(&self, permits: usize) {
        let line = self.line.lock();
        self.put_back(permits);
        self.serve_all(line);
    }

    /// Adds permits under the lock; WAITERS may be set, or no longer.
    #[track_caller]
    fn put_back(&self, permits: usize) {
        let mut word = self.word.load(Ordering::Relaxed);
        // Release: as in `add_permits`, since the line may have emptied, and a newcomer takes without the lock.
        while let Err(now) = self.word.compare_exchange_weak(
            word,
            more(word, permits),
            Ordering::Release,
            Ordering::Relaxed,
        ) {
            word = now;
        }
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
    fn leave(&self, waiter: Pin<&mut Waiter<Want>>) {
        if waiter.is_out() {
            return;
        }
        let mut line = self.line.lock();
        let place = line.remove(waiter);
        match &place {
            Place::Served(want) if !want.closed => self.put_back(want.permits),
            Place::Queued(_) if line.is_empty() => {
                self.word.fetch_and(!WAITERS, Ordering::Relaxed);
            }
            _ => {}
        }
        // It may have stood in the way of one who wants less, too.
        self.serve_all(line);
        drop(place);
    }

    /// Tells everybody in line that it is closed.
    fn send_away(&self) {
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

/// The word with more permits in it.
#[track_caller]
fn more(word: usize, permits: usize) -> usize {
    let free = (word / ONE).checked_add(permits).filter(|free| *free <= Semaphore::MAX_PERMITS);
    let free = free.expect("a semaphore has at most `MAX_PERMITS` permits");
    (free * ONE) | (word & (WAITERS | CLOSED))
}

impl fmt::Debug for Semaphore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let waiters = self.line.lock().len();
        f.debug_struct("Semaphore")
            .field("permits", &self.available_permits())
            .field("waiters", &waiters)
            .field("closed", &self.is_closed())
            .finish()
    }
}

impl fmt::Display for TryAcquireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoPermits => f.write_str("no permit is free, or others wait for one already"),
            Self::Closed => f.write_str("the semaphore is closed"),
        }
    }
}

impl Error for TryAcquireError {}

const _: () = {
    const fn shared<T: Send + Sync>() {}
    shared::<Semaphore>();
    shared::<Acquire<'_>>();
    shared::<AcquireOwned>();
    shared::<Permit<'_>>();
    shared::<OwnedPermit>();
};
