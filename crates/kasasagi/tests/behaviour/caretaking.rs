//! A runtime that nobody runs: its worker threads, or the caretaker of one that has none.

use crate::flavour::{for_each_flavour, limited, one};
use crate::hand::{CountDrop, LIMIT, eventually};
use kasasagi::net::{TcpListener, TcpStream};
use kasasagi::time::sleep;
use kasasagi::{Runtime, spawn, yield_now};
use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::Duration;

#[test]
fn between_runs_only_the_worker_threads_work() {
    for workers in [2, 3, 4] {
        limited(|| {
            let runtime = Runtime::builder()
                .workers(workers)
                .thread_name("between")
                .build()
                .expect("it builds");
            let threads = Arc::new(Mutex::new(HashSet::new()));
            runtime.run(async { yield_now().await }).expect("main ends");
            let tasks: Vec<_> = (0..200)
                .map(|_| {
                    let threads = Arc::clone(&threads);
                    runtime.handle().spawn(async move {
                        for _ in 0..10 {
                            let name = std::thread::current().name().map(str::to_owned);
                            threads.lock().expect("no panic").insert(name.expect("it has one"));
                            yield_now().await;
                        }
                    })
                })
                .collect();
            for task in tasks {
                runtime.handle().block_on(task).expect("it ends");
            }
            let threads = threads.lock().expect("no panic").clone();
            let allowed: HashSet<_> = (1..workers).map(|seat| format!("between-{seat}")).collect();
            assert!(threads.is_subset(&allowed), "{threads:?}");
        });
    }
}

#[test]
fn a_runtime_that_nobody_runs_completes_what_is_spawned_into_it() {
    for_each_flavour(|build| {
        let runtime = build();
        for n in 0..200 {
            // Waited for without the runtime: nobody lends it a thread.
            let (tell, told) = channel();
            drop(runtime.handle().spawn(async move {
                yield_now().await;
                let _ = tell.send(n);
            }));
            assert_eq!(told.recv_timeout(LIMIT), Ok(n));
            // And by `block_on`.
            let task = runtime.handle().spawn(async move { n });
            assert_eq!(runtime.handle().block_on(task).expect("it ends"), n);
        }
    });
}

#[test]
fn a_runtime_that_nobody_runs_serves_timers_and_sockets() {
    for_each_flavour(|build| {
        let runtime = build();
        let handle = runtime.handle();
        let echo = handle.spawn(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
            let address = listener.local_addr().expect("it is bound");
            let server = spawn(async move {
                let (stream, _) = listener.accept().await.expect("somebody connects");
                let mut bytes = [0; 5];
                stream.read_exact(&mut bytes).await.expect("five bytes come");
                sleep(Duration::from_millis(5)).await;
                stream.write_all(&bytes).await.expect("they go back");
            });
            let stream = TcpStream::connect(address).await.expect("it listens");
            stream.write_all(b"kachi").await.expect("there is room");
            let mut bytes = [0; 5];
            stream.read_exact(&mut bytes).await.expect("five bytes come back");
            server.await.expect("it ends");
            bytes
        });
        let (tell, told) = channel();
        drop(handle.spawn(async move { tell.send(echo.await.expect("it ends")) }));
        assert_eq!(&told.recv_timeout(LIMIT).expect("it ends"), b"kachi");
        // The timers and sockets of a future that is nobody's task.
        handle.block_on(async {
            sleep(Duration::from_millis(5)).await;
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
            let address = listener.local_addr().expect("it is bound");
            let (accepted, connected) =
                futures_util::future::join(listener.accept(), TcpStream::connect(address)).await;
            let (accepted, connected) =
                (accepted.expect("one comes").0, connected.expect("it listens"));
            connected.write_all(b"x").await.expect("there is room");
            let mut byte = [0];
            assert_eq!(accepted.read(&mut byte).await.expect("a byte comes"), 1);
        });
    });
}

#[test]
fn a_run_takes_over_from_the_caretaker_and_gives_back() {
    limited(|| {
        let runtime = one();
        let ticks = Arc::new(AtomicUsize::new(0));
        let ticking = Arc::clone(&ticks);
        drop(runtime.handle().spawn(async move {
            loop {
                ticking.fetch_add(1, Ordering::SeqCst);
                sleep(Duration::from_micros(500)).await;
            }
        }));
        let goes_on = || {
            let before = ticks.load(Ordering::SeqCst);
            eventually("the task goes on", || ticks.load(Ordering::SeqCst) > before + 2);
        };
        for n in 0..50 {
            goes_on();
            let main = std::thread::current().id();
            let thread = runtime.run(async {
                // On one worker every task is on this thread now.
                spawn(async { std::thread::current().id() }).await.expect("it ends")
            });
            assert_eq!(thread.expect("main ends"), main, "round {n}");
        }
        goes_on();
        let report = runtime.shutdown(LIMIT);
        assert!(report.is_clean() && report.cancelled.len() == 1, "{report}");
    });
}

#[test]
fn the_caretaker_is_one_thread_with_the_runtimes_name_and_hooks() {
    limited(|| {
        let starts = Arc::new(AtomicUsize::new(0));
        let started = Arc::clone(&starts);
        let runtime = Runtime::builder()
            .current_thread()
            .name("alone")
            .on_thread_start(move || {
                started.fetch_add(1, Ordering::SeqCst);
            })
            .build()
            .expect("it builds");
        runtime.run(async { yield_now().await }).expect("main ends");
        assert_eq!(starts.load(Ordering::SeqCst), 0, "nobody needed it");
        for _ in 0..20 {
            let name =
                runtime.handle().spawn(async { std::thread::current().name().map(str::to_owned) });
            let name = runtime.handle().block_on(name).expect("it ends");
            assert_eq!(name.as_deref(), Some("alone-0"));
        }
        assert_eq!(starts.load(Ordering::SeqCst), 1);
    });
}

#[test]
fn a_task_left_by_main_is_cancelled_when_the_runtime_is_dropped() {
    for_each_flavour(|build| {
        for _ in 0..50 {
            let (kept, dropped) = CountDrop::new();
            let runtime = build();
            runtime
                .run(async move {
                    drop(spawn(async move {
                        let _kept = kept;
                        std::future::pending::<()>().await;
                    }));
                })
                .expect("main ends");
            drop(runtime);
            assert_eq!(dropped.load(Ordering::SeqCst), 1);
        }
    });
}
