//! What cleanups promise: they run, once, to their end, and the task waits for them.

use crate::cancel::Log;
use crate::flavour::{for_each_flavour, four, in_each_flavour, run, two};
use crate::settled::{settle, spawn};
use futures_channel::oneshot;
use futures_util::future::{join, select};
use kasasagi::{
    Exit, FutureExt, Outcome, Resource, catch_cancel, defer, finally, time, with, yield_now,
};
use std::future::{pending, ready};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

async fn slowly(log: Log, what: &'static str) {
    for _ in 0..5 {
        yield_now().await;
    }
    log.say(what);
}

#[test]
fn a_cleanup_runs_after_a_value_a_panic_and_a_cancellation() {
    in_each_flavour(async || {
        let log = Log::default();
        let value = spawn(finally(ready(7), slowly(log.clone(), "after a value")));
        assert_eq!(value.await.expect("a value"), 7);
        assert_eq!(log.take(), ["after a value"]);
        let body = async { panic!("the body") };
        let panicking = spawn(finally(body, slowly(log.clone(), "after a panic")));
        let error = panicking.await.expect_err("it panicked");
        assert!(error.is_panic() && error.to_string().contains("the body"), "{error}");
        assert_eq!(log.take(), ["after a panic"]);
        let guard = log.guard("local");
        let body = async move {
            let _guard = guard;
            pending::<()>().await;
        };
        let cancelled = spawn(finally(body, slowly(log.clone(), "after a cancellation")));
        settle().await;
        cancelled.cancel_with("enough");
        let error = cancelled.await.expect_err("passed on after the cleanup");
        assert_eq!(error.reason(), Some("enough"));
        assert_eq!(log.take(), ["local", "after a cancellation"]);
    });
}

#[test]
fn a_cleanup_is_not_interrupted_by_another_cancellation() {
    in_each_flavour(async || {
        let (send, receive) = oneshot::channel::<()>();
        let log = Log::default();
        let theirs = log.clone();
        let cleanup = async move {
            receive.await.expect("it is sent");
            theirs.say("cleaned up");
        };
        let task = spawn(finally(pending::<()>(), cleanup));
        settle().await;
        task.cancel_with("first");
        settle().await;
        task.cancel_with("second");
        settle().await;
        assert!(!task.is_finished());
        send.send(()).expect("the cleanup waits still");
        let error = task.await.expect_err("passed on after the cleanup");
        assert_eq!(error.reason(), Some("second"));
        assert_eq!(log.take(), ["cleaned up"]);
    });
}

#[test]
fn a_cancellation_during_the_cleanup_of_a_value_comes_at_the_next_suspension() {
    in_each_flavour(async || {
        let (send, receive) = oneshot::channel::<()>();
        let log = Log::default();
        let theirs = log.clone();
        let task = spawn(async move {
            let value = finally(ready(7), async move { receive.await.expect("it is sent") }).await;
            theirs.say("has its value");
            let caught = catch_cancel(pending::<()>()).await;
            (value, caught.is_err())
        });
        settle().await;
        task.cancel();
        send.send(()).expect("the cleanup waits still");
        assert_eq!(task.await.expect("swallowed"), (7, true));
        assert_eq!(log.take(), ["has its value"]);
    });
}

#[test]
fn a_cleanup_that_rethrows_replaces_the_value() {
    in_each_flavour(async || {
        let task = spawn(async {
            let caught = catch_cancel(pending::<()>()).await.expect_err("cancelled");
            finally(ready(7), caught.rethrow::<()>()).await
        });
        settle().await;
        task.cancel_with("thrown again");
        let error = task.await.expect_err("the cleanup replaced the value");
        assert_eq!(error.reason(), Some("thrown again"));
    });
}

#[test]
fn a_cleanup_that_a_combinator_dropped_runs_and_the_task_waits_for_it() {
    in_each_flavour(async || {
        let log = Log::default();
        let theirs = log.clone();
        let task = spawn(async move {
            let loser = Box::pin(finally(pending::<()>(), slowly(theirs.clone(), "loser")));
            drop(select(loser, Box::pin(yield_now())).await);
            theirs.say("select is over");
        });
        task.await.expect("a value");
        assert_eq!(log.take(), ["select is over", "loser"]);
    });
}

