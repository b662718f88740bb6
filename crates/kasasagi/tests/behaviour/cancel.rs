//! What a cancellation promises: CANC-01 and after.

use crate::flavour::{four, in_each_flavour, limited, run, two};
use crate::hand::all_asleep;
use crate::settled::{settle, spawn};
use futures_channel::oneshot;
use futures_util::future::{join, join4};
use kasasagi::{
    Cancelled, JoinError, TaskState, catch_cancel, task, time, uninterruptible, yield_now,
};
use std::future::pending;
use std::panic::Location;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A log in the order of events.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<&'static str>>>);

impl Log {
    pub(crate) fn say(&self, what: &'static str) {
        self.0.lock().expect("no panic").push(what);
    }

    pub(crate) fn take(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.0.lock().expect("no panic"))
    }

    /// Says `what` when it is dropped.
    pub(crate) fn guard(&self, what: &'static str) -> Guard {
        Guard(self.clone(), what)
    }
}

pub(crate) struct Guard(Log, &'static str);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.say(self.1);
    }
}

/// Suspends once, and no more, whatever wakes it.
async fn wait_for(receive: oneshot::Receiver<()>) {
    receive.await.expect("it is sent");
}

#[test]
fn canc_01_a_cancelled_sleep_ends_the_task() {
    in_each_flavour(async || {
        let mut task = spawn(time::sleep(Duration::from_secs(3600)));
        settle().await;
        assert!(task.cancel());
        let error = (&mut task).await.expect_err("it was cancelled");
        assert!(error.is_cancelled());
        assert!(task.is_finished() && task.is_cancelled());
        assert!(!task.cancel(), "it has ended");
    });
}

#[test]
fn canc_02_cancelled_before_its_first_poll_the_body_never_runs() {
    in_each_flavour(async || {
        let ran = Arc::new(AtomicUsize::new(0));
        let theirs = Arc::clone(&ran);
        let task = spawn(async move { theirs.fetch_add(1, Ordering::SeqCst) });
        let cancelled = task.cancel_with("not today");
        match task.await {
            Err(error) => {
                assert!(cancelled && error.reason() == Some("not today"), "{error:?}");
                assert_eq!(ran.load(Ordering::SeqCst), 0);
            }
            // On several workers another may have begun it.
            Ok(_) => assert_eq!(ran.load(Ordering::SeqCst), 1),
        }
    });
    let runtime = crate::flavour::one();
    run(&runtime, async {
        let task = spawn(async { panic!("the body runs") });
        assert!(task.cancel_with("not today"));
        let error = task.await.expect_err("it was cancelled");
        assert_eq!((error.is_cancelled(), error.reason()), (true, Some("not today")));
    });
}

#[test]
fn canc_03_after_the_request_the_task_is_cancelling_and_can_be_asked_again() {
    in_each_flavour(async || {
        let (send, receive) = oneshot::channel::<()>();
        let task = spawn(uninterruptible(async move {
            let _ = receive.await;
        }));
        settle().await;
        assert!(task.cancel());
        assert!(!task.is_finished());
        assert!(format!("{task:?}").contains("cancelling"), "{task:?}");
        assert!(task.cancel());
        assert_eq!(task.cancelling(), 2);
        send.send(()).expect("it waits");
        // Nothing suspends after the stretch: its value wins.
        assert!(task.await.is_ok());
    });
}

#[test]
fn canc_04_a_reason_is_read_wherever_the_cancellation_surfaces() {
    in_each_flavour(async || {
        let seen = Arc::new(Mutex::new(None));
        let theirs = Arc::clone(&seen);
        let mut task = spawn(async move {
            let cancelled = catch_cancel(pending::<()>()).await.expect_err("it is cancelled");
            *theirs.lock().expect("no panic") = cancelled.reason().map(str::to_owned);
            assert!(cancelled.to_string().contains("my message"), "{cancelled}");
            cancelled.rethrow::<()>().await;
        });
        settle().await;
        task.cancel_with(format_args!("my {}", "message"));
        let error = (&mut task).await.expect_err("it passes the cancellation on");
        assert_eq!(error.reason(), Some("my message"));
        assert!(error.to_string().ends_with("was cancelled: my message"), "{error}");
        assert_eq!(seen.lock().expect("no panic").as_deref(), Some("my message"));
    });
}

