//! A place where so many wait until all are there.
//!
//! ```text
//!                    the last one arrives              all have left
//!   Filling ──────────────────────────────► Draining ───────────────► Filling
//!      │ reset, if somebody waits               │ reset                   ▲
//!      └──────────────► Resetting ◄─────────────┘                         │
//!                           └─────────── all have left ───────────────────┘
//!   any of them ── abort ──► Broken ── reset ──► Resetting, or Filling if nobody is left inside
//! ```
//!
//! Who was let go, or sent away, has left when its future was polled once more, or dropped. Who arrives before that waits
//! outside, and is woken then. It counts from that moment, and nobody who comes later passes it; but it comes in when it
//! is polled. So generations do not mix, and a reset means those who are inside, or have come in.

mod state;
mod wait;

pub use wait::BarrierWait;

use kasasagi_primitive::sync::{ShortLock, ShortLockGuard};
use kasasagi_primitive::wait_list::{Place, Turn, WaitList, Waiter};
use kasasagi_primitive::wake_batch::wake;
use state::{Fate, Phase, State, Ticket, Wakers};
use std::collections::VecDeque;
use std::error::Error;
use std::fmt;
use std::mem;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

/// Lets tasks go on together: each waits until as many have come as it was made for.
///
/// Not for waiting until tasks have ended: a `TaskGroup` does that. Not for starting many at a signal of one: that is
/// what an [`Event`](crate::Event) is for.
///
/// It can be used again and again: who waits a second time joins the next generation, also if others of the first have
/// not left yet; first come, first served, if more come than it takes. A waiter that is dropped is not counted, and does not break the barrier. What was done before each
/// `wait` of a generation happens before what is done after any of them. Works under any executor.
///
/// # Examples
/// ```
/// use kasasagi_sync::Barrier;
/// # async fn prepare() {}
/// async fn worker(start: &Barrier) {
///     prepare().await;
///     if start.wait().await == Ok(0) {
///         println!("all are ready");
///     }
/// }
/// ```
///
/// Counterpart: `asyncio.Barrier`.
pub struct Barrier {
    parties: usize,
    state: ShortLock<State>,
}

/// The barrier was aborted, or reset while somebody waited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Broken;

impl Barrier {
    /// A barrier for so many.
    ///
    /// # Panics
    /// When `parties` is zero.
    #[track_caller]
    pub fn new(parties: usize) -> Self {
        assert!(parties > 0, "a barrier for nobody: `parties` is one at least");
        let (line, outside, spare) = (WaitList::new(), WaitList::new(), VecDeque::new());
        let state = State {
            phase: Phase::Filling,
            inside: 0,
            epoch: 0,
            line,
            outside,
            came_in: false,
            spare,
        };
        Self { parties, state: ShortLock::new(state) }
    }

