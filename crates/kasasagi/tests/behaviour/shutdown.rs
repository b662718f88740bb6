//! The end of a runtime: what it waits for, what it reports, and what is left to itself.

use crate::child;
use crate::flavour::{for_each_flavour, for_several_workers, limited, one};
use crate::hand::{CountDrop, LIMIT, eventually, until};
use kasasagi::time::sleep;
use kasasagi::{FutureExt, Runtime, TaskState, spawn, uninterruptible, yield_now};
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

#[test]
fn a_report_names_what_was_cancelled() {
    for_each_flavour(|build| {
        let runtime = build();
        let line = line!() + 3;
        runtime
            .run(async {
                drop(spawn(sleep(Duration::from_secs(600)).named("sleeper")));
                drop(spawn(std::future::pending::<()>().named("stuck")));
                drop(spawn(async {}.named("ended")));
                until("one sleeps, and one has ended", || {
                    let tasks = kasasagi::task::all();
                    let of = |name| tasks.iter().find(|task| &*task.name == name);
                    of("sleeper").is_some_and(|task| task.wait.is_some()) && of("ended").is_none()
                })
                .await;
            })
            .expect("main ends");
        let report = runtime.shutdown(LIMIT);
        assert!(report.is_clean(), "{report}");
        let mut names: Vec<_> = report.cancelled.iter().map(|task| &*task.name).collect();
        names.sort_unstable();
        assert_eq!(names, ["sleeper", "stuck"], "{report:?}");
        let sleeper = report.cancelled.iter().find(|task| &*task.name == "sleeper");
        let sleeper = sleeper.expect("it is there");
        assert_eq!(sleeper.state, TaskState::Pending);
        assert_eq!(sleeper.spawned_at.line(), line);
        let text = report.to_string();
        assert!(text.starts_with("2 tasks were cancelled at shutdown\n"), "{text}");
        assert!(text.contains("waits_for=sleep"), "{text}");
        assert!(report.still_running.is_empty());
        assert_eq!((report.threads_left, report.blocking_left), (0, 0));
    });
}

#[test]
fn an_idle_runtime_ends_at_once_with_nothing_to_report() {
    for_each_flavour(|build| {
        let start = Instant::now();
        let report = build().shutdown(LIMIT);
        assert!(report.is_clean() && report.cancelled.is_empty(), "{report}");
        assert_eq!(report.to_string(), "0 tasks were cancelled at shutdown");
        assert!(start.elapsed() < Duration::from_secs(5));
    });
}

#[test]
fn a_task_that_blocks_past_the_grace_period_is_reported_and_left_to_itself() {
    for_each_flavour(|build| {
        let runtime = build();
        let (begin, begun) = channel();
        let (release, released) = channel::<()>();
        let line = line!() + 1;
        let task = runtime.handle().spawn(
            async move {
                let _ = begin.send(());
                let _ = released.recv();
                std::future::pending::<()>().await;
            }
            .named("blocker"),
        );
        begun.recv_timeout(LIMIT).expect("it begins");
        let start = Instant::now();
        let handle = runtime.handle();
        let report = runtime.shutdown(Duration::from_millis(100));
        let took = start.elapsed();
        // It returns though the task is not released; how late, depends on the machine.
        assert!(took >= Duration::from_millis(100), "{took:?}");
        assert!(!report.is_clean());
        assert_eq!(report.still_running.len(), 1, "{report}");
        assert_eq!(&*report.still_running[0].name, "blocker");
        assert_eq!(report.still_running[0].spawned_at.line(), line);
        let text = report.to_string();
        assert!(text.contains("had not ended after the grace period"), "{text}");
        assert!(text.matches("name='blocker'").count() == 2, "{text}");
        // Released, it ends as it was asked to, and so does its worker.
        release.send(()).expect("it waits");
        let error = handle.block_on(task).expect_err("it was cancelled");
        assert_eq!(error.reason(), Some("the runtime is shutting down"));
        eventually("nothing is left", || handle.tasks().is_empty());
    });
}