#[test]
fn a_cleanup_that_was_half_done_is_finished_elsewhere() {
    for_each_flavour(|build| {
        run(&build(), async {
            // Dropped at each poll, from the first on: before that there is nothing to clean up.
            for polls in 1..12 {
                let log = Log::default();
                let theirs = log.clone();
                let task = spawn(async move {
                    let mut whole = Box::pin(finally(yield_now(), slowly(theirs, "cleaned up")));
                    for _ in 0..polls {
                        let mut cx = Context::from_waker(Waker::noop());
                        if whole.as_mut().poll(&mut cx).is_ready() {
                            break;
                        }
                    }
                });
                task.await.expect("it ends");
                assert_eq!(log.take(), ["cleaned up"], "dropped after {polls} polls");
            }
        });
    });
}

#[test]
fn a_cleanup_that_is_dropped_on_a_foreign_thread_runs() {
    for runtime in [two(), four()] {
        run(&runtime, async {
            for _ in 0..1_000 {
                let done = Arc::new(AtomicUsize::new(0));
                let theirs = Arc::clone(&done);
                let (send, receive) = oneshot::channel();
                let task = spawn(async move {
                    let cleanup = async move {
                        yield_now().await;
                        theirs.fetch_add(1, Ordering::SeqCst);
                    };
                    let mut whole = Box::pin(finally(pending::<()>(), cleanup));
                    let polled = std::future::poll_fn(|cx| Poll::Ready(whole.as_mut().poll(cx)));
                    assert!(polled.await.is_pending());
                    let _ = send.send(whole);
                    yield_now().await;
                });
                let whole = receive.await.expect("it is sent");
                let foreign = spawn(async move { drop(whole) });
                foreign.await.expect("it ends");
                task.await.expect("it ends");
                while done.load(Ordering::SeqCst) == 0 {
                    yield_now().await;
                }
                assert_eq!(done.load(Ordering::SeqCst), 1);
            }
        });
    }
}

#[test]
fn a_deferred_cleanup_runs_after_the_drop_and_the_task_waits() {
    in_each_flavour(async || {
        let log = Log::default();
        let theirs = log.clone();
        let task = spawn(async move {
            let _deferred = defer(slowly(theirs.clone(), "deferred"));
            defer(slowly(theirs.clone(), "never")).defuse();
            pending::<()>().await;
        });
        settle().await;
        let handle = task.handle();
        task.cancel();
        let error = task.await.expect_err("cancelled");
        assert!(error.is_cancelled() && handle.is_finished());
        assert_eq!(log.take(), ["deferred"]);
    });
}

#[test]
fn canc_22_drop_order_with_a_panicking_local() {
    struct Bomb(Log);
    impl Drop for Bomb {
        fn drop(&mut self) {
            self.0.say("bomb");
            panic!("a local panics in its drop");
        }
    }
    in_each_flavour(async || {
        let log = Log::default();
        let bomb = Bomb(log.clone());
        let after = log.guard("other local");
        let body = async move {
            let _after = after;
            let _bomb = bomb;
            pending::<()>().await;
        };
        let task = spawn(finally(body, slowly(log.clone(), "cleanup")));
        settle().await;
        task.cancel();
        let error = task.await.expect_err("the panic is the outcome");
        assert!(error.is_panic(), "{error}");
        assert_eq!(log.take(), ["bomb", "other local", "cleanup"]);
    });
}

/// A resource that says what happens to it.
struct Door {
    log: Log,
    exit: Exit,
    enter: Option<oneshot::Receiver<()>>,
}

impl Door {
    fn new(log: &Log, exit: Exit) -> Self {
        Self { log: log.clone(), exit, enter: None }
    }
}

impl Resource for Door {
    type Error = &'static str;

