//! Promises of the heap, one thread or several, against naive bookkeeping.

use super::class::Class;
#[cfg(target_os = "linux")]
use super::page::PageRef;
use super::page::{FIRST, PAGE};
use super::*;
use kasasagi_primitive::thread;
use std::collections::{BTreeMap, HashSet};

/// The same numbers for the same seed: xorshift.
struct Seeded(u64);

impl Seeded {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }
}

fn layout(size: usize, align: usize) -> Layout {
    Layout::from_size_align(size, align).expect("tests ask for valid layouts")
}

/// A block on its way to another thread.
struct Sent(NonNull<BlockHead>);
// SAFETY: a block may be given back by any thread.
unsafe impl Send for Sent {}

fn give_back(block: NonNull<BlockHead>) {
    // SAFETY: the tests keep a block in one place and take it out of there to free it.
    unsafe { free(block) }
}

fn state(block: NonNull<BlockHead>) -> &'static AtomicU64 {
    // SAFETY: the tests ask only for blocks that are out.
    unsafe { &(*block.as_ptr()).state }
}

fn publish(heap: &Heap, layout: Layout, word: u64) -> NonNull<BlockHead> {
    let block = heap.alloc(layout);
    assert_eq!(state(block).load(Ordering::Relaxed), 0, "a new block counts as free");
    state(block).store(word, Ordering::Release);
    block
}

/// Fills all of a block but its head, or checks that it is filled.
fn body(block: NonNull<BlockHead>, size: usize) -> &'static mut [u8] {
    let head = size_of::<BlockHead>();
    // SAFETY: a block has at least as many bytes as its layout, which is never smaller than a head here.
    let start = unsafe { block.cast::<u8>().add(head) };
    // SAFETY: as above; the test is the only one at this block.
    unsafe { std::slice::from_raw_parts_mut(start.as_ptr(), size - head) }
}

fn seen(registry: &HeapRef) -> HashSet<usize> {
    let mut seen = HashSet::new();
    registry.scan(&mut |block| assert!(seen.insert(block.addr().get()), "a block is shown once"));
    seen
}

#[test]
fn a_class_serves_what_fits_and_wastes_a_fifth_at_most() {
    let mut before = 0;
    for class in Class::all() {
        let size = class.size();
        assert!(size > before && size % 16 == 0);
        assert_eq!(Class::of(layout(size, 16)), Some(class).filter(|_| size <= 8192));
        if before > 0 {
            assert_eq!(Class::of(layout(before + 1, 1)), Some(class));
            assert!((size - before) * 5 <= size + 4, "{before} then {size}");
        }
        assert!(class.capacity(PAGE - 64) >= 3);
        before = size;
    }
    assert_eq!(before, 8192);
    assert_eq!(Class::of(layout(8193, 1)), None);
    assert_eq!(Class::of(layout(64, 256)), None);
    for (size, align) in (0..8000).flat_map(|size| [32, 64, 128].map(|align| (size, align))) {
        if let Some(class) = Class::of(layout(size, align)) {
            assert!(class.size() >= size && class.size() % align == 0, "{size} {align}");
        }
    }
}

#[test]
fn the_budget_of_a_task_holds() {
    for (size, most) in [(144, 146), (160, 162), (176, 179)] {
        let class = Class::of(layout(size, 16)).expect("a small block has a class");
        assert!(PAGE / class.capacity(PAGE - 64) as usize <= most, "{size}");
    }
    assert_eq!(FIRST, 128);
}

