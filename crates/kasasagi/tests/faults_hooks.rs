//! Hooks of threads are foreign code: what they panic with is theirs, and the thread works all the same.

use kasasagi::{Builder, Runtime, spawn, yield_now};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Far less than the grace that a shutdown is given here.
const SOON: Duration = Duration::from_secs(20);
const GRACE: Duration = Duration::from_secs(60);

fn works(build: impl Fn(Builder) -> Builder) {
    for workers in [1, 2, 4] {
        let runtime = build(Runtime::builder().workers(workers)).build().expect("it is built");
        // One worker: a thread is started for a task that nobody runs.
        let outside = runtime.handle().spawn(async { 7 });
        assert_eq!(runtime.handle().block_on(outside).expect("it ends"), 7);
        let main = async {
            let tasks: Vec<_> = (0..100).map(|_| spawn(async { yield_now().await })).collect();
            for task in tasks {
                task.await.expect("it ends");
            }
        };
        runtime.run(main).expect("main ends");
        let start = Instant::now();
        let report = runtime.shutdown(GRACE);
        assert!(report.is_clean(), "{workers} workers: {report}");
        assert!(start.elapsed() < SOON, "{workers} workers: {:?}", start.elapsed());
    }
}

fn counting() -> (Arc<AtomicUsize>, impl Fn() + Send + Sync + 'static) {
    let count = Arc::new(AtomicUsize::new(0));
    let inside = Arc::clone(&count);
    (count, move || {
        inside.fetch_add(1, Ordering::AcqRel);
        panic!("in a hook");
    })
}

#[test]
fn a_panic_in_the_hook_of_a_thread_that_starts_does_not_cost_the_thread() {
    let (count, hook) = counting();
    let hook = Arc::new(hook);
    works(|builder| {
        let hook = Arc::clone(&hook);
        builder.on_thread_start(move || hook())
    });
    // The thread for one worker, one beside main, three beside main.
    assert_eq!(count.load(Ordering::Acquire), 1 + 1 + 3);
}

#[test]
fn a_panic_in_the_hook_of_a_thread_that_ends_does_not_delay_the_shutdown() {
    let (count, hook) = counting();
    let hook = Arc::new(hook);
    works(|builder| {
        let hook = Arc::clone(&hook);
        builder.on_thread_stop(move || hook())
    });
    // The thread for one worker, one beside main, three beside main.
    assert_eq!(count.load(Ordering::Acquire), 1 + 1 + 3);
}
