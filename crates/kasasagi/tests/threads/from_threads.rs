//! Threads that hand work to a runtime, and wait for it.

use crate::flavour::{for_each_flavour, for_one_worker, run};
use crate::support::{LIMIT, gate};
use kasasagi::{Handle, Runtime, ThreadPool, spawn, spawn_local, task, time, to_thread};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

/// Runs `f` on ten threads of the program's own, beside a runtime that runs.
fn on_ten_threads(runtime: &Runtime, f: impl Fn(&Handle) + Send + Sync) {
    let handle = runtime.handle();
    thread::scope(|scope| {
        for _ in 0..10 {
            scope.spawn(|| f(&handle));
        }
    });
}

#[test]
fn exec_20_a_thread_waits_for_a_future_of_a_runtime() {
    for_each_flavour(|build| {
        on_ten_threads(&build(), |handle| {
            let add = async |a: u32, b: u32| {
                time::sleep(Duration::from_micros(50)).await;
                a + b
            };
            assert_eq!(handle.block_on(add(1, 2)), 3);
            let task = handle.spawn(async move { 3 });
            assert_eq!(handle.block_on(task).expect("it ends"), 3);
            let lent = handle.to_thread(|| 3);
            assert_eq!(handle.block_on(lent).expect("it ends"), 3);
        });
    });
}

#[test]
fn exec_21_a_failure_comes_out_of_the_wait() {
    for_each_flavour(|build| {
        on_ten_threads(&build(), |handle| {
            let error = handle.block_on(handle.spawn(async { panic!("Fail!") })).map(|(): ()| ());
            assert!(error.expect_err("it panicked").to_string().contains("Fail!"));
            assert_eq!(handle.block_on(async { Err::<(), _>("Fail!") }), Err("Fail!"));
        });
    });
}

#[test]
fn exec_22_a_thread_that_waits_no_longer_cancels_the_task() {
    for_each_flavour(|build| {
        let runtime = build();
        on_ten_threads(&runtime, |handle| {
            let mut task = handle.spawn(std::future::pending::<()>());
            assert!(handle.block_on(time::timeout(Duration::ZERO, &mut task)).is_err());
            task.cancel();
            assert!(handle.block_on(task).expect_err("it was cancelled").is_cancelled());
        });
        assert!(runtime.handle().tasks().is_empty(), "none is left");
    });
}

#[test]
fn exec_23_a_task_that_cancels_itself_is_seen_as_cancelled() {
    for_each_flavour(|build| {
        on_ten_threads(&build(), |handle| {
            let task = handle.spawn(async {
                task::current().cancel();
                std::future::pending::<()>().await;
            });
            assert!(handle.block_on(task).expect_err("it was cancelled").is_cancelled());
        });
    });
}

#[test]
fn exec_24_a_spawn_that_is_refused_is_seen_by_the_thread() {
    for_each_flavour(|build| {
        let runtime = build();
        let handle = runtime.handle();
        assert!(runtime.shutdown(LIMIT).is_clean());
        let mut task = handle.spawn(async { 1 });
        let error = task.try_take().expect("it has ended").expect_err("it was refused");
        assert!(error.reason().is_some_and(|text| text.contains("shut down")), "{error}");
    });
}

/// What a hundred calls from another thread, made while the runtime sleeps, were called in.
fn calls_from_another_thread(runtime: &Runtime) -> Vec<i32> {
    let handle = runtime.handle();
    let (calls, called) = channel();
    run(runtime, async move {
        let (gate, held) = gate();
        let caller = thread::spawn(move || {
            held.pass();
            for n in 0..100 {
                let calls = calls.clone();
                drop(handle.call_soon(move || calls.send(n).unwrap_or_default()));
            }
        });
        gate.wait_for_arrival();
        gate.open();
        let all = to_thread(move || (0..100).map(|_| called.recv_timeout(LIMIT)).collect());
        let all: Result<Vec<i32>, _> = all.await.expect("it ends");
        caller.join().expect("it does not panic");
        all.expect("the runtime is woken")
    })
}

#[test]
fn exec_25_a_call_from_another_thread_wakes_the_runtime() {
    for_each_flavour(|build| {
        let mut calls = calls_from_another_thread(&build());
        calls.sort_unstable();
        assert_eq!(calls, (0..100).collect::<Vec<_>>());
    });
}

#[test]
fn exec_25_calls_of_one_thread_keep_their_order_on_one_worker() {
    for_one_worker(|build| {
        assert_eq!(calls_from_another_thread(&build()), (0..100).collect::<Vec<_>>());
    });
}

#[test]
fn exec_26_what_stays_on_a_thread_is_refused_on_others() {
    for_each_flavour(|build| {
        run(&build(), async {
            let panic =
                to_thread(|| catch_unwind(AssertUnwindSafe(|| drop(spawn_local(async {})))));
            let panic = panic.await.expect("it ends").expect_err("it is no worker");
            let said = panic.downcast_ref::<String>().map_or("", String::as_str);
            assert!(said.contains("on a thread that is no worker"), "{said}");
        });
    });
}

#[test]
fn exec_27_a_closure_may_wait_for_a_future_of_its_runtime() {
    for_each_flavour(|build| {
        run(&build(), async {
            let nested = to_thread(|| {
                let handle = Handle::current();
                handle.block_on(async {
                    time::sleep(Duration::from_micros(50)).await;
                    let spawned = spawn(async { 20 }).await.expect("it ends");
                    spawned + to_thread(|| 22).await.expect("there is another thread")
                })
            });
            assert_eq!(nested.await.expect("it ends"), 42);
        });
    });
}

#[test]
fn exec_16_a_pool_needs_no_runtime() {
    let pool = ThreadPool::new(2);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for n in 0..1_000_u32 {
                    assert_eq!(pool.submit(move || n).wait().ok(), Some(n));
                }
            });
        }
    });
}

#[test]
fn to_thread_outside_a_runtime_says_what_to_do() {
    let panic = std::panic::catch_unwind(|| drop(to_thread(|| 1))).expect_err("no runtime runs");
    let said = panic.downcast_ref::<String>().map_or("", String::as_str);
    assert!(said.contains("kasasagi::to_thread") && said.contains("from_threads.rs"), "{said}");
}
