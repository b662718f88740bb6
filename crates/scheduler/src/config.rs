//! What can be turned at a scheduler, with units and reasons.

use std::fmt;
use std::sync::Arc;

/// The most seats a scheduler can have: the idle word has a bit for each.
pub const MAX_SEATS: usize = 32;

/// The figures of one scheduler.
#[derive(Clone)]
#[non_exhaustive]
pub struct Config {
    /// Seats, 1 to [`MAX_SEATS`]; seat 0 is for the thread that calls `run`.
    pub seats: usize,
    /// Seeds the order in which victims are tried; two schedulers with one seed try in the same order.
    pub seed: u64,
    /// Polls that may go to the slot in a row before the queue has its turn. A chain of wakes is served from
    /// cache that long; a queued task waits for at most this many polls more. tokio's figure is 3.
    pub lifo_limit: u32,
    /// The most tasks that one steal takes: an empty queue has room for 64 without growing.
    pub steal_limit: usize,
    /// The time between two looks outside that a busy worker aims at, in nanoseconds. 50 µs: a look costs
    /// about half a microsecond, so about 1 %.
    pub check_target: u64,
    /// How long a worker that was woken to help has to be of use, in nanoseconds, for its help to be worth the wake,
    /// which costs both sides some 10 µs.
    pub worth_waking: u64,
    /// How long a poll by a worker that was woken to help has to take on average, in nanoseconds, for its help to be
    /// worth the cache lines that change hands.
    pub worth_sharing: u64,
    /// How long a parked worker leaves the others' neglect unwatched, in nanoseconds: the sentinel's period.
    /// 5 ms: what stood still for two looks is served within 10 ms, for 200 looks a second while others run.
    pub sentinel_period: u64,
    /// Called when there is work and nobody in any seat; the roof lends a thread then.
    pub on_vacant: Option<Arc<dyn Fn() + Send + Sync>>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            seats: 1,
            seed: 0x9e37_79b9_7f4a_7c15,
            lifo_limit: 4,
            steal_limit: 64,
            check_target: 50_000,
            worth_waking: 20_000,
            worth_sharing: 300,
            sentinel_period: 5_000_000,
            on_vacant: None,
        }
    }
}

impl Config {
    /// The defaults, with `seats` seats.
    pub fn with_seats(seats: usize) -> Self {
        Self { seats, ..Self::default() }
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("seats", &self.seats)
            .field("seed", &self.seed)
            .field("lifo_limit", &self.lifo_limit)
            .field("steal_limit", &self.steal_limit)
            .field("check_target", &self.check_target)
            .field("worth_waking", &self.worth_waking)
            .field("worth_sharing", &self.worth_sharing)
            .field("sentinel_period", &self.sentinel_period)
            .finish_non_exhaustive()
    }
}
