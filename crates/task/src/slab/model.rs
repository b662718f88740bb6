//! The races of a heap: frees from elsewhere against the owner, against the heap's end, and scans against both.
//!
//! A page holds three blocks here. loom watches each `next`, the owner's words, and the pages' memory: an access
//! that is not ordered before the next one, a page unmapped twice and a page not unmapped all fail.

use super::*;
use kasasagi_primitive::explore::explore;
use kasasagi_primitive::thread;

const SHAPE: Layout = Layout::new::<[u64; 8]>();

struct Sent(NonNull<BlockHead>);
// SAFETY: a block may be given back by any thread.
unsafe impl Send for Sent {}

fn give_back(block: NonNull<BlockHead>) {
    // SAFETY: each model frees what it took, once.
    unsafe { free(block) }
}

fn state(block: NonNull<BlockHead>) -> &'static AtomicU64 {
    // SAFETY: each model asks for blocks that are mapped.
    unsafe { &(*block.as_ptr()).state }
}

/// Takes a block and marks it as held; nobody else may hold it.
fn take(heap: &Heap) -> Sent {
    let block = heap.alloc(SHAPE);
    // The holder's use of the block: ordered after the last holder's, or loom objects.
    let next = use_block(block);
    assert!(next.is_null(), "a block comes without a link");
    assert_eq!(state(block).swap(1, Ordering::Release), 0, "a block is handed out once");
    Sent(block)
}

fn use_block(block: NonNull<BlockHead>) -> *mut BlockHead {
    // SAFETY: the model holds the block.
    let head = unsafe { block_head(block) };
    // SAFETY: as above.
    head.next.with_mut(|next| unsafe { next.replace(ptr::null_mut()) })
}

fn elsewhere(block: Sent) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        let Sent(block) = block;
        use_block(block);
        give_back(block);
    })
}

/// Two threads give blocks back while the owner takes new ones: no block is handed out before it is free, and none
/// twice. Fails if `give` publishes a block with Relaxed.
#[test]
fn loom_slab_a_block_freed_elsewhere_serves_after_its_free() {
    explore("slab_remote_free_alloc", || {
        let heap = Heap::new();
        let blocks = [take(&heap), take(&heap), take(&heap)];
        let [first, second, third] = blocks;
        let threads = [elsewhere(first), elsewhere(second)];
        heap.enter(|| {
            // The page is full: this drains what came back, or asks for a second page.
            let fourth = take(&heap);
            heap.collect();
            let others = [take(&heap), take(&heap)];
            for block in others.into_iter().chain([third, fourth]) {
                give_back(block.0);
            }
        });
        threads.into_iter().for_each(|thread| thread.join().expect("a free does not panic"));
        heap.collect();
        assert_eq!(heap.usage().blocks, 0);
        assert!(heap.usage().pages <= 2);
    });
}

/// A block goes round (freed elsewhere, taken by the owner, freed through the shared list again) while another
/// thread is in the middle of its push: no block is lost, none comes twice. Fails if a push that has to try again
/// keeps the link it wrote first.
#[test]
fn loom_slab_a_block_that_comes_back_meanwhile_confuses_no_push() {
    explore("slab_remote_aba", || {
        let heap = Heap::new();
        let blocks = [take(&heap), take(&heap), take(&heap)];
        let [first, second, third] = blocks;
        let threads = [elsewhere(first), elsewhere(second)];
        heap.collect();
        // No thread entered the heap: this goes through the shared list as well.
        let fourth = take(&heap);
        give_back(fourth.0);
        heap.collect();
        threads.into_iter().for_each(|thread| thread.join().expect("a free does not panic"));
        heap.collect();
        assert_eq!(heap.usage().blocks, 1);
        give_back(third.0);
        heap.collect();
        assert_eq!(heap.usage().blocks, 0);
    });
}

/// Two blocks come home while the heap ends: the pages are unmapped once, after the last of them. Fails if the
/// heap's end overwrites what came back at the last moment, and if an orphan's decrement is Release only.
#[test]
fn loom_slab_pages_outlast_the_heap_until_the_last_block_is_home() {
    explore("slab_orphans", || {
        let heap = Heap::new();
        let threads = [take(&heap), take(&heap)].map(elsewhere);
        drop(heap);
        threads.into_iter().for_each(|thread| thread.join().expect("a free does not panic"));
    });
}

/// As above, with a scan that may have begun before the heap's end. Fails if a scan does not hold the shared part.
#[test]
fn loom_slab_a_scan_outlasts_the_heap() {
    explore("slab_orphans_scan", || {
        let heap = Heap::new();
        let registry = heap.registry();
        let thread = elsewhere(take(&heap));
        let scan = thread::spawn(move || {
            registry.scan(&mut |block| {
                let word = state(block).load(Ordering::Relaxed);
                assert!(word <= 1, "a state word is readable while a scan is under way");
            });
        });
        drop(heap);
        thread.join().expect("a free does not panic");
        scan.join().expect("a scan does not panic");
    });
}

/// A scan while the owner takes blocks, new ones and old ones, from a new page and from one that started over: it
/// sees only words that were made, and each block that was in use throughout. Fails if the frontier or the list of
/// pages is published with Relaxed.
#[test]
fn loom_slab_a_scan_sees_what_is_in_use_throughout() {
    explore("slab_scan_alloc", || {
        let heap = Heap::new();
        let throughout = take(&heap);
        let lasting = throughout.0.addr();
        let registry = heap.registry();
        let scan = thread::spawn(move || {
            let mut seen = false;
            registry.scan(&mut |block| {
                // As a real scan would: keep the block by its state, then look at the rest.
                let word = state(block);
                if word.compare_exchange(1, 2, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
                    seen |= block.addr() == lasting;
                }
            });
            assert!(seen, "a block that is in use throughout is shown");
        });
        heap.enter(|| {
            let blocks = [take(&heap), take(&heap), take(&heap)];
            for block in blocks {
                give_back(block.0);
            }
        });
        scan.join().expect("a scan does not panic");
        give_back(throughout.0);
    });
}

/// A block that lies alone is freed while a scan looks at it and the heap ends: its memory outlasts the scan, and
/// goes once. Fails if the free does not ask for scans.
#[test]
fn loom_slab_a_block_alone_is_unmapped_after_the_scans() {
    explore("slab_alone", || {
        let heap = Heap::new();
        let block = Sent(heap.alloc(Layout::new::<[u64; 1024]>()));
        state(block.0).store(1, Ordering::Release);
        let registry = heap.registry();
        let scan = thread::spawn(move || {
            registry.scan(&mut |block| {
                assert!(state(block).load(Ordering::Relaxed) <= 1);
            });
        });
        let freed = thread::spawn(move || {
            let Sent(block) = block;
            give_back(block);
        });
        drop(heap);
        freed.join().expect("a free does not panic");
        scan.join().expect("a scan does not panic");
    });
}
