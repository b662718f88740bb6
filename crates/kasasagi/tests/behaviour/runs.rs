//! What `run` and `Runtime` promise: RUN, and the rest of MT.

use crate::flavour::{on_each, run};
use kasasagi::{Handle, RunError, Runtime, spawn, spawn_local, time, yield_now};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

fn text_of(payload: Box<dyn std::any::Any + Send>) -> String {
    match payload.downcast::<String>() {
        Ok(text) => *text,
        Err(payload) => {
            payload.downcast_ref::<&str>().map(|text| (*text).to_owned()).unwrap_or_default()
        }
    }
}

fn panic_of(f: impl FnOnce()) -> String {
    text_of(catch_unwind(AssertUnwindSafe(f)).expect_err("it panics"))
}

#[test]
fn run_01_the_output_of_main_is_returned() {
    assert_eq!(
        kasasagi::run(async {
            yield_now().await;
            42
        }),
        42
    );
    on_each(|runtime| {
        assert_eq!(
            run(runtime, async {
                yield_now().await;
                42
            }),
            42
        )
    });
}

#[test]
fn run_02_an_error_of_main_comes_out_as_it_is() {
    let result: Result<(), String> = kasasagi::run(async {
        yield_now().await;
        Err("spam".to_owned())
    });
    assert_eq!(result, Err("spam".to_owned()));
}

#[test]
fn run_03_a_panic_of_main_comes_out_after_the_leftovers_have_ended() {
    let held = Arc::new(());
    let theirs = Arc::clone(&held);
    let text = panic_of(|| {
        kasasagi::run(async {
            drop(spawn(async move {
                let _held = theirs;
                std::future::pending::<()>().await;
            }));
            yield_now().await;
            panic!("of main");
        })
    });
    assert_eq!(text, "of main");
    assert_eq!(Arc::strong_count(&held), 1);
}

#[test]
fn run_05_a_nested_run_is_refused_and_says_what_to_write() {
    on_each(|runtime| {
        run(runtime, async {
            let inner = Runtime::builder().current_thread().build().expect("a runtime");
            let polled = Arc::new(AtomicUsize::new(0));
            let theirs = Arc::clone(&polled);
            let error = inner.run(async move { theirs.fetch_add(1, Ordering::SeqCst) });
            assert!(matches!(error, Err(RunError::Nested)));
            let text = panic_of(|| kasasagi::run(async {}));
            assert!(text.contains("future.await"), "{text}");
            let text = panic_of(|| Handle::current().block_on(async {}));
            assert!(text.contains("future.await"), "{text}");
            assert_eq!(polled.load(Ordering::SeqCst), 0);
        });
    });
}

#[test]
fn run_06_leftovers_are_cancelled_before_run_returns() {
    let held = Arc::new(());
    let theirs = Arc::clone(&held);
    let start = Instant::now();
    let output = kasasagi::run(async {
        drop(spawn(async move {
            let _held = theirs;
            time::sleep(Duration::from_secs(3600)).await;
        }));
        yield_now().await;
        123
    });
    assert_eq!(output, 123);
    assert_eq!(Arc::strong_count(&held), 1);
    assert!(start.elapsed() < Duration::from_secs(60));
}

#[test]
fn run_12_a_runtime_runs_one_future_after_another_and_tasks_go_on() {
    on_each(|runtime| {
        assert_eq!(run(runtime, async { 1 }), 1);
        let task = run(runtime, async { spawn(time::sleep(Duration::from_millis(20))) });
        assert!(run(runtime, async { task.await.is_ok() }));
    });
}

#[test]
fn run_14_a_runtime_that_was_shut_down_says_so() {
    for workers in [1, 2] {
        let runtime = Runtime::builder().workers(workers).build().expect("a runtime");
        let handle = runtime.handle();
        assert!(runtime.shutdown(Duration::from_secs(5)).is_clean());
        let task = handle.spawn(async {});
        assert!(task.is_cancelled());
        let error = handle.block_on(task).expect_err("it was cancelled");
        assert!(error.reason().is_some_and(|reason| reason.contains("shut down")), "{error}");
    }
}

