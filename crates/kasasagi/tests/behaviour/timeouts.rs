//! What timeouts promise: TMO-01 and after, WFOR-01 and after.

use crate::cancel::Log;
use crate::flavour::{four, in_each_flavour, one, run, two};
use crate::settled::{settle, spawn};
use futures_channel::oneshot;
use futures_util::future::{join, select};
use kasasagi::time::{self, timeout, timeout_at, timeout_scope};
use kasasagi::{catch_cancel, finally, task, uninterruptible, yield_now};
use std::error::Error;
use std::future::{pending, ready};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

const SHORT: Duration = Duration::from_millis(5);
const LONG: Duration = Duration::from_secs(3600);

/// Keeps the worker busy: what is due meanwhile is found due together.
fn busy(time: Duration) {
    let until = Instant::now() + time;
    while Instant::now() < until {
        std::hint::spin_loop();
    }
}

#[test]
fn tmo_01_a_timeout_interrupts_a_long_wait() {
    in_each_flavour(async || {
        let expired = timeout_scope(SHORT, |limit| async move {
            time::sleep(LONG).await;
            limit.expired()
        });
        assert!(expired.await.is_err());
        let mut kept = None;
        let scope = timeout_scope(SHORT, |limit| {
            kept = Some(limit);
            time::sleep(LONG)
        });
        assert!(scope.await.is_err());
        assert!(kept.expect("the body was made").expired());
    });
}

#[test]
fn tmo_02_when_is_the_deadline() {
    in_each_flavour(async || {
        let deadline = time::now() + LONG;
        let outcome = timeout_scope(None, |limit| async move {
            limit.reschedule(deadline).expect("it is active");
            yield_now().await;
            limit.when()
        });
        assert_eq!(outcome.await, Ok(Some(deadline)));
        let at = timeout_at(deadline, pending::<()>());
        let difference = at.deadline().expect("it was given").max(deadline) - deadline;
        assert!(difference < Duration::from_micros(1));
    });
}

#[test]
fn tmo_03_finishing_early_is_no_expiry() {
    in_each_flavour(async || {
        let mut kept = None;
        let scope = timeout_scope(LONG, |limit| {
            kept = Some(limit);
            yield_now()
        });
        assert_eq!(scope.await, Ok(()));
        let limit = kept.expect("the body was made");
        assert!(!limit.expired() && limit.when().expect("a deadline") > time::now());
    });
}

#[test]
fn tmo_04_none_never_expires() {
    in_each_flavour(async || {
        let outcome = timeout_scope(None, |limit| async move {
            time::sleep(SHORT).await;
            (limit.when(), limit.expired())
        });
        assert_eq!(outcome.await, Ok((None, false)));
    });
}

#[test]
fn tmo_05_nothing_and_the_past_expire_at_the_first_suspension() {
    in_each_flavour(async || {
        assert!(timeout(Duration::ZERO, yield_now()).await.is_err());
        assert!(timeout_at(time::now(), yield_now()).await.is_err());
        assert!(timeout_scope(Duration::ZERO, |_| yield_now()).await.is_err());
        let past =
            timeout_at(time::now().checked_sub(SHORT).expect("it ran longer"), pending::<()>());
        assert!(past.await.is_err());
    });
}

#[test]
fn tmo_06_a_body_without_suspension_completes_however_late() {
    in_each_flavour(async || {
        let outcome = timeout_scope(Duration::from_millis(1), |limit| async move {
            busy(SHORT);
            limit.expired()
        });
        assert_eq!(outcome.await, Ok(false));
        // Nothing is left that would hit the next await.
        time::sleep(SHORT).await;
        assert_eq!(task::current().cancelling(), 0);
    });
}

#[test]
fn tmo_07_of_two_with_the_same_deadline_the_outer_one_expires() {
    in_each_flavour(async || {
        for _ in 0..50 {
            let deadline = time::now() + Duration::from_millis(1);
            let mut inner = None;
            let outer = timeout_at(deadline, async {
                let caught = catch_cancel(async {
                    let scope = timeout_scope(None, |limit| {
                        inner = Some(limit.clone());
                        async move {
                            limit.reschedule(deadline).expect("it is active");
                            pending::<()>().await;
                        }
                    });
                    scope.await
                });
                // Code between the two sees a cancellation, and no expiry of the inner one.
                caught.await.expect_err("the inner one passes on").rethrow::<()>().await;
            });
            assert!(outer.await.is_err());
            assert!(inner.expect("it was made").expired(), "both were due");
            assert_eq!(task::current().cancelling(), 0);
        }
    });
}