#[test]
fn canc_05_reason_and_place_pass_unchanged_through_nested_scopes() {
    in_each_flavour(async || {
        let task = spawn(async {
            let outer = catch_cancel(async {
                let inner: Cancelled = catch_cancel(pending::<()>()).await.expect_err("cancelled");
                let place = inner.place();
                yield_now().await;
                inner.rethrow::<()>().await;
                place
            });
            let outer = outer.await.expect_err("passed on");
            outer.rethrow::<()>().await;
        });
        settle().await;
        let line = line!() + 1;
        task.cancel_with("unchanged");
        let error = task.await.expect_err("passed on to the end");
        assert_eq!(error.reason(), Some("unchanged"));
        let place = error.cancelled_at().expect("it was asked for somewhere");
        assert_eq!((place.file(), place.line()), (file!(), line));
    });
}

#[test]
fn canc_04_an_error_says_which_task_asked_and_where() {
    in_each_flavour(async || {
        let parent = task::try_current().expect("it runs in a task").id();
        let sibling = async |twice: bool, named: bool| {
            let child = spawn(pending::<()>());
            let victim = child.handle();
            settle().await;
            let asks = spawn(async move {
                let asked = victim.cancel() && (!twice || victim.cancel());
                if named {
                    victim.set_name("named");
                }
                asked
            });
            let by = asks.id();
            assert!(asks.await.expect("it ends"));
            (child.await.expect_err("it was asked").cancelled_by(), Some(by))
        };
        for (twice, named) in [(false, false), (false, true), (true, false)] {
            let (told, by) = sibling(twice, named).await;
            assert_eq!(told, by);
            let child = spawn(pending::<()>());
            settle().await;
            let line = line!() + 1;
            assert!(child.cancel());
            if named {
                child.set_name("named");
            }
            assert!(!twice || child.cancel());
            let error = child.await.expect_err("it was asked");
            assert_eq!(error.cancelled_by(), Some(parent));
            let place = error.cancelled_at().expect("it was asked somewhere").line();
            assert_eq!(place, if twice { line + 4 } else { line });
        }
    });
}

#[test]
fn canc_06_cancelling_a_task_that_awaits_a_task_cancels_that_one() {
    in_each_flavour(async || {
        let log = Log::default();
        let theirs = log.clone();
        let outer = spawn(async move {
            let theirs_too = theirs.clone();
            let inner = spawn(async move {
                let _guard = theirs_too.guard("inner");
                let innermost = spawn(async move {
                    let _guard = theirs_too.guard("innermost");
                    pending::<()>().await;
                });
                innermost.await
            });
            let _guard = theirs.guard("outer");
            let _ = inner.await;
            theirs.say("not reached");
        });
        settle().await;
        assert_eq!(log.take(), [""; 0]);
        outer.cancel_with("all of it");
        let error = outer.await.expect_err("it was cancelled");
        assert_eq!(error.reason(), Some("all of it"));
        assert_eq!(log.take(), ["innermost", "inner", "outer"]);
    });
}

#[test]
fn canc_06_every_task_that_a_branch_awaits_is_cancelled() {
    in_each_flavour(async || {
        let ended = Arc::new(AtomicUsize::new(0));
        let child = || {
            let ended = Arc::clone(&ended);
            spawn(async move {
                let caught = catch_cancel(pending::<()>()).await;
                yield_now().await;
                ended.fetch_add(1, Ordering::SeqCst);
                caught.expect_err("it is cancelled").rethrow::<()>().await;
            })
        };
        let (a, b, c) = (child(), child(), child());
        let sleeper = time::sleep(Duration::from_secs(3600));
        let outer = spawn(async move {
            let many = futures_util::future::join_all((0..40).map(|_| pending::<()>()));
            join4(join(a.into_future(), b.into_future()), sleeper, c.into_future(), many).await
        });
        settle().await;
        outer.cancel();
        assert!(outer.await.map(|_| ()).expect_err("it was cancelled").is_cancelled());
        assert_eq!(ended.load(Ordering::SeqCst), 3, "it waited for each");
    });
}

