//! A value that is made once, by an async function, and then shared.
//!
//! The first who asks makes it; the others wait. If making it fails, or is dropped part way, the next in line makes it.
//! Who makes it holds the one permit of a semaphore, which is closed once the value is there (`primitive::once`): so those
//! who wait are served in order, and after that to look is one load.

mod error;
mod init;

pub use error::SetError;
pub use init::{GetOrInit, GetOrTryInit};

use crate::{Semaphore, TryAcquireError};
use kasasagi_primitive::once::Once;
use std::fmt;
use std::future::Future;
use std::panic::Location;

/// A value that is made once, by whoever needs it first: a connection, a configuration, a token.
///
/// For what is made without waiting, `std::sync::OnceLock` is enough. What is to be made anew is none of its: use a
/// [`watch`](mod@crate::watch) or a lock.
///
/// One function at a time runs, within the task that called; the others wait, in the order in which they came. What was
/// done to make the value happens before every look at it. A function that asks the same cell waits for itself, for ever.
///
/// # Examples
/// ```
/// use kasasagi_sync::OnceCell;
/// # use std::task::{Context, Poll, Wake, Waker};
/// # struct Unpark(std::thread::Thread);
/// # impl Wake for Unpark { fn wake(self: std::sync::Arc<Self>) { self.0.unpark() } }
/// # fn block_on<F: Future>(future: F) -> F::Output {
/// #     let waker = Waker::from(std::sync::Arc::new(Unpark(std::thread::current())));
/// #     let mut future = std::pin::pin!(future);
/// #     loop {
/// #         match future.as_mut().poll(&mut Context::from_waker(&waker)) {
/// #             Poll::Ready(output) => return output,
/// #             Poll::Pending => std::thread::park(),
/// #         }
/// #     }
/// # }
/// static TOKEN: OnceCell<String> = OnceCell::new();
///
/// async fn token() -> Result<&'static str, std::io::Error> {
///     let token = TOKEN.get_or_try_init(|| async {
///         // Asks a server; if that fails, the next caller tries again.
///         Ok::<_, std::io::Error>("secret".to_owned())
///     });
///     token.await.map(String::as_str)
/// }
///
/// assert_eq!(TOKEN.get(), None);
/// assert_eq!(block_on(token()).expect("it answers"), "secret");
/// assert_eq!(TOKEN.get().map(String::as_str), Some("secret"));
/// ```
///
/// Counterpart: none; in asyncio a `Lock` around a variable.
pub struct OnceCell<T> {
    value: Once<T>,
    /// Its one permit is the right to make the value; closed once that is there.
    gate: Semaphore,
}

impl<T> OnceCell<T> {
    kasasagi_primitive::const_new! {
        /// A cell without a value.
        pub const fn new() -> Self {
            Self { value: Once::new(), gate: Semaphore::new(1) }
        }
    }

    /// A cell that has its value.
    pub fn with_value(value: T) -> Self {
        let cell = Self::new();
        if cell.set(value).is_err() {
            unreachable!("nobody else has the cell");
        }
        cell
    }

    /// The value, if it was made.
    #[inline]
    pub fn get(&self) -> Option<&T> {
        self.value.get()
    }

    /// The value, if it was made, for whoever has the cell alone.
    pub fn get_mut(&mut self) -> Option<&mut T> {
        self.value.get_mut()
    }

    /// Whether the value was made.
    pub fn is_initialized(&self) -> bool {
        self.get().is_some()
    }

    /// The value; made with `init` if it is not there and nobody else is making it.
    ///
    /// # Panics
    /// If `init` panics; the next in line makes the value then.
    ///
    /// # Cancel safety
    /// Cancel safe, but gives up its place in the line; if it was the one that made the value, `init` is dropped with it,
    /// and the next in line begins anew with its own.
    #[track_caller]
    pub fn get_or_init<F, Fut>(&self, init: F) -> GetOrInit<'_, T, F, Fut>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = T>,
    {
        GetOrInit::new(self, init, Location::caller())
    }

    /// The value; made with `init` if it is not there and nobody else is making it.
    ///
    /// # Errors
    /// That of `init`; the next in line makes the value then, and gets its own error if it fails too.
    ///
    /// # Panics
    /// If `init` panics; the next in line makes the value then.
    ///
    /// # Cancel safety
    /// Cancel safe, but gives up its place in the line; if it was the one that made the value, `init` is dropped with it,
    /// and the next in line begins anew with its own.
    #[track_caller]
    pub fn get_or_try_init<E, F, Fut>(&self, init: F) -> GetOrTryInit<'_, T, F, Fut>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        GetOrTryInit::new(self, init, Location::caller())
    }

    /// Sets the value.
    ///
    /// # Errors
    /// [`SetError`], with the value, if it is there already or somebody is making it.
    pub fn set(&self, value: T) -> Result<(), SetError<T>> {
        match self.gate.try_acquire() {
            Ok(_permit) => {
                self.make(value);
                Ok(())
            }
            Err(TryAcquireError::Closed) => Err(SetError::AlreadySet(value)),
            Err(TryAcquireError::NoPermits) => Err(SetError::Initializing(value)),
        }
    }

    /// Takes the value out; the cell is empty then.
    pub fn take(&mut self) -> Option<T> {
        let value = self.value.take();
        if value.is_some() {
            self.gate = Semaphore::new(1);
        }
        value
    }

    /// The value, if it was made.
    pub fn into_inner(mut self) -> Option<T> {
        self.value.take()
    }

    /// Puts the value in its place and lets all who wait see it; for whoever has the permit.
    fn make(&self, value: T) -> &T {
        if self.value.set(value).is_err() {
            unreachable!("who has the permit is the only one who sets it");
        }
        self.gate.close();
        self.get().expect("it was set just now")
    }
}

impl<T> Default for OnceCell<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> From<T> for OnceCell<T> {
    fn from(value: T) -> Self {
        Self::with_value(value)
    }
}

impl<T: fmt::Debug> fmt::Debug for OnceCell<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OnceCell").field(&self.get()).finish()
    }
}

const _: () = {
    const fn shared<T: Send + Sync>() {}
    shared::<OnceCell<u8>>();
};