#[test]
fn tmo_08_busy_past_both_deadlines_the_outer_one_expires() {
    in_each_flavour(async || {
        let mut flags = None;
        let outer = timeout_scope(Duration::from_millis(20), |outer| {
            let flags = &mut flags;
            async move {
                let inner = timeout_scope(SHORT, |inner| {
                    *flags = Some((outer, inner));
                    async {
                        yield_now().await;
                        busy(Duration::from_millis(40));
                        pending::<()>().await;
                    }
                });
                inner.await
            }
        });
        assert!(outer.await.is_err(), "the outer one yields the one expiry");
        let (outer, inner) = flags.expect("both were made");
        assert!(outer.expired() && inner.expired());
        assert_eq!(task::current().cancelling(), 0);
    });
}

#[test]
fn tmo_08_busy_past_the_inner_deadline_alone_both_expire_in_turn() {
    in_each_flavour(async || {
        let outer = timeout(Duration::from_millis(60), async {
            let inner = timeout(SHORT, async {
                yield_now().await;
                busy(Duration::from_millis(10));
                pending::<()>().await;
            });
            assert!(inner.await.is_err(), "the inner one alone was due");
            pending::<()>().await;
        });
        assert!(outer.await.is_err(), "the outer one interrupts the next await");
    });
}

#[test]
fn tmo_09_the_shorter_outer_one_expires() {
    in_each_flavour(async || {
        let mut kept = None;
        let outer = timeout(Duration::from_millis(2), async {
            let inner = timeout_scope(Duration::from_millis(500), |inner| {
                kept = Some(inner);
                async {
                    yield_now().await;
                    busy(Duration::from_millis(10));
                    pending::<()>().await;
                }
            });
            inner.await
        });
        assert!(outer.await.is_err());
        assert!(!kept.expect("it was made").expired());
    });
}

#[test]
fn tmo_10_code_inside_cleans_up_before_the_expiry_surfaces() {
    in_each_flavour(async || {
        let log = Log::default();
        let theirs = log.clone();
        let outcome = timeout(SHORT, async move {
            let caught = catch_cancel(pending::<()>()).await.expect_err("told");
            assert_eq!(caught.reason(), Some("the time of a timeout had passed"));
            assert!(caught.place().is_some_and(|place| place.file() == file!()));
            yield_now().await;
            theirs.say("cleaned up");
            caught.rethrow::<()>().await;
        });
        assert!(outcome.await.is_err());
        assert_eq!(log.take(), ["cleaned up"]);
    });
}

#[test]
fn tmo_11_an_error_of_the_body_passes_through() {
    in_each_flavour(async || {
        let mut kept = None;
        let outcome = timeout_scope(LONG, |limit| {
            kept = Some(limit);
            async {
                yield_now().await;
                Err::<(), _>("its own")
            }
        });
        assert_eq!(outcome.await, Ok(Err("its own")));
        assert!(!kept.expect("it was made").expired());
    });
}

#[test]
fn tmo_12_an_error_because_of_the_expiry_surfaces() {
    in_each_flavour(async || {
        let outcome = timeout(SHORT, async {
            let caught = catch_cancel(pending::<()>()).await.expect_err("told");
            Err::<(), _>(format!("failed: {caught}"))
        });
        let error = outcome.await.expect("a value of the body").expect_err("an error");
        assert_eq!(error, "failed: cancelled: the time of a timeout had passed");
    });
}

#[test]
fn tmo_13_a_request_from_outside_is_no_expiry() {
    in_each_flavour(async || {
        let (send, receive) = oneshot::channel();
        let task = spawn(async move {
            let scope = timeout_scope(LONG, |limit| {
                let _ = send.send(limit);
                pending::<()>()
            });
            scope.await.is_err()
        });
        settle().await;
        task.cancel_with("outside");
        let error = task.await.expect_err("cancelled, and not a value");
        assert_eq!(error.reason(), Some("outside"));
        assert!(!receive.await.expect("it was made").expired());
    });
}

