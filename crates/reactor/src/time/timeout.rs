//! Timeout: a future and a moment by which it has to be ready.

use crate::time::limit::Limit;
use crate::time::sleep::Sleep;
use kasasagi_primitive::scope;
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
/// When the time has passed, the future is dropped where it is suspended; cancel scopes inside clean up first, and are
/// waited for. If one of them answers with a value, that is the value. A cancellation of the task that comes meanwhile is
/// passed on, and not made an error of.
///
/// # Errors
/// [`Elapsed`] if the time has passed first, and the future is gone.
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
    Timeout { future: Some(future.into_future()), sleep, limit: Limit::new(time.is_zero()) }
}

/// Gives `future` time until `deadline`.
///
/// The future is polled first: a value that is there wins, even after the deadline. As [`timeout`] otherwise.
///
/// # Errors
/// [`Elapsed`] if the deadline has passed first, and the future is gone.
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
    Timeout { future: Some(future.into_future()), sleep, limit: Limit::new(true) }
}

pin_project! {
    /// A future that has to be ready in time; made by [`timeout`] and [`timeout_at`].
    #[must_use = "a future does nothing until it is awaited"]
    pub struct Timeout<F> {
        #[pin]
        future: Option<F>,
        #[pin]
        sleep: Sleep,
        limit: Limit,
    }
}

impl<F> Timeout<F> {
    /// The future inside; `None` once a cancellation has ended it.
    pub fn get_ref(&self) -> Option<&F> {
        self.future.as_ref()
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
        if self.limit.armed {
            return self.poll_again(cx);
        }
        // The first poll, at whose end the time begins: a future that is ready at once pays for nothing else.
        let before = scope::ticks();
        let mut this = self.project();
        if let Some(future) = this.future.as_mut().as_pin_mut() {
            if let Poll::Ready(value) = future.poll(cx) {
                return Poll::Ready(Ok(value));
            }
        }
        begin(this.limit, this.sleep, before, cx).map(|()| Err(Elapsed::new()))
    }
}

impl<F: Future> Timeout<F> {
    #[inline(never)]
    fn poll_again(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<F::Output, Elapsed>> {
        let this = self.project();
        this.limit.poll(this.future, this.sleep, cx, || {})
    }
}

/// The future waits: so its time begins.
#[inline(never)]
fn begin(limit: &mut Limit, sleep: Pin<&mut Sleep>, before: u64, cx: &mut Context<'_>) -> Poll<()> {
    limit.begin(before);
    sleep.poll_elapsed(cx, true)
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

impl Elapsed {
    pub(super) fn new() -> Self {
        Self(())
    }
}

/// What the future inside came to: the source of [`Elapsed`].
#[derive(Debug)]
struct Interrupted;

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the future was cancelled where it waited")
    }
}

impl std::error::Error for Interrupted {}

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the time had passed before the future was ready")
    }
}

impl std::error::Error for Elapsed {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&Interrupted)
    }
}

impl From<Elapsed> for std::io::Error {
    fn from(elapsed: Elapsed) -> Self {
        std::io::Error::new(std::io::ErrorKind::TimedOut, elapsed)
    }
}
