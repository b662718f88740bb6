//! One run after another, and the order in which a runtime ends: RUN-10, -13, -32.

use crate::flavour::{for_each_flavour, run};
use crate::hand::{LIMIT, panic_of};
use kasasagi::net::{TcpListener, TcpStream, lookup_host};
use kasasagi::{Context, catch_cancel, spawn, time, yield_now};
use std::future::pending;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::Duration;

kasasagi::context_var! {
    static COUNT: u64 = 0;
}

#[test]
fn run_10_at_the_end_tasks_have_timers_sockets_and_the_pool_until_they_are_over() {
    for_each_flavour(|build| {
        let runtime = build();
        let (tell, told) = channel();
        let task = run(&runtime, async {
            let (begin, begun) = futures_channel::oneshot::channel();
            let task = spawn(async move {
                let _ = begin.send(());
                let cancelled = catch_cancel(pending::<()>()).await.expect_err("the end cancels");
                // All that a runtime has is there for a cleanup: the clock, the pool and the reactor.
                time::sleep(Duration::from_millis(2)).await;
                let found = lookup_host("localhost:80").await.is_ok();
                let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
                let addr = listener.local_addr().expect("it is bound");
                let stream = TcpStream::connect(addr).await;
                let _ = tell.send((found, stream.is_ok()));
                cancelled.rethrow::<()>().await;
            });
            begun.await.expect("it begins");
            task
        });
        let report = runtime.shutdown(LIMIT);
        assert!(report.is_clean(), "{report}");
        assert!(task.is_cancelled(), "it ended before the shutdown returned");
        assert_eq!(told.try_recv(), Ok((true, true)));
        assert_eq!((report.threads_left, report.blocking_left), (0, 0));
    });
}

#[test]
fn run_13_a_context_is_kept_from_run_to_run_by_whoever_enters_it() {
    for_each_flavour(|build| {
        let runtime = build();
        // A run has a copy of what is set around it, and keeps what it sets to itself.
        run(&runtime, async { COUNT.set(1) });
        assert_eq!(run(&runtime, async { COUNT.get() }), 0);
        // What shall last for several is set in a context that each of them is given.
        let kept = Context::new();
        for round in 0..3 {
            let theirs = kept.clone();
            let seen = run(&runtime, async move {
                theirs.run(|| {
                    let seen = COUNT.get();
                    COUNT.set(seen + 1);
                    seen
                })
            });
            assert_eq!(seen, round);
        }
        assert_eq!(kept.run(|| COUNT.get()), 3);
    });
}

#[test]
fn run_32_after_a_run_that_panicked_the_next_one_ends_by_itself() {
    for_each_flavour(|build| {
        let runtime = build();
        let handle = runtime.handle();
        let log = Arc::new(Mutex::new(Vec::new()));
        for round in 0..20 {
            let text = panic_of(|| {
                runtime.run(async {
                    yield_now().await;
                    assert!(round > 20, "in round {round}");
                })
            });
            assert_eq!(text, format!("in round {round}"));
            // Nothing of the one that panicked ends this one early, though it waits for a while.
            let ours = Arc::clone(&log);
            let output = run(&runtime, async move {
                for _ in 0..10 {
                    yield_now().await;
                }
                time::sleep(Duration::from_micros(200)).await;
                ours.lock().expect("no panic").push(round);
                round
            });
            assert_eq!(output, round);
        }
        assert_eq!(*log.lock().expect("no panic"), (0..20).collect::<Vec<_>>());
        assert_eq!(handle.block_on(async { 7 }), 7);
    });
}
