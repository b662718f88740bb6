//! `catch_cancel`: makes a value of a cancellation, which the program then passes on or swallows.

use kasasagi_primitive::scope::{self, Delivery, Polled, Scope};
use pin_project_lite::pin_project;
use std::error::Error;
use std::fmt;
use std::marker::PhantomData;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Runs `future`, and says so if a cancellation ended it early.
///
/// It is a cancel scope: a cancellation of the task, or of a timeout or group around it, drops `future` where it is
/// suspended, and the code after `catch_cancel` goes on. That may await as it likes, and then either passes the
/// cancellation on, by [`Cancelled::rethrow`], or swallows it: the task goes on as if nothing had been asked, though
/// [`Task::cancelling`](crate::Task::cancelling) still counts it.
///
/// # Errors
/// [`Cancelled`] if a cancellation ended `future`.
///
/// # Cancel safety
/// Cancel safe if `future` is. Dropped after a cancellation was asked for, it gives it back: it is delivered at the next
/// suspension.
///
/// # Examples
/// ```
/// use kasasagi::{catch_cancel, spawn, yield_now};
/// use std::future::pending;
///
/// kasasagi::run(async {
///     let task = spawn(async {
///         match catch_cancel(pending::<()>()).await {
///             Ok(()) => "done",
///             Err(cancelled) => {
///                 assert_eq!(cancelled.reason(), Some("enough"));
///                 yield_now().await; // clean up, as long as it takes
///                 "cleaned up"
///             }
///         }
///     });
///     yield_now().await;
///     task.cancel_with("enough");
///     assert_eq!(task.await.expect("it swallows the cancellation"), "cleaned up");
/// });
/// ```
///
/// Counterpart: `try: … except asyncio.CancelledError:`.
pub fn catch_cancel<F: IntoFuture>(future: F) -> CatchCancel<F::IntoFuture> {
    CatchCancel { future: Some(future.into_future()), scope: Scope::new() }
}

pin_project! {
    /// A future whose cancellation is caught; made by [`catch_cancel`].
    #[must_use = "a future does nothing until it is awaited"]
    pub struct CatchCancel<F> {
        #[pin]
        future: Option<F>,
        scope: Scope,
    }
}

impl<F: Future> Future for CatchCancel<F> {
    type Output = Result<F::Output, Cancelled>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let future = this.future.as_mut().as_pin_mut();
        let polled = match future {
            Some(future) => this.scope.poll(future, cx),
            None => panic!("`catch_cancel` was awaited again after it was ready: await it once"),
        };
        match polled {
            Polled::Pending => Poll::Pending,
            Polled::Ready(value) => {
                this.scope.leave();
                this.future.set(None);
                Poll::Ready(Ok(value))
            }
            Polled::Cancelled(delivery) => {
                this.future.set(None);
                this.scope.leave();
                Poll::Ready(Err(Cancelled(Box::new(delivery))))
            }
        }
    }
}

impl<F> fmt::Debug for CatchCancel<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CatchCancel")
            .field("is_done", &self.future.is_none())
            .finish_non_exhaustive()
    }
}

/// A cancellation that was caught, and has neither been passed on nor forgotten.
///
/// Dropping it swallows the cancellation.
///
/// Counterpart: `asyncio.CancelledError`.
pub struct Cancelled(Box<Delivery>);

impl Cancelled {
    #[expect(dead_code, reason = "combinators make one of a delivery")]
    pub(crate) fn new(delivery: Delivery) -> Self {
        Self(Box::new(delivery))
    }

    /// Why, as the one who cancelled said.
    pub fn reason(&self) -> Option<&str> {
        self.0.cause.reason.as_ref().map(|reason| reason.as_str())
    }

    /// Where the program asked for it: the call of `cancel`, or the timeout or group that caused it.
    pub fn place(&self) -> Option<&'static Location<'static>> {
        self.0.cause.place
    }

    /// Where the task waited when it was reached, if that is known.
    pub fn interrupted_at(&self) -> Option<&'static Location<'static>> {
        self.0.cause.interrupted
    }

    /// Passes the cancellation on to the scope around this call, as if it had not been caught.
    ///
    /// What comes after it does not run: the future is never ready, and is dropped with all that is around it up to that
    /// scope. In another task it cancels that one; outside tasks it waits for ever.
    ///
    /// # Cancel safety
    /// Cancel safe: polled once, it has passed the cancellation on, whatever becomes of it.
    ///
    /// Counterpart: `raise` in an `except` clause.
    pub fn rethrow<T>(self) -> Rethrow<T> {
        Rethrow { delivery: Some(self.0), _never: PhantomData }
    }
}

impl fmt::Display for Cancelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.reason() {
            Some(reason) => write!(f, "cancelled: {reason}"),
            None => f.write_str("cancelled"),
        }
    }
}

impl fmt::Debug for Cancelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cancelled({self}")?;
        if let Some(place) = self.place() {
            write!(f, ", asked at {place}")?;
        }
        f.write_str(")")
    }
}

impl Error for Cancelled {}

/// A future that is never ready; made by [`Cancelled::rethrow`].
#[must_use = "a future does nothing until it is awaited"]
pub struct Rethrow<T> {
    delivery: Option<Box<Delivery>>,
    _never: PhantomData<fn() -> T>,
}

impl<T> Future for Rethrow<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<T> {
        if let Some(delivery) = self.delivery.take() {
            scope::pass_up(*delivery);
        }
        Poll::Pending
    }
}

impl<T> fmt::Debug for Rethrow<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rethrow").finish_non_exhaustive()
    }
}
