//! Timers: one shard a seat, "the timers of this thread", and the pool that shards come from.
//!
//! Shards are never freed: a `Sleep` that outlives its reactor may take its shard's lock at any time. They go
//! back to a pool instead, and a generation tells the sleeps of one reactor from those of the next.

use crate::time::clock::Clock;
use crate::time::shard::Shard;
use crate::time::slack::Slack;
use kasasagi_primitive::CachePadded;
use kasasagi_primitive::current::Current;
use kasasagi_primitive::sync::Mutex;
use kasasagi_primitive::sync::atomic::{AtomicUsize, Ordering};
use kasasagi_primitive::thread_local;
use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;
use std::sync::OnceLock;
use std::task::Waker;

thread_local! {
    static CURRENT: Current<Entry> = Current::new()
}

/// What is entered: the timers, and the seat that the thread runs.
struct Entry {
    timers: Timers,
    /// The shard of the thread's own seat.
    own: Option<&'static Shard>,
    /// Taken when the thread is about to wait for a timer, and given back with the entry.
    slack: Cell<Option<Slack>>,
}

/// Where a timer goes that this thread inserts now.
pub(crate) struct Here {
    pub(crate) shard: &'static Shard,
    pub(crate) generation: u32,
    /// Whether the shard is that of the thread's seat.
    pub(crate) own: bool,
    pub(crate) now: u64,
}

type Shards = &'static [CachePadded<Shard>];

/// Shards that serve no reactor, and the generation of the next one to take some.
struct Pool {
    idle: Vec<Shards>,
    generation: u32,
}

fn pool() -> &'static Mutex<Pool> {
    static POOL: OnceLock<Mutex<Pool>> = OnceLock::new();
    POOL.get_or_init(|| Mutex::new(Pool { idle: Vec::new(), generation: 0 }))
}

/// The shards of one reactor, on loan from the pool.
pub(crate) struct House {
    timers: Timers,
}

impl House {
    /// Takes `seats` shards from the pool, or makes them.
    pub(crate) fn open(seats: usize, clock: Clock) -> Self {
        let (found, generation) = {
            let mut pool = pool().lock();
            // It comes round after 2^32 reactors: a sleep would have to be left unpolled for as long as that takes.
            pool.generation = pool.generation.wrapping_add(1);
            let at = pool.idle.iter().position(|shards| shards.len() == seats);
            (at.map(|at| pool.idle.swap_remove(at)), pool.generation)
        };
        let make = || {
            let shards = (0..seats).map(|_| CachePadded::new(Shard::new())).collect();
            &*Box::leak::<'static>(shards)
        };
        let shards: Shards = found.unwrap_or_else(make);
        let timers = Timers { shards, generation, clock };
        shards.iter().for_each(|shard| shard.open(timers.clone()));
        timers.set_exact(timers.clock.is_paused());
        Self { timers }
    }

    /// The handle for those who set timers.
    pub(crate) fn timers(&self) -> &Timers {
        &self.timers
    }

    /// Ends all timers.
    pub(crate) fn shut(&self) {
        self.timers.shards.iter().for_each(|shard| shard.close(self.timers.generation));
    }

    /// Ends all timers and gives the shards back; to be called once, last.
    pub(crate) fn close(&self) {
        self.shut();
        pool().lock().idle.push(self.timers.shards);
    }
}

/// The timers of one reactor: a shard a seat, and the clock.
///
/// Cheap to clone: it owns nothing but its clock. It may outlive its reactor; sleeps made with it then
/// complete at once.
#[derive(Clone)]
pub struct Timers {
    shards: Shards,
    generation: u32,
    clock: Clock,
}

impl Timers {
    /// Makes these the timers of the calling thread until the guard is dropped.
    ///
    /// `seat`: the seat whose worker the thread is. It then inserts into that seat's shard, and nobody is told:
    /// a worker looks at its [`deadline`](crate::Reactor::deadline) before it waits. `None`: a stranger; its
    /// timers go to some seat, which is [hurried](Self::bind) if need be. Guards nest, and are dropped in the
    /// reverse order.
    ///
    /// # Panics
    /// If there is no such seat.
    #[track_caller]
    pub fn enter(&self, seat: Option<usize>) -> TimersGuard {
        if let Some(seat) = seat {
            assert!(
                seat < self.shards.len(),
                "the reactor was made for {} seats, and seat {seat} is none of them",
                self.shards.len()
            );
        }
        let own = seat.map(|seat| self.shard(seat));
        let entry = Entry { timers: self.clone(), own, slack: Cell::new(None) };
        let previous = CURRENT.with(|current| current.replace(Some(entry)));
        TimersGuard { previous, _not_send: PhantomData }
    }

    /// Sets the waker of `seat`: woken when another thread's timer becomes the seat's earliest.
    ///
    /// Where the seat's worker waits until its deadline, `hurry` makes it come back and look again.
    ///
    /// # Panics
    /// If there is no such seat.
    #[track_caller]
    pub fn bind(&self, seat: usize, hurry: Waker) {
        self.shard(seat).bind(self.generation, hurry);
    }

    /// The timers of the calling thread, if some were entered.
    pub fn current() -> Option<Timers> {
        Self::with_current(|timers| timers.cloned())
    }