#[test]
fn run_cleans_up_before_it_returns_though_tasks_spawn_others_while_they_end() {
    struct SpawnsAtTheEnd(kasasagi::Handle, CountDrop);
    impl Drop for SpawnsAtTheEnd {
        fn drop(&mut self) {
            let kept = self.1.clone();
            drop(self.0.spawn(async move {
                let _kept = kept;
                std::future::pending::<()>().await;
            }));
        }
    }
    limited(|| {
        let (kept, dropped) = CountDrop::new();
        for _ in 0..20 {
            let kept = kept.clone();
            kasasagi::run(async move {
                for _ in 0..20 {
                    let last = SpawnsAtTheEnd(kasasagi::Handle::current(), kept.clone());
                    drop(spawn(async move {
                        let _last = last;
                        std::future::pending::<()>().await;
                    }));
                }
                yield_now().await;
            });
        }
        drop(kept);
        // Of each round: main's, and of each task its own and that of the one it spawned.
        assert_eq!(dropped.load(Ordering::SeqCst), 20 * (1 + 2 * 20) + 1);
    });
}

#[test]
fn tasks_that_spin_with_yields_end_at_the_shutdown() {
    for_each_flavour(|build| {
        let runtime = build();
        for _ in 0..8 {
            drop(runtime.handle().spawn(async {
                loop {
                    yield_now().await;
                }
            }));
        }
        let report = runtime.shutdown(LIMIT);
        assert!(report.is_clean(), "{report}");
        assert_eq!(report.cancelled.len(), 8);
    });
}

#[test]
fn a_runtime_dropped_by_a_task_of_another_closes_and_waits_for_nobody() {
    for_each_flavour(|build| {
        for _ in 0..20 {
            let (inner, outer) = (build(), build());
            let handle = inner.handle();
            let (kept, dropped) = CountDrop::new();
            let (begin, begun) = channel();
            let release = Arc::new(AtomicBool::new(false));
            let released = Arc::clone(&release);
            drop(inner.handle().spawn(async move {
                let _kept = kept;
                let _ = begin.send(());
                // Would block whoever joins its worker.
                while !released.load(Ordering::SeqCst) {
                    std::thread::yield_now();
                }
                std::future::pending::<()>().await;
            }));
            begun.recv_timeout(LIMIT).expect("it begins");
            outer
                .run(async move {
                    let dropper = spawn(async move { drop(inner) });
                    dropper.await.expect("it does not block");
                })
                .expect("main ends");
            assert_eq!(dropped.load(Ordering::SeqCst), 0, "nobody waited for the task");
            release.store(true, Ordering::SeqCst);
            eventually("its task ends", || dropped.load(Ordering::SeqCst) == 1);
            eventually("none is left", || handle.tasks().is_empty());
        }
    });
}

#[test]
fn a_runtime_dropped_by_a_task_of_its_own_closes_and_ends() {
    for_each_flavour(|build| {
        for round in 0..50 {
            let runtime = build();
            let handle = runtime.handle();
            let (kept, dropped) = CountDrop::new();
            for _ in 0..4 {
                let kept = kept.clone();
                drop(handle.spawn(async move {
                    let _kept = kept;
                    std::future::pending::<()>().await;
                }));
            }
            let (give, given) = channel::<Runtime>();
            let task = handle.spawn(async move {
                let runtime = given.recv().expect("it is given");
                drop(runtime);
                let refused = kasasagi::spawn(async {});
                let error = refused.await.expect_err("it is closed");
                error.is_cancelled()
            });
            give.send(runtime).expect("it waits");
            // Either it comes to see that its own spawn was refused, or it is cancelled itself by then.
            if let Ok(refused) = handle.block_on(task) {
                assert!(refused);
            }
            eventually("all tasks end", || handle.tasks().is_empty());
            drop(kept);
            assert_eq!(dropped.load(Ordering::SeqCst), 5, "round {round}");
        }
    });
}

#[test]
fn a_runtime_shared_with_main_may_be_dropped_inside_it() {
    for_each_flavour(|build| {
        let runtime = Arc::new(build());
        let inside = Arc::clone(&runtime);
        runtime
            .run(async move {
                drop(inside);
                spawn(async { yield_now().await }).await.expect("it goes on");
            })
            .expect("main ends");
    });
}