#[test]
fn tmo_14_a_request_and_an_expiry_together_are_a_cancellation() {
    in_each_flavour(async || {
        for scoped in [false, true] {
            let task = spawn(async move {
                let body = async {
                    yield_now().await;
                    task::current().cancel_with("outside");
                    busy(SHORT);
                    if scoped {
                        let caught = catch_cancel(pending::<()>()).await.expect_err("told");
                        caught.rethrow::<()>().await;
                    }
                    pending::<()>().await;
                };
                timeout(Duration::from_millis(1), body).await.is_err()
            });
            let error = task.await.expect_err("the request wins");
            assert_eq!(error.reason(), Some("outside"));
        }
    });
}

#[test]
fn tmo_14_a_request_that_comes_while_the_expiry_is_handled_wins() {
    in_each_flavour(async || {
        let (send, receive) = oneshot::channel::<()>();
        let (told, handling) = oneshot::channel();
        let task = spawn(async move {
            let body = async {
                let _caught = catch_cancel(pending::<()>()).await.expect_err("told");
                told.send(()).expect("the test waits");
                // The cleanup, which the request interrupts.
                let again = catch_cancel(receive).await.expect_err("told again");
                again.rethrow::<()>().await;
            };
            timeout(SHORT, body).await.is_err()
        });
        handling.await.expect("it is told");
        task.cancel_with("outside");
        let error = task.await.expect_err("the request passes through the timeout");
        assert_eq!(error.reason(), Some("outside"));
        drop(send);
    });
}

#[test]
fn tmo_15_after_an_expiry_the_task_is_not_cancelled() {
    in_each_flavour(async || {
        let task = spawn(async {
            let expired = timeout(SHORT, catch_then_pass()).await.is_err();
            yield_now().await;
            (expired, task::current().cancelling())
        });
        assert_eq!(task.await.expect("it goes on"), (true, 0));
    });
}

async fn catch_then_pass() {
    catch_cancel(pending::<()>()).await.expect_err("told").rethrow::<()>().await;
}

#[test]
fn tmo_16_a_timeout_in_a_handler_of_a_cancellation_expires() {
    in_each_flavour(async || {
        let task = spawn(async {
            let caught = catch_cancel(pending::<()>()).await;
            let plain = timeout(SHORT, pending::<()>()).await.is_err();
            let scoped = timeout(SHORT, catch_then_pass()).await.is_err();
            (caught.is_err(), plain, scoped, task::current().cancelling())
        });
        settle().await;
        task.cancel();
        assert_eq!(task.await.expect("swallowed"), (true, true, true, 1));
    });
}

#[test]
fn tmo_17_a_new_request_inside_a_timeout_of_a_handler_is_a_cancellation() {
    in_each_flavour(async || {
        let (send, receive) = oneshot::channel();
        let task = spawn(async move {
            let _caught = catch_cancel(pending::<()>()).await;
            send.send(()).expect("the test waits");
            timeout(LONG, catch_then_pass()).await.is_err()
        });
        settle().await;
        task.cancel();
        receive.await.expect("it is in its handler");
        task.cancel_with("again");
        assert_eq!(task.await.expect_err("cancelled").reason(), Some("again"));
    });
}

#[test]
fn tmo_19_the_deadline_can_be_moved() {
    in_each_flavour(async || {
        let outcome = timeout_scope(SHORT, |limit| async move {
            let later = time::now() + LONG;
            limit.reschedule(later).expect("it is active");
            assert_eq!(limit.when(), Some(later));
            time::sleep(SHORT * 2).await;
            limit.reschedule(None).expect("it is active");
            assert_eq!(limit.when(), None);
            time::sleep(SHORT * 2).await;
            limit.expired()
        });
        assert_eq!(outcome.await, Ok(false));
    });
}

#[test]
fn tmo_20_a_deadline_that_another_task_puts_into_the_past_expires_promptly() {
    in_each_flavour(async || {
        let (send, receive) = oneshot::channel();
        let task = spawn(async move {
            let scope = timeout_scope(LONG, |limit| async move {
                let _ = send.send(limit);
                pending::<()>().await;
            });
            scope.await.is_err()
        });
        let limit = receive.await.expect("it began");
        while limit.reschedule(time::now()).is_err() {
            yield_now().await;
        }
        assert!(task.await.expect("it goes on"));
        assert!(limit.expired());
    });
}

