//! Permits, first come, first served.
//!
//! One word tells all: how many permits are free, whether somebody waits, whether it is closed. While nobody waits,
//! acquire and release are one compare-exchange each. While somebody waits (`WAITERS`) the permits are in the line, and
//! change only under its lock: newcomers queue, and released permits go to the front. `WAITERS` is set and cleared under
//! the lock. It stays while a task was offered permits that it has not looked at yet.
//!
//! Permits stay free until the front can have all it asked for, and nobody passes it meanwhile; so a large request is
//! not starved by small ones.
//!
//! The line is made when somebody first waits, and is shared with the tasks that wait in it: at the end of a poll they
//! may have to take back what they were offered and did not look at.

mod acquire;
mod line;
mod owner;
mod permit;
mod waiting;

pub use acquire::{Acquire, AcquireOwned};
pub(crate) use owner::Owner;
pub use permit::{OwnedPermit, Permit};

use crate::Closed;
use acquire::Request;
use kasasagi_primitive::const_new;
use kasasagi_primitive::once::Once;
use kasasagi_primitive::sync::Arc;
use kasasagi_primitive::sync::atomic::{AtomicUsize, Ordering};
use kasasagi_primitive::wait_list::{Offered, Waiter};
use line::Line;
use std::error::Error;
use std::fmt;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

/// The permits are in the line, and none in the word. Set and cleared under the line's lock only.
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
    // Most that may be free.
    pub(crate) bound: usize,
    // std's counts also in a model: what tasks hold of it is a trait object, which loom's cannot be.
    line: Once<std::sync::Arc<Line>>,
}

/// What a waiter asks for, and what becomes of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Want {
    pub(crate) permits: usize,
    closed: bool,
}

/// The same, which may be offered.
pub(crate) type Wish = Offered<Want>;

impl Want {
    #[inline]
    pub(crate) const fn of(permits: usize) -> Wish {
        Offered::new(Self { permits, closed: false })
    }
}