#[test]
fn a_waker_outlives_its_runtime_in_any_state() {
    for_each_flavour(|build| {
        for _ in 0..20 {
            let wakers = Arc::new(Mutex::new(Vec::<Waker>::new()));
            let runtime = build();
            let show = |wakers: &Arc<Mutex<Vec<Waker>>>| {
                let wakers = Arc::clone(wakers);
                poll_fn(move |cx| {
                    wakers.lock().expect("no panic").push(cx.waker().clone());
                    Poll::<()>::Pending
                })
            };
            let task = runtime.handle().spawn(show(&wakers));
            drop(runtime.handle().spawn(show(&wakers)));
            let main = show(&wakers);
            runtime
                .run(async {
                    let mut main = std::pin::pin!(main);
                    poll_fn(|cx| {
                        let _ = main.as_mut().poll(cx);
                        Poll::Ready(())
                    })
                    .await;
                })
                .expect("main ends");
            eventually("they show their wakers", || wakers.lock().expect("no panic").len() >= 3);
            let reference = task.handle();
            drop(runtime);
            let wakers = std::mem::take(&mut *wakers.lock().expect("no panic"));
            for waker in &wakers {
                waker.wake_by_ref();
                let copy = waker.clone();
                assert!(copy.will_wake(waker));
                copy.wake();
            }
            assert!(reference.is_cancelled() && task.is_cancelled());
            assert!(!reference.cancel());
            drop(task);
            // On another thread, the last of the references.
            std::thread::spawn(move || drop((wakers, reference))).join().expect("no panic");
        }
    });
}

#[test]
fn a_shutdown_while_another_thread_runs_ends_its_main_as_well() {
    for_several_workers(|build| {
        let runtime = build();
        let handle = runtime.handle();
        // A guest: it waits on its own thread, and its future is nobody's task.
        let guest = std::thread::spawn({
            let handle = handle.clone();
            move || {
                let task = handle.spawn(std::future::pending::<()>());
                handle.block_on(task)
            }
        });
        eventually("the guest spawns", || !handle.tasks().is_empty());
        assert!(runtime.shutdown(LIMIT).is_clean());
        let error = guest.join().expect("no panic").expect_err("it was cancelled");
        assert!(error.is_cancelled());
    });
}

#[test]
fn tasks_that_block_behind_main_are_reported_when_run_returns_in_debug_mode() {
    let me = "shutdown::tasks_that_block_behind_main_are_reported_when_run_returns_in_debug_mode";
    if child::is_me(me) {
        kasasagi::run(async {
            drop(spawn(sleep(Duration::from_secs(600)).named("left behind")));
            yield_now().await;
        });
        return;
    }
    let ended = child::run(me, |command| {
        command.env("KASASAGI_DEBUG", "1");
    });
    assert!(ended.success, "{ended:?}");
    assert!(ended.stderr.contains("1 tasks were cancelled at shutdown"), "{ended:?}");
    assert!(ended.stderr.contains("name='left behind'"), "{ended:?}");
    assert!(ended.stderr.contains("shutdown.rs:"), "{ended:?}");
}

#[test]
fn what_the_grace_period_was_too_short_for_is_told_when_nobody_gets_the_report() {
    let me =
        "shutdown::what_the_grace_period_was_too_short_for_is_told_when_nobody_gets_the_report";
    let stubborn = |name: &str| {
        let waits = uninterruptible(std::future::pending::<()>());
        drop(spawn(waits.named(format!("stubborn {name}"))));
        yield_now()
    };
    let grace = Duration::from_millis(20);
    if child::is_me(me) {
        let builder = || kasasagi::Runtime::builder().workers(1).debug(false).shutdown_grace(grace);
        let runtime = builder().build().expect("the system gives a poller");
        runtime.run(async { stubborn("dropped").await }).expect("main ends");
        drop(runtime);
        let runtime = builder().build().expect("the system gives a poller");
        runtime.run(async { stubborn("shut down").await }).expect("main ends");
        assert_eq!(runtime.shutdown(grace).cut_off.len(), 1);
        // Cancelled in time: that is no news.
        let runtime = builder().build().expect("the system gives a poller");
        runtime.run(async { drop(spawn(sleep(LIMIT).named("obedient"))) }).expect("main ends");
        return;
    }
    let ended = child::run(me, |command| {
        command.env_remove("KASASAGI_DEBUG");
    });
    assert!(ended.success, "{ended:?}");
    assert!(ended.stderr.contains("1 tasks were cut off after the grace period"), "{ended:?}");
    assert_eq!(ended.stderr.matches("name='stubborn dropped'").count(), 2, "{ended:?}");
    assert!(!ended.stderr.contains("stubborn shut down"), "the caller has the report: {ended:?}");
    assert!(!ended.stderr.contains("obedient"), "{ended:?}");
}

#[test]
fn a_shutdown_with_no_grace_returns_at_once() {
    limited(|| {
        let runtime = one();
        drop(runtime.handle().spawn(std::future::pending::<()>()));
        let start = Instant::now();
        let _ = runtime.shutdown(Duration::ZERO);
        assert!(start.elapsed() < Duration::from_secs(5));
    });
}