#[test]
fn tmo_21_a_deadline_that_comes_too_late_or_too_early_is_an_error_that_says_so() {
    in_each_flavour(async || {
        let mut early = None;
        let mut kept = None;
        let scope = timeout_scope(SHORT, |limit| {
            early = limit.reschedule(None).err();
            kept = Some(limit.clone());
            async move {
                let _ = catch_cancel(pending::<()>()).await;
                limit.reschedule(None).expect_err("it is expiring").to_string()
            }
        });
        let expiring = scope.await.expect("the body answers");
        assert!(expiring.contains("expiring"), "{expiring}");
        assert!(early.expect("not entered yet").to_string().contains("not entered"));
        let limit = kept.expect("it was made");
        let finished = limit.reschedule(None).expect_err("it is over").to_string();
        assert!(finished.contains("finished"), "{finished}");
        let mut kept = None;
        let scope = timeout_scope(SHORT, |limit| {
            kept = Some(limit);
            pending::<()>()
        });
        assert!(scope.await.is_err());
        let expired = kept.expect("it was made").reschedule(None).expect_err("it is over");
        assert!(expired.to_string().contains("has expired"), "{expired}");
    });
}

#[test]
fn tmo_23_a_body_that_swallows_the_expiry_gives_its_value() {
    in_each_flavour(async || {
        let mut kept = None;
        let scope = timeout_scope(SHORT, |limit| {
            kept = Some(limit);
            async {
                assert!(catch_cancel(pending::<()>()).await.is_err());
                yield_now().await;
                7
            }
        });
        assert_eq!(scope.await, Ok(7));
        assert!(kept.expect("it was made").expired());
        assert_eq!(task::current().cancelling(), 0);
    });
}

#[test]
fn tmo_24_outside_tasks_a_timeout_works_by_its_own_clock() {
    let runtime = one();
    let outcome = runtime.handle().block_on(async {
        let plain = timeout(SHORT, pending::<()>()).await.is_err();
        // Nothing is told anything: it is dropped.
        let scoped = timeout(SHORT, catch_cancel(pending::<()>())).await.is_err();
        (plain, scoped)
    });
    assert_eq!(outcome, (true, true));
}

#[test]
fn tmo_26_debug_says_how_far_it_has_come() {
    in_each_flavour(async || {
        let mut kept = None;
        let scope = timeout_scope(SHORT, |limit| {
            kept = Some(limit.clone());
            assert_eq!(format!("{limit:?}"), "<TimeoutScope created>");
            async move {
                let active = format!("{limit:?}");
                assert!(active.starts_with("<TimeoutScope active when="), "{active}");
                pending::<()>().await;
            }
        });
        assert!(scope.await.is_err());
        assert_eq!(format!("{:?}", kept.expect("it was made")), "<TimeoutScope expired>");
        let mut kept = None;
        let scope = timeout_scope(LONG, |limit| {
            kept = Some(limit);
            ready(())
        });
        assert!(scope.await.is_ok());
        assert_eq!(format!("{:?}", kept.expect("it was made")), "<TimeoutScope finished>");
    });
}

#[test]
fn tmo_27_quick_timeouts_leave_no_timer_and_hit_nothing_later() {
    in_each_flavour(async || {
        for _ in 0..10_000 {
            assert!(timeout(Duration::from_millis(20), yield_now()).await.is_ok());
            assert!(timeout(Duration::from_millis(20), catch_cancel(yield_now())).await.is_ok());
        }
        let caught = catch_cancel(time::sleep(Duration::from_millis(40))).await;
        assert!(caught.is_ok(), "a late timer must not hit the next await");
    });
}

#[test]
fn tmo_28_an_expiry_that_races_with_the_end_leaks_into_nothing() {
    for runtime in [two(), four()] {
        run(&runtime, async {
            let mut expired = 0;
            for round in 0..1_500_u64 {
                let (send, receive) = oneshot::channel::<()>();
                let answerer = spawn(async move {
                    time::sleep(Duration::from_micros(60 + round % 80)).await;
                    let _ = send.send(());
                });
                let body = async {
                    let caught = catch_cancel(receive).await;
                    match caught {
                        Ok(answer) => answer.expect("it is sent"),
                        Err(cancelled) => cancelled.rethrow().await,
                    }
                };
                let outcome = timeout(Duration::from_micros(100), body).await;
                expired += usize::from(outcome.is_err());
                let next = catch_cancel(async {
                    yield_now().await;
                    yield_now().await;
                });
                assert!(next.await.is_ok(), "the next await is hit");
                answerer.await.expect("it ends");
            }
            assert!(expired <= 1_500);
        });
    }
}

