//! `run`, `Runtime::run`, and the runtime inside and outside of them.

use crate::flavour::{for_each_flavour, limited};
use crate::hand::{CountDrop, LIMIT, panic_of};
use futures_util::StreamExt;
use kasasagi::net::{TcpListener, TcpStream};
use kasasagi::time::sleep;
use kasasagi::{FutureExt, Handle, RunError, Runtime, spawn, spawn_local, yield_now};
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

#[test]
fn run_01_main_gives_its_output() {
    let main = async || {
        yield_now().await;
        42
    };
    assert_eq!(limited(|| kasasagi::run(main())), 42);
    for_each_flavour(|build| {
        let runtime = build();
        assert_eq!(runtime.run(main()).expect("main ends"), 42);
    });
}

#[derive(Debug, PartialEq)]
struct ValueError(&'static str);

#[test]
fn run_02_an_error_of_main_goes_through_unchanged() {
    let main = async || -> Result<(), ValueError> {
        yield_now().await;
        Err(ValueError("spam"))
    };
    assert_eq!(limited(|| kasasagi::run(main())), Err(ValueError("spam")));
    for_each_flavour(|build| {
        assert_eq!(build().run(main()).expect("main ends"), Err(ValueError("spam")));
    });
}

#[test]
fn run_03_a_panic_of_main_comes_out_after_the_cleanup() {
    limited(|| {
        let (kept, dropped) = CountDrop::new();
        let text = panic_of(|| {
            kasasagi::run(async move {
                drop(spawn(async move {
                    let _kept = kept;
                    sleep(Duration::from_secs(600)).await;
                }));
                yield_now().await;
                panic!("spam {}", "and eggs");
            })
        });
        assert_eq!(text, "spam and eggs");
        assert_eq!(dropped.load(Ordering::SeqCst), 1, "the task that was left has ended");
    });
    for_each_flavour(|build| {
        let runtime = build();
        let text = panic_of(|| runtime.run(async { panic!("spam") }));
        assert_eq!(text, "spam");
        // The runtime is as good as before.
        let sum = runtime.run(async { spawn(async { 40 }).await.expect("it ends") + 2 });
        assert_eq!(sum.expect("main ends"), 42);
    });
}

#[test]
fn run_05_a_run_inside_a_run_is_refused_at_once_and_its_future_dropped_unpolled() {
    for_each_flavour(|build| {
        let runtime = Arc::new(build());
        let (inner, outer) = (Arc::clone(&runtime), Arc::clone(&runtime));
        let polled = Arc::new(AtomicBool::new(false));
        let (kept, dropped) = CountDrop::new();
        let future = |kept: CountDrop| {
            let polled = Arc::clone(&polled);
            async move {
                let _kept = kept;
                polled.store(true, Ordering::SeqCst);
            }
        };
        let futures = [future(kept.clone()), future(kept.clone()), future(kept.clone())];
        let in_task = [future(kept.clone()), future(kept.clone()), future(kept)];
        let nest = |runtime: &Runtime, [a, b, c]: [_; 3]| {
            assert!(matches!(runtime.run(a), Err(RunError::Nested)));
            let run = panic_of(|| kasasagi::run(b));
            assert_eq!(run, RunError::Nested.to_string());
            let block_on = panic_of(|| Handle::current().block_on(c));
            assert!(
                block_on.starts_with("`Handle::block_on` was called inside a task"),
                "{block_on}"
            );
        };
        outer
            .run(async {
                nest(&runtime, futures);
                spawn(async move { nest(&inner, in_task) }).await.expect("it ends");
            })
            .expect("main ends");
        assert!(!polled.load(Ordering::SeqCst));
        assert_eq!(dropped.load(Ordering::SeqCst), 6);
    });
}

#[test]
fn run_05_another_runtime_may_not_be_run_inside_a_task_either() {
    for_each_flavour(|build| {
        let other = build();
        let refused = build().run(async { matches!(other.run(async {}), Err(RunError::Nested)) });
        assert!(refused.expect("main ends"));
    });
}

#[test]
fn run_06_what_main_leaves_behind_has_ended_when_run_returns() {
    limited(|| {
        let start = Instant::now();
        let (kept, dropped) = CountDrop::new();
        let output = kasasagi::run(async move {
            for _ in 0..20 {
                let kept = CountDrop(Arc::clone(&kept.0));
                drop(spawn(async move {
                    let _kept = kept;
                    sleep(Duration::from_secs(600)).await;
                }));
            }
            drop(kept);
            yield_now().await;
            123
        });
        assert_eq!(output, 123);
        assert_eq!(dropped.load(Ordering::SeqCst), 21);
        assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    });
}

#[test]
fn run_06_a_run_of_a_kept_runtime_leaves_its_tasks_running() {
    for_each_flavour(|build| {
        let runtime = build();
        let task = runtime
            .run(async {
                let task = spawn(async {
                    sleep(Duration::from_millis(20)).await;
                    "later"
                });
                yield_now().await;
                task
            })
            .expect("main ends");
        // With one worker, the caretaker's.
        assert_eq!(runtime.handle().block_on(task).expect("it ends"), "later");
    });
}

#[test]
fn run_09_a_stream_half_consumed_by_what_is_left_is_dropped() {
    for_each_flavour(|build| {
        let runtime = build();
        let (kept, dropped) = CountDrop::new();
        let output: Result<Result<(), ValueError>, _> = runtime.run(async move {
            let (tell, told) = futures_channel::oneshot::channel();
            drop(spawn(async move {
                let mut stream = std::pin::pin!(futures_util::stream::unfold(0, move |n| {
                    let _in_the_stream = &kept;
                    async move {
                        if n == 3 {
                            sleep(Duration::from_secs(600)).await;
                        }
                        Some((n, n + 1))
                    }
                }));
                let mut tell = Some(tell);
                while let Some(n) = stream.next().await {
                    if n == 2 {
                        tell.take().map(|tell| tell.send(()));
                    }
                }
            }));
            told.await.expect("it consumes half of the stream");
            Err(ValueError("main"))
        });
        assert_eq!(output.expect("main ends"), Err(ValueError("main")));
        assert!(runtime.shutdown(LIMIT).is_clean());
        assert_eq!(dropped.load(Ordering::SeqCst), 1);
    });
}

#[test]
fn run_11_debug_mode_is_seen_inside() {
    for debug in [true, false] {
        let runtime = Runtime::builder().workers(2).debug(debug).build().expect("it builds");
        assert_eq!(runtime.run(async { Handle::current().debug() }).expect("main ends"), debug);
    }
}

#[test]
fn run_12_a_runtime_can_be_run_again_and_again() {
    for_each_flavour(|build| {
        let runtime = build();
        for n in 0..50_u64 {
            let output = runtime.run(async move {
                let task = spawn(async move {
                    sleep(Duration::from_micros(100)).await;
                    n
                });
                task.await.expect("it ends") + 1
            });
            assert_eq!(output.expect("main ends"), n + 1);
        }
    });
}

#[test]
fn run_14_a_runtime_that_was_shut_down_says_so() {
    for_each_flavour(|build| {
        let runtime = build();
        let handle = runtime.handle();
        assert!(runtime.shutdown(LIMIT).is_clean());
        let task = handle.spawn(async {});
        assert!(task.is_cancelled());
        let error = handle.block_on(task).expect_err("it was cancelled");
        assert!(error.reason().is_some_and(|reason| reason.contains("shut down")), "{error}");
    });
}

#[test]
fn run_15_a_dropped_runtime_ends_its_tasks_like_a_shutdown() {
    for_each_flavour(|build| {
        let runtime = build();
        let (kept, dropped) = CountDrop::new();
        let handle = runtime.handle();
        runtime
            .run(async move {
                drop(spawn(async move {
                    let _kept = kept;
                    std::future::pending::<()>().await;
                }));
                yield_now().await;
            })
            .expect("main ends");
        drop(runtime);
        assert_eq!(dropped.load(Ordering::SeqCst), 1);
        assert!(handle.tasks().is_empty());
    });
}

#[test]
fn run_16_hooks_are_called_once_a_thread_and_main_sees_the_runtime_that_was_built() {
    for workers in [1, 2, 4] {
        limited(|| {
            let starts = Arc::new(Mutex::new(Vec::new()));
            let stops = Arc::new(AtomicUsize::new(0));
            let (started, stopped) = (Arc::clone(&starts), Arc::clone(&stops));
            let runtime = Runtime::builder()
                .workers(workers)
                .name("weaver")
                .thread_name("loom")
                .on_thread_start(move || {
                    let name = std::thread::current().name().map(str::to_owned);
                    started.lock().expect("no panic").push(name.expect("workers have names"));
                })
                .on_thread_stop(move || {
                    stopped.fetch_add(1, Ordering::SeqCst);
                })
                .build()
                .expect("it builds");
            for _ in 0..3 {
                let name = runtime.run(async { Handle::current().name().to_owned() });
                assert_eq!(name.expect("main ends"), "weaver");
            }
            let report = runtime.shutdown(LIMIT);
            assert!(report.is_clean(), "{report}");
            let mut starts = starts.lock().expect("no panic").clone();
            starts.sort();
            let names: Vec<_> = (1..workers).map(|seat| format!("loom-{seat}")).collect();
            assert_eq!(starts, names, "each worker but the one that calls `run`");
            assert_eq!(stops.load(Ordering::SeqCst), workers - 1);
        });
    }
}

/// Neither Clone nor Debug, and moved out.
struct Output(Vec<u8>);

#[test]
fn run_17_the_output_is_moved_out() {
    for_each_flavour(|build| {
        let bytes = vec![1, 2, 3];
        let address = bytes.as_ptr();
        let output = build().run(async move { Output(bytes) }).expect("main ends");
        assert_eq!(output.0.as_ptr(), address);
    });
}

#[test]
fn main_may_borrow_and_need_not_be_send() {
    for_each_flavour(|build| {
        let runtime = build();
        let mut words = vec!["borrowed".to_owned()];
        let shared = Rc::new(RefCell::new(0));
        let main_thread = std::thread::current().id();
        runtime
            .run(async {
                for _ in 0..10 {
                    let local = spawn_local({
                        let shared = Rc::clone(&shared);
                        async move {
                            yield_now().await;
                            *shared.borrow_mut() += 1;
                            std::thread::current().id()
                        }
                    });
                    assert_eq!(local.await.expect("it ends"), main_thread);
                    words.push(spawn(async { "sent".to_owned() }).await.expect("it ends"));
                    assert_eq!(std::thread::current().id(), main_thread);
                }
            })
            .expect("main ends");
        assert_eq!((words.len(), *shared.borrow()), (11, 10));
    });
}

#[test]
fn local_tasks_that_main_leaves_end_on_its_thread() {
    for_each_flavour(|build| {
        let runtime = build();
        let (kept, dropped) = CountDrop::new();
        let thread = Rc::new(std::thread::current().id());
        runtime
            .run(async {
                drop(spawn_local(async move {
                    let _kept = (kept, thread);
                    std::future::pending::<()>().await;
                }));
                yield_now().await;
            })
            .expect("main ends");
        assert_eq!(dropped.load(Ordering::SeqCst), 1, "before `run` returned");
        assert!(runtime.handle().tasks().is_empty());
    });
}

#[test]
fn run_28_the_current_runtime_is_there_inside_and_not_outside() {
    for_each_flavour(|build| {
        let none = || {
            assert!(Handle::try_current().is_err());
            let text = panic_of(Handle::current);
            assert!(text.starts_with("`Handle::current` failed: no runtime runs"), "{text}");
        };
        none();
        let runtime = Runtime::builder().name("this one").build().expect("it builds");
        none();
        let other = build();
        runtime
            .run(async {
                assert_eq!(Handle::current().name(), "this one");
                let name = spawn(async { Handle::current().name().to_owned() }).await;
                assert_eq!(name.expect("it ends"), "this one");
                let name = other.handle().spawn(async { Handle::current().name().to_owned() });
                assert_eq!(name.await.expect("it ends"), "kasasagi");
                assert_eq!(Handle::current().name(), "this one");
            })
            .expect("main ends");
        none();
        assert_eq!(
            runtime.handle().block_on(async { Handle::current().name().to_owned() }),
            "this one"
        );
        none();
    });
}

#[test]
fn run_29_what_is_asked_of_a_closed_runtime_is_refused_and_does_not_hang() {
    for_each_flavour(|build| {
        let runtime = build();
        let handle = runtime.handle();
        let (listener, address) = runtime
            .run(async {
                let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
                let address = listener.local_addr().expect("it is bound");
                (listener, address)
            })
            .expect("main ends");
        assert!(runtime.shutdown(LIMIT).is_clean());

        let (kept, dropped) = CountDrop::new();
        let task = handle.spawn(
            async move {
                let _kept = kept;
            }
            .named("late"),
        );
        assert_eq!(dropped.load(Ordering::SeqCst), 1);
        let error = handle.block_on(task).expect_err("it was refused");
        assert_eq!(
            error.to_string(),
            "task `late` was cancelled: the runtime is shut down: spawn before `shutdown`, or on another \
             runtime"
        );
        // A timer completes rather than never, and sockets say what is the matter.
        handle.block_on(async { sleep(Duration::from_secs(600)).await });
        let error = handle.block_on(async { TcpStream::connect(address).await });
        println!("connect: {}", error.as_ref().expect_err("it is refused"));
        let error = handle.block_on(async { listener.accept().await.map(|_| ()) });
        println!("accept: {}", error.as_ref().expect_err("it is refused"));
        let error = handle.block_on(async { TcpListener::bind("127.0.0.1:0").await.map(|_| ()) });
        println!("bind: {}", error.as_ref().expect_err("it is refused"));
        let error =
            handle.block_on(async { kasasagi::net::lookup_host("localhost:80").await.map(|_| ()) });
        println!("lookup: {}", error.as_ref().expect_err("it is refused"));
    });
}

#[test]
fn run_31_a_shutdown_inside_a_task_is_refused() {
    for_each_flavour(|build| {
        let runtime = build();
        let main = build();
        let text = main.run(async { panic_of(move || runtime.shutdown(LIMIT)) });
        assert_eq!(
            text.expect("main ends"),
            "`Runtime::shutdown` was called inside a task, and would wait for that task: call it outside `run`"
        );
    });
}
