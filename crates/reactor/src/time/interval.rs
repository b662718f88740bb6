//! Interval: a moment every so often.

use crate::time::clock::nanoseconds;
use crate::time::sleep::{Sleep, current};
use crate::time::timers::Timers;
use kasasagi_primitive::coop;
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

/// Ticks now and every `period` after.
///
/// The first tick completes at once. A tick that is fetched late follows [`MissedTicks`].
///
/// # Panics
/// If `period` is zero, or the thread has no [`Timers`](crate::Timers): outside a runtime.
///
/// # Examples
/// ```
/// use kasasagi_reactor::{Reactor, time};
/// use std::task::{Context, Waker};
/// use std::time::Duration;
///
/// let reactor = Reactor::new(1)?;
/// let _entered = reactor.timers().enter(Some(0));
/// let mut every = time::interval(Duration::from_secs(60));
/// let mut cx = Context::from_waker(Waker::noop());
/// assert!(every.poll_tick(&mut cx).is_ready());
/// assert!(every.poll_tick(&mut cx).is_pending());
/// # std::io::Result::Ok(())
/// ```
///
/// Counterpart: a loop around `asyncio.sleep`, without its drift.
#[track_caller]
pub fn interval(period: Duration) -> Interval {
    let timers = current("interval");
    let now = timers.clock_ref().now_ns();
    Interval::new("interval", timers, now, period, Location::caller())
}

/// Ticks at `start` and every `period` after.
///
/// # Panics
/// If `period` is zero, or the thread has no [`Timers`](crate::Timers): outside a runtime.
#[track_caller]
pub fn interval_at(start: Instant, period: Duration) -> Interval {
    let timers = current("interval_at");
    let start = timers.clock_ref().to_ns(start);
    Interval::new("interval_at", timers, start, period, Location::caller())
}

/// What an [`Interval`] does about ticks that nobody fetched in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MissedTicks {
    /// Makes up for them: ticks at once until it is back in step. The number of ticks is right.
    #[default]
    Burst,
    /// Goes on from the late tick, a whole period each: the distance is right.
    Delay,
    /// Leaves them out, and goes on at the next multiple of the period: the phase is right.
    Skip,
}

/// A moment every so often; made by [`interval`] and [`interval_at`].
pub struct Interval {
    // Boxed once, so that `tick` takes a plain `&mut self`.
    sleep: Pin<Box<Sleep>>,
    timers: Timers,
    /// When the tick that is waited for is due, in nanoseconds of the clock.
    next: u64,
    period: u64,
    missed: MissedTicks,
}

impl Interval {
    #[track_caller]
    fn new(
        function: &str,
        timers: Timers,
        start: u64,
        period: Duration,
        place: &'static Location<'static>,
    ) -> Self {
        assert!(
            !period.is_zero(),
            "`{function}` needs a period above zero; to yield, use `sleep(Duration::ZERO)`"
        );
        let sleep = Box::pin(Sleep::of(&timers, start, place));
        let (period, missed) = (nanoseconds(period), MissedTicks::default());
        Self { sleep, timers, next: start, period, missed }
    }

    /// Waits for the next tick, and returns the moment it was due.
    ///
    /// # Cancel safety
    /// Cancel safe: dropped before it is ready, it has done nothing; the tick is still to come.
    #[track_caller]
    pub fn tick(&mut self) -> Tick<'_> {
        Tick { interval: self, place: Location::caller(), begun: false }
    }

    /// As [`tick`](Self::tick), for those who poll.
    pub fn poll_tick(&mut self, cx: &mut Context<'_>) -> Poll<Instant> {
        ready!(coop::poll_proceed(cx));
        if self.sleep.as_mut().poll_elapsed(cx, true).is_pending() {
            coop::refund();
            return Poll::Pending;
        }
        let due = self.next;
        let now = self.timers.clock_ref().now_ns();
        self.next = following(due, now, self.period, self.missed);
        let next = self.next;
        self.sleep.as_mut().reset_ns(next);
        Poll::Ready(self.timers.clock_ref().instant(due))
    }

    /// Starts again: the next tick comes a period from now.
    pub fn reset(&mut self) {
        self.next = self.timers.clock_ref().now_ns().saturating_add(self.period);
        let next = self.next;
        self.sleep.as_mut().reset_ns(next);
    }

    /// Says what is done about ticks that nobody fetched in time. Default: [`MissedTicks::Burst`].
    pub fn set_missed_ticks(&mut self, missed: MissedTicks) {
        self.missed = missed;
    }

    /// What is done about ticks that nobody fetched in time.
    pub fn missed_ticks(&self) -> MissedTicks {
        self.missed
    }

    /// The period.
    pub fn period(&self) -> Duration {
        Duration::from_nanos(self.period)
    }
}

/// When the tick after the one of `due`, fetched `now`, is due.
fn following(due: u64, now: u64, period: u64, missed: MissedTicks) -> u64 {
    let next = due.saturating_add(period);
    if next > now {
        return next;
    }
    match missed {
        MissedTicks::Burst => next,
        MissedTicks::Delay => now.saturating_add(period),
        MissedTicks::Skip => {
            let late = (now - due) % period;
            now.saturating_add(period - late)
        }
    }
}

impl fmt::Debug for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Interval")
            .field("period", &self.period())
            .field("missed_ticks", &self.missed)
            .finish_non_exhaustive()
    }
}

/// Waits for a tick; made by [`Interval::tick`].
#[must_use = "a future does nothing until it is awaited"]
pub struct Tick<'a> {
    interval: &'a mut Interval,
    place: &'static Location<'static>,
    begun: bool,
}

impl Future for Tick<'_> {
    type Output = Instant;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Instant> {
        if !self.begun {
            self.begun = true;
            let place = self.place;
            self.interval.sleep.as_mut().wait_at(place);
        }
        self.interval.poll_tick(cx)
    }
}

impl fmt::Debug for Tick<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tick").field("place", &self.place).finish_non_exhaustive()
    }
}
