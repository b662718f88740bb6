//! What heaps take from the allocator they give back, whoever frees last. One test, since the count is of the whole
//! process.
#![allow(unsafe_code, reason = "a counting allocator, and blocks that are freed by hand")]

use kasasagi_primitive::alloc::Layout;
use kasasagi_primitive::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use kasasagi_primitive::thread;
use kasasagi_task::slab::{BlockHead, Heap, HeapRef, free};
use std::alloc::{GlobalAlloc, System};
use std::ptr::NonNull;

struct Counting;

/// Bytes of pages and of blocks that lie alone: what is aligned as nothing else is.
static PAGES: AtomicUsize = AtomicUsize::new(0);
/// Bytes of all the rest.
static REST: AtomicUsize = AtomicUsize::new(0);

fn count_of(layout: Layout) -> &'static AtomicUsize {
    if layout.align() >= 4096 { &PAGES } else { &REST }
}

// SAFETY: System does the work.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count_of(layout).fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: as the caller says.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        count_of(layout).fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as the caller says.
        unsafe { System.dealloc(ptr, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

struct Sent(NonNull<BlockHead>);
// SAFETY: a block may be given back by any thread.
unsafe impl Send for Sent {}

const SIZES: [usize; 7] = [64, 144, 160, 250, 1000, 5000, 40_000];

fn take(heap: &Heap, n: usize) -> Sent {
    let layout = Layout::from_size_align(SIZES[n % SIZES.len()], 16).expect("a valid layout");
    let block = heap.alloc(layout);
    // SAFETY: the block is this thread's.
    let state: &AtomicU64 = unsafe { &(*block.as_ptr()).state };
    state.store(1, Ordering::Release);
    Sent(block)
}

fn give(block: Sent) {
    // SAFETY: each block is in one place and taken out of there.
    unsafe { free(block.0) }
}

fn shown(registry: &HeapRef) -> usize {
    let mut count = 0;
    registry.scan(&mut |_| count += 1);
    count
}

/// A heap with 2,000 blocks out, of which three threads free a third each while it ends and a fourth scans.
fn a_life(ends_first: bool) {
    let heap = Heap::new();
    let registry = heap.registry();
    let mut shares = [Vec::new(), Vec::new(), Vec::new()];
    for n in 0..2_000 {
        shares[n % 3].push(take(&heap, n));
    }
    assert_eq!(shown(&registry), 2_000);
    let frees = move |share: Vec<Sent>| move || share.into_iter().for_each(give);
    let [first, second, third] = shares.map(frees);
    let mut heap = Some(heap);
    if ends_first {
        drop(heap.take());
        assert_eq!(shown(&registry), 0);
    }
    let mut threads = vec![thread::spawn(first), thread::spawn(second)];
    threads.push(thread::spawn(move || while shown(&registry) > 0 {}));
    third();
    drop(heap);
    threads.into_iter().for_each(|thread| thread.join().expect("no thread panics"));
}

#[test]
fn heaps_give_back_all_they_took_whoever_frees_last() {
    // Once for what the test harness and std's threads keep.
    a_life(true);
    a_life(false);
    assert_eq!(PAGES.load(Ordering::Relaxed), 0);
    let before = REST.load(Ordering::Relaxed);
    for round in 0..50 {
        a_life(round % 2 == 0);
        assert_eq!(PAGES.load(Ordering::Relaxed), 0);
    }
    // parking_lot keeps a table of all threads that ever waited; fifty heaps would be 60 KiB.
    let grown = REST.load(Ordering::Relaxed).saturating_sub(before);
    assert!(grown < 4096, "{grown} bytes");
    // A view that outlasts the heap keeps no pages.
    let heap = Heap::new();
    let registry = heap.registry();
    let blocks: Vec<_> = (0..2_000).map(|n| take(&heap, n)).collect();
    drop(heap);
    assert!(PAGES.load(Ordering::Relaxed) > 0);
    blocks.into_iter().for_each(give);
    assert_eq!(PAGES.load(Ordering::Relaxed), 0);
    drop(registry);
}
