//! What nobody looked at is reported, once, and what somebody looked at is not.

use crate::child;
use crate::flavour::{for_each_flavour, for_several_workers, limited, run};
use crate::hand::{LIMIT, eventually, until};
use kasasagi::time::sleep;
use kasasagi::{
    ExceptionHook, FutureExt, Report, ReportKind, Runtime, catch_cancel, spawn, spawn_fallible,
    task, yield_now,
};
use std::future::pending;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What `runtime` reports from now on.
pub(crate) fn reports_of(runtime: &Runtime) -> Receiver<Report> {
    let (tell, told) = channel();
    let tell = Mutex::new(tell);
    let hook: ExceptionHook = Arc::new(move |report: &Report| {
        let _ = tell.lock().expect("no panic in here").send(report.clone());
    });
    runtime.handle().set_exception_hook(Some(hook));
    told
}

/// An error of a program, which counts how often it was put into words.
#[derive(Clone, Default)]
struct Told(Arc<AtomicUsize>);

impl std::fmt::Display for Told {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fetch_add(1, Ordering::SeqCst);
        f.write_str("no such magpie")
    }
}

async fn ended<T>(task: &kasasagi::Task<T>) {
    until("the task ends", || task.is_finished()).await;
}

#[test]
fn fut_15_a_panic_is_reported_once_whether_the_handle_was_dropped_before_or_after() {
    for_each_flavour(|build| {
        let runtime = build();
        let told = reports_of(&runtime);
        let line = line!() + 2;
        run(&runtime, async {
            let make = || spawn(async { panic!("out of {}", "twigs") }.named("nest"));
            drop(make());
            let (first, second) = (make(), make());
            ended(&first).await;
            drop(first);
            // Nor is it looked at by who asks whether it has ended, or awaits the handle and gives up.
            ended(&second).await;
            let thread = std::thread::spawn(move || drop::<kasasagi::Task<()>>(second));
            until("the other thread is done", || thread.is_finished()).await;
        });
        for _ in 0..3 {
            let report = told.recv_timeout(LIMIT).expect("a report each");
            assert_eq!(report.kind, ReportKind::TaskPanic);
            assert_eq!(report.error.as_deref(), Some("out of twigs"));
            let place = report.place.as_deref().expect("the place of the panic");
            assert!(place.contains(&format!("exceptions.rs:{line}:")), "{place}");
            let task = report.task.as_ref().expect("the task");
            assert_eq!(&*task.name, "nest");
            assert_eq!(task.spawned_at.line(), line);
            let text = report.to_string();
            assert!(
                text.starts_with("a task panicked and nobody awaited it: task `nest`, spawned at "),
                "{text}"
            );
            assert!(text.ends_with(": out of twigs"), "{text}");
        }
        drop(runtime);
        assert!(told.try_recv().is_err(), "once each");
    });
}

#[test]
fn fut_15_a_panic_that_comes_while_a_detached_task_is_cancelled_is_reported() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("in a drop");
        }
    }
    for_each_flavour(|build| {
        let runtime = build();
        let told = reports_of(&runtime);
        run(&runtime, async {
            let begun = Arc::new(AtomicBool::new(false));
            let task = spawn({
                let begun = Arc::clone(&begun);
                async move {
                    let _bomb = Bomb;
                    begun.store(true, Ordering::SeqCst);
                    pending::<()>().await;
                }
            });
            until("it begins", || begun.load(Ordering::SeqCst)).await;
            task.cancel();
            drop(task);
        });
        let report = told.recv_timeout(LIMIT).expect("a report");
        assert_eq!(report.error.as_deref(), Some("in a drop"));
        assert_eq!(report.message, "a task panicked and nobody awaited it");
    });
}

