//! Sleep: a future that completes when its moment has come.
//!
//! Its timer is inserted at the first poll, into the shard of the seat that polls, and taken out by `Drop`.
//! A poll that brings the same waker again reads one atomic and takes no lock.

use crate::NEVER;
use crate::time::clock::{Clock, nanoseconds};
use crate::time::shard::{Insertion, Node, Shard, State};
use crate::time::timers::{Here, Timers};
use kasasagi_primitive::coop;
use kasasagi_primitive::task_context;
use kasasagi_primitive::wait_site::WaitKind;
use pin_project_lite::pin_project;
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

/// Waits for `time`, and not less.
///
/// Measured from the first poll, as in asyncio: a sleep that is made now and awaited later is a whole one.
/// `Duration::ZERO` lets other ready work run once, and completes; a time of centuries never does.
///
/// # Panics
/// If the thread has no [`Timers`]: outside a runtime.
///
/// # Cancel safety
/// Cancel safe: dropped before it is ready, it has done nothing; its timer is gone at once.
///
/// # Examples
/// ```
/// use kasasagi_reactor::{Reactor, time};
/// use std::time::Duration;
///
/// let reactor = Reactor::new(1)?;
/// let _entered = reactor.timers().enter(Some(0));
/// let nap = time::sleep(Duration::from_millis(20));
/// # drop(nap);
/// # std::io::Result::Ok(())
/// ```
///
/// Counterpart: `asyncio.sleep`.
#[track_caller]
#[inline]
pub fn sleep(time: Duration) -> Sleep {
    let (home, generation) = Timers::home().unwrap_or_else(|| no_timers("sleep"));
    Sleep::new(Some(home), generation, State::After, nanoseconds(time), Location::caller())
}

/// Waits until `deadline`, and not less.
///
/// A deadline that is past lets other ready work run once, and completes.
///
/// # Panics
/// If the thread has no [`Timers`]: outside a runtime.
///
/// # Cancel safety
/// Cancel safe: dropped before it is ready, it has done nothing; its timer is gone at once.
///
/// Counterpart: `loop.call_at`.
#[track_caller]
pub fn sleep_until(deadline: Instant) -> Sleep {
    Sleep::until("sleep_until", deadline, Location::caller())
}

/// The timers of this thread, or a panic that says what to do.
#[track_caller]
pub(super) fn current(function: &str) -> Timers {
    Timers::current().unwrap_or_else(|| no_timers(function))
}

#[cold]
#[track_caller]
fn no_timers(function: &str) -> ! {
    panic!(
        "`{function}` needs the timers of a runtime, and this thread has none: call it inside \
         `kasasagi::run(async {{ … }})` or a task, or call `Timers::enter` on this thread first"
    )
}

pin_project! {
    /// Completes when its moment has come; made by [`sleep`] and [`sleep_until`].
    ///
    /// Polled again after that, it is ready again. If its reactor is closed first, it completes early rather
    /// than never; a program that goes on after its runtime has ended must not take that for time passed.
    #[must_use = "a future does nothing until it is awaited"]
    pub struct Sleep {
        place: &'static Location<'static>,
        // The node's home belongs to that reactor; if it has none, the thread that polls first chooses.
        generation: u32,
        #[pin]
        node: Node,
    }
}

impl Sleep {
    #[inline]
    fn new(
        home: Option<&'static Shard>,
        generation: u32,
        state: State,
        time: u64,
        place: &'static Location<'static>,
    ) -> Self {
        Self { place, generation, node: Node::new(home, state, time) }
    }

    /// A sleep of `time` for another future of this crate, by the timers of the thread that polls it first.
    #[inline]
    pub(super) fn anywhere(time: Duration, place: &'static Location<'static>) -> Self {
        Self::new(None, 0, State::After, nanoseconds(time), place)
    }

    /// A sleep until `deadline`, by the timers of this thread, for `function`, which was called at `place`.
    #[track_caller]
    pub(super) fn until(
        function: &str,
        deadline: Instant,
        place: &'static Location<'static>,
    ) -> Self {
        let sleep = Timers::with_current(|timers| {
            timers.map(|timers| Self::of(timers, timers.clock_ref().to_ns(deadline), place))
        });
        match sleep {
            Some(sleep) => sleep,
            None => no_timers(function),
        }
    }

    /// A sleep until a moment of the clock of these timers.
    pub(super) fn of(timers: &Timers, ns: u64, place: &'static Location<'static>) -> Self {
        Self::new(Some(timers.shard(0)), timers.generation(), State::At, ns, place)
    }

    /// The clock it goes by; `None` if that is not settled, or its reactor is gone.
    fn clock(&self) -> Option<Clock> {
        let home = self.node.home()?;
        home.serves(self.generation).map(|timers| timers.clock())
    }

    /// The moment it waits for; `None` if it never comes, if it was not polled yet and is counted from then, or if
    /// the runtime has ended.
    pub fn deadline(&self) -> Option<Instant> {
        let time = self.node.time();
        if self.node.state() == State::After || time == NEVER {
            return None;
        }
        self.clock().map(|clock| clock.instant(time))
    }