#[test]
fn run_15_dropping_a_runtime_ends_its_tasks() {
    on_each(|_| {});
    for workers in [1, 2, 4] {
        let held = Arc::new(());
        let runtime = Runtime::builder().workers(workers).build().expect("a runtime");
        for _ in 0..100 {
            let held = Arc::clone(&held);
            drop(runtime.handle().spawn(async move {
                let _held = held;
                std::future::pending::<()>().await;
            }));
        }
        drop(runtime);
        assert_eq!(Arc::strong_count(&held), 1);
    }
}

#[test]
fn run_17_the_output_is_moved_and_main_may_borrow_and_need_not_be_send() {
    struct Opaque(Rc<u32>);
    let local = String::from("borrowed");
    on_each(|runtime| {
        let here = Rc::new(7);
        let output = run(runtime, async {
            yield_now().await;
            assert_eq!(local.len(), 8);
            Opaque(Rc::clone(&here))
        });
        assert_eq!(*output.0, 7);
    });
}

#[test]
fn run_28_without_a_runtime_the_errors_say_what_to_do() {
    assert!(Handle::try_current().is_err());
    for text in [
        panic_of(|| drop(spawn(async {}))),
        panic_of(|| drop(spawn_local(async {}))),
        panic_of(|| drop(Handle::current())),
        panic_of(|| drop(time::sleep(Duration::ZERO))),
    ] {
        assert!(text.contains("kasasagi::run"), "{text}");
    }
    on_each(|runtime| run(runtime, async { assert!(Handle::try_current().is_ok()) }));
    assert!(Handle::try_current().is_err());
}

#[test]
fn run_31_a_shutdown_inside_a_task_is_refused() {
    let outer = Runtime::builder().current_thread().build().expect("a runtime");
    run(&outer, async {
        let inner = Runtime::builder().workers(2).build().expect("a runtime");
        let text = panic_of(|| drop(inner.shutdown(Duration::ZERO)));
        assert!(text.contains("outside `run`"), "{text}");
    });
}

#[test]
fn more_workers_than_seats_is_an_error_that_says_so() {
    for workers in [0, 33, 1000] {
        let error = Runtime::builder().workers(workers).build().expect_err("out of bounds");
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
        assert!(error.to_string().contains("1 to 32"), "{error}");
    }
    let most = Runtime::builder().workers(32).build().expect("as many as there are seats");
    assert_eq!(run(&most, async { spawn(async { 5 }).await }).ok(), Some(5));
}

#[test]
fn one_worker_serves_tasks_and_timers_although_nobody_is_in_run() {
    let runtime = Runtime::builder().current_thread().build().expect("a runtime");
    let handle = runtime.handle();
    for _ in 0..20 {
        let task = handle.spawn(async {
            time::sleep(Duration::from_millis(1)).await;
            spawn(async { 42 }).await.expect("it ends")
        });
        assert_eq!(handle.block_on(task).ok(), Some(42));
        assert_eq!(run(&runtime, async { 1 }), 1);
    }
}

#[test]
fn two_threads_may_be_in_run_at_once() {
    for workers in [1, 2] {
        let runtime = Runtime::builder().workers(workers).build().expect("a runtime");
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for i in 0..50 {
                        assert_eq!(
                            run(&runtime, async { spawn(async move { i }).await }).ok(),
                            Some(i)
                        );
                    }
                });
            }
        });
    }
}

#[test]
fn mt_03_blocking_tasks_of_one_worker_spread_over_all() {
    let runtime = Runtime::builder().workers(4).build().expect("a runtime");
    let barrier = Arc::new(std::sync::Barrier::new(4));
    run(&runtime, async {
        let tasks: Vec<_> = (0..4)
            .map(|_| {
                let barrier = Arc::clone(&barrier);
                // Nobody passes before each of the four has a thread.
                spawn(async move { barrier.wait().is_leader() })
            })
            .collect();
        let mut leaders = 0;
        for task in tasks {
            leaders += usize::from(task.await.expect("it ends"));
        }
        assert_eq!(leaders, 1);
    });
}