#[test]
fn fut_13_an_error_of_a_fallible_task_that_nobody_reads_is_reported_once() {
    for_each_flavour(|build| {
        let runtime = build();
        let told = reports_of(&runtime);
        let error = Told::default();
        let line = line!() + 4;
        run(&runtime, async {
            for late in [false, true] {
                let error = error.clone();
                let task = spawn_fallible(async move { Err::<(), _>(error) }.named("fetch"));
                if late {
                    ended(&task).await;
                }
                drop(task);
            }
            // The place of the spawn is where the program says it, for the handle's form too.
            let error = error.clone();
            drop(kasasagi::Handle::current().spawn_fallible(async move { Err::<(), _>(error) }));
        });
        for n in 0..3 {
            let report = told.recv_timeout(LIMIT).expect("a report each");
            assert_eq!(report.kind, ReportKind::TaskError);
            assert_eq!(report.error.as_deref(), Some("no such magpie"));
            let task = report.task.as_ref().expect("the task");
            let place = task.spawned_at;
            assert!(place.file().ends_with("exceptions.rs"), "{n}: {place}");
            if &*task.name == "fetch" {
                assert_eq!(place.line(), line);
            }
            let text = report.to_string();
            assert!(
                text.starts_with("a task failed and nobody looked at its error: task `"),
                "{text}"
            );
            assert!(text.ends_with(": no such magpie"), "{text}");
        }
        drop(runtime);
        assert!(told.try_recv().is_err(), "once each");
        assert_eq!(error.0.load(Ordering::SeqCst), 3, "put into words for the report alone");
    });
}

#[test]
fn fut_14_what_somebody_looked_at_or_nobody_need_look_at_is_not_reported() {
    for_each_flavour(|build| {
        let runtime = build();
        let told = reports_of(&runtime);
        let error = Told::default();
        run(&runtime, async {
            let fail = || {
                let error = error.clone();
                spawn_fallible(async move { Err::<(), _>(error) })
            };
            // Read: awaited by value, by reference, taken.
            assert!(fail().await.expect("it ends").is_err());
            let mut task = fail();
            assert!((&mut task).await.expect("it ends").is_err());
            drop(task);
            let mut task = fail();
            ended(&task).await;
            assert!(task.try_take().expect("it has ended").expect("by itself").is_err());
            drop(task);
            let join = spawn(async { panic!("looked at") }).await;
            drop::<Result<(), _>>(join);
            // Pending, cancelled, and values that nobody reads.
            let task = spawn_fallible(pending::<Result<(), String>>());
            task.cancel();
            ended(&task).await;
            drop(task);
            drop(spawn_fallible(pending::<Result<(), String>>()));
            let task = spawn_fallible(async { Ok::<_, String>(42) });
            ended(&task).await;
            drop(task);
            // An error of a task that was not called fallible is its own business.
            drop(spawn(async { Err::<(), _>("unknown to us") }));
            for _ in 0..10 {
                yield_now().await;
            }
        });
        drop(runtime);
        let reports: Vec<_> = told.try_iter().collect();
        assert!(reports.is_empty(), "{reports:?}");
        assert_eq!(error.0.load(Ordering::SeqCst), 0, "not even put into words");
    });
}

#[test]
fn fut_15_a_handle_that_outlives_its_runtime_reports_to_the_hook_of_that_runtime() {
    for_each_flavour(|build| {
        let runtime = build();
        let told = reports_of(&runtime);
        let (panicked, failed) = run(&runtime, async {
            let panicked = spawn(async { panic!("kept for long") });
            let failed = spawn_fallible(async { Err::<(), _>("kept too") });
            ended(&panicked).await;
            ended(&failed).await;
            (panicked, failed)
        });
        drop(runtime);
        assert!(told.try_recv().is_err(), "somebody may still look");
        drop::<kasasagi::Task<()>>(panicked);
        drop(failed);
        let errors: Vec<_> = told.try_iter().filter_map(|report| report.error).collect();
        assert_eq!(errors, ["kept for long", "kept too"]);
    });
}

#[test]
fn ctx_07_the_hook_runs_inside_the_task_that_it_is_told_of() {
    for_each_flavour(|build| {
        let runtime = build();
        let (tell, told) = channel();
        let tell = Mutex::new(tell);
        runtime.handle().set_exception_hook(Some(Arc::new(move |report: &Report| {
            let current = task::try_current().map(|task| task.id().as_u64());
            let pair = (report.task.as_ref().map(|task| task.id), current);
            tell.lock().expect("no panic in here").send(pair).expect("it is read");
        })));
        run(&runtime, async {
            let detached = spawn(async { panic!("detached") });
            let id = detached.id().as_u64();
            drop::<kasasagi::Task<()>>(detached);
            let mut first = None;
            until("the first report", || {
                first = told.try_recv().ok();
                first.is_some()
            })
            .await;
            assert_eq!(first, Some((Some(id), Some(id))));
            let me = task::current().id();
            let kept = spawn(async { panic!("kept") });
            let id = kept.id().as_u64();
            ended(&kept).await;
            drop::<kasasagi::Task<()>>(kept);
            assert_eq!(told.try_recv(), Ok((Some(id), Some(id))));
            assert_eq!(task::current().id(), me, "and it is this task again afterwards");
        });
    });
}

