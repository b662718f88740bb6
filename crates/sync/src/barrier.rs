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
//! outside, is woken then, and arrives anew; so generations do not mix, and a reset means those who are inside.

mod wait;

pub use wait::BarrierWait;

use kasasagi_primitive::sync::{Mutex, MutexGuard};
use kasasagi_primitive::wait_list::{Place, Turn, WaitList, Waiter};
use kasasagi_primitive::wake_batch::{Lead, wake, wake_caught};
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
/// not left yet. A waiter that is dropped is not counted, and does not break the barrier. What was done before each
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
    state: Mutex<State>,
}

/// The barrier was aborted, or reset while somebody waited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Broken;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Filling,
    Draining,
    Resetting,
    Broken,
}

struct State {
    phase: Phase,
    // How many were let go or sent away, and have not left.
    inside: usize,
    // Grows when those who were let go, and have not left, are to be told that it is broken all the same.
    epoch: u64,
    // Filling: those who have arrived. Draining, resetting: those who wait outside.
    line: WaitList<Ticket>,
    // Kept, so that letting go allocates once.
    spare: VecDeque<Waker>,
}

/// What a waiter is told.
#[derive(Debug, Clone, Copy)]
struct Ticket {
    fate: Fate,
    epoch: u64,
}

#[derive(Debug, Clone, Copy)]
enum Fate {
    /// It is let go, so many before it.
    Go(usize),
    /// It was inside, and is sent away.
    Away,
    /// It was outside, and is sent away.
    Refused,
    /// It was outside, and may come in now.
    Again,
}

impl Barrier {
    /// A barrier for so many.
    ///
    /// # Panics
    /// When `parties` is zero.
    #[track_caller]
    pub fn new(parties: usize) -> Self {
        assert!(parties > 0, "a barrier for nobody: `parties` is one at least");
        let (line, spare) = (WaitList::new(), VecDeque::new());
        let state = State { phase: Phase::Filling, inside: 0, epoch: 0, line, spare };
        Self { parties, state: Mutex::new(state) }
    }

    /// Waits until all are there; gives each a number of its own, from zero, in the order in which they came.
    ///
    /// # Errors
    /// [`Broken`] when it is aborted, or reset while this one waits.
    ///
    /// # Cancel safety
    /// Cancel safe, but no longer counts as one who has come. Dropped when all were there already, it has passed: the
    /// others go on.
    ///
    /// Counterpart: `asyncio.Barrier.wait`.
    #[track_caller]
    pub fn wait(&self) -> BarrierWait<'_> {
        BarrierWait::new(self, Location::caller())
    }

    /// Makes it ready for a new start: those who wait get [`Broken`].
    ///
    /// Nothing happens if nobody waits. Also those get `Broken` who were let go and have not run since, but not those who
    /// came for the next time meanwhile. A broken barrier is whole again.
    ///
    /// Counterpart: `asyncio.Barrier.reset`.
    pub fn reset(&self) {
        let mut state = self.state.lock();
        match state.phase {
            Phase::Filling if state.line.is_empty() => return,
            Phase::Filling => {
                state.phase = Phase::Resetting;
                state.inside = state.line.len();
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
        let wakers = state.tell_all(|_| Fate::Away);
        self.wake(state, wakers);
    }

    /// Breaks it: all who wait, and all who come until it is [reset](Self::reset), get [`Broken`].
    ///
    /// Counterpart: `asyncio.Barrier.abort`.
    pub fn abort(&self) {
        let mut state = self.state.lock();
        let phase = mem::replace(&mut state.phase, Phase::Broken);
        let wakers = match phase {
            Phase::Filling => {
                state.inside = state.line.len();
                state.tell_all(|_| Fate::Away)
            }
            Phase::Draining | Phase::Resetting => {
                state.epoch += 1;
                state.tell_all(|_| Fate::Refused)
            }
            Phase::Broken => return,
        };
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
        let mut clone = None;
        while !waiter.is_out() {
            let mut state = self.state.lock();
            let ticket = match state.line.poll_by(waiter.as_mut(), cx.waker(), &mut clone) {
                Some(Turn::Served(ticket)) => ticket,
                turn => {
                    drop(state);
                    if turn.is_some() {
                        return Poll::Pending;
                    }
                    clone = Some(cx.waker().clone());
                    continue;
                }
            };
            let answer = match ticket.fate {
                Fate::Go(number) if ticket.epoch == state.epoch => Some(Ok(number)),
                Fate::Again => None,
                _ => Some(Err(Broken)),
            };
            if let Some(answer) = answer {
                self.left(state, ticket);
                return Poll::Ready(answer);
            }
        }
        self.arrive(waiter, cx.waker().clone())
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
        let before = state.line.len();
        if state.phase != Phase::Filling || before + 1 < self.parties {
            state.line.push_back(waiter, waker);
            return Poll::Pending;
        }
        if before > 0 {
            state.phase = Phase::Draining;
            state.inside = before;
            let wakers = state.tell_all(Fate::Go);
            self.wake(state, wakers);
        } else {
            drop(state);
        }
        // The last one's waker is dropped here, after the lock.
        Poll::Ready(Ok(before))
    }

    /// One who was told something knows it now, or will never.
    fn left<'a>(&'a self, mut state: MutexGuard<'a, State>, ticket: Ticket) {
        if matches!(ticket.fate, Fate::Again | Fate::Refused) {
            return;
        }
        state.inside -= 1;
        if state.inside > 0 || !matches!(state.phase, Phase::Draining | Phase::Resetting) {
            return;
        }
        state.phase = Phase::Filling;
        let wakers = state.tell_all(|_| Fate::Again);
        self.wake(state, wakers);
    }

    /// A future is dropped.
    fn leave(&self, waiter: Pin<&mut Waiter<Ticket>>) {
        if waiter.is_out() {
            return;
        }
        let mut state = self.state.lock();
        match state.line.remove(waiter) {
            Place::Served(ticket) => self.left(state, ticket),
            place => {
                drop(state);
                drop(place);
            }
        }
    }

    /// Wakes those who were told something, outside the lock.
    fn wake<'a>(&'a self, state: MutexGuard<'a, State>, wakers: Wakers) {
        drop(state);
        if wakers.0.capacity() == 0 {
            return;
        }
        let spare = wakers.wake_all();
        self.state.lock().spare = spare;
    }
}

impl State {
    fn n_waiting(&self) -> usize {
        if self.phase == Phase::Filling { self.line.len() } else { 0 }
    }

    /// Tells all in line what becomes of them, and takes them out of it.
    fn tell_all(&mut self, fate: impl Fn(usize) -> Fate) -> Wakers {
        let mut wakers = mem::take(&mut self.spare);
        wakers.reserve(self.line.len());
        let epoch = self.epoch;
        let mut number = 0;
        while let Some(ticket) = self.line.front() {
            *ticket = Ticket { fate: fate(number), epoch };
            number += 1;
            wakers.extend(self.line.pop_front());
        }
        Wakers(wakers)
    }
}

/// Wakers to be woken with no lock held, all of them, even if one panics.
struct Wakers(VecDeque<Waker>);

impl Wakers {
    fn wake_all(mut self) -> VecDeque<Waker> {
        let lead = self.0.pop_front().map(Lead::new);
        while let Some(waker) = self.0.pop_front() {
            wake(waker);
        }
        if let Some(lead) = lead {
            lead.follow();
        }
        mem::take(&mut self.0)
    }
}

impl Drop for Wakers {
    fn drop(&mut self) {
        for waker in self.0.drain(..) {
            wake_caught(waker);
        }
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
