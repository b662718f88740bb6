//! What a process uses: bytes, descriptors, threads, processor time.

use crate::bytes;
use std::time::{Duration, Instant};

fn entries(of: &str) -> usize {
    std::fs::read_dir(of).map_or(0, Iterator::count)
}

/// Processor time of the whole process, user and system.
pub(crate) fn cpu() -> Duration {
    // SAFETY: all zeros is a valid `rusage`.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: it is writable.
    let result = unsafe { libc::getrusage(libc::RUSAGE_SELF, &raw mut usage) };
    assert_eq!(result, 0, "getrusage knows its own process");
    let of = |time: libc::timeval| {
        Duration::new(time.tv_sec.unsigned_abs(), 0)
            + Duration::from_micros(time.tv_usec.unsigned_abs())
    };
    of(usage.ru_utime) + of(usage.ru_stime)
}

/// What there was before the workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Baseline {
    pub(crate) descriptors: usize,
    pub(crate) threads: usize,
    pub(crate) bytes: usize,
}

impl Baseline {
    pub(crate) fn take() -> Self {
        Self {
            descriptors: entries("/proc/self/fd"),
            threads: entries("/proc/self/task"),
            bytes: bytes::live(),
        }
    }

    /// What there is now, once it is what it was; a thread that was joined is listed a moment longer.
    pub(crate) fn settle(&self) -> Self {
        let start = Instant::now();
        loop {
            let now = Self::take();
            let same = now.descriptors <= self.descriptors && now.threads <= self.threads;
            if same || start.elapsed() > Duration::from_secs(1) {
                return now;
            }
            std::thread::yield_now();
        }
    }
}
