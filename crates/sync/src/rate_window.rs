//! So many starts in a time, and never more; the part of a rate limiter that needs no clock.
//!
//! This crate knows wakers and no time: its types run under any executor, and each of those has a timer of its own. So
//! what has to be right (the order, the window, what a cancellation gives back) is here, by moments that the caller
//! brings, and is modelled here; the sleep between is the caller's. `kasasagi::sync::RateLimiter` is that for kasasagi.
//!
//! A start is allowed when the one that was `max` starts before it is `period` ago; so the last `max` moments are kept.
//! Who waits has a turn (the one permit of a semaphore) and keeps it while it sleeps; the others queue behind.

use crate::{Acquire, Permit, Semaphore};
use kasasagi_primitive::sync::Mutex;
use kasasagi_primitive::task_context;
use kasasagi_primitive::wait_site::WaitKind;
use pin_project_lite::pin_project;
use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

/// Counts starts, so that there are never more than so many in any window of a length.
///
/// To limit how many run at once, use a [`Semaphore`]; this counts starts only, whatever becomes of what was started. In
/// programs of kasasagi, `kasasagi::sync::RateLimiter` is what you want: it sleeps by itself.
///
/// Who asks is served in the order of the first polls. Moments are an `Instant` of any clock that does not go back; they
/// are the caller's, who asks its clock when it has its turn.
///
/// # Examples
/// ```
/// use kasasagi_sync::RateWindow;
/// use std::time::{Duration, Instant};
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
/// # async fn sleep_until(moment: Instant) {
/// #     std::thread::sleep(moment.saturating_duration_since(Instant::now()));
/// # }
/// /// Starts under an executor that has a `sleep_until`.
/// async fn start(window: &RateWindow) {
///     let turn = window.turn().await;
///     while let Err(moment) = turn.start(Instant::now()) {
///         sleep_until(moment).await;
///     }
/// }
///
/// let window = RateWindow::new(2, Duration::from_millis(30));
/// let begin = Instant::now();
/// for _ in 0..3 {
///     block_on(start(&window));
/// }
/// assert!(begin.elapsed() >= Duration::from_millis(30));
/// ```
pub struct RateWindow {
    max: usize,
    period: Duration,
    line: Semaphore,
    /// The last starts, `max` at most, the oldest first.
    starts: Mutex<VecDeque<Instant>>,
}

/// That something was started; it says when.
///
/// Nothing happens when it is dropped: a start counts for a whole period, whatever becomes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RatePermit {
    at: Instant,
}

impl RatePermit {
    /// The moment that was counted as the start.
    pub fn start(&self) -> Instant {
        self.at
    }
}

impl RateWindow {
    /// At most `max` starts in any window of the length `period`.
    ///
    /// # Panics
    /// When `max` is 0: nobody could ever start.
    #[track_caller]
    pub fn new(max: usize, period: Duration) -> Self {
        assert!(max > 0, "a rate of 0 lets nobody start: `max` is 1 at least");
        Self { max, period, line: Semaphore::new(1), starts: Mutex::new(VecDeque::new()) }
    }

    /// How many starts there may be in a window.
    pub fn max(&self) -> usize {
        self.max
    }

    /// How long a window is.
    pub fn period(&self) -> Duration {
        self.period
    }

    /// How many could start at this moment, if nobody waited.
    pub fn available(&self, now: Instant) -> usize {
        let starts = self.starts.lock();
        let counts = |start: &&Instant| self.end_of(**start).is_none_or(|end| end > now);
        let used = starts.iter().rev().take_while(counts);
        self.max - used.count()
    }

    /// Waits for the turn to start something.
    ///
    /// # Cancel safety
    /// Cancel safe, but gives up its place in the line. A turn it was already given goes to the next.
    #[track_caller]
    pub fn turn(&self) -> TurnAtStart<'_> {
        TurnAtStart { window: self, turn: self.line.acquire(), place: Location::caller() }
    }

    /// Counts a start at once, if nobody waits and the window has room.
    ///
    /// # Errors
    /// The first moment at which the window has room, which is `now` if it has, and somebody has the turn.
    pub fn try_start(&self, now: Instant) -> Result<RatePermit, Instant> {
        match self.line.try_acquire() {
            Ok(_turn) => self.start(now),
            Err(_) => Err(self.room(&self.starts.lock()).map_or(now, |room| room.max(now))),
        }
    }

    /// When a start's window is over; never, if that is beyond what an `Instant` can say.
    fn end_of(&self, start: Instant) -> Option<Instant> {
        start.checked_add(self.period)
    }

    /// When there is room for one more start; `None` if there is now.
    fn room(&self, starts: &VecDeque<Instant>) -> Option<Instant> {
        let oldest = starts.front().filter(|_| starts.len() == self.max)?;
        // Where an `Instant` cannot say it: looked at again in a hundred years.
        Some(self.end_of(*oldest).unwrap_or_else(|| *oldest + Duration::from_secs(3_000_000_000)))
    }

    fn start(&self, now: Instant) -> Result<RatePermit, Instant> {
        let mut starts = self.starts.lock();
        if let Some(room) = self.room(&starts) {
            if now < room {
                return Err(room);
            }
            starts.pop_front();
        }
        // Should the caller's clock go back after all, the order of the starts stays.
        let at = starts.back().map_or(now, |last| now.max(*last));
        starts.push_back(at);
        Ok(RatePermit { at })
    }
}

pin_project! {
    /// Waits for the turn to start something; made by [`RateWindow::turn`].
    ///
    /// # Cancel safety
    /// Cancel safe, but gives up its place in the line. A turn it was already given goes to the next.
    #[must_use = "it waits for nothing until it is awaited"]
    pub struct TurnAtStart<'a> {
        window: &'a RateWindow,
        #[pin]
        turn: Acquire<'a>,
        place: &'static Location<'static>,
    }
}

impl<'a> Future for TurnAtStart<'a> {
    type Output = Turn<'a>;

    /// # Panics
    /// When it is polled after it gave its result.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Turn<'a>> {
        let this = self.project();
        let polled = this.turn.poll(cx);
        if polled.is_pending() {
            let resource = std::ptr::from_ref(*this.window).addr();
            task_context::waiting(WaitKind::Rate, resource, this.place);
        }
        let permit = ready!(polled).expect("nobody closes the line of a rate window");
        Poll::Ready(Turn { window: this.window, permit })
    }
}

/// The turn to start something; the others wait until it is dropped.
#[must_use = "the others wait until it is dropped: start, or drop it"]
pub struct Turn<'a> {
    window: &'a RateWindow,
    permit: Permit<'a>,
}

impl Turn<'_> {
    /// Counts a start at `now`, if the window has room.
    ///
    /// To be called again until it does; a turn that is dropped before has counted nothing.
    ///
    /// # Errors
    /// The first moment at which the window has room.
    pub fn start(&self, now: Instant) -> Result<RatePermit, Instant> {
        self.window.start(now)
    }
}

impl fmt::Debug for RateWindow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateWindow")
            .field("max", &self.max)
            .field("period", &self.period)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for TurnAtStart<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TurnAtStart").field("window", self.window).finish_non_exhaustive()
    }
}

impl fmt::Debug for Turn<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Turn").field("permit", &self.permit).finish_non_exhaustive()
    }
}

const _: () = {
    const fn shared<T: Send + Sync>() {}
    shared::<RateWindow>();
    shared::<TurnAtStart<'_>>();
    shared::<Turn<'_>>();
};