#[test]
fn wfor_01_a_value_in_time() {
    in_each_flavour(async || {
        assert_eq!(timeout(LONG, async { 7 }).await, Ok(7));
        let task = spawn(async { 8 });
        assert_eq!(timeout(LONG, task).await.expect("in time").expect("it ends"), 8);
        let task = spawn(async { 9 });
        assert_eq!(timeout(Duration::MAX, task).await.expect("no limit").expect("it ends"), 9);
    });
}

#[test]
fn wfor_02_03_a_task_is_cancelled_and_has_ended_when_the_timeout_returns() {
    in_each_flavour(async || {
        for time in [SHORT, Duration::ZERO] {
            let log = Log::default();
            let theirs = log.clone();
            let mut task = spawn(async move {
                let cleanup = async move {
                    settle().await;
                    theirs.say("cleaned up");
                };
                finally(pending::<()>(), cleanup).await;
            });
            settle().await;
            assert!(timeout(time, &mut task).await.is_err());
            assert!(task.is_finished() && task.is_cancelled());
            assert_eq!(log.take(), ["cleaned up"]);
        }
    });
}

/// Ignores cancellations until it is told to end.
async fn stubborn(mut receive: oneshot::Receiver<()>) -> usize {
    let mut ignored = 0;
    while catch_cancel(&mut receive).await.is_err() {
        ignored += 1;
    }
    ignored
}

#[test]
fn wfor_04_both_a_request_and_an_expiry_wait_for_a_task_that_ignores_them() {
    in_each_flavour(async || {
        let (send, receive) = oneshot::channel();
        let inner = spawn(stubborn(receive));
        let seen = inner.handle();
        let outer = spawn(async move { timeout(SHORT, inner).await });
        settle().await;
        while seen.cancelling() == 0 {
            yield_now().await;
        }
        assert!(!outer.is_finished());
        send.send(()).expect("it waits still");
        // It answers with a value: that is the outcome.
        let ignored = outer.await.expect("it goes on").expect("a value").expect("it ends");
        assert_eq!(ignored, 1);
    });
}

#[test]
fn wfor_05_06_07_no_time_at_all() {
    in_each_flavour(async || {
        assert_eq!(timeout(Duration::ZERO, ready(7)).await, Ok(7));
        let mut done = spawn(async { 8 });
        while !done.is_finished() {
            yield_now().await;
        }
        assert_eq!(timeout(Duration::ZERO, &mut done).await.expect("done").expect("it ends"), 8);
        let polls = Arc::new(AtomicUsize::new(0));
        let theirs = Arc::clone(&polls);
        let body = async move {
            theirs.fetch_add(1, Ordering::SeqCst);
            yield_now().await;
            theirs.fetch_add(100, Ordering::SeqCst);
        };
        assert!(timeout(Duration::ZERO, body).await.is_err());
        assert!(polls.load(Ordering::SeqCst) <= 1, "polled once at most");
    });
}

#[test]
fn wfor_08_a_result_that_is_there_wins_over_the_timer() {
    in_each_flavour(async || {
        let (send, receive) = oneshot::channel();
        let outcome = timeout(SHORT, async move {
            yield_now().await;
            send.send("ok").expect("it is kept");
            busy(SHORT * 2);
            receive.await
        });
        assert_eq!(outcome.await.expect("it is there"), Ok("ok"));
    });
}

#[test]
fn wfor_09_a_task_that_makes_a_value_of_the_expiry() {
    in_each_flavour(async || {
        let mut task = spawn(async { catch_cancel(pending::<i32>()).await.unwrap_or(42) });
        settle().await;
        let outcome = timeout(SHORT, &mut task).await;
        assert_eq!(outcome.expect("no expiry").expect("it ends"), 42);
    });
}

#[test]
fn wfor_10_an_error_of_the_task_while_it_is_cancelled_surfaces() {
    in_each_flavour(async || {
        let task = spawn(async {
            let _ = catch_cancel(pending::<()>()).await;
            Err::<(), _>("foo")
        });
        settle().await;
        let outcome = timeout(SHORT, task).await;
        assert_eq!(outcome.expect("no expiry").expect("it ends"), Err("foo"));
    });
}

