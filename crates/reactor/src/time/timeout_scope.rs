//! A timeout whose deadline the code inside, or anybody else, can move.

use crate::NEVER;
use crate::time::clock::nanoseconds;
use crate::time::limit::Limit;
use crate::time::sleep::{self, Sleep};
use crate::time::timeout::Elapsed;
use kasasagi_primitive::sync::Mutex;
use pin_project_lite::pin_project;
use std::error::Error;
use std::fmt;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

/// Gives what `body` makes so much time, counted from its first poll, and `body` a handle that moves the deadline.
///
/// `None`: no limit, until somebody sets one. Otherwise as [`timeout`](crate::time::timeout).
///
/// # Errors
/// [`Elapsed`] if the time has passed first, and what was inside is gone.
///
/// # Panics
/// If the thread has no [`Timers`](crate::Timers): outside a runtime.
///
/// # Cancel safety
/// Cancel safe if what is inside is.
///
/// # Examples
/// ```
/// # use kasasagi_reactor::{Reactor, time};
/// # use std::{pin::pin, task::{Context, Poll, Waker}, time::Duration};
/// # let reactor = Reactor::new(1)?;
/// # let _entered = reactor.timers().enter(Some(0));
/// let patient = time::timeout_scope(Duration::from_secs(1), |limit| async move {
///     limit.reschedule(None).expect("it has begun, and has not expired");
///     "as long as it takes"
/// });
/// # let ready = pin!(patient).poll(&mut Context::from_waker(Waker::noop()));
/// # assert_eq!(ready, Poll::Ready(Ok("as long as it takes")));
/// # std::io::Result::Ok(())
/// ```
///
/// Counterpart: `asyncio.timeout`.
#[track_caller]
pub fn timeout_scope<F: Future>(
    time: impl Into<Option<Duration>>,
    body: impl FnOnce(TimeoutScope) -> F,
) -> Limited<F> {
    let place = Location::caller();
    let timers = sleep::current("timeout_scope");
    let handle = TimeoutScope(Arc::new(Mutex::new(Setting::default())));
    let future = body(handle.clone());
    let sleep = Sleep::of(&timers, NEVER, place);
    Limited { future: Some(future), sleep, limit: Limit::new(true), time: time.into(), handle }
}

/// Moves the deadline of a [`timeout_scope`], from anywhere, and tells what has become of it.
///
/// Counterpart: `asyncio.Timeout`.
#[derive(Clone)]
pub struct TimeoutScope(Arc<Mutex<Setting>>);

#[derive(Default)]
struct Setting {
    stage: Stage,
    when: Option<Instant>,
    /// `when` was set since the last poll.
    moved: bool,
    expired: bool,
    waker: Option<Waker>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Stage {
    #[default]
    Created,
    Active,
    Expiring,
    Expired,
    Finished,
}

impl TimeoutScope {
    /// Moves the deadline; `None`: it never comes. One that is past expires the scope at its next suspension.
    ///
    /// # Errors
    /// [`RescheduleError`], which says why, if the scope has not begun, or has expired or finished.
    ///
    /// Counterpart: `asyncio.Timeout.reschedule`.
    pub fn reschedule(&self, when: impl Into<Option<Instant>>) -> Result<(), RescheduleError> {
        let mut setting = self.0.lock();
        if setting.stage != Stage::Active {
            return Err(RescheduleError(setting.stage));
        }
        setting.when = when.into();
        setting.moved = true;
        let waker = setting.waker.take();
        drop(setting);
        if let Some(waker) = waker {
            waker.wake();
        }
        Ok(())
    }

    /// The deadline; `None` if there is none, or if it is counted from the first poll, which has not come.
    pub fn when(&self) -> Option<Instant> {
        self.0.lock().when
    }

    /// Whether its time had passed before what is inside was ready, whatever came of that.
    pub fn expired(&self) -> bool {
        self.0.lock().expired
    }
}

impl fmt::Debug for TimeoutScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let setting = self.0.lock();
        let stage = match setting.stage {
            Stage::Created => "created",
            Stage::Active => "active",
            Stage::Expiring => "expiring",
            Stage::Expired => "expired",
            Stage::Finished => "finished",
        };
        write!(f, "<TimeoutScope {stage}")?;
        if let (Stage::Active, Some(when)) = (setting.stage, setting.when) {
            write!(f, " when={when:?}")?;
        }
        f.write_str(">")
    }
}

/// The deadline of a timeout scope could not be moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RescheduleError(Stage);

impl fmt::Display for RescheduleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Stage::Created => {
                "the timeout scope was not entered yet: move its deadline once it is awaited, inside the async block"
            }
            Stage::Active => "the timeout scope is active",
            Stage::Expiring => {
                "the timeout scope is expiring: its body is being cancelled, and no later deadline can help it"
            }
            Stage::Expired => "the timeout scope has expired: make another one",
            Stage::Finished => "the timeout scope has finished: make another one",
        })
    }
}

impl Error for RescheduleError {}

pin_project! {
    /// A future under a [`timeout_scope`].
    #[must_use = "a future does nothing until it is awaited"]
    pub struct Limited<F> {
        #[pin]
        future: Option<F>,
        #[pin]
        sleep: Sleep,
        limit: Limit,
        time: Option<Duration>,
        handle: TimeoutScope,
    }
}

impl<F: Future> Future for Limited<F> {
    type Output = Result<F::Output, Elapsed>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        begin(&this.handle.0, this.sleep.as_mut(), *this.time, cx.waker());
        // If the deadline is moved by what is polled, the wake of that leads here again.
        let setting = &this.handle.0;
        let on_time = || {
            let mut setting = setting.lock();
            setting.stage = Stage::Expiring;
            setting.expired = true;
        };
        let poll = this.limit.poll(this.future, this.sleep, cx, on_time);
        let mut setting = setting.lock();
        setting.stage = match &poll {
            Poll::Ready(Ok(_)) => Stage::Finished,
            Poll::Ready(Err(_)) => Stage::Expired,
            Poll::Pending if setting.expired => Stage::Expiring,
            Poll::Pending => Stage::Active,
        };
        let spent = if poll.is_ready() { setting.waker.take() } else { None };
        drop(setting);
        // Foreign code, outside the lock.
        drop(spent);
        poll
    }
}

/// Before a poll: the deadline is where it was put last, and whoever puts it elsewhere wakes this task.
fn begin(setting: &Mutex<Setting>, sleep: Pin<&mut Sleep>, time: Option<Duration>, waker: &Waker) {
    let is_kept = setting.lock().waker.as_ref().is_some_and(|kept| kept.will_wake(waker));
    // Cloned and dropped outside the lock: it is foreign code.
    let spare = (!is_kept).then(|| waker.clone());
    let mut setting = setting.lock();
    if setting.stage == Stage::Created {
        setting.stage = Stage::Active;
        let when = time.map_or(NEVER, |time| sleep.now().saturating_add(nanoseconds(time)));
        setting.when = if when == NEVER { None } else { sleep.instant(when) };
        sleep.reset_ns(when);
    } else if std::mem::take(&mut setting.moved) {
        match setting.when {
            Some(when) => sleep.reset(when),
            None => sleep.reset_ns(NEVER),
        }
    }
    let spent = if is_kept { None } else { std::mem::replace(&mut setting.waker, spare) };
    drop(setting);
    drop(spent);
}

impl<F> fmt::Debug for Limited<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Limited").field("scope", &self.handle).finish_non_exhaustive()
    }
}