#[test]
fn canc_06_tasks_under_foreign_wakers_are_cancelled_and_waited_for() {
    in_each_flavour(async || {
        let ended = Arc::new(AtomicUsize::new(0));
        let children: Vec<_> = (0..50)
            .map(|_| {
                let ended = Arc::clone(&ended);
                spawn(async move {
                    let caught = catch_cancel(pending::<()>()).await;
                    yield_now().await;
                    ended.fetch_add(1, Ordering::SeqCst);
                    caught.expect_err("it is cancelled").rethrow::<()>().await;
                })
            })
            .collect();
        // More than thirty: it polls those whose own waker was woken, and no others.
        let all = children.into_iter().map(IntoFuture::into_future);
        let outer = spawn(futures_util::future::join_all(all));
        settle().await;
        outer.cancel();
        assert!(outer.await.map(|_| ()).expect_err("it was cancelled").is_cancelled());
        assert_eq!(ended.load(Ordering::SeqCst), 50);
    });
}

#[test]
fn canc_07_a_task_that_somebody_else_cancelled_is_a_value_for_who_awaits_it() {
    in_each_flavour(async || {
        let inner = spawn(pending::<()>());
        let handle = inner.handle();
        let outer = spawn(async move { inner.await.map_err(|error| error.is_cancelled()) });
        settle().await;
        handle.cancel();
        assert_eq!(outer.await.expect("it goes on"), Err(true));
    });
}

#[test]
fn canc_08_both_cancelled_at_once_end_once() {
    in_each_flavour(async || {
        for _ in 0..1_000 {
            let inner = spawn(pending::<()>());
            let handle = inner.handle();
            let outer = spawn(inner.into_future());
            yield_now().await;
            handle.cancel();
            outer.cancel();
            match outer.await {
                Err(error) => assert!(error.is_cancelled()),
                // It had been told that the inner one ended before it was asked itself.
                Ok(inner) => assert!(inner.expect_err("cancelled").is_cancelled()),
            }
            // The outer one may have ended before its first poll, and let go of the inner one.
            while !handle.is_finished() {
                yield_now().await;
            }
            assert!(handle.is_cancelled());
        }
    });
}

#[test]
fn canc_09_a_caught_cancellation_leaves_a_value() {
    in_each_flavour(async || {
        let mut task = spawn(async { catch_cancel(pending::<i32>()).await.unwrap_or(42) });
        settle().await;
        task.cancel();
        assert_eq!((&mut task).await.expect("a value"), 42);
        assert!(task.is_finished() && !task.is_cancelled());
    });
}

#[test]
fn canc_10_after_a_caught_cancellation_later_awaits_are_undisturbed() {
    in_each_flavour(async || {
        let (send, receive) = oneshot::channel();
        let task = spawn(async move {
            let caught = catch_cancel(pending::<()>()).await;
            assert!(caught.is_err());
            receive.await.expect("it is sent")
        });
        settle().await;
        task.cancel();
        settle().await;
        send.send(42).expect("it waits for it, undisturbed");
        assert_eq!(task.await.expect("a value"), 42);
    });
}

#[test]
fn canc_11_a_task_that_cancels_itself_is_interrupted_at_its_next_await() {
    in_each_flavour(async || {
        let start = Instant::now();
        let task = spawn(async {
            assert!(task::current().cancel());
            time::sleep(Duration::from_secs(100)).await;
        });
        assert!(task.await.expect_err("it cancelled itself").is_cancelled());
        assert!(start.elapsed() < Duration::from_secs(50));
    });
}

#[test]
fn canc_12_a_value_that_is_returned_before_the_delivery_wins() {
    in_each_flavour(async || {
        let mut task = spawn(async {
            assert!(task::current().cancel());
            12
        });
        assert_eq!((&mut task).await.expect("the value wins"), 12);
        assert!(!task.is_cancelled());
    });
}