#[test]
fn err_02_a_hook_gets_the_parts_of_a_report_can_be_replaced_and_asked_for() {
    let (tell, told) = channel();
    let tell = Mutex::new(tell);
    let hook = move |report: &Report| {
        let _ = tell.lock().expect("no panic in here").send(report.clone());
    };
    let runtime = Runtime::builder().exception_hook(hook).build().expect("it can be built");
    let handle = runtime.handle();
    let mine = handle.exception_hook().expect("it was given to the builder");
    let fail = || {
        run(&runtime, async {
            let task = spawn_fallible(async { Err::<(), _>("unread") });
            ended(&task).await;
        });
    };
    fail();
    let report = told.try_recv().expect("a report");
    assert_eq!((report.kind, report.error.as_deref()), (ReportKind::TaskError, Some("unread")));
    // `None` is the default again.
    let before = handle.set_exception_hook(None).expect("there was one");
    assert!(Arc::ptr_eq(&before, &mine));
    assert!(handle.exception_hook().is_none());
    fail();
    assert!(told.try_recv().is_err());
    handle.set_exception_hook(Some(mine));
    fail();
    assert!(told.try_recv().is_ok());
}

#[test]
fn err_02_the_default_is_one_line_on_stderr() {
    const ME: &str = "exceptions::err_02_the_default_is_one_line_on_stderr";
    if child::is_me(ME) {
        return kasasagi::run(async {
            let task = spawn_fallible(async { Err::<(), _>("unread") }.named("fetch"));
            ended(&task).await;
            drop(task);
            let task = spawn(async { panic!("unseen") }.named("nest"));
            ended(&task).await;
            drop::<kasasagi::Task<()>>(task);
        });
    }
    let ended = child::run(ME, |_| {});
    assert!(ended.success, "{ended:?}");
    let lines: Vec<_> =
        ended.stderr.lines().filter(|line| line.starts_with("kasasagi: ")).collect();
    assert_eq!(lines.len(), 2, "{ended:?}");
    let start = "kasasagi: a task failed and nobody looked at its error: task `fetch`, spawned at ";
    assert!(lines[0].starts_with(start) && lines[0].ends_with(": unread"), "{ended:?}");
    let start = "kasasagi: a task panicked and nobody awaited it: task `nest`, spawned at ";
    assert!(lines[1].starts_with(start) && lines[1].ends_with(": unseen"), "{ended:?}");
}

#[test]
fn err_03_err_04_a_hook_that_panics_ends_there_and_both_are_told_on_stderr() {
    const ME: &str =
        "exceptions::err_03_err_04_a_hook_that_panics_ends_there_and_both_are_told_on_stderr";
    if child::is_me(ME) {
        for_each_flavour(|build| {
            let runtime = build();
            runtime.handle().set_exception_hook(Some(Arc::new(|_: &Report| panic!("in the hook"))));
            run(&runtime, async {
                for _ in 0..3 {
                    let task = spawn_fallible(async { Err::<(), _>("unread") });
                    ended(&task).await;
                }
                drop(spawn_fallible(async { Err::<(), _>("unread") }));
                assert_eq!(spawn(async { 42 }).await.expect("the runtime works as ever"), 42);
                until("all have ended", || task::all().len() == 1).await;
            });
        });
        return;
    }
    let ended = child::run(ME, |_| {});
    assert!(ended.success, "{ended:?}");
    let told = "kasasagi: the exception hook panicked: in the hook; it was called with: a task failed and nobody";
    assert_eq!(ended.stderr.matches(told).count(), 12, "{ended:?}");
}

#[test]
fn err_05_any_worker_calls_the_hook_and_several_at_once() {
    for_several_workers(|build| {
        let runtime = build();
        let inside = Arc::new(AtomicUsize::new(0));
        let together = Arc::new(AtomicUsize::new(0));
        let hook: ExceptionHook = {
            let (inside, together) = (Arc::clone(&inside), Arc::clone(&together));
            Arc::new(move |_: &Report| {
                // Each waits for another: would they come one by one, the first would wait in vain.
                inside.fetch_add(1, Ordering::SeqCst);
                eventually("a second call", || {
                    inside.load(Ordering::SeqCst) > 1 || together.load(Ordering::SeqCst) > 0
                });
                together.fetch_add(1, Ordering::SeqCst);
            })
        };
        runtime.handle().set_exception_hook(Some(hook));
        run(&runtime, async {
            for _ in 0..2 {
                drop(spawn_fallible(async { Err::<(), _>("unread") }));
            }
            until("both have been told", || together.load(Ordering::SeqCst) == 2).await;
        });
    });
}

