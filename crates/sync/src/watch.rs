//! The latest value for everybody: a configuration, a state, "we are shutting down".
//!
//! Who looks sees the latest value; those in between may be missed. Where each must be seen, use a
//! [`broadcast`](mod@crate::broadcast).
//!
//! The value lies behind a lock of threads, which is held for as long as somebody looks at it or changes it; its version is
//! a word that says when somebody has to wait (`growing.rs`).
//!
//! # Examples
//! ```
//! use kasasagi_sync::watch;
//!
//! let (level, mut seen) = watch::channel("info");
//! assert_eq!(*seen.borrow(), "info");
//! assert_eq!(seen.has_changed(), Ok(false));
//! level.send("debug").expect("there is a receiver");
//! level.send("trace").expect("there is a receiver");
//! assert_eq!(seen.has_changed(), Ok(true));
//! assert_eq!(*seen.borrow_and_update(), "trace");
//! drop(level);
//! assert!(seen.has_changed().is_err());
//! ```

mod borrow;
mod changed;
mod error;

pub use crate::SendError;
pub use borrow::Ref;
pub use changed::{Changed, WaitFor};
pub use error::RecvError;

use crate::growing::Growing;
use kasasagi_primitive::sync::atomic::{AtomicUsize, Ordering};
use kasasagi_primitive::sync::{Arc, RwLock};
use std::fmt;
use std::panic::Location;

/// A sender and a first receiver of a value that changes.
///
/// Both sides can be had more often: [`Sender::clone`], [`Sender::subscribe`], [`Receiver::clone`]. The first value counts
/// as seen.
///
/// Counterpart: none; in asyncio a `Condition` with a variable.
pub fn channel<T>(value: T) -> (Sender<T>, Receiver<T>) {
    let shared = Arc::new(Shared {
        value: RwLock::new(value),
        version: Growing::new(),
        senders: AtomicUsize::new(1),
        receivers: AtomicUsize::new(1),
    });
    let receiver = Receiver { shared: Arc::clone(&shared), seen: 0 };
    (Sender { shared }, receiver)
}

struct Shared<T> {
    value: RwLock<T>,
    /// How often the value was changed; over when the last sender is gone. It grows under the lock of the value.
    version: Growing,
    senders: AtomicUsize,
    receivers: AtomicUsize,
}

/// A version that no value has.
const NONE: u64 = u64::MAX;

/// Changes the value; made by [`channel`].
pub struct Sender<T> {
    shared: Arc<Shared<T>>,
}

/// Sees the latest value, and waits for the next one; made by [`channel`] and [`Sender::subscribe`].
///
/// Each receiver remembers which version it has seen; a clone has seen the same.
pub struct Receiver<T> {
    shared: Arc<Shared<T>>,
    seen: u64,
}

impl<T> Shared<T> {
    fn borrow(&self) -> Ref<'_, T> {
        Ref::new(self.value.read_recursive())
    }

    /// Changes the value with `f`, which says whether it did.
    fn modify<R>(&self, f: impl FnOnce(&mut T) -> (bool, R)) -> R {
        let mut value = self.value.write();
        let (changed, result) = f(&mut value);
        let somebody_waits = changed && self.version.grow();
        drop(value);
        if somebody_waits {
            self.version.wake();
        }
        result
    }
}

impl<T> Sender<T> {
    /// Puts a new value in the place of the old one, and wakes all who wait for it.
    ///
    /// # Errors
    /// [`SendError`], with the value, if there is no receiver; the old value stays. To set it all the same, use
    /// [`send_replace`](Self::send_replace).
    pub fn send(&self, value: T) -> Result<(), SendError<T>> {
        if self.is_closed() {
            return Err(SendError(value));
        }
        self.send_replace(value);
        Ok(())
    }

    /// Puts a new value in the place of the old one, whether there is a receiver or not, and returns the old one.
    pub fn send_replace(&self, value: T) -> T {
        self.shared.modify(|place| (true, std::mem::replace(place, value)))
    }

    /// Changes the value in its place.
    ///
    /// Nobody looks at it meanwhile, so `f` had better be short; it must not use this channel. Should it panic, the value
    /// stays as it left it, and nobody is told.
    pub fn send_modify(&self, f: impl FnOnce(&mut T)) {
        self.shared.modify(|value| {
            f(value);
            (true, ())
        });
    }