    /// Waits until all are there; gives each a number of its own, from zero, in the order in which they came.
    ///
    /// # Errors
    /// [`Broken`] when it is aborted, or reset while this one waits.
    ///
    /// # Cancel safety
    /// Cancel safe, but no longer counts as one who has come. Dropped when all were there already, it has passed: the
    /// others go on. Kept without being polled after it was let go, or told to come in, it holds up whoever comes for the
    /// next time: poll it, or drop it.
    ///
    /// Counterpart: `asyncio.Barrier.wait`.
    #[track_caller]
    pub fn wait(&self) -> BarrierWait<'_> {
        BarrierWait::new(self, Location::caller())
    }

    /// Makes it ready for a new start: those who wait get [`Broken`].
    ///
    /// Nothing happens if nobody waits. Also those get `Broken` who were let go and have not run since, but not those who
    /// came for the next time meanwhile, until they have run. A broken barrier is whole again.
    ///
    /// Counterpart: `asyncio.Barrier.reset`.
    pub fn reset(&self) {
        let mut state = self.state.lock();
        match state.phase {
            Phase::Filling if state.present() == 0 => return,
            Phase::Filling => {
                state.phase = Phase::Resetting;
                state.inside = state.present();
            }
            Phase::Draining => {
                state.phase = Phase::Resetting;
                state.epoch += 1;
                return;
            }
            Phase::Resetting => return,
            Phase::Broken => {
                let is_empty = state.inside == 0;
                state.phase = if is_empty { Phase::Filling } else { Phase::Resetting };
                return;
            }
        }
        let wakers = state.send_away(false);
        self.wake(state, wakers);
    }

    /// Breaks it: all who wait, and all who come until it is [reset](Self::reset), get [`Broken`].
    ///
    /// Counterpart: `asyncio.Barrier.abort`.
    pub fn abort(&self) {
        let mut state = self.state.lock();
        match mem::replace(&mut state.phase, Phase::Broken) {
            Phase::Filling => state.inside = state.present(),
            Phase::Draining | Phase::Resetting => state.epoch += 1,
            Phase::Broken => return,
        }
        let wakers = state.send_away(true);
        self.wake(state, wakers);
    }

    /// How many it takes.
    ///
    /// Counterpart: `asyncio.Barrier.parties`.
    pub fn parties(&self) -> usize {
        self.parties
    }

    /// How many have come, and wait for the others; none while those who were let go leave.
    ///
    /// Counterpart: `asyncio.Barrier.n_waiting`.
    pub fn n_waiting(&self) -> usize {
        self.state.lock().n_waiting()
    }

    /// Whether it was aborted, and not reset since.
    ///
    /// Counterpart: `asyncio.Barrier.broken`.
    pub fn broken(&self) -> bool {
        self.state.lock().phase == Phase::Broken
    }

    fn poll_wait(
        &self,
        mut waiter: Pin<&mut Waiter<Ticket>>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<usize, Broken>> {
        if waiter.is_out() {
            return self.arrive(waiter, cx.waker().clone());
        }
        let mut clone = None;
        loop {
            let mut state = self.state.lock();
            match state.list_of(&waiter).poll_by(waiter.as_mut(), cx.waker(), &mut clone) {
                Some(Turn::Served(ticket)) => {
                    let answer = match ticket.fate {
                        Fate::Go(number) if ticket.epoch == state.epoch => Ok(number),
                        _ => Err(Broken),
                    };
                    self.left(state, ticket);
                    return Poll::Ready(answer);
                }
                Some(Turn::Wait(before)) => {
                    let wakers = state.come_in(&waiter, self.parties);
                    let is_let_go = wakers.is_some();
                    self.wake(state, wakers.unwrap_or_default());
                    drop(before);
                    if !is_let_go {
                        return Poll::Pending;
                    }
                }
                None => {
                    drop(state);
                    clone = Some(cx.waker().clone());
                }
            }
        }
    }

    fn arrive(
        &self,
        waiter: Pin<&mut Waiter<Ticket>>,
        waker: Waker,
    ) -> Poll<Result<usize, Broken>> {
        let mut state = self.state.lock();
        if state.phase == Phase::Broken {
            drop(state);
            return Poll::Ready(Err(Broken));
        }
        let before = state.n_waiting();
        let mut wakers = Wakers::default();
        if before >= self.parties {
            wakers = state.let_go(self.parties);
        }
        if state.phase != Phase::Filling {
            state.outside.push_back(waiter, waker);
        } else if before + 1 < self.parties {
            state.line.push_back(waiter, waker);
        } else {
            if before > 0 {
                wakers = state.let_go(before);
            }
            self.wake(state, wakers);
            // The last one's waker is dropped here, after the lock.
            return Poll::Ready(Ok(before));
        }
        self.wake(state, wakers);
        Poll::Pending
    }

    /// One who was told something knows it now, or will never.
    fn left<'a>(&'a self, mut state: ShortLockGuard<'a, State>, ticket: Ticket) {
        if matches!(ticket.fate, Fate::Refused) {
            return;
        }
        state.inside -= 1;
        if state.inside > 0 || !matches!(state.phase, Phase::Draining | Phase::Resetting) {
            return;
        }
        let first = state.begin_filling();
        drop(state);
        if let Some(first) = first {
            wake(first);
        }
    }

    /// A future is dropped.
    fn leave(&self, waiter: Pin<&mut Waiter<Ticket>>) {
        if waiter.is_out() {
            return;
        }
        let mut state = self.state.lock();
        match state.list_of(&waiter).remove(waiter) {
            Place::Served(ticket) => self.left(state, ticket),
            place => {
                let next = state.gone(matches!(place, Place::Queued(None)));
                drop(state);
                if let Some(next) = next {
                    wake(next);
                }
                drop(place);
            }
        }
    }

    /// Wakes those who were told something, outside the lock.
    fn wake<'a>(&'a self, state: ShortLockGuard<'a, State>, wakers: Wakers) {
        drop(state);
        if wakers.0.capacity() == 0 {
            return;
        }
        let spare = wakers.wake_all();
        self.state.lock().spare = spare;
    }
}

impl fmt::Debug for Barrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state.lock();
        let (phase, waiters) = (state.phase, state.n_waiting());
        drop(state);
        let phase = match phase {
            Phase::Filling => "filling",
            Phase::Draining => "draining",
            Phase::Resetting => "resetting",
            Phase::Broken => "broken",
        };
        f.debug_struct("Barrier")
            .field("state", &format_args!("{phase}"))
            .field("waiters", &format_args!("{waiters}/{}", self.parties))
            .finish()
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the barrier is broken: it was aborted, or reset while somebody waited")
    }
}

impl Error for Broken {}

const _: () = {
    const fn shared<T: Send + Sync>() {}
    shared::<Barrier>();
    shared::<BarrierWait<'_>>();
};
