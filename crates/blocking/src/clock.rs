//! What time it is, for ages and limits. In a model time does not pass.

use kasasagi_primitive::MODEL;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// Time since some moment in the life of the process.
#[expect(
    clippy::disallowed_methods,
    reason = "ages of jobs and limits of waits, in real time: pool threads know no driver"
)]
pub(crate) fn now() -> Duration {
    static START: OnceLock<Instant> = OnceLock::new();
    if MODEL {
        return Duration::ZERO;
    }
    Instant::now().saturating_duration_since(*START.get_or_init(Instant::now))
}
