//! `to_thread` and `run_in_executor`.

use crate::flavour::{for_each_flavour, in_each_flavour, run};
use crate::support::{LIMIT, gate};
use kasasagi::{
    BlockingError, Executor, Handle, JobExt, Runtime, TaskState, ThreadPool, Work, catch_cancel,
    context_var, gather, run_in_executor, spawn, task, time, to_thread, yield_now,
};
use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

context_var! {
    static WORD: &'static str = "unset";
}

#[test]
fn exec_01_06_a_closure_gives_what_it_makes_of_what_it_captured() {
    in_each_flavour(async || {
        let numbers = Box::new([40, 2]);
        let sum = to_thread(move || numbers.iter().sum::<i32>()).await;
        assert_eq!(sum.expect("it ends"), 42);
    });
}

#[test]
fn exec_02_a_panic_is_the_tasks_and_the_thread_goes_on() {
    for_each_flavour(|build| {
        let pool = ThreadPool::new(1);
        run(&build(), async {
            let (line, task) = (line!(), run_in_executor(&pool, || panic!("test")));
            let error = task.await.expect_err("it panicked");
            assert!(error.is_panic() && error.to_string().contains("test"), "{error}");
            let place = error.panic_place().expect("the place of the closure's panic").to_owned();
            assert!(place.contains(&format!("exec.rs:{line}:")), "{place}");
            let payload = error.into_panic().expect("it panicked");
            assert_eq!(payload.downcast_ref(), Some(&"test"));
            let failed = run_in_executor(&pool, || Err::<(), _>("refused")).await;
            assert_eq!(failed.expect("an error is a value"), Err("refused"));
            assert_eq!(pool.metrics().threads, 1);
        });
    });
}

#[test]
fn exec_03_each_closure_is_called_once() {
    in_each_flavour(async || {
        let calls = Arc::new(AtomicUsize::new(0));
        let call = || {
            let calls = Arc::clone(&calls);
            to_thread(move || calls.fetch_add(1, Ordering::Relaxed))
        };
        call().await.expect("it ends");
        assert_eq!(calls.load(Ordering::Relaxed), 1);
        let mut seen = HashSet::new();
        for result in gather((0..10).map(|_| call())).await {
            seen.insert(result.expect("it ends"));
        }
        assert_eq!((calls.load(Ordering::Relaxed), seen.len()), (11, 10));
    });
}

#[test]
fn exec_04_a_closure_runs_on_no_worker() {
    for_each_flavour(|build| {
        let workers = Arc::new(Mutex::new(HashSet::new()));
        let runtime = build();
        let seen = Arc::clone(&workers);
        run(&runtime, async move {
            let note = || {
                seen.lock().unwrap_or_else(PoisonError::into_inner).insert(thread::current().id())
            };
            note();
            for _ in 0..50 {
                let workers = Arc::clone(&seen);
                let note = async move {
                    workers
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .insert(thread::current().id())
                };
                spawn(note).await.expect("it ends");
                let on = to_thread(|| (thread::current().id(), task::try_current().is_none()));
                let (on, in_no_task) = on.await.expect("it ends");
                assert!(in_no_task);
                assert!(!seen.lock().unwrap_or_else(PoisonError::into_inner).contains(&on));
            }
        });
        assert!(!workers.lock().unwrap_or_else(PoisonError::into_inner).is_empty());
    });
}

#[test]
fn exec_05_a_closure_starts_at_the_call() {
    in_each_flavour(async || {
        let (gate, held) = gate();
        let task = to_thread(move || held.pass());
        // This blocks the worker on purpose: nothing but the call can have started it.
        gate.wait_for_arrival();
        gate.open();
        task.await.expect("it ends");
    });
}

#[test]
fn exec_07_a_closure_sees_the_callers_variables_and_keeps_what_it_sets() {
    in_each_flavour(async || {
        WORD.set("parrot");
        let task = to_thread(|| {
            let seen = WORD.get();
            WORD.set("leaked?");
            (seen, WORD.get())
        });
        WORD.set("set later");
        assert_eq!(task.await.expect("it ends"), ("parrot", "leaked?"));
        assert_eq!(WORD.get(), "set later");
        let pool = ThreadPool::new(1);
        assert_eq!(pool.submit(|| WORD.get()).await.ok(), Some("set later"));
        assert_eq!(pool.map([1, 2], |_| WORD.get()).into_stream().all().await, ["set later"; 2]);
    });
}

/// All that a stream gives.
trait All<T> {
    async fn all(self) -> Vec<T>;
}

impl<T> All<T> for kasasagi::MapStream<T> {
    async fn all(self) -> Vec<T> {
        use futures_util::StreamExt;
        StreamExt::collect::<Vec<_>>(self).await.into_iter().filter_map(Result::ok).collect()
    }
}