/// There would be more permits than there may be.
#[derive(Debug)]
pub(crate) struct Excess;

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

    const_new! {
        /// A semaphore with so many permits.
        ///
        /// # Panics
        /// When there are more than [`MAX_PERMITS`](Self::MAX_PERMITS).
        #[track_caller]
        pub const fn new(permits: usize) -> Self {
            Self::bounded(permits, Self::MAX_PERMITS)
        }
    }

    const_new! {
        /// As `new`, with never more than `bound` permits free.
        #[track_caller]
        pub(crate) const fn bounded(permits: usize, bound: usize) -> Self {
            assert!(permits <= Self::MAX_PERMITS, "a semaphore has at most `MAX_PERMITS` permits");
            Self { word: AtomicUsize::new(permits * ONE), bound, line: Once::new() }
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
    #[inline]
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
    #[inline]
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
    #[inline]
    #[track_caller]
    pub fn acquire_owned(semaphore: Arc<Self>) -> AcquireOwned {
        AcquireOwned::by(Owner::Semaphore(semaphore), Location::caller())
    }

    /// Takes a permit if one is free and nobody waits.
    ///
    /// # Errors
    /// [`TryAcquireError::NoPermits`] or [`TryAcquireError::Closed`].
    pub fn try_acquire(&self) -> Result<Permit<'_>, TryAcquireError> {
        self.take(1).map(|()| Permit::new(self, 1))
    }

    /// As [`try_acquire`](Self::try_acquire), with a permit that keeps the semaphore alive.
    ///
    /// # Errors
    /// [`TryAcquireError::NoPermits`] or [`TryAcquireError::Closed`].
    pub fn try_acquire_owned(semaphore: &Arc<Self>) -> Result<OwnedPermit, TryAcquireError> {
        OwnedPermit::tried(|| Owner::Semaphore(Arc::clone(semaphore)), semaphore)
    }

    /// Adds permits; there may be more of them than at first.
    ///
    /// # Panics
    /// When there would be more than [`MAX_PERMITS`](Self::MAX_PERMITS) free.
    ///
    /// Counterpart: `asyncio.Semaphore.release`.
    #[track_caller]
    pub fn add_permits(&self, permits: usize) {
        self.add(permits).expect("a semaphore has at most `MAX_PERMITS` permits");
    }

    /// As `add_permits`, unless there would be more than the bound.
    #[inline]
    pub(crate) fn add(&self, permits: usize) -> Result<(), Excess> {
        self.add_to(self.word.load(Ordering::Relaxed), permits)
    }

    /// As `add`, with a guess what the word is.
    #[inline]
    fn add_to(&self, mut word: usize, permits: usize) -> Result<(), Excess> {
        while word & WAITERS == 0 {
            let next = self.more(word, permits)?;
            // Release: what was done under the permit happens before the acquire that takes it.
            match self.word.compare_exchange_weak(word, next, Ordering::Release, Ordering::Relaxed)
            {
                Ok(_) => return Ok(()),
                Err(now) => word = now,
            }
        }
        self.hand_over(permits)
    }

    /// Gives permits back that were taken; if others were added meanwhile, up to the bound.
    #[inline]
    pub(crate) fn give_back(&self, permits: usize) {
        if self.add(permits).is_err() {
            self.fill_up(permits);
        }
    }

    #[cold]
    fn fill_up(&self, permits: usize) {
        loop {
            let room = self.bound.saturating_sub(self.available_permits());
            if room == 0 || self.add(permits.min(room)).is_ok() {
                return;
            }
        }
    }

    /// Takes all permits there can be, if nobody has or wants one.
    #[inline]
    pub(crate) fn take_all(&self) -> Result<(), TryAcquireError> {
        self.take_from(Self::MAX_PERMITS * ONE, Self::MAX_PERMITS, true)
    }

    /// As `take_all`, for who gets in line otherwise.
    #[inline]
    pub(crate) fn take_all_of_word(&self) -> bool {
        let all = Self::MAX_PERMITS * ONE;
        // Acquire: pairs with the Release of who gave them back.
        self.word.compare_exchange(all, 0, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    /// Gives back what `take_all` took.
    #[inline]
    pub(crate) fn give_back_all(&self) {
        let given = self.add_to(0, Self::MAX_PERMITS);
        debug_assert!(given.is_ok(), "all permits were out");
    }

    /// Gives no more permits: those who wait, and all who come, get [`Closed`].
    ///
    /// Permits that are out stay valid, and are counted again when they return.
    pub fn close(&self) {
        {
            let mut line = self.line().lock();
            line.closed = true;
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
        let word = self.word.load(Ordering::Relaxed);
        if word & WAITERS != 0 { self.free_in_line() } else { word / ONE }
    }

    /// How many are in line.
    pub(crate) fn waiters(&self) -> usize {
        self.line.get().map_or(0, |line| line.lock().list.len())
    }

    /// Takes permits, if there are enough and nobody waits.
    #[inline]
    pub(crate) fn take(&self, permits: usize) -> Result<(), TryAcquireError> {
        // Acquire, also where it fails: pairs with the Release of `close`.
        self.take_from(self.word.load(Ordering::Acquire), permits, true)
    }

    /// As `take`, for who gets in line otherwise, and finds there what is free.
    #[inline]
    pub(crate) fn take_of_word(&self, permits: usize) -> Result<(), TryAcquireError> {
        self.take_from(self.word.load(Ordering::Acquire), permits, false)
    }

    /// As `take`, with a guess what the word is.
    #[inline]
    fn take_from(
        &self,
        mut word: usize,
        permits: usize,
        in_line: bool,
    ) -> Result<(), TryAcquireError> {
        loop {
            if word & CLOSED != 0 {
                return Err(TryAcquireError::Closed);
            }
            if in_line && word & WAITERS != 0 {
                return self.take_in_line(permits);
            }
            // In the word are none while it says WAITERS; but one may want none.
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

    /// Gets in line for `permits`, which were not free just now; or asks how it stands there.
    pub(crate) fn poll_in_line(
        &self,
        permits: usize,
        mut waiter: Pin<&mut Option<Waiter<Wish>>>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Closed>> {
        if let Some(waiter) = waiter.as_mut().as_pin_mut() {
            return self.poll_queued(waiter, cx);
        }
        // Acquire: pairs with the Release of `close`; who is told so sees what was done before it.
        if self.word.load(Ordering::Acquire) & CLOSED != 0 {
            return Poll::Ready(Err(Closed));
        }
        waiter.set(Some(Waiter::new(Want::of(permits))));
        let waiter = waiter.as_pin_mut().expect("it was made just now");
        self.queue(permits, false, waiter, cx.waker().clone())
    }

    /// The word with more permits in it.
    #[inline]
    fn more(&self, word: usize, permits: usize) -> Result<usize, Excess> {
        match (word / ONE).checked_add(permits) {
            Some(free) if free <= self.bound => Ok((free * ONE) | (word & (WAITERS | CLOSED))),
            _ => Err(Excess),
        }
    }
}

impl Default for Semaphore {
    /// One permit.
    fn default() -> Self {
        Self::new(1)
    }
}

impl fmt::Debug for Semaphore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let waiters = self.waiters();
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
