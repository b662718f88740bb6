//! Where tasks meet: locks, permits, queues, channels.
//!
//! All of the crate `kasasagi-sync`, which works under any executor and tells which type is for what; and
//! [`RateLimiter`], which needs a clock and a timer, and so is built here, on that crate's [`RateWindow`].

mod rate_limiter;

#[doc(inline)]
pub use kasasagi_sync::*;
pub use rate_limiter::{RateAcquire, RateLimiter};