#[test]
fn canc_13_cancelled_between_two_yields_it_ends_at_the_next() {
    in_each_flavour(async || {
        let polls = Arc::new(AtomicUsize::new(0));
        let theirs = Arc::clone(&polls);
        let task = spawn(async move {
            loop {
                theirs.fetch_add(1, Ordering::SeqCst);
                yield_now().await;
            }
        });
        settle().await;
        task.cancel();
        assert!(task.await.expect_err("it was cancelled").is_cancelled());
    });
}

#[test]
fn canc_14_a_cancelled_sleep_leaves_no_timer() {
    in_each_flavour(async || {
        let dropped = Log::default();
        let guard = dropped.guard("sleep");
        let task = spawn(async move {
            let _guard = guard;
            time::sleep(Duration::from_secs(5000)).await;
        });
        settle().await;
        task.cancel();
        let _ = task.await;
        // A timer is taken out by the drop of its sleep.
        assert_eq!(dropped.take(), ["sleep"]);
    });
}

#[test]
fn canc_15_another_error_while_a_cancellation_is_handled_is_the_outcome() {
    in_each_flavour(async || {
        let task = spawn(async {
            match catch_cancel(pending::<()>()).await {
                Ok(()) => Ok(()),
                Err(cancelled) => Err(format!("cleanup failed after: {cancelled}")),
            }
        });
        settle().await;
        task.cancel_with("stop");
        let outcome = task.await.expect("not cancelled");
        assert_eq!(outcome, Err("cleanup failed after: cancelled: stop".to_owned()));
        let task = spawn(async {
            let _caught = catch_cancel(pending::<()>()).await;
            panic!("while it cleaned up");
        });
        settle().await;
        task.cancel();
        let error: JoinError = task.await.expect_err("it panicked");
        assert!(error.is_panic() && !error.is_cancelled());
    });
}

#[test]
fn canc_16_requests_are_counted_and_taken_back() {
    in_each_flavour(async || {
        let (send, receive) = oneshot::channel();
        let mut task = spawn(async {
            let first = catch_cancel(pending::<()>()).await;
            send.send(()).expect("the test waits");
            let second = catch_cancel(pending::<()>()).await;
            yield_now().await;
            (first.is_err(), second.is_err())
        });
        settle().await;
        assert_eq!(task.cancelling(), 0);
        task.cancel();
        assert_eq!(task.cancelling(), 1);
        wait_for(receive).await;
        assert_eq!(task.uncancel(), 0);
        assert_eq!(task.cancelling(), 0);
        task.cancel();
        assert_eq!((&mut task).await.expect("delivered twice, caught twice"), (true, true));
        assert_eq!(task.uncancel(), 0);
        assert!(!task.is_cancelled());
    });
}

#[test]
fn canc_17_uncancel_to_zero_withdraws_the_request() {
    in_each_flavour(async || {
        for has_reason in [false, true] {
            let task = spawn(async move {
                let me = task::current();
                assert!(if has_reason { me.cancel_with("withdrawn") } else { me.cancel() });
                assert_eq!(me.uncancel(), 0);
                yield_now().await;
                42
            });
            assert_eq!(task.await.expect("nothing is delivered"), 42);
        }
    });
}

#[test]
fn canc_17_stress_a_request_that_is_withdrawn_in_time_is_never_delivered() {
    for runtime in [two(), four()] {
        run(&runtime, async {
            for _ in 0..1_000 {
                let task = spawn(async {
                    let caught = catch_cancel(async {
                        for _ in 0..4 {
                            yield_now().await;
                        }
                    });
                    caught.await.is_err()
                });
                task.cancel();
                let left = task.uncancel();
                assert_eq!(left, 0);
                // Delivered before it was withdrawn, or not at all; never twice, never to the end of the task.
                let _ = task.await.expect("caught at most");
            }
        });
    }
}

#[test]
fn canc_18_uncancel_stops_at_zero_and_withdraws_only_there() {
    in_each_flavour(async || {
        let task = spawn(async {
            let me = task::current();
            assert_eq!(me.uncancel(), 0);
            me.cancel();
            me.cancel();
            assert_eq!(me.uncancel(), 1);
            yield_now().await;
        });
        assert!(task.await.expect_err("one request is left").is_cancelled());
    });
}