#[test]
fn wfor_11_cancelling_the_waiter_cancels_the_task() {
    in_each_flavour(async || {
        for limited in [false, true] {
            let inner = spawn(pending::<()>());
            let seen = inner.handle();
            let outer = spawn(async move {
                if limited {
                    drop(timeout(LONG, inner).await);
                } else {
                    drop(inner.await);
                }
            });
            settle().await;
            outer.cancel();
            assert!(outer.await.expect_err("cancelled").is_cancelled());
            assert!(seen.is_finished() && seen.is_cancelled());
        }
    });
}

#[test]
fn wfor_12_a_request_at_the_moment_of_completion_is_not_lost() {
    in_each_flavour(async || {
        let (send, receive) = oneshot::channel::<task::TaskRef>();
        let inner = spawn(async move {
            // The one who waits is asked in the poll in which this ends.
            receive.await.expect("it is sent").cancel();
            "done"
        });
        let kept = Arc::new(std::sync::Mutex::new(Some(inner)));
        let theirs = Arc::clone(&kept);
        let waiter = spawn(async move {
            let mut inner = theirs.lock().expect("no panic").take().expect("it is there");
            let caught = catch_cancel(timeout(LONG, &mut inner)).await;
            let cancelled = caught.expect_err("it does not run past the wait");
            *theirs.lock().expect("no panic") = Some(inner);
            cancelled.rethrow::<()>().await;
        });
        settle().await;
        send.send(waiter.handle()).expect("it waits");
        assert!(waiter.await.expect_err("cancelled").is_cancelled());
        let inner = kept.lock().expect("no panic").take().expect("it was put back");
        assert_eq!(inner.await.expect("its result is readable"), "done");
    });
}

#[test]
fn wfor_13_a_second_request_is_delivered_to_the_task_again() {
    in_each_flavour(async || {
        let (send, receive) = oneshot::channel();
        let inner = spawn(stubborn(receive));
        let seen = inner.handle();
        let outer = spawn(async move { timeout(LONG, inner).await });
        settle().await;
        for times in 1..4 {
            outer.cancel();
            while seen.cancelling() < times {
                yield_now().await;
            }
        }
        assert!(!outer.is_finished());
        send.send(()).expect("it waits still");
        let ignored = outer.await.expect("it goes on").expect("a value").expect("it ends");
        assert!((1..=3).contains(&ignored), "pending ones are one delivery: {ignored}");
    });
}

#[test]
fn wfor_14_an_expiry_has_a_cancellation_as_its_source() {
    in_each_flavour(async || {
        let elapsed = timeout(SHORT, pending::<()>()).await.expect_err("it expires");
        let source = elapsed.source().expect("it has one");
        assert!(source.to_string().contains("cancelled"), "{source}");
    });
}

#[test]
fn wfor_17_a_waiter_whose_time_has_passed_leaves_no_entry() {
    in_each_flavour(async || {
        let semaphore = kasasagi::sync::Semaphore::new(0);
        assert!(timeout(SHORT, semaphore.acquire()).await.is_err());
        semaphore.add_permits(1);
        assert!(semaphore.try_acquire().is_ok(), "nobody waits for it");
    });
}

#[test]
fn two_timeouts_side_by_side_expire_each_by_itself() {
    in_each_flavour(async || {
        let scoped = timeout(SHORT, catch_then_pass());
        let other = timeout(SHORT * 3, catch_cancel(pending::<()>()));
        let (first, second) = join(scoped, other).await;
        assert!(first.is_err());
        assert!(second.expect("it is told and answers").is_err());
    });
}

#[test]
fn an_expiry_whose_scope_lost_a_select_comes_again() {
    in_each_flavour(async || {
        let outcome = timeout(SHORT, async {
            // The first to be told is dropped, untold, by the branch that is ready meanwhile.
            let sleeper = Box::pin(uninterruptible(time::sleep(SHORT * 3)));
            let caught = Box::pin(catch_cancel(sleeper));
            let _ = select(Box::pin(time::sleep(SHORT * 2)), caught).await;
            pending::<()>().await;
        });
        assert!(outcome.await.is_err());
    });
}
