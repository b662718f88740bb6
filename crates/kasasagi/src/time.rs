//! Waiting for a moment: [`sleep`], [`timeout`], [`interval`]; and time that stands still, for tests: [`pause`].
//!
//! Time is a `Duration`, a moment an [`Instant`]. [`now`] is the moment by the clock of the runtime that the code runs
//! in, which [`pause`] stops; `Instant::now()` is the system's, which nothing stops. On a thread without a runtime all
//! futures here panic when they are made, and say so; but for [`timeout`], which needs one only if its future waits.

pub use crate::virtual_time::{Advance, advance, pause, resume};
pub use kasasagi_reactor::time::*;
