//! Plain counters, one set a seat, always on: written by the seat's thread alone, read by anybody.

use kasasagi_primitive::sync::atomic::{AtomicU64, Ordering};

/// One counter, written by one thread at a time.
#[derive(Debug)]
pub(crate) struct Count(AtomicU64);

impl Count {
    pub(crate) fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Adds to it; the seat's thread alone may. Two plain instructions, no read-modify-write.
    #[inline]
    pub(crate) fn add(&self, n: u64) {
        // Release: who reads the count sees what it counts, see `Shared::live`.
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(n), Ordering::Release);
    }

    #[inline]
    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }
}

/// The counters of one seat.
#[derive(Debug)]
pub(crate) struct Counters {
    pub(crate) spawned: Count,
    pub(crate) completed: Count,
    pub(crate) polls: Count,
    /// Leaf operations that were begun in polls, as of the last check or sleep.
    pub(crate) leaves: Count,
    pub(crate) steals: Count,
    pub(crate) parks: Count,
    pub(crate) checks: Count,
    pub(crate) rescues: Count,
}

impl Counters {
    pub(crate) fn new() -> Self {
        Self {
            spawned: Count::new(),
            completed: Count::new(),
            polls: Count::new(),
            leaves: Count::new(),
            steals: Count::new(),
            parks: Count::new(),
            checks: Count::new(),
            rescues: Count::new(),
        }
    }
}

/// A copy of one seat's counters, each since the scheduler was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SeatMetrics {
    /// Tasks spawned by tasks in this seat.
    pub spawned: u64,
    /// Tasks that ended in this seat.
    pub completed: u64,
    /// Polls of tasks.
    pub polls: u64,
    /// Successful steals from other seats, batches counted once.
    pub steals: u64,
    /// Sleeps.
    pub parks: u64,
    /// Looks outside while busy.
    pub checks: u64,
    /// Times this seat did what another one neglected.
    pub rescues: u64,
}

/// A copy of a scheduler's counters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metrics {
    /// By seat.
    pub seats: Vec<SeatMetrics>,
    /// Tasks spawned from outside the seats.
    pub spawned_outside: u64,
    /// Tasks that have not ended.
    pub live: u64,
    /// Tasks that wait in the injector; about.
    pub injected: usize,
}

impl Counters {
    pub(crate) fn read(&self) -> SeatMetrics {
        SeatMetrics {
            spawned: self.spawned.get(),
            completed: self.completed.get(),
            polls: self.polls.get(),
            steals: self.steals.get(),
            parks: self.parks.get(),
            checks: self.checks.get(),
            rescues: self.rescues.get(),
        }
    }
}
