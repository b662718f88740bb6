//! The side that waits: a future that gives its result to everybody, as often as they ask.

use super::listeners::{Key, Waits, call_later, callback};
use super::{Outcome, PromiseError, Shared, settle};
use kasasagi_primitive::defer::CallbackId;
use kasasagi_primitive::wait_site::WaitKind;
use kasasagi_primitive::{coop, hint, task_context};
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// How far a promise has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PromiseState {
    /// It is neither kept nor broken.
    Pending,
    /// It was cancelled.
    Cancelled,
    /// It has a value or an error; a broken promise has the error that it is broken.
    Finished,
}

impl PromiseState {
    /// The word that `Debug` uses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Cancelled => "cancelled",
            Self::Finished => "finished",
        }
    }
}

pub(super) fn state_of<T, E>(shared: &Shared<T, E>) -> PromiseState {
    match shared.get() {
        None => PromiseState::Pending,
        Some(Outcome::Cancelled) => PromiseState::Cancelled,
        Some(_) => PromiseState::Finished,
    }
}

/// What was promised: a future, and a place to ask; made by [`promise`](super::promise).
///
/// Every clone waits by itself, and all get the same result, cloned. Awaited again, it gives the result again. To
/// drop it cancels nothing: [`cancel`](Self::cancel) does. Callbacks are called in the order in which they were
/// registered.
///
/// # Cancel safety
/// Cancel safe: dropped before it is ready, it has done nothing.
///
/// # Examples
/// ```
/// use kasasagi_sync::{PromiseError, promise};
/// let (promise, pending) = promise::<i32, String>();
/// assert_eq!(pending.result(), Err(PromiseError::NotDone));
/// assert!(promise.set_result(42).is_ok());
/// assert_eq!(pending.result(), Ok(42));
/// assert_eq!(promise.set_result(43).map_err(|refused| refused.0), Err(43));
/// ```
///
/// Counterpart: `asyncio.Future`.
#[must_use = "futures do nothing unless awaited"]
pub struct Pending<T, E> {
    pub(super) shared: Shared<T, E>,
    key: Key,
}

impl<T, E> Pending<T, E> {
    pub(super) fn new(shared: Shared<T, E>) -> Self {
        Self { shared, key: Key::NONE }
    }

    /// How far it has come.
    pub fn state(&self) -> PromiseState {
        state_of(&self.shared)
    }

    /// Whether there is a result, or it was cancelled.
    ///
    /// Counterpart: `asyncio.Future.done`.
    pub fn is_done(&self) -> bool {
        self.shared.get().is_some()
    }

    /// Whether it was cancelled.
    ///
    /// Counterpart: `asyncio.Future.cancelled`.
    pub fn is_cancelled(&self) -> bool {
        self.state() == PromiseState::Cancelled
    }

    /// The value, if it is there.
    ///
    /// # Errors
    /// [`PromiseError::NotDone`] while there is none; else why there will be none.
    ///
    /// Counterpart: `asyncio.Future.result`.
    pub fn result(&self) -> Result<T, PromiseError<E>>
    where
        T: Clone,
        E: Clone,
    {
        match self.shared.get() {
            None => Err(PromiseError::NotDone),
            Some(Outcome::Value(value)) => Ok(value.clone()),
            Some(Outcome::Failed(failure)) => Err(PromiseError::Failed(failure.read().clone())),
            Some(Outcome::Cancelled) => Err(PromiseError::Cancelled),
            Some(Outcome::Broken) => Err(PromiseError::Broken),
        }
    }

    /// The error that it ended with; `None` if it has a value.
    ///
    /// # Errors
    /// [`PromiseError::NotDone`] while there is neither, [`PromiseError::Cancelled`] and [`PromiseError::Broken`] if
    /// there will be neither.
    ///
    /// Counterpart: `asyncio.Future.exception`.
    pub fn error(&self) -> Result<Option<E>, PromiseError<E>>
    where
        E: Clone,
    {
        match self.shared.get() {
            None => Err(PromiseError::NotDone),
            Some(Outcome::Value(_)) => Ok(None),
            Some(Outcome::Failed(failure)) => Ok(Some(failure.read().clone())),
            Some(Outcome::Cancelled) => Err(PromiseError::Cancelled),
            Some(Outcome::Broken) => Err(PromiseError::Broken),
        }
    }