    /// As `current`, without a copy.
    pub(super) fn with_current<R>(f: impl FnOnce(Option<&Timers>) -> R) -> R {
        CURRENT.with(|current| current.with(|entry| f(entry.map(|entry| &entry.timers))))
    }

    /// The clock they go by.
    pub fn clock(&self) -> Clock {
        self.clock.clone()
    }

    /// Timers of shards that were made elsewhere, for models.
    #[cfg(test)]
    #[allow(dead_code, reason = "models alone make shards")]
    pub(crate) fn of(shards: Shards, generation: u32, clock: Clock) -> Timers {
        Timers { shards, generation, clock }
    }

    /// How many timers wait, in all seats.
    pub fn waiting(&self) -> usize {
        self.shards.iter().map(|shard| shard.len()).sum()
    }

    /// The moment, without a copy of the clock.
    pub(crate) fn clock_ref(&self) -> &Clock {
        &self.clock
    }

    pub(crate) fn generation(&self) -> u32 {
        self.generation
    }

    /// The shard of a seat.
    #[track_caller]
    pub(crate) fn shard(&self, seat: usize) -> &'static Shard {
        &self.shards[seat]
    }

    /// Which shard and reactor a sleep belongs to that this thread makes, until it is polled.
    #[inline]
    pub(super) fn home() -> Option<(&'static Shard, u32)> {
        CURRENT.with(|current| {
            current.with(|entry| {
                let entry = entry?;
                let shard = entry.own.unwrap_or(&entry.timers.shards[0]);
                Some((shard, entry.timers.generation))
            })
        })
    }

    /// Where this thread, if it knows the reactor of that generation, or if any will do, inserts a timer.
    #[inline]
    pub(super) fn here(generation: Option<u32>) -> Option<Here> {
        CURRENT.with(|current| {
            current.with(|entry| {
                let entry = entry?;
                let timers = &entry.timers;
                if generation.is_some_and(|generation| generation != timers.generation) {
                    return None;
                }
                let now = timers.clock.now_ns();
                let own = entry.own.is_some();
                let shard = entry.own.unwrap_or_else(|| timers.shard(timers.any_seat()));
                Some(Here { shard, generation: timers.generation, own, now })
            })
        })
    }

    /// Where a thread that knows nothing of the reactor inserts a timer.
    #[cold]
    pub(super) fn as_stranger(&self) -> Here {
        let shard = self.shard(self.any_seat());
        Here { shard, generation: self.generation, own: false, now: self.clock.now_ns() }
    }

    /// The thread, if it runs a seat, is about to wait for a timer.
    pub(crate) fn be_prompt() {
        CURRENT.with(|current| {
            current.with(|entry| {
                let Some(entry) = entry.filter(|entry| entry.own.is_some()) else { return };
                let slack = entry.slack.take();
                entry.slack.set(slack.or_else(Slack::take));
            });
        });
    }

    /// A seat for a stranger's timer. Not the first if there are others: its thread is the one that called
    /// `run`, and may have left.
    fn any_seat(&self) -> usize {
        static NEXT: OnceLock<AtomicUsize> = OnceLock::new();
        let seats = self.shards.len();
        if seats == 1 {
            return 0;
        }
        let turn = NEXT.get_or_init(|| AtomicUsize::new(0)).fetch_add(1, Ordering::Relaxed);
        1 + turn % (seats - 1)
    }

    /// When the first timer of all seats is due.
    pub(crate) fn earliest(&self) -> Option<u64> {
        let deadlines = self.shards.iter().map(|shard| shard.deadline());
        deadlines.min().filter(|earliest| *earliest != crate::NEVER)
    }

    /// Pauses the clock, if that is possible; says whether it stands still because of this call.
    ///
    /// Who turns the reactor has to look at its deadlines again: they are told in another way from now on.
    pub fn pause(&self) -> bool {
        self.clock.pause() && self.set_exact(true)
    }

    /// Has a paused clock go on from where it stands; says whether it goes on because of this call.
    ///
    /// Who turns the reactor has to look at its deadlines again.
    pub fn resume(&self) -> bool {
        self.clock.resume() && self.set_exact(false)
    }

    fn set_exact(&self, exact: bool) -> bool {
        self.shards.iter().for_each(|shard| shard.set_exact(self.generation, exact));
        true
    }

    /// Hurries the seats that have something to fire: a manual clock was set.
    pub(crate) fn hurry_due(&self) {
        let now = self.clock.now_ns();
        self.shards.iter().for_each(|shard| shard.hurry_due(now));
    }
}

impl fmt::Debug for Timers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timers")
            .field("seats", &self.shards.len())
            .field("clock", &self.clock)
            .finish_non_exhaustive()
    }
}

/// Puts back the timers that the thread had before.
#[must_use = "the timers are the thread's only until the guard is dropped; bind it: `let _entered = …`"]
pub struct TimersGuard {
    previous: Option<Entry>,
    // Another thread has another current.
    _not_send: PhantomData<*const ()>,
}

impl Drop for TimersGuard {
    fn drop(&mut self) {
        let mine = CURRENT.with(|current| current.replace(self.previous.take()));
        drop(mine);
    }
}

impl fmt::Debug for TimersGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TimersGuard").finish_non_exhaustive()
    }
}