#[test]
fn blocks_are_apart_aligned_and_keep_what_is_written() {
    let mut rng = Seeded(0x5eed_1001);
    let heap = Heap::new();
    let mut live: BTreeMap<usize, (NonNull<BlockHead>, usize, u8)> = BTreeMap::new();
    heap.enter(|| {
        for round in 0..60_000_u32 {
            let grow = (round / 5_000) % 2 == 0;
            if live.is_empty() || rng.below(100) < if grow { 60 } else { 40 } {
                let align = 1 << rng.below(9);
                let size = [100, 160, 300, 3000, 20_000][rng.below(5).min(rng.below(5))];
                let size = 16 + rng.below(size);
                let fill = rng.below(256) as u8;
                let block = publish(&heap, layout(size, align), 1);
                let at = block.addr().get();
                assert_eq!(at % align.max(16), 0);
                let before = live.range(..at).next_back();
                assert!(before.is_none_or(|(start, (_, size, _))| start + size <= at));
                assert!(live.range(at..).next().is_none_or(|(start, _)| at + size <= *start));
                body(block, size).fill(fill);
                live.insert(at, (block, size, fill));
            } else {
                let at =
                    *live.keys().nth(rng.below(live.len())).expect("the index is below the length");
                let (block, size, fill) = live.remove(&at).expect("the key was just seen");
                assert!(body(block, size).iter().all(|byte| *byte == fill));
                give_back(block);
            }
            if round % 7_001 == 0 {
                assert_eq!(seen(&heap.registry()), live.keys().copied().collect());
                heap.trim();
            }
        }
        assert_eq!(seen(&heap.registry()), live.keys().copied().collect());
        for (block, size, fill) in live.into_values() {
            assert!(body(block, size).iter().all(|byte| *byte == fill));
            give_back(block);
        }
    });
    assert_eq!(heap.usage().blocks, 0);
    assert!(seen(&heap.registry()).is_empty());
}

#[test]
fn the_same_load_again_takes_no_new_page() {
    let heap = Heap::new();
    let mut rng = Seeded(0x5eed_1002);
    let mut pages = None;
    for _ in 0..10 {
        heap.enter(|| {
            let mut blocks: Vec<_> =
                (0..10_000).map(|n| publish(&heap, layout(100 + n % 3 * 40, 16), 1)).collect();
            while !blocks.is_empty() {
                give_back(blocks.swap_remove(rng.below(blocks.len())));
            }
        });
        assert_eq!(*pages.get_or_insert(heap.usage().pages), heap.usage().pages);
        heap.trim();
        assert_eq!(
            heap.usage().bare_pages,
            0,
            "pages in use since the last trim keep their memory"
        );
    }
}

#[test]
fn blocks_freed_elsewhere_serve_again() {
    let heap = Heap::new();
    let mut pages = None;
    for _ in 0..10 {
        let blocks: Vec<_> = (0..2_000).map(|_| Sent(publish(&heap, layout(144, 16), 1))).collect();
        thread::spawn(move || blocks.into_iter().for_each(|block| give_back(block.0)))
            .join()
            .expect("the other thread only frees");
        assert_eq!(*pages.get_or_insert(heap.usage().pages), heap.usage().pages);
    }
    assert_eq!(heap.usage().blocks, 2_000, "freed elsewhere, not collected yet");
    heap.collect();
    assert_eq!(heap.usage().blocks, 0);
}

#[test]
fn a_full_page_serves_again_after_one_block_came_back() {
    let heap = Heap::new();
    let blocks: Vec<_> = heap.enter(|| {
        let full =
            Class::of(layout(144, 16)).expect("a small block has a class").capacity(PAGE - 64);
        let blocks: Vec<_> = (0..full).map(|_| publish(&heap, layout(144, 16), 1)).collect();
        for block in &blocks {
            give_back(*block);
            assert_eq!(publish(&heap, layout(144, 16), 1), *block);
        }
        blocks
    });
    assert_eq!(heap.usage().pages, 1);
    blocks.into_iter().for_each(give_back);
}

/// How many bytes of the range are in memory.
#[cfg(target_os = "linux")]
fn resident(start: usize, len: usize) -> usize {
    let mut pages = vec![0_u8; len / 4096];
    let start = std::ptr::with_exposed_provenance_mut(start);
    // SAFETY: mincore writes one byte for each page of the range.
    let result = unsafe { libc::mincore(start, len, pages.as_mut_ptr()) };
    assert_eq!(result, 0);
    pages.into_iter().filter(|page| page & 1 == 1).count() * 4096
}

