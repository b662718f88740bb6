//! Virtual time: a clock that stands still while somebody can run, and jumps when nobody can.
//!
//! The scheduler decides when nobody can run, the reactor has the clock, the pool holds it; here they meet.

use crate::handle::Handle;
use kasasagi_blocking::Pool;
use kasasagi_reactor::time::{Clock, Sleep, sleep};
use kasasagi_scheduler::Spawner;
use std::fmt;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

/// Stops the clock of the runtime that this code runs in: from now on time moves only when nobody can run.
///
/// Each time that every worker sleeps, no closure waits or runs on the pool, no thread polls in
/// [`Handle::block_on`], and no socket has anything to say, at two looks, the clock jumps to the moment at which the
/// first of all sleeps ends. So a task that computes takes no time, an hour of sleep takes none to wait for, and what
/// happens when does not depend on the machine. A task that yields for ever holds the time for ever.
///
/// What the runtime does not know holds nothing: a thread of the program's own that is about to wake a task, a
/// server elsewhere that is about to answer. A `timeout` around a request to another machine is over at once.
///
/// [`now`](crate::time::now) shows the time that is stopped; `Instant::now()` does not. A clock that stands still is
/// left so.
///
/// # Panics
/// Where no runtime runs.
///
/// # Examples
/// ```
/// use kasasagi::time;
/// use std::time::Duration;
///
/// kasasagi::run(async {
///     time::pause();
///     let start = time::now();
///     time::sleep(Duration::from_secs(86_400)).await;
///     assert_eq!(time::now() - start, Duration::from_secs(86_400));
/// });
/// ```
#[track_caller]
pub fn pause() {
    with_runtime("pause", |handle| {
        let engines = handle.engines();
        watch_pool(&engines.spawner, &engines.pool);
        if engines.timers.pause() {
            engines.spawner.rouse();
        }
    });
}

/// Has the clock of the runtime that this code runs in go on, from where it stands. One that goes is left so.
///
/// # Panics
/// Where no runtime runs.
///
/// # Examples
/// ```
/// use kasasagi::time;
/// use std::time::Duration;
///
/// kasasagi::run(async {
///     time::pause();
///     time::sleep(Duration::from_secs(60)).await;
///     time::resume();
///     let start = time::now();
///     time::sleep(Duration::from_millis(1)).await;
///     assert!(time::now() - start >= Duration::from_millis(1));
/// });
/// ```
#[track_caller]
pub fn resume() {
    with_runtime("resume", |handle| {
        if handle.engines().timers.resume() {
            handle.engines().spawner.rouse();
        }
    });
}

/// Moves the paused clock of the runtime that this code runs in on by `time`.
///
/// What becomes due on the way is woken in the order of its deadlines, and has done what it does by the time the clock
/// moves on: a loop that sleeps for a second at a time goes round sixty times in a minute. A task that can run holds
/// the time, as ever; closures on the pool do not. Counted from the first poll; all is done when it is ready.
///
/// # Panics
/// Where no runtime runs; and at its first poll, if the clock is not paused.
///
/// # Cancel safety
/// Dropped before it is ready, the time that has passed has passed.
///
/// # Examples
/// ```
/// use kasasagi::time;
/// use std::time::Duration;
///
/// kasasagi::run(async {
///     time::pause();
///     let nap = kasasagi::spawn(time::sleep(Duration::from_secs(59)));
///     time::advance(Duration::from_secs(60)).await;
///     assert!(nap.is_finished());
/// });
/// ```
#[track_caller]
pub fn advance(time: Duration) -> Advance {
    let place = Location::caller();
    let clock = with_runtime("advance", |handle| handle.engines().timers.clock());
    Advance { clock, place, sleep: Box::pin(sleep(time)), begun: false }
}

#[track_caller]
fn with_runtime<R>(what: &str, f: impl FnOnce(&Handle) -> R) -> R {
    let place = Location::caller();
    Handle::with_current(|handle| match handle {
        Some(handle) => f(handle),
        None => panic!(
            "`time::{what}` was called where no runtime runs, at {place}: call it inside \
             `kasasagi::run(async {{ … }})`, or build a runtime with `Builder::virtual_time`"
        ),
    })
}

/// Has the pool call the scheduler when it holds the time no longer.
pub(crate) fn watch_pool(spawner: &Spawner, pool: &Pool) {
    let spawner = spawner.clone();
    pool.on_quiet(move || spawner.reconsider());
}

/// Waits until the clock was moved on; made by [`advance`].
#[must_use = "a future does nothing until it is awaited"]
pub struct Advance {
    clock: Clock,
    place: &'static Location<'static>,
    sleep: Pin<Box<Sleep>>,
    begun: bool,
}

impl Future for Advance {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        let poll = this.sleep.as_mut().poll(cx);
        if this.begun {
            return poll;
        }
        assert!(
            this.clock.is_paused(),
            "`time::advance`, called at {}, needs a clock that stands still: call `time::pause()` first, or build \
             the runtime with `Builder::virtual_time`",
            this.place
        );
        // There is none while the task's budget is spent: the sleep begins with the next poll.
        if let Some(until) = this.sleep.deadline() {
            this.begun = true;
            this.clock.force_until(this.clock.to_ns(until));
        }
        poll
    }
}

impl fmt::Debug for Advance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Advance").field("place", &self.place).finish_non_exhaustive()
    }
}
