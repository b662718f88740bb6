//! The system's monotonic clock, as nanoseconds since an epoch of ours, and as `Instant`s.
//!
//! On Linux it is read without `Instant`, whose difference to the epoch costs more instructions than the clock itself. The
//! two show the same clock, but for the moment that lies between the two looks at it that make the epoch.
#![allow(unsafe_code, reason = "libc's `clock_gettime` writes through a pointer")]

use std::sync::OnceLock;
use std::time::Instant;

#[derive(Clone, Copy)]
struct Epoch {
    instant: Instant,
    /// What the raw clock showed then, or at most so much later as `CLOSE` says.
    #[cfg(target_os = "linux")]
    raw: u64,
}

static EPOCH: OnceLock<Epoch> = OnceLock::new();

/// The moment of the epoch: that at which the clock was first asked for.
pub(super) fn epoch() -> Instant {
    EPOCH.get_or_init(Epoch::new).instant
}

/// Two looks no further apart than this are the same, in nanoseconds: they take some 50 each, if nothing interrupts them.
#[cfg(target_os = "linux")]
const CLOSE: u64 = 500;

#[cfg(target_os = "linux")]
impl Epoch {
    fn new() -> Self {
        let look = || Self { instant: Instant::now(), raw: raw() };
        let mut best = (u64::MAX, look());
        for _ in 0..100 {
            let before = raw();
            // The raw look comes second: so what is counted from it is never ahead of the `Instant`s, and nobody wakes
            // before their time.
            let epoch = look();
            let apart = epoch.raw.saturating_sub(before);
            if apart < best.0 {
                best = (apart, epoch);
            }
            if apart <= CLOSE {
                break;
            }
        }
        best.1
    }
}

#[cfg(target_os = "linux")]
#[inline]
fn raw() -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: it writes a timespec, and there is one.
    let result = unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut now) };
    debug_assert_eq!(result, 0, "every Linux has a monotonic clock");
    // Neither is negative, and the sum fits for as long as a machine may run.
    (now.tv_sec as u64).wrapping_mul(1_000_000_000).wrapping_add(now.tv_nsec as u64)
}

/// Nanoseconds since the epoch.
#[cfg(target_os = "linux")]
#[inline]
pub(super) fn now_ns() -> u64 {
    let epoch = EPOCH.get_or_init(Epoch::new).raw;
    raw().saturating_sub(epoch)
}

#[cfg(not(target_os = "linux"))]
impl Epoch {
    fn new() -> Self {
        Self { instant: Instant::now() }
    }
}

/// Nanoseconds since the epoch.
#[cfg(not(target_os = "linux"))]
#[inline]
pub(super) fn now_ns() -> u64 {
    let since = Instant::now().saturating_duration_since(epoch());
    // It fits, for as long as a process may run.
    since.as_secs().wrapping_mul(1_000_000_000).wrapping_add(since.subsec_nanos().into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn the_clock_is_never_ahead_of_the_instants_and_hardly_behind() {
        for _ in 0..10_000 {
            let ns = now_ns();
            let instant = Instant::now();
            assert!(epoch() + Duration::from_nanos(ns) <= instant);
        }
        // Hardly: the closest of many looks, where one may be interrupted.
        let behind = (0..10_000).map(|_| {
            let instant = Instant::now();
            instant.saturating_duration_since(epoch() + Duration::from_nanos(now_ns()))
        });
        assert!(behind.min().is_some_and(|behind| behind < Duration::from_micros(100)));
    }
}
