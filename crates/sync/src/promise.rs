//! A result that one side promises and the other waits for.
//!
//! The two halves share one block (`primitive::settle`): keeping a promise is one compare-exchange, finding it kept
//! one load. Whoever has to be told, by a wake or a callback, stands in a list under a lock that neither takes while
//! the list is empty.

mod debug;
mod error;
mod failure;
mod listeners;
mod pending;

pub use error::{InvalidState, PromiseError};
pub use pending::{Pending, PromiseState};

use failure::Failure;
use kasasagi_primitive::settle::Settle;
use listeners::Listeners;
use std::fmt;
use std::panic::Location;

/// What became of a promise.
enum Outcome<T, E> {
    Value(T),
    Failed(Failure<E>),
    Cancelled,
    Broken,
}

type Shared<T, E> = Settle<Outcome<T, E>, Listeners<T, E>>;

/// Makes a promise, and the future of what is promised.
///
/// The [`Promise`] is kept once, from any thread, with a value or with an error. The [`Pending`] half can be cloned:
/// each clone gives the result to everybody who awaits it, as often as they like, so `T` and `E` are cloned for each;
/// what is large, or has no `Clone`, is promised in an `Arc`. Works under any executor.
///
/// # Examples
/// ```
/// use kasasagi_sync::promise;
/// let (promise, pending) = promise::<_, String>();
/// std::thread::spawn(move || promise.set_result(42).expect("it is kept once"));
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
/// assert_eq!(block_on(pending), Ok(42));
/// ```
///
/// Counterpart: `loop.create_future()`.
#[track_caller]
#[inline]
pub fn promise<T, E>() -> (Promise<T, E>, Pending<T, E>) {
    let place = Location::caller();
    let (promise, pending) = Settle::pair(|| Listeners::new(place));
    (Promise { shared: promise }, Pending::new(pending))
}

/// The side that keeps a promise; made by [`promise`].
///
/// Dropped before it is kept, it is broken: whoever awaits it gets [`PromiseError::Broken`].
///
/// Counterpart: the side of an `asyncio.Future` that calls `set_result`.
#[must_use = "a promise that is dropped is broken"]
pub struct Promise<T, E> {
    shared: Shared<T, E>,
}

impl<T, E> Promise<T, E> {
    /// Keeps the promise, and wakes everybody who waits for it.
    ///
    /// Callbacks are called later, never before this returns if a runtime runs on this thread or on the one where
    /// they were registered.
    ///
    /// # Errors
    /// [`InvalidState`], with the value, if it has its result already or was cancelled.
    ///
    /// Counterpart: `asyncio.Future.set_result`.
    #[inline]
    pub fn set_result(&self, value: T) -> Result<(), InvalidState<T>> {
        settle(&self.shared, Outcome::Value(value)).map_err(|outcome| match outcome {
            Outcome::Value(value) => InvalidState(value),
            _ => unreachable!("it gives back what it was given"),
        })
    }

    /// Ends it with an error instead.
    ///
    /// If nobody reads it (awaits, or asks for `result` or `error`), the last who drops it reports it to the exception
    /// hook of the runtime in which it was set.
    ///
    /// # Errors
    /// [`InvalidState`], with the error, if it has its result already or was cancelled.
    ///
    /// Counterpart: `asyncio.Future.set_exception`.
    pub fn set_error(&self, error: E) -> Result<(), InvalidState<E>>
    where
        E: fmt::Debug,
    {
        let failure = Failure::new(error, self.shared.beside().place);
        settle(&self.shared, Outcome::Failed(failure)).map_err(|outcome| match outcome {
            Outcome::Failed(failure) => InvalidState(failure.into_error()),
            _ => unreachable!("it gives back what it was given"),
        })
    }

    /// Whether the other side has cancelled it: nobody wants the result any more.
    pub fn is_cancelled(&self) -> bool {
        matches!(self.shared.get(), Some(Outcome::Cancelled))
    }

    /// Gives it the result of `other`: the value, the error, or that it was cancelled or broken.
    ///
    /// # Errors
    /// [`InvalidState`] if this one has its result already or was cancelled, or `other` has none yet.
    pub fn copy_from(&self, other: &Pending<T, E>) -> Result<(), InvalidState<()>>
    where
        T: Clone,
        E: Clone,
    {
        let outcome = other.copy().ok_or(InvalidState(()))?;
        settle(&self.shared, outcome).map_err(|_| InvalidState(()))
    }
}

impl<T, E> Drop for Promise<T, E> {
    #[inline]
    fn drop(&mut self) {
        if self.shared.get().is_none() {
            // Cancelled at this moment, it is not broken.
            let _ = settle(&self.shared, Outcome::Broken);
        }
    }
}

impl<T, E> fmt::Debug for Promise<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<Promise {}>", pending::state_of(&self.shared).as_str())
    }
}

/// Settles it and tells whoever listens; gives the outcome back if it is settled already.
#[inline]
fn settle<T, E>(shared: &Shared<T, E>, outcome: Outcome<T, E>) -> Result<(), Outcome<T, E>> {
    if shared.settle(outcome)? {
        shared.beside().tell(shared);
    }
    Ok(())
}