    async fn enter(&mut self) -> Result<(), &'static str> {
        if let Some(receive) = self.enter.take() {
            receive.await.map_err(|_| "no key")?;
        }
        self.log.say("entered");
        Ok(())
    }

    async fn exit(self, outcome: &Outcome<&'static str>) -> Exit {
        yield_now().await;
        self.log.say(match outcome {
            Outcome::Ok => "ok",
            Outcome::Err(error) => error,
            Outcome::Cancelled(reason) => {
                assert_eq!(reason.as_deref(), Some("go"));
                "cancelled"
            }
            Outcome::Panicked => "panicked",
            _ => "dropped",
        });
        self.exit
    }
}

#[test]
fn agen_07_a_resource_is_left_after_success_error_panic_and_cancellation() {
    in_each_flavour(async || {
        let log = Log::default();
        let ok = spawn(with(Door::new(&log, Exit::Propagate), async |_| Ok(7)));
        assert_eq!(ok.await.expect("it ends"), Ok(Some(7)));
        assert_eq!(log.take(), ["entered", "ok"]);
        for (exit, expected) in [(Exit::Propagate, Err("bad")), (Exit::Suppress, Ok(None))] {
            let failing = with(Door::new(&log, exit), async |_| Err::<i32, _>("bad"));
            assert_eq!(failing.await, expected);
            assert_eq!(log.take(), ["entered", "bad"]);
        }
        let body = async |_: &mut Door| -> Result<i32, _> { panic!("in the body") };
        let panicking = spawn(with(Door::new(&log, Exit::Propagate), body));
        assert!(panicking.await.expect_err("it panics").is_panic());
        assert_eq!(log.take(), ["entered", "panicked"]);
        for exit in [Exit::Propagate, Exit::Suppress] {
            let body = async |_: &mut Door| pending::<Result<i32, &'static str>>().await;
            let cancelled = spawn(with(Door::new(&log, exit), body));
            settle().await;
            cancelled.cancel_with("go");
            match cancelled.await {
                Ok(value) => assert_eq!((value, exit), (Ok(None), Exit::Suppress)),
                Err(error) => {
                    assert_eq!((error.reason(), exit), (Some("go"), Exit::Propagate));
                }
            }
            assert_eq!(log.take(), ["entered", "cancelled"]);
        }
    });
}

#[test]
fn agen_08_a_resource_whose_acquire_was_cancelled_is_not_released() {
    in_each_flavour(async || {
        let log = Log::default();
        let (_send, receive) = oneshot::channel();
        let door = Door { enter: Some(receive), ..Door::new(&log, Exit::Propagate) };
        let task = spawn(with(door, async |_| Ok(())));
        settle().await;
        task.cancel();
        assert!(task.await.expect_err("cancelled while it entered").is_cancelled());
        assert_eq!(log.take(), [""; 0]);
        let (send, receive) = oneshot::channel();
        drop(send);
        let door = Door { enter: Some(receive), ..Door::new(&log, Exit::Propagate) };
        assert_eq!(with(door, async |_| Ok(())).await, Err("no key"));
        assert_eq!(log.take(), [""; 0]);
    });
}

#[test]
fn agen_08_a_resource_that_is_dropped_at_any_poll_is_released_once_if_it_was_entered() {
    in_each_flavour(async || {
        for polls in 0..8 {
            let log = Log::default();
            let theirs = log.clone();
            let task = spawn(async move {
                let body = async |_: &mut Door| {
                    yield_now().await;
                    yield_now().await;
                    Ok(())
                };
                let mut whole = Box::pin(with(Door::new(&theirs, Exit::Propagate), body));
                for _ in 0..polls {
                    let mut cx = Context::from_waker(Waker::noop());
                    if whole.as_mut().poll(&mut cx).is_ready() {
                        break;
                    }
                }
            });
            task.await.expect("it ends");
            let said = log.take();
            match polls {
                0 => assert_eq!(said, [""; 0]),
                1 | 2 => assert_eq!(said, ["entered", "dropped"]),
                _ => assert_eq!(said, ["entered", "ok"]),
            }
        }
    });
}