    /// Whether its moment has come, and it knows.
    pub fn is_elapsed(&self) -> bool {
        matches!(self.node.state(), State::Yielded | State::Fired)
    }

    /// Makes it wait until `deadline` instead, whether it has completed or not.
    pub fn reset(self: Pin<&mut Self>, deadline: Instant) {
        // If the runtime has ended, so has the sleep, whatever it is set to.
        let clock = self.clock().unwrap_or_else(Clock::system);
        self.reset_ns(clock.to_ns(deadline));
    }

    /// As `reset`, until a moment of the clock.
    pub(super) fn reset_ns(self: Pin<&mut Self>, ns: u64) {
        self.project().node.reset(ns);
    }

    /// The moment it waits for, in nanoseconds of its clock; 0 if that is at once, and `NEVER` if it is not settled yet.
    pub(super) fn due(&self) -> u64 {
        match self.node.state() {
            State::After if self.node.time() != 0 => NEVER,
            State::Never => NEVER,
            _ => self.node.time(),
        }
    }

    /// The moment on its clock.
    pub(super) fn now(&self) -> u64 {
        self.clock().unwrap_or_else(Clock::system).now_ns()
    }

    /// A moment of its clock; `None` if its reactor is gone.
    pub(super) fn instant(&self, ns: u64) -> Option<Instant> {
        self.clock().map(|clock| clock.instant(ns))
    }

    /// Where the program made it.
    pub(super) fn place(&self) -> &'static Location<'static> {
        self.place
    }

    /// Says where the program waits for it from now on.
    pub(super) fn wait_at(self: Pin<&mut Self>, place: &'static Location<'static>) {
        *self.project().place = place;
    }

    /// Polls without asking the budget; `true` completes at once where a plain sleep yields first.
    pub(super) fn poll_elapsed(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        at_once: bool,
    ) -> Poll<()> {
        let place = self.place;
        let resource = std::ptr::from_ref(&*self).addr();
        let poll = self.poll_state(cx, at_once);
        if poll.is_pending() {
            task_context::waiting(WaitKind::Sleep, resource, place);
        }
        poll
    }

    fn poll_state(self: Pin<&mut Self>, cx: &mut Context<'_>, at_once: bool) -> Poll<()> {
        match self.node.state() {
            State::After | State::At => return self.begin(cx, at_once),
            State::Never => return Poll::Pending,
            State::Yielded | State::Fired | State::Dead => return Poll::Ready(()),
            State::Queued => {}
        }
        let mut node = self.project().node;
        if !node.as_mut().wakes(cx.waker()) {
            node.as_mut().rewake(cx.waker().clone());
            // Read after the exchange: fired before it, the node has woken the old waker.
            if node.state() != State::Queued {
                return Poll::Ready(());
            }
        }
        Poll::Pending
    }

    /// The first poll: counts from now, and inserts the timer.
    fn begin(self: Pin<&mut Self>, cx: &mut Context<'_>, at_once: bool) -> Poll<()> {
        let Some(here) = self.here() else {
            self.project().node.die();
            return Poll::Ready(());
        };
        let this = self.project();
        let when = match this.node.state() {
            State::After => here.now.saturating_add(this.node.time()),
            _ => this.node.time(),
        };
        *this.generation = here.generation;
        if when <= here.now {
            this.node.settle(here.shard, State::Yielded, when);
            if at_once {
                return Poll::Ready(());
            }
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if when == NEVER {
            this.node.settle(here.shard, State::Never, when);
            return Poll::Pending;
        }
        let Here { shard, generation, own, now } = here;
        let to = Insertion { shard, generation, when, now, own };
        match this.node.insert(&to, cx.waker().clone()) {
            Ok(None) => Poll::Pending,
            Ok(Some(hurry)) => {
                hurry.wake();
                Poll::Pending
            }
            Err(_) => Poll::Ready(()),
        }
    }

    /// Where the timer goes; `None` if its reactor is gone.
    fn here(&self) -> Option<Here> {
        let Some(home) = self.node.home() else {
            return Some(Timers::here(None).unwrap_or_else(|| self.no_timers_here()));
        };
        Timers::here(Some(self.generation))
            .or_else(|| Some(home.serves(self.generation)?.as_stranger()))
    }

    #[cold]
    fn no_timers_here(&self) -> ! {
        panic!(
            "`timeout` needs the timers of a runtime, and the thread that polls the one of {} has none: await it \
             inside `kasasagi::run(async {{ … }})` or a task, or call `Timers::enter` on that thread first",
            self.place
        )
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        ready!(coop::poll_proceed(cx));
        let poll = self.poll_elapsed(cx, false);
        if poll.is_pending() {
            coop::refund();
        }
        poll
    }
}

impl fmt::Debug for Sleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sleep")
            .field("deadline", &self.deadline())
            .field("elapsed", &self.is_elapsed())
            .field("place", &self.place)
            .finish_non_exhaustive()
    }
}