#[test]
fn err_05_a_thousand_panics_and_errors_are_reported_once_each_whoever_drops_whenever() {
    for_several_workers(|build| {
        let runtime = build();
        let told = reports_of(&runtime);
        let seen = run(&runtime, async {
            let mut seen = 0;
            for round in 0..500 {
                let fails = spawn_fallible(async { Err::<(), _>("unread") });
                let panics = spawn_fallible(async {
                    if true { panic!("unseen") } else { Ok::<(), &str>(()) }
                });
                match round % 4 {
                    0 => {}
                    1 => yield_now().await,
                    2 => drop(std::thread::spawn(move || drop((fails, panics)))),
                    _ => {
                        seen += 2;
                        assert!(fails.await.expect("it ends").is_err() && panics.await.is_err());
                    }
                }
            }
            until("all have ended", || task::all().len() == 1).await;
            seen
        });
        let mut count = 0;
        let start = std::time::Instant::now();
        while count < 1000 - seen && start.elapsed() < LIMIT {
            count += usize::from(told.recv_timeout(Duration::from_millis(100)).is_ok());
        }
        drop(runtime);
        assert_eq!((count, told.try_iter().count()), (1000 - seen, 0));
    });
}

#[test]
fn run_07_a_leftover_that_fails_at_the_end_is_reported_and_main_has_its_value() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("could not say goodbye");
        }
    }
    for_each_flavour(|build| {
        let runtime = build();
        let told = reports_of(&runtime);
        let value = run(&runtime, async {
            let (tell, begun) = futures_channel::oneshot::channel();
            drop(spawn(
                async move {
                    let _bomb = Bomb;
                    tell.send(()).expect("main waits");
                    sleep(Duration::from_secs(3600)).await;
                }
                .named("leftover"),
            ));
            begun.await.expect("it begins");
            123
        });
        assert_eq!(value, 123);
        let report = runtime.shutdown(LIMIT);
        assert!(report.is_clean() && report.cancelled.len() == 1, "{report}");
        let report = told.try_recv().expect("a report");
        assert_eq!(report.message, "a task panicked while the runtime was shutting down");
        let text = report.to_string();
        assert!(
            text.contains("task `leftover`") && text.ends_with(": could not say goodbye"),
            "{text}"
        );
        assert!(told.try_recv().is_err());
    });
}

#[test]
fn run_07_a_leftover_that_answers_its_cancellation_with_an_error_is_reported() {
    for_each_flavour(|build| {
        let runtime = build();
        let told = reports_of(&runtime);
        let value = run(&runtime, async {
            let (tell, begun) = futures_channel::oneshot::channel();
            drop(spawn_fallible(
                async move {
                    tell.send(()).expect("main waits");
                    let Err(cancelled) = catch_cancel(pending::<()>()).await else { return Ok(()) };
                    Err(format!("not now: {}", cancelled.reason().unwrap_or("?")))
                }
                .named("leftover"),
            ));
            begun.await.expect("it begins");
            123
        });
        assert_eq!(value, 123);
        assert!(runtime.shutdown(LIMIT).is_clean());
        let report = told.try_recv().expect("a report");
        assert_eq!(report.message, "a task failed while the runtime was shutting down");
        let text = report.to_string();
        assert!(text.contains("task `leftover`"), "{text}");
        assert!(text.ends_with(": not now: the runtime is shutting down"), "{text}");
        assert!(told.try_recv().is_err());
    });
}

