//! What a process uses: bytes, descriptors, threads, processor time.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

struct Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let live = LIVE.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        PEAK.fetch_max(live, Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

pub(crate) fn live_bytes() -> usize {
    LIVE.load(Ordering::Relaxed)
}

pub(crate) fn peak_bytes() -> usize {
    PEAK.load(Ordering::Relaxed)
}

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
            bytes: live_bytes(),
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