#[test]
fn canc_19_a_timeout_made_of_cancel_and_uncancel() {
    async fn limited(late: bool) -> Result<(), ()> {
        let me = task::current();
        let level = me.cancelling();
        let (send, receive) = oneshot::channel::<()>();
        let alarm = spawn(async move {
            if receive.await.is_err() {
                me.cancel();
            }
        });
        let body = catch_cancel(async {
            if late {
                drop(send);
                pending::<()>().await;
            } else {
                yield_now().await;
                let _ = send.send(());
            }
        });
        let outcome = body.await;
        alarm.await.expect("it ends");
        match outcome {
            Ok(()) => Ok(()),
            Err(cancelled) => {
                if task::current().uncancel() > level {
                    cancelled.rethrow::<()>().await;
                }
                Err(())
            }
        }
    }
    in_each_flavour(async || {
        let task = spawn(async {
            let outcomes = (limited(true).await, limited(false).await);
            yield_now().await;
            (outcomes, task::current().cancelling())
        });
        assert_eq!(task.await.expect("it goes on"), ((Err(()), Ok(())), 0));
    });
}

#[test]
fn canc_20_requests_that_are_pending_together_are_one_delivery() {
    in_each_flavour(async || {
        let (send, receive) = oneshot::channel();
        let task = spawn(async move {
            let me = task::current();
            me.cancel_with("first");
            me.cancel_with("second");
            let caught = catch_cancel(pending::<()>()).await.expect_err("one delivery");
            assert_eq!(caught.reason(), Some("second"));
            let undisturbed = catch_cancel(wait_for(receive)).await;
            (undisturbed.is_ok(), me.cancelling())
        });
        settle().await;
        send.send(()).expect("it waits");
        assert_eq!(task.await.expect("it goes on"), (true, 2));
    });
}

#[test]
fn canc_21_a_task_may_swallow_any_number_of_cancellations() {
    in_each_flavour(async || {
        let task = spawn(async {
            let mut swallowed = 0;
            while swallowed < 100 {
                swallowed += usize::from(catch_cancel(pending::<()>()).await.is_err());
            }
            swallowed
        });
        settle().await;
        while !task.is_finished() {
            task.cancel();
            yield_now().await;
        }
        assert_eq!(task.await.expect("a value"), 100);
    });
}

#[test]
fn canc_22_locals_are_dropped_before_the_scope_goes_on() {
    in_each_flavour(async || {
        let log = Log::default();
        let theirs = log.clone();
        let task = spawn(async move {
            let caught = catch_cancel(async {
                let _outer = theirs.guard("outer local");
                let _inner = theirs.guard("inner local");
                pending::<()>().await;
            });
            let caught = caught.await;
            theirs.say("cleanup");
            caught.expect_err("it is cancelled").rethrow::<()>().await;
        });
        settle().await;
        task.cancel();
        let _ = task.await;
        assert_eq!(log.take(), ["inner local", "outer local", "cleanup"]);
    });
}

#[test]
fn canc_23_the_innermost_handler_runs_first() {
    in_each_flavour(async || {
        let log = Log::default();
        let theirs = log.clone();
        let task = spawn(async move {
            let outer = catch_cancel(async {
                let inner = catch_cancel(pending::<()>()).await.expect_err("cancelled");
                yield_now().await;
                theirs.say("inner");
                inner.rethrow::<()>().await;
                theirs.say("not reached");
            });
            let outer = outer.await.expect_err("passed on");
            yield_now().await;
            theirs.say("outer");
            outer.rethrow::<()>().await;
        });
        settle().await;
        task.cancel();
        assert!(task.await.expect_err("passed on to the end").is_cancelled());
        assert_eq!(log.take(), ["inner", "outer"]);
    });
}

