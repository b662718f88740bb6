//! A value that one task at a time has.

mod guard;
mod locking;
mod owned;

pub use guard::{LockGuard, MappedLockGuard};
pub use locking::{Locking, LockingOwned};
pub use owned::{OwnedLockGuard, OwnedMappedLockGuard};

use crate::gate::{Alone, Enter, Gate, House, Right};
use crate::guarded::{Exclusive, Guarded, Home};
use kasasagi_primitive::const_new;
use kasasagi_primitive::sync::Arc;
use std::error::Error;
use std::fmt;
use std::panic::Location;

/// Guards a value that is held across an `await`.
///
/// Not for a value that is touched only for a moment, with no `await` meanwhile: that is what `std::sync::Mutex` is
/// for, which is smaller and faster.
///
/// First come, first served: a lock that is released goes to whoever has waited longest, and neither a newcomer nor
/// [`try_lock`](Self::try_lock) overtakes. What was done under a guard happens before what is done under the next.
/// A panic under the guard releases the lock, and does not poison it. Works under any executor.
///
/// # Examples
/// ```
/// use kasasagi_sync::Lock;
/// static COUNT: Lock<u32> = Lock::new(0);
/// let mut count = COUNT.try_lock().expect("nobody has it");
/// *count += 1;
/// assert!(COUNT.try_lock().is_err());
/// drop(count);
/// assert_eq!(*COUNT.try_lock().expect("it is free again"), 1);
/// ```
///
/// Counterpart: `asyncio.Lock`, which guards no value.
pub struct Lock<T: ?Sized> {
    pub(crate) guarded: Guarded<T>,
}

impl<T: ?Sized> House for Arc<Lock<T>> {
    const WANDERS: bool = true;

    #[inline]
    fn gate(&self) -> &Gate {
        &self.guarded.gate
    }
}

impl<T: ?Sized> Home for Arc<Lock<T>> {
    type Value = T;
    #[inline]
    fn guarded(&self) -> &Guarded<T> {
        &self.guarded
    }
}

/// It cannot be had at once: it is held, or others wait for it already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WouldBlock;

impl<T> Lock<T> {
    const_new! {
        /// A lock that nobody holds.
        pub const fn new(value: T) -> Self {
            Self { guarded: Guarded::new(value) }
        }
    }

    /// Takes the value out.
    pub fn into_inner(self) -> T {
        self.guarded.into_inner()
    }
}

impl<T: ?Sized> Lock<T> {
    /// Takes the lock, waiting until it is free.
    ///
    /// Waiters are served in the order of their first poll. The lock is released when the guard is dropped.
    ///
    /// # Cancel safety
    /// Cancel safe, but gives up its place in the line. The lock, if it was already given, goes to the next.
    ///
    /// # Examples
    /// ```
    /// # use kasasagi_sync::Lock;
    /// async fn deposit(account: &Lock<u64>, amount: u64) {
    ///     let mut balance = account.lock().await;
    ///     *balance += amount;
    /// }
    /// ```
    ///
    /// Counterpart: `asyncio.Lock.acquire`, `async with lock`.
    #[track_caller]
    #[inline]
    pub fn lock(&self) -> Locking<'_, T> {
        Locking::new(self, Enter::new(&self.guarded.gate, Location::caller()))
    }

    /// As [`lock`](Self::lock), with a guard that keeps the lock alive and can be sent to other tasks.
    ///
    /// # Cancel safety
    /// Cancel safe, but gives up its place in the line. The lock, if it was already given, goes to the next.
    #[track_caller]
    pub fn lock_owned(lock: Arc<Self>) -> LockingOwned<T> {
        LockingOwned::new(Enter::new(lock, Location::caller()))
    }

    /// Takes the lock if it is free and nobody waits for it.
    ///
    /// # Errors
    /// [`WouldBlock`].
    #[track_caller]
    #[inline]
    pub fn try_lock(&self) -> Result<LockGuard<'_, T>, WouldBlock> {
        let gate = &self.guarded.gate;
        if !gate.try_enter::<Alone>() {
            return Err(WouldBlock);
        }
        let right = Right::new(gate, Location::caller());
        Ok(LockGuard::new(Exclusive::borrowed(right, &self.guarded)))
    }

    /// As [`try_lock`](Self::try_lock), with a guard that keeps the lock alive.
    ///
    /// # Errors
    /// [`WouldBlock`].
    #[track_caller]
    pub fn try_lock_owned(lock: &Arc<Self>) -> Result<OwnedLockGuard<T>, WouldBlock> {
        if !lock.guarded.gate.try_enter::<Alone>() {
            return Err(WouldBlock);
        }
        let right = Right::new(Arc::clone(lock), Location::caller());
        Ok(OwnedLockGuard::new(Exclusive::owned(right)))
    }

    /// Whether somebody holds it, or is about to: it was given to one who waits.
    ///
    /// Counterpart: `asyncio.Lock.locked`.
    pub fn is_locked(&self) -> bool {
        self.guarded.gate.is_closed()
    }

    /// The value, without locking, as nobody else can have it.
    pub fn get_mut(&mut self) -> &mut T {
        self.guarded.get_mut()
    }
}

impl<T: Default> Default for Lock<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T> From<T> for Lock<T> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

/// Tells whether it is locked and how many wait; not the value, which another may have.
impl<T: ?Sized> fmt::Debug for Lock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let gate = &self.guarded.gate;
        let mut text = f.debug_struct("Lock");
        text.field("locked", &self.is_locked()).field("waiters", &gate.semaphore.waiters());
        gate.holder.tell(&mut text);
        text.finish_non_exhaustive()
    }
}

impl fmt::Display for WouldBlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("it cannot be had at once: it is held, or others wait for it already")
    }
}

impl Error for WouldBlock {}

const _: () = {
    const fn shared<T: Send + Sync>() {}
    const fn moved<T: Send>() {}
    type Data = std::cell::Cell<u32>;
    shared::<Lock<Data>>();
    moved::<Locking<'_, Data>>();
    moved::<LockingOwned<Data>>();
    moved::<LockGuard<'_, Data>>();
    moved::<OwnedLockGuard<Data>>();
    moved::<OwnedMappedLockGuard<Data, Data>>();
    moved::<MappedLockGuard<'_, Data>>();
    shared::<LockGuard<'_, u32>>();
    shared::<OwnedLockGuard<u32>>();
    shared::<OwnedMappedLockGuard<u32, u32>>();
    shared::<MappedLockGuard<'_, u32>>();
};