#[test]
fn mt_08_a_wake_crosses_from_one_runtime_to_another() {
    let one = Runtime::builder().workers(2).build().expect("a runtime");
    let two = Runtime::builder().workers(2).build().expect("a runtime");
    for _ in 0..1000 {
        let (send, receive) = futures_channel::oneshot::channel();
        let waits = one.handle().spawn(receive);
        drop(two.handle().spawn(async move { send.send(3) }));
        assert_eq!(run(&one, waits.into_future()).expect("it ends"), Ok(3));
    }
}

#[test]
fn mt_09_runtimes_do_not_mix_their_tasks() {
    std::thread::scope(|scope| {
        for _ in 0..10 {
            scope.spawn(|| {
                kasasagi::run(async {
                    let children: Vec<_> =
                        (0..100).map(|_| spawn(std::future::pending::<()>())).collect();
                    assert_eq!(kasasagi::task::all().len(), 101);
                    drop(children);
                });
            });
        }
    });
}

#[test]
fn mt_11_a_panicking_task_kills_no_worker() {
    on_each(|runtime| {
        run(runtime, async {
            for _ in 0..50 {
                assert!(
                    spawn(async { panic!("on purpose") })
                        .await
                        .is_err_and(|error| error.is_panic())
                );
            }
            assert_eq!(spawn(async { 1 }).await.ok(), Some(1));
        });
    });
}

#[test]
fn a_runtime_dropped_inside_a_task_closes_and_joins_nobody() {
    for workers in [1, 2] {
        for _ in 0..50 {
            // Its own worker.
            let held = Arc::new(());
            let runtime = Runtime::builder().workers(workers).build().expect("a runtime");
            let handle = runtime.handle();
            let (send, receive) = std::sync::mpsc::channel();
            let theirs = Arc::clone(&held);
            drop(handle.spawn(async move {
                let _held = theirs;
                std::future::pending::<()>().await;
            }));
            drop(handle.spawn(async move {
                drop(runtime);
                send.send(()).expect("the test listens");
            }));
            receive.recv_timeout(Duration::from_secs(20)).expect("the drop returns");
            let until = Instant::now() + Duration::from_secs(20);
            while Arc::strong_count(&held) > 1 {
                assert!(Instant::now() < until, "the worker ends what is left");
                std::thread::yield_now();
            }
        }
    }
    // Another runtime's.
    let outer = Runtime::builder().workers(2).build().expect("a runtime");
    let inner = Runtime::builder().workers(2).build().expect("a runtime");
    let task = inner.handle().spawn(std::future::pending::<()>());
    run(&outer, async { spawn(async move { drop(inner) }).await }).expect("it ends");
    let until = Instant::now() + Duration::from_secs(20);
    while !task.is_finished() {
        assert!(Instant::now() < until, "the workers end what is left");
        std::thread::yield_now();
    }
}

#[test]
fn a_task_that_blocks_past_the_grace_period_is_told_of_by_name() {
    use kasasagi::FutureExt;
    let runtime = Runtime::builder().workers(2).build().expect("a runtime");
    let (send, receive) = std::sync::mpsc::channel::<()>();
    let (started, begun) = std::sync::mpsc::channel();
    let task = runtime.handle().spawn(
        async move {
            started.send(()).expect("the test listens");
            let _ = receive.recv();
        }
        .named("stubborn"),
    );
    begun.recv_timeout(Duration::from_secs(20)).expect("it starts");
    let report = runtime.shutdown(Duration::from_millis(50));
    assert!(!report.is_clean());
    assert_eq!(report.still_running.len(), 1, "{report}");
    assert_eq!(&*report.still_running[0].name, "stubborn");
    assert!(report.to_string().contains("runs.rs:"), "{report}");
    drop(send);
    let until = Instant::now() + Duration::from_secs(20);
    while !task.is_finished() {
        assert!(Instant::now() < until);
        std::thread::yield_now();
    }
}
