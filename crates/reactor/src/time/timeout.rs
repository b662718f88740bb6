//! Timeout: a future and a moment by which it has to be ready.

use crate::time::sleep::Sleep;
use pin_project_lite::pin_project;
use std::fmt;
use std::future::{Future, IntoFuture};
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

/// Gives `future` so much time, counted from when it first waits.
///
/// The future is polled first: a value that is there wins, however late it is fetched, and one that is ready at
/// once costs no timer, nor a look at the clock. A time of zero polls it once.
///
/// # Errors
/// [`Elapsed`] if the time has passed first. The future stays where it is until the timeout is dropped.
///
/// # Panics
/// If the future waits, and the thread that polls it has no [`Timers`](crate::Timers): outside a runtime.
///
/// # Cancel safety
/// Cancel safe if `future` is.
///
/// # Examples
/// ```
/// use kasasagi_reactor::{Reactor, time};
/// use std::future::{Future, ready};
/// use std::pin::pin;
/// use std::task::{Context, Poll, Waker};
/// use std::time::Duration;
///
/// let reactor = Reactor::new(1)?;
/// let _entered = reactor.timers().enter(Some(0));
/// let quick = pin!(time::timeout(Duration::from_secs(1), ready(7)));
/// assert_eq!(quick.poll(&mut Context::from_waker(Waker::noop())), Poll::Ready(Ok(7)));
/// # std::io::Result::Ok(())
/// ```
///
/// Counterpart: `asyncio.wait_for`.
#[track_caller]
#[inline]
pub fn timeout<F: IntoFuture>(time: Duration, future: F) -> Timeout<F::IntoFuture> {
    let sleep = Sleep::anywhere(time, Location::caller());
    Timeout { future: future.into_future(), sleep }
}

/// Gives `future` time until `deadline`.
///
/// The future is polled first: a value that is there wins, even after the deadline.
///
/// # Errors
/// [`Elapsed`] if the deadline has passed first.
///
/// # Panics
/// If the thread has no [`Timers`](crate::Timers): outside a runtime.
///
/// # Cancel safety
/// Cancel safe if `future` is.
///
/// Counterpart: `asyncio.timeout_at`.
#[track_caller]
pub fn timeout_at<F: IntoFuture>(deadline: Instant, future: F) -> Timeout<F::IntoFuture> {
    let sleep = Sleep::until("timeout_at", deadline, Location::caller());
    Timeout { future: future.into_future(), sleep }
}

pin_project! {
    /// A future that has to be ready in time; made by [`timeout`] and [`timeout_at`].
    #[must_use = "a future does nothing until it is awaited"]
    pub struct Timeout<F> {
        #[pin]
        future: F,
        #[pin]
        sleep: Sleep,
    }
}

impl<F> Timeout<F> {
    /// The future inside.
    pub fn get_ref(&self) -> &F {
        &self.future
    }

    /// The moment by which it has to be ready; `None` before it first waits, if counted from then, and if it never
    /// comes.
    pub fn deadline(&self) -> Option<Instant> {
        self.sleep.deadline()
    }
}

impl<F: Future> Future for Timeout<F> {
    type Output = Result<F::Output, Elapsed>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if let Poll::Ready(value) = this.future.poll(cx) {
            return Poll::Ready(Ok(value));
        }
        // Without a budget: a future that spends it all at each poll must not outlive its time for that.
        this.sleep.poll_elapsed(cx, true).map(|()| Err(Elapsed(())))
    }
}

impl<F> fmt::Debug for Timeout<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timeout").field("deadline", &self.deadline()).finish_non_exhaustive()
    }
}

/// The time had passed before the future was ready.
///
/// Counterpart: `TimeoutError`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Elapsed(());

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the time had passed before the future was ready")
    }
}

impl std::error::Error for Elapsed {}

impl From<Elapsed> for std::io::Error {
    fn from(elapsed: Elapsed) -> Self {
        std::io::Error::new(std::io::ErrorKind::TimedOut, elapsed)
    }
}