    /// Cancels it for all who wait; `false` if it has its result already.
    ///
    /// The other side learns it by [`Promise::is_cancelled`](super::Promise::is_cancelled), and when it sets a result.
    ///
    /// Counterpart: `asyncio.Future.cancel`.
    pub fn cancel(&self) -> bool {
        self.shared.get().is_none() && settle(&self.shared, Outcome::Cancelled).is_ok()
    }

    /// Has `f` called when there is a result; at once, but not in here, if there is one.
    ///
    /// It is called on the runtime of this thread, as a task of its own; registered where none runs, on that of the
    /// thread that sets the result; and if there is none either, on that thread, at the end of the call that sets it.
    /// A panic of it keeps no other from being called. If the runtime ends before, it is dropped uncalled.
    ///
    /// Counterpart: `asyncio.Future.add_done_callback`.
    #[track_caller]
    pub fn on_done<F>(&self, f: F) -> CallbackId
    where
        F: FnOnce(Self) + Send + 'static,
        T: Send + Sync + 'static,
        E: Send + Sync + 'static,
    {
        let callback = callback(Location::caller(), f);
        let id = callback.id;
        if let Err(callback) = self.shared.beside().add(&self.shared, callback) {
            call_later(vec![callback], &self.shared);
        }
        id
    }

    /// Takes a callback back; says whether it was registered and not yet called for.
    ///
    /// Counterpart: `asyncio.Future.remove_done_callback`.
    pub fn remove_on_done(&self, id: CallbackId) -> bool {
        self.shared.beside().remove(id)
    }

    pub(super) fn copy(&self) -> Option<Outcome<T, E>>
    where
        T: Clone,
        E: Clone,
    {
        Some(match self.shared.get()? {
            Outcome::Value(value) => Outcome::Value(value.clone()),
            Outcome::Failed(failure) => Outcome::Failed(failure.copy()),
            Outcome::Cancelled => Outcome::Cancelled,
            Outcome::Broken => Outcome::Broken,
        })
    }

    /// Waits for the result; the waker is in the list if it is pending.
    #[cold]
    fn poll_wait(&mut self, cx: &Context<'_>) -> Poll<()> {
        match self.shared.beside().wait(&self.shared, &mut self.key, cx.waker()) {
            Waits::Settled => return Poll::Ready(()),
            Waits::Yes => {}
            // By the next turn it is settled: to write it takes no longer than a move.
            Waits::Late => {
                hint::spin_loop();
                cx.waker().wake_by_ref();
            }
        }
        let place = self.shared.beside().place;
        task_context::waiting(WaitKind::Promise, self.shared.address(), place);
        Poll::Pending
    }
}

impl<T: Clone, E: Clone> Future for Pending<T, E> {
    type Output = Result<T, PromiseError<E>>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if !self.is_done() {
            ready!(self.poll_wait(cx));
        }
        ready!(coop::poll_proceed(cx));
        Poll::Ready(self.result())
    }
}

/// Awaits a clone of it, so that it can be asked and awaited again.
impl<T: Clone, E: Clone> IntoFuture for &Pending<T, E> {
    type Output = Result<T, PromiseError<E>>;
    type IntoFuture = Pending<T, E>;

    fn into_future(self) -> Pending<T, E> {
        self.clone()
    }
}

impl<T, E> Unpin for Pending<T, E> {}

impl<T, E> Clone for Pending<T, E> {
    fn clone(&self) -> Self {
        Self::new(self.shared.clone())
    }
}

impl<T, E> Drop for Pending<T, E> {
    #[inline]
    fn drop(&mut self) {
        if self.key != Key::NONE && !self.is_done() {
            self.shared.beside().leave(self.key);
        }
    }
}
