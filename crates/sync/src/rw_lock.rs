//! A value that many read at a time, or one writes.

mod entering;
mod guard;
mod owned;

pub use entering::{Reading, ReadingOwned, Writing, WritingOwned};
pub use guard::{MappedWriteGuard, ReadGuard, WriteGuard};
pub use owned::{OwnedMappedWriteGuard, OwnedReadGuard, OwnedWriteGuard};

use crate::WouldBlock;
use crate::gate::{Alone, Among, Enter, Gate, House, Right};
use crate::guarded::{Exclusive, Guarded, Home, Shared};
use kasasagi_primitive::const_new;
use kasasagi_primitive::sync::Arc;
use std::fmt;
use std::panic::Location;

/// Guards a value that many read at a time across an `await`, and one alone writes.
///
/// Not for reads that are short: counting readers costs as much as a [`Lock`](crate::Lock), and is worth it only if they
/// await, or work, while they read. Not for a value that is replaced as a whole and read often: give out an `Arc` of it.
///
/// Fair: readers and writers stand in one line, first come, first served. So a writer is not starved by readers: those
/// who come after it wait behind it, although others still read. Therefore a task that reads already and reads again
/// may wait for a writer that waits for it; let it use the guard that it has. What was done by a writer happens before
/// what those do who come after it. A panic under a guard releases the lock, and does not poison it. Works under any
/// executor.
///
/// # Examples
/// ```
/// use kasasagi_sync::RwLock;
/// static ROUTES: RwLock<Vec<&str>> = RwLock::new(Vec::new());
/// ROUTES.try_write().expect("nobody has it").push("/");
/// let (one, two) = (ROUTES.try_read(), ROUTES.try_read());
/// assert_eq!(one.expect("nobody writes").len() + two.expect("nobody writes").len(), 2);
/// ```
///
/// Counterpart: none in asyncio.
pub struct RwLock<T: ?Sized> {
    pub(crate) guarded: Guarded<T>,
}

impl<T: ?Sized> House for Arc<RwLock<T>> {
    const WANDERS: bool = true;

    #[inline]
    fn gate(&self) -> &Gate {
        &self.guarded.gate
    }
}

impl<T: ?Sized> Home for Arc<RwLock<T>> {
    type Value = T;
    #[inline]
    fn guarded(&self) -> &Guarded<T> {
        &self.guarded
    }
}

impl<T> RwLock<T> {
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

impl<T: ?Sized> RwLock<T> {
    /// Lets the caller read, waiting until nobody writes and nobody who came before waits to.
    ///
    /// # Cancel safety
    /// Cancel safe, but gives up its place in the line. Those behind it get what it was already given.
    #[track_caller]
    #[inline]
    pub fn read(&self) -> Reading<'_, T> {
        Reading::new(self, Enter::new(&self.guarded.gate, Location::caller()))
    }

    /// Lets the caller write, waiting until nobody reads or writes.
    ///
    /// # Cancel safety
    /// Cancel safe, but gives up its place in the line. Those behind it get what it was already given.
    #[track_caller]
    #[inline]
    pub fn write(&self) -> Writing<'_, T> {
        Writing::new(self, Enter::new(&self.guarded.gate, Location::caller()))
    }

    /// As [`read`](Self::read), with a guard that keeps the lock alive and can be sent to other tasks.
    ///
    /// # Cancel safety
    /// Cancel safe, but gives up its place in the line. Those behind it get what it was already given.
    #[track_caller]
    pub fn read_owned(lock: Arc<Self>) -> ReadingOwned<T> {
        ReadingOwned::new(Enter::new(lock, Location::caller()))
    }

    /// As [`write`](Self::write), with a guard that keeps the lock alive and can be sent to other tasks.
    ///
    /// # Cancel safety
    /// Cancel safe, but gives up its place in the line. Those behind it get what it was already given.
    #[track_caller]
    pub fn write_owned(lock: Arc<Self>) -> WritingOwned<T> {
        WritingOwned::new(Enter::new(lock, Location::caller()))
    }

    /// Lets the caller read if nobody writes or waits.
    ///
    /// # Errors
    /// [`WouldBlock`].
    #[track_caller]
    #[inline]
    pub fn try_read(&self) -> Result<ReadGuard<'_, T>, WouldBlock> {
        let gate = &self.guarded.gate;
        if !gate.try_enter::<Among>() {
            return Err(WouldBlock);
        }
        let right = Right::new(gate, Location::caller());
        Ok(ReadGuard::new(Shared::borrowed(right, &self.guarded)))
    }

    /// Lets the caller write if nobody reads, writes or waits.
    ///
    /// # Errors
    /// [`WouldBlock`].
    #[track_caller]
    #[inline]
    pub fn try_write(&self) -> Result<WriteGuard<'_, T>, WouldBlock> {
        let gate = &self.guarded.gate;
        if !gate.try_enter::<Alone>() {
            return Err(WouldBlock);
        }
        let right = Right::new(gate, Location::caller());
        Ok(WriteGuard::new(Exclusive::borrowed(right, &self.guarded)))
    }

    /// The value, without locking, as nobody else can have it.
    pub fn get_mut(&mut self) -> &mut T {
        self.guarded.get_mut()
    }
}

impl<T: Default> Default for RwLock<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T> From<T> for RwLock<T> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

/// Tells who is inside and how many wait; not the value, which another may be writing.
impl<T: ?Sized> fmt::Debug for RwLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let gate = &self.guarded.gate;
        let (readers, writing) = gate.inside();
        let mut text = f.debug_struct("RwLock");
        text.field("readers", &readers).field("writing", &writing);
        text.field("waiters", &gate.semaphore.waiters());
        gate.holder.tell(&mut text);
        text.finish_non_exhaustive()
    }
}

const _: () = {
    const fn shared<T: Send + Sync>() {}
    shared::<RwLock<u32>>();
    shared::<ReadGuard<'_, u32>>();
    shared::<WriteGuard<'_, u32>>();
    shared::<MappedWriteGuard<'_, u32>>();
    shared::<OwnedReadGuard<u32>>();
    shared::<OwnedWriteGuard<u32>>();
    shared::<OwnedReadGuard<u32, u8>>();
    shared::<OwnedMappedWriteGuard<u32, u8>>();
    shared::<Reading<'_, u32>>();
    shared::<WritingOwned<u32>>();
};
