//! Waiting for a moment: [`sleep`], [`timeout`], [`interval`].
//!
//! Time is a `Duration`, a moment an [`Instant`] of the thread's [`Clock`]. On a thread without [`Timers`] all of
//! them panic when they are made, and say so; but for [`timeout`], which needs them only if its future waits.

pub(crate) mod clock;
mod interval;
mod limit;
mod shard;
mod slack;
mod sleep;
mod timeout;
mod timeout_scope;
pub(crate) mod timers;
mod wheel;

pub use crate::time::clock::Clock;
pub use crate::time::timers::Timers;
pub use interval::{Interval, MissedTicks, Tick, interval, interval_at};
pub use sleep::{Sleep, sleep, sleep_until};
pub use std::time::{Duration, Instant};
pub use timeout::{Elapsed, Timeout, timeout, timeout_at};
pub use timeout_scope::{Limited, RescheduleError, TimeoutScope, timeout_scope};

/// The moment by the clock of this thread's timers; by the system's clock on a thread without.
///
/// Counterpart: `loop.time()`.
pub fn now() -> Instant {
    Timers::with_current(|timers| timers.map(|timers| timers.clock_ref().now()))
        .unwrap_or_else(|| Clock::system().now())
}
