//! How much memory a large argument costs: the allocator counts.

use super::drive::run;
use super::jobs::{square, workers};
use kasasagi_process_pool::Bytes;
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

struct Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

fn more(bytes: usize) {
    let live = LIVE.fetch_add(bytes, Ordering::Relaxed) + bytes;
    PEAK.fetch_max(live, Ordering::Relaxed);
}

// SAFETY: the system's allocator does all of it; beside it, bytes are counted.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        more(layout.size());
        // SAFETY: the caller keeps what `alloc` asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller keeps what `dealloc` asks for.
        unsafe { System.dealloc(block, layout) }
    }

    // What the system can move, it moves without a second copy in between; so is it counted.
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        more(size.saturating_sub(layout.size()));
        LIVE.fetch_sub(layout.size().saturating_sub(size), Ordering::Relaxed);
        // SAFETY: the caller keeps what `realloc` asks for.
        unsafe { System.realloc(block, layout, size) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

const LENGTH: usize = 16 << 20;

fn echo(bytes: Bytes) -> Bytes {
    bytes
}

/// The encoded argument, the frame that comes back and what is decoded of it; each once, and no fourth.
pub(super) fn count() {
    run(async {
        let workers = workers(1);
        let warm = workers.request(square, &3).expect("it can be sent");
        assert_eq!(workers.call(warm).await.expect("it ends"), 9);
        let argument = Bytes::from(vec![7; LENGTH]);
        let before = LIVE.load(Ordering::Relaxed);
        PEAK.store(before, Ordering::Relaxed);
        let request = workers.request(echo, &argument).expect("it can be sent");
        let encoded = PEAK.load(Ordering::Relaxed) - before;
        assert!((LENGTH..LENGTH + (1 << 20)).contains(&encoded), "{encoded} bytes to encode it");
        let back = workers.call(request).await.expect("it ends");
        assert!(back == argument);
        let most = PEAK.load(Ordering::Relaxed) - before;
        assert!(most <= 3 * LENGTH + (1 << 20), "{most} bytes to send it and to have it back");
        drop(back);
        let kept = LIVE.load(Ordering::Relaxed).saturating_sub(before);
        assert!(kept <= 2 << 20, "{kept} bytes are kept");
    });
}
