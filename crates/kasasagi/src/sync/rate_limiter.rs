//! A rate limiter: the window of `kasasagi-sync`, and the sleep that it leaves to its caller.
//!
//! `sync` and `reactor` are strangers: the one knows no time, the other no window. What has to be right, and modelled,
//! is there; here are the runtime's clock and its timer, and nothing else.

use crate::time::{self, Duration, Instant, Sleep};
use kasasagi_primitive::task_context;
use kasasagi_primitive::wait_site::WaitKind;
use kasasagi_sync::{RatePermit, RateWindow, Turn, TurnAtStart};
use pin_project_lite::pin_project;
use std::fmt;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// Lets at most so many starts happen in any window of a length: calls of an API with a quota, for example.
///
/// It counts starts, not what runs: a call that fails, or is cancelled, counts for a whole period all the same, and one
/// that lasts longer than a period holds nobody up. To limit how many run at once, use a [`Semaphore`](super::Semaphore)
/// as well.
///
/// The window slides: of any `max + 1` starts the last is `period` after the first, or later. Who waits starts in the
/// order of the first polls, by the monotonic clock of the runtime, and as soon as the window has room; the permits of a
/// second are not kept for the next.
///
/// # Examples
/// ```
/// use kasasagi::sync::RateLimiter;
/// use kasasagi::time::{Duration, now};
///
/// kasasagi::run(async {
///     let limiter = RateLimiter::new(2, Duration::from_millis(20));
///     let begin = now();
///     for _ in 0..5 {
///         limiter.acquire().await;
///         // Two calls at once, two after 20 ms, one after 40 ms.
///     }
///     assert!(now() - begin >= Duration::from_millis(40));
/// });
/// ```
///
/// Counterpart: none; programs of asyncio write one around `asyncio.Semaphore`.
pub struct RateLimiter {
    window: RateWindow,
}

impl RateLimiter {
    /// At most `max` starts in any window of the length `period`.
    ///
    /// # Panics
    /// When `max` is 0: nobody could ever start.
    #[track_caller]
    pub fn new(max: usize, period: Duration) -> Self {
        Self { window: RateWindow::new(max, period) }
    }

    /// Waits until it may start something, and counts that.
    ///
    /// What is to be started belongs right behind it. The permit says when it was counted; to drop it does nothing.
    ///
    /// # Panics
    /// When it has to wait on a thread without a runtime.
    ///
    /// # Cancel safety
    /// Cancel safe, but gives up its place in the line: dropped before it is ready, it has counted nothing.
    #[track_caller]
    pub fn acquire(&self) -> RateAcquire<'_> {
        let step = Step::Queue { turn: self.window.turn() };
        RateAcquire { window: &self.window, place: Location::caller(), step }
    }

    /// Counts a start if nobody waits and the window has room.
    ///
    /// # Errors
    /// The first moment at which the window has room, or now, if it has and others wait.
    pub fn try_acquire(&self) -> Result<RatePermit, Instant> {
        self.window.try_start(time::now())
    }

    /// How many could start at this moment, if nobody waited.
    pub fn available(&self) -> usize {
        self.window.available(time::now())
    }

    /// How many starts there may be in a window.
    pub fn max(&self) -> usize {
        self.window.max()
    }

    /// How long a window is.
    pub fn period(&self) -> Duration {
        self.window.period()
    }
}

pin_project! {
    /// How far one who waits has come.
    #[project = StepProjection]
    enum Step<'a> {
        // In line.
        Queue { #[pin] turn: TurnAtStart<'a> },
        // The first in line, until the window has room.
        Sleep { #[pin] sleep: Sleep, turn: Turn<'a> },
        Over,
    }
}

pin_project! {
    /// Waits until it may start something; made by [`RateLimiter::acquire`].
    ///
    /// # Cancel safety
    /// Cancel safe, but gives up its place in the line: dropped before it is ready, it has counted nothing.
    #[must_use = "it waits for nothing until it is awaited"]
    pub struct RateAcquire<'a> {
        window: &'a RateWindow,
        place: &'static Location<'static>,
        #[pin]
        step: Step<'a>,
    }
}

impl Future for RateAcquire<'_> {
    type Output = RatePermit;

    /// # Panics
    /// When it has to wait on a thread without a runtime, and when it is polled after it gave its result.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<RatePermit> {
        let mut this = self.project();
        loop {
            match this.step.as_mut().project() {
                StepProjection::Queue { turn } => {
                    let turn = ready!(turn.poll(cx));
                    match turn.start(time::now()) {
                        Ok(permit) => {
                            this.step.set(Step::Over);
                            return Poll::Ready(permit);
                        }
                        Err(room) => {
                            let sleep = time::sleep_until(room);
                            this.step.set(Step::Sleep { sleep, turn });
                        }
                    }
                }
                StepProjection::Sleep { mut sleep, turn } => {
                    if sleep.as_mut().poll(cx).is_pending() {
                        let resource = std::ptr::from_ref(*this.window).addr();
                        task_context::waiting(WaitKind::Rate, resource, this.place);
                        return Poll::Pending;
                    }
                    match turn.start(time::now()) {
                        Ok(permit) => {
                            this.step.set(Step::Over);
                            return Poll::Ready(permit);
                        }
                        Err(room) => {
                            // It ended early, as the runtime does: looked at again in the next turn, and not round and round.
                            sleep.set(time::sleep_until(room));
                            cx.waker().wake_by_ref();
                            return Poll::Pending;
                        }
                    }
                }
                StepProjection::Over => panic!("a future is not polled after it gave its result"),
            }
        }
    }
}

impl fmt::Debug for RateLimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimiter")
            .field("max", &self.max())
            .field("period", &self.period())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for RateAcquire<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateAcquire").field("window", self.window).finish_non_exhaustive()
    }
}

const _: () = {
    const fn shared<T: Send + Sync>() {}
    shared::<RateLimiter>();
    shared::<RateAcquire<'_>>();
};