#[cfg(target_os = "linux")]
#[test]
fn empty_pages_go_back_to_the_system() {
    let heap = Heap::new();
    let shape = layout(160, 16);
    let blocks: Vec<_> = (0..10_000).map(|_| publish(&heap, shape, 1)).collect();
    // SAFETY: the blocks are out.
    let pages: HashSet<_> = blocks
        .iter()
        .map(|block| unsafe { PageRef::of(*block) }.as_ptr().expose_provenance())
        .collect();
    let sum = || pages.iter().map(|page| resident(*page, PAGE)).sum::<usize>();
    // The last page is used in part only.
    assert!(sum() > (pages.len() - 1) * PAGE, "{} of {}", sum(), pages.len() * PAGE);
    heap.enter(|| blocks.into_iter().for_each(give_back));
    heap.trim();
    assert_eq!(heap.usage().bare_pages, 0, "a page that was just in use is not given back");
    heap.trim();
    let usage = heap.usage();
    // One page is the class's first, two are kept.
    assert_eq!(usage.bare_pages, usage.pages - 3);
    assert!(sum() <= 3 * PAGE + usage.bare_pages * 8192, "{} of {}", sum(), pages.len() * PAGE);
    let before = sum();
    assert!(seen(&heap.registry()).is_empty());
    assert_eq!(sum(), before, "a scan brings nothing back");
    // They serve again, and are shown again.
    let blocks: Vec<_> = (0..10_000).map(|n| publish(&heap, shape, n + 1)).collect();
    assert_eq!((heap.usage().pages, heap.usage().bare_pages), (usage.pages, 0));
    assert_eq!(seen(&heap.registry()).len(), 10_000);
    blocks.into_iter().for_each(give_back);
}

#[test]
fn large_and_strictly_aligned_blocks_are_shown_and_freed() {
    let heap = Heap::new();
    let registry = heap.registry();
    let shapes = [
        (8192, 16),
        (8193, 16),
        (100_000, 16),
        (1 << 20, 64),
        (500, 256),
        (64, 4096),
        (99, 16384),
        (32_768, 32_768),
        (65_536, 65_536),
        (1, 1 << 20),
    ];
    for trip in 0..3 {
        let blocks: Vec<_> = shapes
            .iter()
            .map(|(size, align)| {
                let block = publish(&heap, layout(*size, *align), 1);
                assert_eq!(block.addr().get() % align, 0);
                body(block, (*size).max(16)).fill(7);
                Sent(block)
            })
            .collect();
        assert_eq!(seen(&registry), blocks.iter().map(|block| block.0.addr().get()).collect());
        match trip {
            0 => blocks.into_iter().for_each(|block| give_back(block.0)),
            1 => heap.enter(|| blocks.into_iter().rev().for_each(|block| give_back(block.0))),
            // Freed by the scan that shows them: their memory stays until it ends.
            _ => registry.scan(&mut |block| {
                give_back(block);
                assert_eq!(state(block).load(Ordering::Relaxed), 0);
            }),
        }
        assert!(seen(&registry).is_empty());
    }
}

#[test]
fn a_heap_entered_inside_another_gives_way_to_it_again() {
    let (outer, inner) = (Heap::new(), Heap::new());
    outer.enter(|| {
        let block = publish(&outer, layout(144, 16), 1);
        inner.enter(|| give_back(block));
        assert_eq!(outer.usage().blocks, 1, "freed from within another heap, not collected yet");
        let block = publish(&outer, layout(144, 16), 1);
        give_back(block);
        outer.collect();
        assert_eq!(outer.usage().blocks, 0);
    });
}

#[test]
fn a_view_of_a_heap_that_ended_shows_nothing() {
    let heap = Heap::new();
    let registry = heap.registry();
    let block = publish(&heap, layout(144, 16), 1);
    let large = publish(&heap, layout(10_000, 16), 1);
    drop(heap);
    assert!(seen(&registry).is_empty());
    give_back(block);
    give_back(large);
    assert!(seen(&registry.clone()).is_empty());
}

#[test]
fn a_scan_may_outlast_the_heap() {
    let heap = Heap::new();
    let registry = heap.registry();
    let block = publish(&heap, layout(144, 16), 1);
    let large = publish(&heap, layout(10_000, 16), 1);
    let mut heap = Some(heap);
    let mut count = 0;
    registry.scan(&mut |shown| {
        drop(heap.take());
        count += 1;
        give_back(shown);
        assert_eq!(state(shown).load(Ordering::Relaxed), 0);
    });
    assert_eq!(count, 2);
    let _ = (block, large);
}

#[test]
fn a_heap_is_one_threads_at_a_time_and_its_view_everybodys() {
    fn send<T: Send>() {}
    fn share<T: Sync>() {}
    send::<Heap>();
    send::<HeapRef>();
    share::<HeapRef>();
}