    /// Changes the value in its place if `f` says so, and says so too; else nobody is told.
    ///
    /// As for [`send_modify`](Self::send_modify), `f` had better be short.
    pub fn send_if_modified(&self, f: impl FnOnce(&mut T) -> bool) -> bool {
        self.shared.modify(|value| {
            let changed = f(value);
            (changed, changed)
        })
    }

    /// Looks at the value; nobody changes it meanwhile, so this is for a moment only.
    pub fn borrow(&self) -> Ref<'_, T> {
        self.shared.borrow()
    }

    /// One more receiver, which has seen the value that is there.
    pub fn subscribe(&self) -> Receiver<T> {
        self.shared.receivers.fetch_add(1, Ordering::Relaxed);
        let seen = self.shared.version.look().number;
        Receiver { shared: Arc::clone(&self.shared), seen }
    }

    /// Whether there is no receiver.
    pub fn is_closed(&self) -> bool {
        self.receiver_count() == 0
    }

    /// How many receivers there are.
    pub fn receiver_count(&self) -> usize {
        self.shared.receivers.load(Ordering::Relaxed)
    }

    /// How many senders there are.
    pub fn sender_count(&self) -> usize {
        self.shared.senders.load(Ordering::Relaxed)
    }
}

impl<T> Receiver<T> {
    /// Looks at the latest value, which does not count as seen; nobody changes it meanwhile, so this is for a moment only.
    pub fn borrow(&self) -> Ref<'_, T> {
        self.shared.borrow()
    }

    /// Looks at the latest value, which counts as seen.
    pub fn borrow_and_update(&mut self) -> Ref<'_, T> {
        let value = self.shared.borrow();
        // Under the lock the version is that of the value.
        self.seen = self.shared.version.look().number;
        value
    }

    /// Whether the value has changed since it was seen.
    ///
    /// # Errors
    /// [`RecvError`] if the last sender is gone, and the last value was seen.
    pub fn has_changed(&self) -> Result<bool, RecvError> {
        let now = self.shared.version.look();
        if now.number != self.seen {
            return Ok(true);
        }
        if now.over { Err(RecvError) } else { Ok(false) }
    }

    /// Waits until the value has changed since it was seen; the latest one counts as seen then.
    ///
    /// # Errors
    /// [`RecvError`] if the last sender is gone, and the last value was seen.
    ///
    /// # Cancel safety
    /// Cancel safe: dropped before it is ready, it has done nothing, and no change counts as seen.
    #[track_caller]
    pub fn changed(&mut self) -> Changed<'_, T> {
        Changed::new(&self.shared, &mut self.seen, Location::caller())
    }

    /// Waits until the value is as `condition` demands, and looks at it; it counts as seen then.
    ///
    /// The value that is there is looked at first. While `condition` looks nobody changes the value, so it had better be
    /// short.
    ///
    /// # Errors
    /// [`RecvError`] if the last sender is gone, and the last value is not as demanded.
    ///
    /// # Cancel safety
    /// Cancel safe: dropped before it is ready, it has done nothing; but the values that it looked at count as seen.
    #[track_caller]
    pub fn wait_for<F: FnMut(&T) -> bool>(&mut self, condition: F) -> WaitFor<'_, T, F> {
        WaitFor::new(&self.shared, &mut self.seen, condition, Location::caller())
    }

    /// Has the value that is there count as new: the next [`changed`](Self::changed) does not wait.
    pub fn mark_changed(&mut self) {
        self.seen = NONE;
    }

    /// Has the value that is there count as seen.
    pub fn mark_unchanged(&mut self) {
        self.seen = self.shared.version.look().number;
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        self.shared.senders.fetch_add(1, Ordering::Relaxed);
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        // AcqRel: what all of them have changed has happened before the end.
        if self.shared.senders.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.shared.version.end();
        }
    }
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Self {
        self.shared.receivers.fetch_add(1, Ordering::Relaxed);
        Self { shared: Arc::clone(&self.shared), seen: self.seen }
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        self.shared.receivers.fetch_sub(1, Ordering::Relaxed);
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender")
            .field("version", &self.shared.version.look().number)
            .field("receivers", &self.receiver_count())
            .finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").field("changed", &self.has_changed()).finish_non_exhaustive()
    }
}

const _: () = {
    const fn shared<T: Send + Sync>() {}
    shared::<Sender<u8>>();
    shared::<Receiver<u8>>();
    shared::<Changed<'_, u8>>();
};