#[test]
fn exec_08_who_is_cancelled_waits_no_longer_and_the_closure_runs_to_its_end() {
    in_each_flavour(async || {
        let (gate, held) = gate();
        let (tell, told) = channel();
        let awaiter = spawn(async move {
            to_thread(move || {
                held.pass();
                let _ = tell.send(thread::panicking());
            })
            .await
        });
        while !task::all()
            .iter()
            .any(|task| task.wait.is_some_and(|wait| wait.kind.as_str() == "blocking"))
        {
            yield_now().await;
        }
        gate.wait_for_arrival();
        awaiter.cancel();
        // The closure is still held up: nobody waited for it.
        let error = awaiter.await.expect_err("it was cancelled");
        assert!(error.is_cancelled(), "{error}");
        gate.open();
        assert_eq!(told.recv_timeout(LIMIT), Ok(false), "the closure runs to its end");
    });
}

#[test]
fn exec_09_a_closure_that_is_cancelled_before_it_starts_never_runs() {
    in_each_flavour(async || {
        let pool = ThreadPool::new(1);
        let (gate, held) = gate();
        let first = run_in_executor(&pool, move || held.pass());
        gate.wait_for_arrival();
        let runs = Arc::new(AtomicUsize::new(0));
        let count = || {
            let runs = Arc::clone(&runs);
            move || runs.fetch_add(1, Ordering::Relaxed)
        };
        // By its own handle, by its awaiter, by a timeout.
        let second = run_in_executor(&pool, count());
        second.cancel();
        assert!(second.await.expect_err("it was cancelled").is_cancelled());
        let third = run_in_executor(&pool, count());
        let awaiter = spawn(async move { catch_cancel(third).await.is_err() });
        yield_now().await;
        awaiter.cancel();
        let _ = awaiter.await;
        let fourth = run_in_executor(&pool, count());
        assert!(time::timeout(Duration::from_millis(1), fourth).await.is_err());
        assert!(time::timeout(Duration::from_millis(1), pool.submit(count())).await.is_err());
        assert_eq!(Arc::strong_count(&runs), 1, "all closures are gone");
        gate.open();
        first.await.expect("it ends");
        assert_eq!(run_in_executor(&pool, || 5).await.expect("it ends"), 5);
        assert_eq!(runs.load(Ordering::Relaxed), 0);
    });
}

#[test]
fn exec_10_a_closure_may_end_after_its_runtime() {
    for_each_flavour(|build| {
        for _ in 0..20 {
            let (gate, held) = gate();
            let (tell, told) = channel();
            let runtime = build();
            run(&runtime, async move {
                let task = to_thread(move || {
                    held.pass();
                    // The runtime is gone; its handle says so, and nothing is touched.
                    let refused = kasasagi::spawn(async { 1 }).is_finished();
                    let _ = tell.send(refused);
                    vec![1_u8; 100]
                });
                drop(task);
            });
            gate.wait_for_arrival();
            let report = runtime.shutdown(Duration::ZERO);
            assert_eq!(report.blocking_left, 1, "{report}");
            assert!(report.to_string().contains("exec.rs"), "{report}");
            gate.open();
            assert_eq!(told.recv_timeout(LIMIT), Ok(true));
        }
    });
}

#[test]
fn exec_11_tasks_go_on_while_a_closure_blocks() {
    in_each_flavour(async || {
        let (gate, held) = gate();
        let task = to_thread(move || held.pass());
        for _ in 0..100 {
            yield_now().await;
            time::sleep(Duration::from_micros(10)).await;
        }
        assert!(!task.is_finished());
        gate.open();
        task.await.expect("it ends");
    });
}

#[test]
fn exec_12_the_default_executor_shuts_down_after_what_runs() {
    in_each_flavour(async || {
        let (gate, held) = gate();
        let task = to_thread(move || {
            held.pass();
            1
        });
        gate.wait_for_arrival();
        let handle = Handle::current();
        let shutdown = spawn(handle.shutdown_default_executor(LIMIT));
        while to_thread(|| 2).await.is_ok() {
            yield_now().await;
        }
        let error = to_thread(|| 3).await.expect_err("the executor is shut down");
        let said = error.to_string();
        assert!(error.is_cancelled() && said.contains("was shut down"), "{said}");
        assert!(!shutdown.is_finished(), "it waits");
        gate.open();
        assert_eq!(shutdown.await.expect("it ends").still_running, 0);
        assert_eq!(task.await.expect("it ends"), 1);
    });
}

#[test]
fn exec_13_a_shutdown_of_the_default_executor_that_takes_too_long_is_told() {
    let (reports, reported) = channel();
    let (gate, held) = gate();
    let runtime = Runtime::builder()
        .workers(2)
        .exception_hook(move |report| drop(reports.send(report.to_string())))
        .build()
        .expect("the system gives threads");
    run(&runtime, async {
        let task = to_thread((move || held.pass()).named("slow job"));
        gate.wait_for_arrival();
        let limit = Duration::from_millis(10);
        let report = Handle::current().shutdown_default_executor(limit).await;
        assert_eq!((report.still_running, report.jobs.len()), (1, 1));
        let said = reported.recv_timeout(LIMIT).expect("it is told");
        assert!(said.contains("did not end within 10ms") && said.contains("slow job"), "{said}");
        gate.open();
        task.await.expect("it ends all the same");
    });
}

/// Runs closures at once, and counts them.
struct Inline(AtomicUsize);

