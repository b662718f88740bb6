//! An allocator that counts what is live, for each program of tests that includes this file.

#![allow(unsafe_code, reason = "an allocator that counts")]
#![allow(dead_code, reason = "each program asks for a part of it")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

struct Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);
static BLOCKS: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let live = LIVE.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        PEAK.fetch_max(live, Ordering::Relaxed);
        BLOCKS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Ordering::Relaxed);
        BLOCKS.fetch_sub(1, Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

pub(crate) fn live() -> usize {
    LIVE.load(Ordering::Relaxed)
}

/// Live bytes without outgrown buffers of queues: these are freed by epochs, which advance when somebody looks.
pub(crate) fn live_without_garbage() -> usize {
    for _ in 0..64 {
        crossbeam_epoch::pin().flush();
    }
    live()
}

pub(crate) fn blocks() -> usize {
    BLOCKS.load(Ordering::Relaxed)
}

/// The most bytes that were live at once.
pub(crate) fn peak() -> usize {
    PEAK.load(Ordering::Relaxed)
}
