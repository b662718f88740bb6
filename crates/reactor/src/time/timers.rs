//! Timers: one shard a seat, "the timers of this thread", and the pool that shards come from.
//!
//! Shards are never freed: a `Sleep` that outlives its reactor may take its shard's lock at any time. They go
//! back to a pool instead, and a generation tells the sleeps of one reactor from those of the next.

use crate::time::clock::Clock;
use crate::time::shard::Shard;
use kasasagi_primitive::CachePadded;
use kasasagi_primitive::current::Current;
use kasasagi_primitive::sync::Mutex;
use kasasagi_primitive::sync::atomic::{AtomicUsize, Ordering};
use kasasagi_primitive::thread_local;
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
    seat: Option<usize>,
}

type Shards = &'static [CachePadded<Shard>];

/// Shards that serve no reactor, and the generation of the next one to take some.
struct Pool {
    idle: Vec<Shards>,
    generation: u64,
}

fn pool() -> &'static Mutex<Pool> {
    static POOL: OnceLock<Mutex<Pool>> = OnceLock::new();
    POOL.get_or_init(|| Mutex::new(Pool { idle: Vec::new(), generation: 0 }))
}

/// The shards of one reactor, on loan from the pool.
pub(crate) struct House {
    shards: Shards,
    generation: u64,
}

impl House {
    /// Takes `seats` shards from the pool, or makes them.
    pub(crate) fn open(seats: usize) -> Self {
        let (found, generation) = {
            let mut pool = pool().lock();
            pool.generation += 1;
            let at = pool.idle.iter().position(|shards| shards.len() == seats);
            (at.map(|at| pool.idle.swap_remove(at)), pool.generation)
        };
        let make = || {
            let shards = (0..seats).map(|_| CachePadded::new(Shard::new())).collect();
            &*Box::leak::<'static>(shards)
        };
        let shards: Shards = found.unwrap_or_else(make);
        shards.iter().for_each(|shard| shard.open(generation));
        Self { shards, generation }
    }

    /// The handle for those who set timers.
    pub(crate) fn timers(&self, clock: Clock) -> Timers {
        Timers { shards: self.shards, generation: self.generation, clock }
    }

    /// Ends all timers.
    pub(crate) fn shut(&self) {
        self.shards.iter().for_each(|shard| shard.close(self.generation));
    }

    /// Ends all timers and gives the shards back; to be called once, last.
    pub(crate) fn close(&self) {
        self.shut();
        pool().lock().idle.push(self.shards);
    }
}

/// The timers of one reactor: a shard a seat, and the clock.
///
/// Cheap to clone: it owns nothing but a manual clock. It may outlive its reactor; sleeps made with it then
/// complete at once.
#[derive(Clone)]
pub struct Timers {
    shards: Shards,
    generation: u64,
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
        let entry = Entry { timers: self.clone(), seat };
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
        CURRENT.with(|current| current.with(|entry| entry.map(|entry| entry.timers.clone())))
    }

    /// The clock they go by.
    pub fn clock(&self) -> Clock {
        self.clock.clone()
    }

    /// Timers of shards that were made elsewhere, for models.
    #[cfg(test)]
    #[allow(dead_code, reason = "models alone make shards")]
    pub(crate) fn of(shards: Shards, generation: u64, clock: Clock) -> Timers {
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

    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }

    /// The shard of a seat.
    #[track_caller]
    pub(crate) fn shard(&self, seat: usize) -> &'static Shard {
        &self.shards[seat]
    }

    /// The shard for a timer that this thread inserts, and whether it is the thread's own.
    pub(crate) fn shard_here(&self) -> (&'static Shard, bool) {
        let seat = CURRENT.with(|current| {
            current.with(|entry| {
                let entry = entry.filter(|entry| entry.timers.generation == self.generation)?;
                entry.seat
            })
        });
        match seat {
            Some(seat) => (self.shard(seat), true),
            None => (self.shard(self.any_seat()), false),
        }
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