#[test]
fn a_branch_that_passes_on_waits_for_the_cleanup_of_the_other() {
    in_each_flavour(async || {
        let log = Log::default();
        let theirs = log.clone();
        let task = spawn(async move {
            let quick = async {
                catch_cancel(pending::<()>()).await.expect_err("told").rethrow::<()>().await;
            };
            join(quick, finally(pending::<()>(), slowly(theirs, "cleanup"))).await;
        });
        settle().await;
        task.cancel();
        assert!(task.await.expect_err("passed on").is_cancelled());
        assert_eq!(log.take(), ["cleanup"]);
    });
}

#[test]
fn a_shutdown_lets_cleanups_run_and_cuts_off_what_takes_longer_than_the_grace() {
    for_each_flavour(|build| {
        let (runtime, log) = (build(), Log::default());
        let theirs = log.clone();
        run(&runtime, async {
            drop(spawn(finally(pending::<()>(), slowly(theirs, "cleaned up"))));
            drop(kasasagi::spawn(finally(pending::<()>(), pending()).named("too slow")));
            settle().await;
        });
        let report = runtime.shutdown(Duration::from_millis(200));
        assert_eq!(log.take(), ["cleaned up"]);
        let cut: Vec<_> = report.cut_off.iter().map(|task| task.name.to_string()).collect();
        assert_eq!((cut, report.is_clean()), (vec!["too slow".to_owned()], false), "{report}");
        assert_eq!((report.still_running.len(), report.threads_left), (0, 0), "{report}");
        assert!(report.to_string().contains("too slow"), "{report}");
    });
}

#[test]
fn a_shutdown_that_meets_a_cleanup_before_its_first_poll_leaves_it_alone() {
    for_each_flavour(|build| {
        for round in 0..300 {
            let (runtime, count) = (build(), Arc::new(AtomicUsize::new(0)));
            let theirs = Arc::clone(&count);
            run(&runtime, async move {
                for _ in 0..8 {
                    let count = Arc::clone(&theirs);
                    drop(spawn(async move {
                        let _deferred = defer(async move {
                            yield_now().await;
                            count.fetch_add(1, Ordering::SeqCst);
                        });
                        pending::<()>().await;
                    }));
                }
                settle().await;
            });
            let report = runtime.shutdown(Duration::from_secs(20));
            assert_eq!(count.load(Ordering::SeqCst), 8, "round {round}");
            assert!(report.is_clean(), "{report}");
        }
    });
}

#[test]
fn a_cleanup_that_is_owed_when_the_runtime_shuts_down_is_waited_for() {
    for_each_flavour(|build| {
        let (runtime, log) = (build(), Log::default());
        let theirs = log.clone();
        run(&runtime, async {
            drop(spawn(async move {
                let _deferred = defer(slowly(theirs, "owed"));
                pending::<()>().await;
            }));
            settle().await;
        });
        let report = runtime.shutdown(Duration::from_secs(20));
        assert_eq!(log.take(), ["owed"]);
        assert!(report.is_clean(), "{report}");
    });
}

#[test]
fn a_second_panic_does_not_lose_the_cleanup_around() {
    in_each_flavour(async || {
        let log = Log::default();
        let inner = finally(pending::<()>(), async { panic!("in the inner cleanup") });
        let outer = finally(inner, slowly(log.clone(), "outer cleanup"));
        let task = spawn(outer);
        settle().await;
        task.cancel();
        let error = task.await.expect_err("the panic is the outcome");
        assert!(error.to_string().contains("in the inner cleanup"), "{error}");
        assert_eq!(log.take(), ["outer cleanup"]);
    });
}

#[test]
fn tmo_18_a_timeout_inside_a_cleanup_works_by_itself() {
    in_each_flavour(async || {
        let log = Log::default();
        let theirs = log.clone();
        let cleanup = async move {
            let limited = time::timeout(Duration::from_millis(1), pending::<()>()).await;
            theirs.say(if limited.is_err() { "limited" } else { "not limited" });
        };
        let task = spawn(finally(pending::<()>(), cleanup));
        settle().await;
        task.cancel();
        let _ = task.await;
        assert_eq!(log.take(), ["limited"]);
    });
}
