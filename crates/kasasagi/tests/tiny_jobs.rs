//! A million tiny closures on pools: threads, descriptors and live bytes are what they were after the first of them.

#[path = "counting/bytes.rs"]
mod bytes;

use bytes::live_without_garbage;
use kasasagi::{Runtime, ThreadPool, run_in_executor};
use std::time::Duration;

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

#[test]
fn a_million_tiny_jobs_leave_nothing_behind() {
    let keep = Duration::from_secs(600);
    let pool = ThreadPool::builder().max_workers(THREADS).keep_alive(keep).build();
    let runtime = Runtime::builder().workers(2).build().expect("a runtime can be built");
    let kept = (0..5).map(|_| {
        batch(&runtime, &pool);
        live_without_garbage()
    });
    let kept = kept.max().unwrap_or_default();
    // Where there is no /proc, none of either.
    let others = || entries("/proc/self/task").saturating_sub(pool.metrics().threads);
    let (fds, others_before) = (entries("/proc/self/fd"), others());
    (0..50).for_each(|_| batch(&runtime, &pool));
    let after = live_without_garbage();
    assert!(after <= kept + SWING, "{after} live bytes, {kept} before");
    assert_eq!(entries("/proc/self/fd"), fds, "descriptors");
    assert!(pool.metrics().threads <= THREADS);
    assert_eq!(others(), others_before, "threads of nobody");
    assert_eq!(pool.metrics().queued, 0);
    drop(pool);
    assert!(runtime.shutdown(Duration::from_secs(30)).is_clean());
}
