//! A hundred thousand cycles of create, cancel, panic and drop leave no task, timer, descriptor or byte behind.

#[path = "counting/bytes.rs"]
mod bytes;

use kasasagi::{Runtime, spawn, time, yield_now};
use std::time::Duration;

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count)
}

async fn cycle(i: usize) {
    match i % 5 {
        0 => spawn(async move { vec![i; 8] }).await.map(drop).expect("it ends"),
        1 => {
            let task = spawn(time::sleep(Duration::from_secs(3600)));
            yield_now().await;
            task.cancel();
            assert!(task.await.is_err_and(|error| error.is_cancelled()));
        }
        2 => drop(spawn(async { yield_now().await })),
        3 => {
            // Without a message on stderr for each: the payload does not go through the hook.
            let task = spawn(async { std::panic::resume_unwind(Box::new("on purpose")) });
            let output: Result<(), _> = task.await;
            assert!(output.is_err_and(|error| error.is_panic()));
        }
        _ => {
            let soon = time::timeout(Duration::from_secs(3600), std::future::ready(i));
            assert_eq!(soon.await.ok(), Some(i));
            drop(time::timeout(Duration::from_secs(1), std::future::pending::<()>()));
        }
    }
}

fn round(workers: usize, cycles: usize) {
    let runtime = Runtime::builder().workers(workers).build().expect("a runtime can be built");
    let handle = runtime.handle();
    runtime
        .run(async {
            for i in 0..cycles {
                cycle(i).await;
            }
        })
        .expect("main ends");
    assert!(runtime.shutdown(Duration::from_secs(30)).is_clean());
    assert!(handle.tasks().is_empty());
}

/// parking_lot's table of waiting threads grows for good when more of them wait at once than before, by some 1,056 bytes
/// for these few threads; on a loaded machine that comes late. A cycle that lost one byte would lose a hundred thousand.
const TABLE: usize = 8 << 10;

#[test]
fn a_hundred_thousand_cycles_leave_nothing_behind() {
    for workers in [1, 2] {
        // The first rounds fill what is kept for good: thread-locals, recycled timer shards, std's tables.
        let kept = (0..5).map(|_| settle(workers, 5_000)).max().expect("five rounds");
        let fds = descriptors();
        let after = settle(workers, 100_000);
        assert!(after <= kept + TABLE, "{workers} workers: {after} live bytes, {kept} before");
        assert_eq!(descriptors(), fds, "descriptors, {workers} workers");
    }
}

/// Runs a round and returns the live bytes after it.
fn settle(workers: usize, cycles: usize) -> usize {
    round(workers, cycles);
    bytes::live_without_garbage()
}