#[test]
fn canc_24_a_cancellation_from_a_foreign_thread_wakes_a_sleeping_worker() {
    for runtime in [crate::flavour::one(), two()] {
        let took = limited(|| {
            run(&runtime, async {
                let task = spawn(pending::<()>());
                let (handle, runtime) = (task.handle(), kasasagi::Handle::current());
                let canceller = std::thread::spawn(move || {
                    all_asleep(&runtime);
                    handle.cancel();
                    Instant::now()
                });
                let _ = task.await;
                let ended = Instant::now();
                ended.saturating_duration_since(canceller.join().expect("no panic"))
            })
        });
        // Who misses the wake sleeps for ever; the rest is what else the machine has to do.
        assert!(took < Duration::from_secs(1), "{took:?}");
    }
}

#[test]
fn canc_27_a_cancellation_that_races_with_the_end_gives_one_outcome() {
    for runtime in [two(), four()] {
        run(&runtime, async {
            let mut outcomes = [0, 0];
            for round in 0..2_000 {
                let dropped = Arc::new(AtomicUsize::new(0));
                let counted = Counted(Arc::clone(&dropped));
                let task = spawn(async move {
                    let _counted = counted;
                    for _ in 0..round % 4 {
                        yield_now().await;
                    }
                    7
                });
                let handle = task.handle();
                let canceller = spawn(async move { handle.cancel() });
                match task.await {
                    Ok(value) => {
                        assert_eq!(value, 7);
                        outcomes[0] += 1;
                    }
                    Err(error) => {
                        assert!(error.is_cancelled());
                        outcomes[1] += 1;
                    }
                }
                let _ = canceller.await;
                assert_eq!(dropped.load(Ordering::SeqCst), 1, "each local is dropped once");
            }
            assert_eq!(outcomes[0] + outcomes[1], 2_000);
        });
    }
}

struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn canc_28_the_error_says_which_await_was_interrupted() {
    in_each_flavour(async || {
        let line = line!() + 1;
        let task = spawn(async { time::sleep(Duration::from_secs(3600)).await });
        settle().await;
        task.cancel();
        let error = task.await.expect_err("it was cancelled");
        let place: &Location<'_> = error.interrupted_at().expect("a sleep says where it waits");
        assert_eq!((place.file(), place.line()), (file!(), line));
        assert!(format!("{error:?}").contains("while it waited at"), "{error:?}");
    });
}

#[test]
fn a_task_in_two_branches_is_told_in_each() {
    in_each_flavour(async || {
        let log = Log::default();
        let theirs = log.clone();
        let task = spawn(async move {
            let branch = async |what| {
                let caught = catch_cancel(pending::<()>()).await;
                theirs.say(what);
                caught.is_err()
            };
            join(branch("left"), branch("right")).await
        });
        settle().await;
        task.cancel();
        assert_eq!(task.await.expect("both swallow it"), (true, true));
        assert_eq!(log.take(), ["left", "right"]);
    });
}

#[test]
fn a_pass_waits_for_the_cleanup_of_the_other_branch() {
    in_each_flavour(async || {
        let log = Log::default();
        let theirs = log.clone();
        let task = spawn(async move {
            let quick = async {
                catch_cancel(pending::<()>()).await.expect_err("told").rethrow::<()>().await;
            };
            let slow = uninterruptible(async {
                settle().await;
                theirs.say("slow");
            });
            join(quick, slow).await;
        });
        yield_now().await;
        task.cancel();
        assert!(task.await.expect_err("passed on").is_cancelled());
        assert_eq!(log.take(), ["slow"]);
    });
}

#[test]
fn an_uninterruptible_stretch_ends_and_the_cancellation_comes_after() {
    in_each_flavour(async || {
        let (send, receive) = oneshot::channel();
        let log = Log::default();
        let theirs = log.clone();
        let task = spawn(async move {
            uninterruptible(wait_for(receive)).await;
            theirs.say("stretch over");
            pending::<()>().await;
        });
        settle().await;
        task.cancel();
        settle().await;
        assert!(!task.is_finished());
        assert_eq!(task.handle().info().state, TaskState::Cancelling);
        send.send(()).expect("it waits still");
        assert!(task.await.expect_err("delivered after").is_cancelled());
        assert_eq!(log.take(), ["stretch over"]);
    });
}
