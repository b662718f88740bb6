//! A million tiny closures on pools: threads, descriptors and live bytes are what they were after the first of them.
#![allow(unsafe_code, reason = "an allocator that counts")]

use kasasagi::{Runtime, ThreadPool, run_in_executor};
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

struct Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE.fetch_add(layout.size(), Ordering::Relaxed);
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

const THREADS: usize = 3;
const BATCH: u64 = 10_000;
/// Pages of tasks, and blocks of queues, which come and go by how far one side runs ahead of the other.
const SWING: usize = 512 << 10;

fn entries(dir: &str) -> usize {
    std::fs::read_dir(dir).map_or(0, Iterator::count)
}

/// A batch by a thread, and one by tasks.
fn batch(runtime: &Runtime, pool: &ThreadPool) {
    let all: Vec<_> = (0..BATCH).map(|n| pool.submit(move || n)).collect();
    for (n, submitted) in (0..).zip(all) {
        assert_eq!(submitted.wait().ok(), Some(n));
    }
    let by_tasks = async {
        let all: Vec<_> = (0..BATCH).map(|n| run_in_executor(pool, move || n)).collect();
        for (n, task) in (0..).zip(all) {
            assert_eq!(task.await.expect("it ends"), n);
        }
    };
    runtime.run(by_tasks).expect("main ends");
}

/// Live bytes, once outgrown buffers of queues are freed by epochs, which advance when somebody looks.
fn live() -> usize {
    for _ in 0..64 {
        crossbeam_epoch::pin().flush();
    }
    LIVE.load(Ordering::Relaxed)
}

#[test]
fn a_million_tiny_jobs_leave_nothing_behind() {
    let keep = Duration::from_secs(600);
    let pool = ThreadPool::builder().max_workers(THREADS).keep_alive(keep).build();
    let runtime = Runtime::builder().workers(2).build().expect("a runtime can be built");
    let kept = (0..5).map(|_| {
        batch(&runtime, &pool);
        live()
    });
    let kept = kept.max().unwrap_or_default();
    let (fds, others) =
        (entries("/proc/self/fd"), entries("/proc/self/task") - pool.metrics().threads);
    (0..50).for_each(|_| batch(&runtime, &pool));
    let after = live();
    assert!(after <= kept + SWING, "{after} live bytes, {kept} before");
    assert_eq!(entries("/proc/self/fd"), fds, "descriptors");
    assert!(pool.metrics().threads <= THREADS);
    assert_eq!(entries("/proc/self/task") - pool.metrics().threads, others, "threads of nobody");
    assert_eq!(pool.metrics().queued, 0);
    drop(pool);
    assert!(runtime.shutdown(Duration::from_secs(30)).is_clean());
}
