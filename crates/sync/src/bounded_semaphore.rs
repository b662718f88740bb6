//! A semaphore that never has more permits than at first.

use crate::semaphore::{Excess, Owner};
use crate::{Acquire, AcquireOwned, OwnedPermit, Permit, Semaphore, TryAcquireError};
use kasasagi_primitive::const_new;
use kasasagi_primitive::sync::Arc;
use std::error::Error;
use std::fmt;
use std::panic::Location;

/// A [`Semaphore`] that refuses to have more permits than it began with.
///
/// As permits return when they are dropped, and only then, this matters to those who
/// [forget](Permit::forget) permits and add others for them by hand: one too many is an error here, where a `Semaphore`
/// would let more and more in. Use a `Semaphore` where permits are added on purpose.
///
/// All else is as there: first come, first served, under any executor.
///
/// # Examples
/// ```
/// use kasasagi_sync::BoundedSemaphore;
/// let limit = BoundedSemaphore::new(1);
/// limit.try_acquire().expect("one is free").forget();
/// assert!(limit.add_permits(1).is_ok());
/// assert!(limit.add_permits(1).is_err());
/// ```
///
/// Counterpart: `asyncio.BoundedSemaphore`.
pub struct BoundedSemaphore {
    pub(crate) semaphore: Semaphore,
}

/// There would be more permits than at first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooManyPermits;

impl BoundedSemaphore {
    const_new! {
        /// A semaphore with so many permits, now and at most.
        ///
        /// # Panics
        /// When there are more than [`Semaphore::MAX_PERMITS`].
        #[track_caller]
        pub const fn new(permits: usize) -> Self {
            Self { semaphore: Semaphore::bounded(permits, permits) }
        }
    }

    /// Takes a permit, waiting until there is one.
    ///
    /// # Errors
    /// [`Closed`](crate::Closed) once the semaphore is closed, also to those who wait already.
    ///
    /// # Cancel safety
    /// Cancel safe, but gives up its place in the line. A permit it was already given goes to the next.
    ///
    /// Counterpart: `asyncio.BoundedSemaphore.acquire`.
    #[track_caller]
    pub fn acquire(&self) -> Acquire<'_> {
        self.semaphore.acquire()
    }

    /// Takes several permits at once, waiting until there are so many; see [`Semaphore::acquire_many`].
    ///
    /// # Errors
    /// [`Closed`](crate::Closed) once the semaphore is closed, also to those who wait already.
    ///
    /// # Cancel safety
    /// Cancel safe, but gives up its place in the line. Permits it was already given go to the next.
    ///
    /// # Panics
    /// When they are more than it has at most: it would wait for ever.
    #[track_caller]
    pub fn acquire_many(&self, permits: usize) -> Acquire<'_> {
        assert!(
            permits <= self.bound(),
            "{permits} permits are asked for, and there are {} at most: ask for fewer, or make the semaphore larger",
            self.bound()
        );
        self.semaphore.acquire_many(permits)
    }

    /// Takes a permit if one is free and nobody waits.
    ///
    /// # Errors
    /// [`TryAcquireError::NoPermits`] or [`TryAcquireError::Closed`].
    pub fn try_acquire(&self) -> Result<Permit<'_>, TryAcquireError> {
        self.semaphore.try_acquire()
    }

    /// As [`acquire`](Self::acquire), with a permit that keeps the semaphore alive and can be sent to other tasks.
    ///
    /// # Errors
    /// [`Closed`](crate::Closed) once the semaphore is closed, also to those who wait already.
    ///
    /// # Cancel safety
    /// Cancel safe, but gives up its place in the line. A permit it was already given goes to the next.
    ///
    /// # Examples
    /// ```
    /// # use kasasagi_sync::{BoundedSemaphore, OwnedPermit};
    /// use std::sync::Arc;
    /// async fn permit(limit: &Arc<BoundedSemaphore>) -> Option<OwnedPermit> {
    ///     BoundedSemaphore::acquire_owned(Arc::clone(limit)).await.ok()
    /// }
    /// ```
    #[track_caller]
    pub fn acquire_owned(semaphore: Arc<Self>) -> AcquireOwned {
        AcquireOwned::by(Owner::Bounded(semaphore), Location::caller())
    }

    /// As [`try_acquire`](Self::try_acquire), with a permit that keeps the semaphore alive.
    ///
    /// # Errors
    /// [`TryAcquireError::NoPermits`] or [`TryAcquireError::Closed`].
    pub fn try_acquire_owned(semaphore: &Arc<Self>) -> Result<OwnedPermit, TryAcquireError> {
        OwnedPermit::tried(|| Owner::Bounded(Arc::clone(semaphore)), &semaphore.semaphore)
    }

    /// Adds permits for those that were taken and [forgotten](Permit::forget).
    ///
    /// # Errors
    /// [`TooManyPermits`] if more would be free than at first; then none is added.
    ///
    /// Counterpart: `asyncio.BoundedSemaphore.release`.
    pub fn add_permits(&self, permits: usize) -> Result<(), TooManyPermits> {
        self.semaphore.add(permits).map_err(|Excess| TooManyPermits)
    }

    /// Gives no more permits: those who wait, and all who come, get [`Closed`](crate::Closed).
    pub fn close(&self) {
        self.semaphore.close();
    }

    /// Whether [`close`](Self::close) was called.
    pub fn is_closed(&self) -> bool {
        self.semaphore.is_closed()
    }

    /// How many permits are free at the moment; see [`Semaphore::available_permits`].
    pub fn available_permits(&self) -> usize {
        self.semaphore.available_permits()
    }

    /// How many there are at most.
    pub fn bound(&self) -> usize {
        self.semaphore.bound
    }
}

impl fmt::Debug for BoundedSemaphore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BoundedSemaphore")
            .field("permits", &self.available_permits())
            .field("bound", &self.bound())
            .field("waiters", &self.semaphore.waiters())
            .field("closed", &self.is_closed())
            .finish()
    }
}

impl fmt::Display for TooManyPermits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "more permits would be free than at first: permits return by themselves when they are dropped; add only \
             those that were forgotten",
        )
    }
}

impl Error for TooManyPermits {}

const _: () = {
    const fn shared<T: Send + Sync>() {}
    shared::<BoundedSemaphore>();
};
