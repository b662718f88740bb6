//! One value from one task to another, once.
//!
//! The answer to a request, the result of a callback, "I am ready". What many wait for is a
//! [`promise`](crate::promise()); what may come again, a [`watch`](mod@crate::watch).
//!
//! The halves share one block (`primitive::gift`), the last to go frees it: to send is one compare-exchange, to receive
//! what is there one load, and nothing is counted.
//!
//! # Examples
//! A task that owns its data answers those who ask:
//! ```
//! use kasasagi_sync::oneshot;
//! use std::sync::mpsc;
//!
//! struct Ask(u32, oneshot::Sender<u32>);
//!
//! let (asks, to_answer) = mpsc::channel::<Ask>();
//! let owner = std::thread::spawn(move || {
//!     for Ask(number, answer) in to_answer {
//!         // Whoever asked may have gone meanwhile; then nobody needs the answer.
//!         let _ = answer.send(number * 2);
//!     }
//! });
//! let (sender, receiver) = oneshot::channel();
//! asks.send(Ask(21, sender)).expect("the owner is there");
//! assert_eq!(receiver.blocking_recv(), Ok(42));
//! # drop(asks);
//! # owner.join().expect("it does not panic");
//! ```

mod error;

pub use crate::SendError;
pub use error::{RecvError, TryRecvError};

use crate::blocking::block_on;
use kasasagi_primitive::gift::{Found, Giver, Taker, gift};
use kasasagi_primitive::wait_site::WaitKind;
use kasasagi_primitive::wake_batch::wake_caught;
use kasasagi_primitive::{coop, hint, task_context};
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// A sender of one value, and its receiver.
///
/// # Examples
/// ```
/// use kasasagi_sync::oneshot;
/// let (sender, mut receiver) = oneshot::channel();
/// assert_eq!(receiver.try_recv(), Err(oneshot::TryRecvError::Empty));
/// sender.send(42).expect("the receiver is there");
/// assert_eq!(receiver.try_recv(), Ok(42));
/// ```
///
/// Counterpart: an `asyncio.Future` with one who sets it and one who awaits it.
#[track_caller]
#[inline]
pub fn channel<T>() -> (Sender<T>, Receiver<T>) {
    let (giver, taker) = gift();
    (Sender { giver }, Receiver { taker, place: Location::caller() })
}

/// Sends the one value; made by [`channel`].
///
/// Dropped before, it is the end of the channel: the receiver gets [`RecvError`].
#[must_use = "dropped, it tells the receiver that nothing will come: call `send`"]
pub struct Sender<T> {
    giver: Giver<T>,
}

/// Receives the one value: a future; made by [`channel`].
///
/// # Errors
/// [`RecvError`] if the sender was dropped before it sent, if this side was closed before, or if the value was received
/// already.
///
/// # Cancel safety
/// Cancel safe where it is awaited as `&mut receiver`: dropped before it is ready, that has taken nothing. The receiver
/// itself takes the value with it when it is dropped.
#[must_use = "it receives nothing until it is awaited"]
pub struct Receiver<T> {
    taker: Taker<T>,
    place: &'static Location<'static>,
}

impl<T> Sender<T> {
    /// Sends the value; it never waits.
    ///
    /// That it was sent does not say that it is received: the receiver may be dropped with the value in it.
    ///
    /// # Errors
    /// [`SendError`], with the value, if the receiver was dropped or closed.
    #[inline]
    pub fn send(self, value: T) -> Result<(), SendError<T>> {
        match self.giver.give(value) {
            Ok(None) => {}
            // Foreign: what it panics with is told by the panic hook; the value is sent all the same.
            Ok(Some(waker)) => wake_caught(waker),
            Err(value) => return Err(SendError(value)),
        }
        Ok(())
    }

    /// Whether the receiver was dropped or closed: nobody wants the value any more.
    ///
    /// For work that takes long: it may stop when nobody waits for its result.
    pub fn is_closed(&self) -> bool {
        self.giver.is_refused()
    }
}

impl<T> Receiver<T> {
    /// Takes the value if it is there.
    ///
    /// # Errors
    /// [`TryRecvError::Empty`] while nothing was sent; [`TryRecvError::Closed`] if nothing will come, or it was received
    /// already.
    pub fn try_recv(&mut self) -> Result<T, TryRecvError> {
        match self.taker.take() {
            Found::Given(value) => Ok(value),
            Found::Broken => Err(TryRecvError::Closed),
            Found::Nothing | Found::Soon => Err(TryRecvError::Empty),
        }
    }

    /// Wants no value any more: [`Sender::send`] gives it back from now on.
    ///
    /// One that was sent before can still be received; so nothing is lost if what comes after `close` is a
    /// [`try_recv`](Self::try_recv).
    pub fn close(&mut self) {
        self.taker.refuse();
    }

    /// Receives the value on a thread that is no task's; it sleeps until then.
    ///
    /// # Errors
    /// As the receiver when it is awaited.
    ///
    /// # Panics
    /// Inside a task of kasasagi, whose worker would stand still: await the receiver there.
    #[track_caller]
    pub fn blocking_recv(self) -> Result<T, RecvError> {
        block_on("oneshot::Receiver::blocking_recv", self)
    }
}

impl<T> Future for Receiver<T> {
    type Output = Result<T, RecvError>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        ready!(coop::poll_proceed(cx));
        let found = self.taker.poll(cx.waker());
        match found {
            Found::Given(value) => return Poll::Ready(Ok(value)),
            Found::Broken => return Poll::Ready(Err(RecvError)),
            Found::Nothing => {}
            // By the next turn it is there: to give takes no longer than a move.
            Found::Soon => {
                hint::spin_loop();
                cx.waker().wake_by_ref();
            }
        }
        coop::refund();
        task_context::waiting(WaitKind::Channel, self.taker.address(), self.place);
        Poll::Pending
    }
}

impl<T> Unpin for Receiver<T> {}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").field("closed", &self.is_closed()).finish()
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").finish_non_exhaustive()
    }
}

const _: () = {
    const fn shared<T: Send + Sync>() {}
    shared::<Sender<std::cell::Cell<u8>>>();
    shared::<Receiver<std::cell::Cell<u8>>>();
};
