//! Sleep: a future that completes when its moment has come.
//!
//! Its timer is inserted at the first poll, into the shard of the seat that polls, and taken out by `Drop`.
//! A poll that brings the same waker again reads one atomic and takes no lock.

use crate::NEVER;
use crate::time::clock::nanoseconds;
use crate::time::shard::{Insertion, Node, State};
use crate::time::timers::Timers;
use kasasagi_primitive::coop;
use kasasagi_primitive::task_context;
use kasasagi_primitive::wait_site::WaitKind;
use pin_project_lite::pin_project;
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};
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
pub fn sleep(time: Duration) -> Sleep {
    Sleep::new(current("sleep"), Due::After(nanoseconds(time)), Location::caller())
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
    let timers = current("sleep_until");
    let due = Due::At(timers.clock_ref().to_ns(deadline));
    Sleep::new(timers, due, Location::caller())
}

/// The timers of this thread, or a panic that says what to do.
#[track_caller]
pub(super) fn current(function: &str) -> Timers {
    match Timers::current() {
        Some(timers) => timers,
        None => panic!(
            "`{function}` needs the timers of a runtime, and this thread has none: call it inside \
             `kasasagi::run(async {{ … }})` or a task, or call `Timers::enter` on this thread first"
        ),
    }
}

#[derive(Debug, Clone, Copy)]
enum Due {
    /// So many nanoseconds after the first poll.
    After(u64),
    /// At this moment of the clock.
    At(u64),
}

/// How far it is; what the node's own state does not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Not polled yet, or set anew.
    New,
    /// Polled too late to wait: the next poll completes.
    Yielded,
    /// The node knows.
    Queued,
}

pin_project! {
    /// Completes when its moment has come; made by [`sleep`] and [`sleep_until`].
    ///
    /// Polled again after that, it is ready again. If its reactor is closed first, it completes early rather
    /// than never; a program that goes on after its runtime has ended must not take that for time passed.
    #[must_use = "a future does nothing until it is awaited"]
    pub struct Sleep {
        timers: Timers,
        due: Due,
        phase: Phase,
        place: &'static Location<'static>,
        // What the waker in the node wakes: as long as it lies there, no other can have the same address.
        waker: (usize, usize),
        #[pin]
        node: Node,
    }
}

fn identity(waker: &Waker) -> (usize, usize) {
    (waker.data().addr(), std::ptr::from_ref(waker.vtable()).addr())
}

impl Sleep {
    fn new(timers: Timers, due: Due, place: &'static Location<'static>) -> Self {
        Self { timers, due, phase: Phase::New, place, waker: (0, 0), node: Node::new() }
    }

    /// A sleep of `time` for another future of this crate, and of the place that asked for it.
    pub(super) fn after(timers: Timers, time: Duration, place: &'static Location<'static>) -> Self {
        Self::new(timers, Due::After(nanoseconds(time)), place)
    }

    /// As `after`, until a moment of the clock.
    pub(super) fn until(timers: Timers, ns: u64, place: &'static Location<'static>) -> Self {
        Self::new(timers, Due::At(ns), place)
    }

    /// The moment it waits for; `None` if it never comes, or if it was not polled yet and is counted from
    /// then.
    pub fn deadline(&self) -> Option<Instant> {
        match self.due {
            Due::At(ns) if ns != NEVER => Some(self.timers.clock_ref().instant(ns)),
            _ => None,
        }
    }

    /// Whether its moment has come, and it knows.
    pub fn is_elapsed(&self) -> bool {
        self.phase == Phase::Yielded || self.node.state() == State::Fired
    }

    /// Makes it wait until `deadline` instead, whether it has completed or not.
    pub fn reset(self: Pin<&mut Self>, deadline: Instant) {
        let ns = self.timers.clock_ref().to_ns(deadline);
        self.reset_ns(ns);
    }

    /// As `reset`, until a moment of the clock.
    pub(super) fn reset_ns(self: Pin<&mut Self>, ns: u64) {
        let this = self.project();
        this.node.remove();
        *this.due = Due::At(ns);
        *this.phase = Phase::New;
    }

    /// Says where the program waits for it from now on.
    pub(super) fn wait_at(self: Pin<&mut Self>, place: &'static Location<'static>) {
        *self.project().place = place;
    }

    pub(super) fn timers(&self) -> &Timers {
        &self.timers
    }

    /// Polls without asking the budget; `true` completes at once where a plain sleep yields first.
    pub(super) fn poll_elapsed(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        at_once: bool,
    ) -> Poll<()> {
        let place = self.place;
        let resource = std::ptr::from_ref(&*self).addr();
        let poll = self.poll_phase(cx, at_once);
        if poll.is_pending() {
            task_context::waiting(WaitKind::Sleep, resource, place);
        }
        poll
    }

    fn poll_phase(mut self: Pin<&mut Self>, cx: &mut Context<'_>, at_once: bool) -> Poll<()> {
        match self.phase {
            Phase::Queued => {}
            Phase::Yielded => return Poll::Ready(()),
            Phase::New => return self.begin(cx, at_once),
        }
        let this = self.as_mut().project();
        match this.node.state() {
            State::Fired | State::Dead => Poll::Ready(()),
            // Idle: it never comes.
            State::Idle => Poll::Pending,
            State::Queued => {
                let waker = identity(cx.waker());
                if waker != *this.waker {
                    this.node.rewake(cx.waker().clone());
                    // Read after the exchange: fired before it, the node has woken the old waker.
                    if this.node.state() != State::Queued {
                        return Poll::Ready(());
                    }
                    *this.waker = waker;
                }
                Poll::Pending
            }
        }
    }

    /// The first poll: counts from now, and inserts the timer.
    fn begin(self: Pin<&mut Self>, cx: &mut Context<'_>, at_once: bool) -> Poll<()> {
        let this = self.project();
        let now = this.timers.clock_ref().now_ns();
        let when = match *this.due {
            Due::After(time) => now.saturating_add(time),
            Due::At(ns) => ns,
        };
        *this.due = Due::At(when);
        if when <= now {
            *this.phase = Phase::Yielded;
            if at_once {
                return Poll::Ready(());
            }
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        *this.phase = Phase::Queued;
        if when == NEVER {
            return Poll::Pending;
        }
        let (shard, own) = this.timers.shard_here();
        let to = Insertion { shard, generation: this.timers.generation(), when, now, own };
        *this.waker = identity(cx.waker());
        match this.node.insert(&to, cx.waker().clone()) {
            Ok(None) => Poll::Pending,
            Ok(Some(hurry)) => {
                hurry.wake();
                Poll::Pending
            }
            Err(_) => Poll::Ready(()),
        }
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
