//! Allocator: the system's, which counts while it is asked to.
//!
//! It is the allocator of every program of this package. While it does not count, a call costs one load of a
//! constant more than the system's own; times are taken then.
#![allow(unsafe_code, reason = "an allocator is an unsafe impl")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::Relaxed};

/// The system's allocator, how often it was called, and how many bytes are out.
struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

static COUNTS: AtomicBool = AtomicBool::new(false);
static CALLS: AtomicU64 = AtomicU64::new(0);
static OUT: AtomicI64 = AtomicI64::new(0);

/// Begins to count; what was allocated before is not in [`bytes_out`].
pub fn begin() {
    COUNTS.store(true, Relaxed);
}

/// Counts no more.
pub fn end() {
    COUNTS.store(false, Relaxed);
}

/// Allocations and reallocations counted so far.
pub fn calls() -> u64 {
    CALLS.load(Relaxed)
}

/// Bytes asked for while it counted, less those given back; without what malloc adds.
pub fn bytes_out() -> i64 {
    OUT.load(Relaxed)
}

/// The allocations of all threads while `body` runs.
pub fn during(body: impl FnOnce()) -> u64 {
    begin();
    let before = calls();
    body();
    let after = calls();
    end();
    after - before
}

fn came(bytes: usize) {
    if COUNTS.load(Relaxed) {
        CALLS.fetch_add(1, Relaxed);
        OUT.fetch_add(bytes as i64, Relaxed);
    }
}

fn went(bytes: usize) {
    if COUNTS.load(Relaxed) {
        OUT.fetch_sub(bytes as i64, Relaxed);
    }
}

// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        came(layout.size());
        // SAFETY: the caller's promises are the ones that the system's allocator asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        came(layout.size());
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        went(layout.size());
        // SAFETY: as above.
        unsafe { System.dealloc(ptr, layout) }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        went(layout.size());
        came(size);
        // SAFETY: as above.
        unsafe { System.realloc(ptr, layout, size) }
    }
}