impl Executor for Inline {
    fn execute(&self, work: Work) {
        self.0.fetch_add(1, Ordering::Relaxed);
        work.run();
    }
}

/// Runs nothing.
struct Broken;

impl Executor for Broken {
    fn execute(&self, _: Work) {}
}

#[test]
fn exec_14_an_executor_of_ones_own_is_used_for_a_call_or_for_all() {
    in_each_flavour(async || {
        let inline = Inline(AtomicUsize::new(0));
        let on = run_in_executor(&inline, || thread::current().id()).await.expect("it ends");
        assert_eq!((on, inline.0.load(Ordering::Relaxed)), (thread::current().id(), 1));
        let error = run_in_executor(&Broken, || 1).await.expect_err("nobody runs it");
        assert!(error.to_string().contains("dropped it"), "{error}");
    });
    for workers in [1, 2] {
        let pool = ThreadPool::builder().max_workers(1).thread_name("mine").build();
        let builder = Runtime::builder().workers(workers).default_executor(pool);
        let runtime = builder.build().expect("the system gives threads");
        run(&runtime, async {
            let name = || thread::current().name().map(String::from);
            assert_eq!(to_thread(name).await.expect("it ends").as_deref(), Some("mine"));
        });
        assert!(runtime.shutdown(LIMIT).is_clean());
    }
}

#[test]
fn exec_12_a_pool_that_is_shut_down_refuses_and_says_why() {
    in_each_flavour(async || {
        let pool = ThreadPool::new(1);
        assert_eq!(pool.submit(|| 1).await.ok(), Some(1));
        let _ = pool.shutdown(false, false);
        let Err(BlockingError::Closed) = pool.submit(|| 2).await else { panic!("it is closed") };
        let error = run_in_executor(&pool, || 3).await.expect_err("it is closed");
        assert!(
            error.is_cancelled() && error.reason().is_some_and(|text| text.contains("shut down"))
        );
    });
}

#[test]
fn dbg_06_a_closure_is_a_task_with_name_place_and_wait_site() {
    in_each_flavour(async || {
        let (gate, held) = gate();
        let (line, task) = (line!(), to_thread((move || held.pass()).named("hash")));
        gate.wait_for_arrival();
        assert_eq!((&*task.name(), task.handle().info().state), ("hash", TaskState::Pending));
        let info = loop {
            let info = task::all().into_iter().find(|info| &*info.name == "hash");
            let info = info.expect("it is in the list");
            // Polled for nothing meanwhile, as chaos does, it says so again at the end of that poll.
            if info.wait.is_some() || !kasasagi_primitive::chaos::CHAOS {
                break info;
            }
            yield_now().await;
        };
        assert_eq!((info.spawned_at.line(), info.spawned_at.file()), (line, file!()));
        let wait = info.wait.expect("it says what it waits for");
        assert_eq!(wait.kind.as_str(), "blocking");
        assert_eq!(info.parent, Some(task::current().id()));
        gate.open();
        task.await.expect("it ends");
    });
}

#[test]
fn run_29_a_runtime_that_is_closed_runs_no_closure() {
    for_each_flavour(|build| {
        let runtime = build();
        let handle = runtime.handle();
        assert!(runtime.shutdown(LIMIT).is_clean());
        let runs = Arc::new(AtomicUsize::new(0));
        let count = {
            let runs = Arc::clone(&runs);
            move || runs.fetch_add(1, Ordering::Relaxed)
        };
        let task = handle.to_thread(count);
        assert!(task.is_cancelled());
        assert_eq!((Arc::strong_count(&runs), runs.load(Ordering::Relaxed)), (1, 0));
    });
}

#[test]
fn run_08_a_cleanup_may_use_a_thread_while_the_runtime_shuts_down() {
    for_each_flavour(|build| {
        let (tell, told) = channel();
        let runtime = build();
        run(&runtime, async move {
            let (begun, has_begun) = kasasagi::sync::oneshot();
            let task = spawn(kasasagi::finally(
                async move {
                    let _ = begun.send(());
                    std::future::pending::<()>().await;
                },
                async move {
                    let flushed = to_thread(|| "flushed").await;
                    let _ = tell.send(flushed.ok());
                },
            ));
            let _ = has_begun.await;
            drop(task);
        });
        assert!(runtime.shutdown(LIMIT).is_clean());
        assert_eq!(told.recv_timeout(LIMIT), Ok(Some("flushed")));
    });
}

#[test]
fn a_closure_that_was_not_run_ends_its_task_though_the_request_is_taken_back() {
    in_each_flavour(async || {
        for _ in 0..200 {
            let task = run_in_executor(&Refusing, || 1);
            // At any moment of its end, as whoever counts its own requests may.
            for _ in 0..4 {
                task.uncancel();
                yield_now().await;
            }
            let ended = time::timeout(LIMIT, task).await.expect("it does not hang");
            assert!(ended.expect_err("it was not run").is_cancelled());
        }
    });
}

/// Drops what it is given.
struct Refusing;

impl Executor for Refusing {
    fn execute(&self, work: Work) {
        drop(work);
    }
}