#[test]
fn run_08_the_end_of_a_run_waits_for_the_cleanups_of_what_is_left() {
    async fn leave(cleaned: &Arc<AtomicUsize>) {
        for _ in 0..10 {
            let cleaned = Arc::clone(cleaned);
            let (tell, begun) = futures_channel::oneshot::channel();
            drop(spawn(async move {
                tell.send(()).expect("main waits");
                let Err(cancelled) = catch_cancel(pending::<()>()).await else { return };
                sleep(Duration::from_millis(50)).await;
                cleaned.fetch_add(1, Ordering::SeqCst);
                cancelled.rethrow::<()>().await;
            }));
            begun.await.expect("it begins");
        }
    }
    let cleaned = Arc::new(AtomicUsize::new(0));
    limited(|| kasasagi::run(leave(&cleaned)));
    assert_eq!(cleaned.load(Ordering::SeqCst), 10);
    for_each_flavour(|build| {
        let runtime = build();
        let cleaned = Arc::new(AtomicUsize::new(0));
        run(&runtime, leave(&cleaned));
        let report = runtime.shutdown(LIMIT);
        assert!(report.is_clean() && report.cancelled.len() == 10, "{report}");
        assert_eq!(cleaned.load(Ordering::SeqCst), 10);
    });
}

#[test]
fn panics_that_can_be_handed_to_nobody_are_reported() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("in the drop of an output");
        }
    }
    for_each_flavour(|build| {
        let runtime = build();
        let told = reports_of(&runtime);
        run(&runtime, async {
            let task = spawn(async { Bomb }.named("maker"));
            ended(&task).await;
            drop(task);
        });
        let report = told.try_recv().expect("a report");
        assert_eq!(report.kind, ReportKind::Drop);
        assert_eq!(report.error.as_deref(), Some("in the drop of an output"));
        assert_eq!(report.task.as_ref().map(|task| &*task.name), Some("maker"));
    });
}

#[test]
fn a_hook_of_threads_that_panics_is_reported() {
    let (tell, told) = channel();
    let tell = Mutex::new(tell);
    let runtime = Runtime::builder()
        .workers(2)
        .on_thread_start(|| panic!("at the start"))
        .exception_hook(move |report: &Report| {
            let _ = tell.lock().expect("no panic in here").send(report.to_string());
        })
        .build()
        .expect("it can be built");
    let text = told.recv_timeout(LIMIT).expect("a report");
    assert_eq!(text, "the hook `on_thread_start` panicked: at the start");
    assert_eq!(run(&runtime, async { spawn(async { 42 }).await.expect("it works") }), 42);
}

#[test]
fn gath_13_what_the_others_end_with_once_a_gather_has_failed_is_no_news() {
    for_each_flavour(|build| {
        let runtime = build();
        let told = reports_of(&runtime);
        run(&runtime, async {
            let ended = Arc::new(AtomicUsize::new(0));
            // Dropped, it lets them go on.
            let (tell, waits) = channel();
            let children = (0..4).map(|n| {
                let (ended, tell) = (Arc::clone(&ended), tell.clone());
                spawn(async move {
                    if n == 0 {
                        return Err::<(), _>("first");
                    }
                    let (go, gone) = futures_channel::oneshot::channel::<()>();
                    let _ = tell.send(go);
                    let _ = gone.await;
                    ended.fetch_add(1, Ordering::SeqCst);
                    assert!(n != 1, "second");
                    Err("third")
                })
            });
            let children: Vec<_> = children.collect();
            assert!(kasasagi::gather(children).first_error().await.is_err());
            drop(waits);
            while ended.load(Ordering::SeqCst) < 3 {
                yield_now().await;
            }
        });
        drop(runtime);
        assert!(told.try_recv().is_err(), "nobody is told");
    });
}

#[test]
fn shld_06_07_a_shielded_task_that_nobody_waits_for_any_more_fails_with_one_report() {
    for_each_flavour(|build| {
        let runtime = build();
        let told = reports_of(&runtime);
        run(&runtime, async {
            for fails in [false, true] {
                let (go, gone) = futures_channel::oneshot::channel::<()>();
                let ended = Arc::new(AtomicBool::new(false));
                let inner = spawn({
                    let ended = Arc::clone(&ended);
                    async move {
                        let _ = gone.await;
                        ended.store(true, Ordering::SeqCst);
                        assert!(!fails, "inside the shield");
                    }
                });
                let watch = inner.handle();
                let outer = spawn(kasasagi::shield(inner));
                for _ in 0..5 {
                    yield_now().await;
                }
                outer.cancel();
                assert!(outer.await.is_err());
                let _ = go.send(());
                until("the inner one ends", || watch.is_finished()).await;
                assert!(ended.load(Ordering::SeqCst));
            }
        });
        let report = told.recv_timeout(LIMIT).expect("a report");
        assert_eq!(report.error.as_deref(), Some("inside the shield"));
        drop(runtime);
        assert!(told.try_recv().is_err(), "once");
    });
}
