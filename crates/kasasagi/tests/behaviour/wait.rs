//! What `wait` promises: WAIT-01 and after.

use crate::flavour::{for_one_worker, in_each_flavour, on_each, run};
use crate::gather::until;
use crate::hand::Counted;
use futures_channel::oneshot;
use kasasagi::{ReturnWhen, Task, spawn, time, wait, yield_now};
use std::future::{pending, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

async fn ended<T>(task: &Task<T>) {
    while !task.is_finished() {
        yield_now().await;
    }
}

#[test]
fn wait_01_all_that_have_ended_are_done_and_a_second_wait_is_ready_at_once() {
    in_each_flavour(async || {
        let tasks = [spawn(time::sleep(millis(10))), spawn(time::sleep(millis(15)))];
        let waited = wait(tasks).await;
        assert_eq!((waited.done.len(), waited.pending.len()), (2, 0));
        let mut again = pin!(wait(waited.done));
        let polled = poll_fn(|cx| Poll::Ready(again.as_mut().poll(cx))).await;
        assert!(matches!(polled, Poll::Ready(waited) if waited.done.len() == 2));
    });
}

#[test]
fn wait_02_with_first_completed_the_others_are_pending_and_not_cancelled() {
    in_each_flavour(async || {
        let (tell, told) = oneshot::channel::<()>();
        let slow = spawn(async move {
            told.await.expect("it is told");
            "slow"
        });
        let quick = spawn(async {
            time::sleep(millis(5)).await;
            "quick"
        });
        let waited = wait([slow, quick]).until(ReturnWhen::FirstCompleted).await;
        let [quick] = waited.done.try_into().expect("one has ended");
        assert_eq!(quick.await.expect("it ended"), "quick");
        let [slow] = waited.pending.try_into().expect("one has not");
        assert!(!slow.is_finished());
        tell.send(()).expect("it was not cancelled");
        assert_eq!(slow.await.expect("it was not cancelled"), "slow");
    });
}

#[test]
fn wait_03_first_exception_returns_at_a_panic_or_at_once_if_there_was_one() {
    on_each(|runtime| {
        run(runtime, async {
            let (tell, told) = oneshot::channel::<()>();
            let tasks = [
                spawn(pending::<()>()),
                spawn(async { told.await.expect("somebody tells") }),
                spawn(async {}),
            ];
            let waiting = spawn(wait(tasks).until(ReturnWhen::FirstException));
            for _ in 0..10 {
                yield_now().await;
            }
            assert!(!waiting.is_finished());
            drop(tell);
            let mut waited = waiting.await.expect("it was not cancelled");
            assert_eq!((waited.done.len(), waited.pending.len()), (2, 1));
            waited.pending.append(&mut waited.done);
            let again = wait(waited.pending).until(ReturnWhen::FirstException).await;
            assert_eq!(again.pending.len(), 1);
            assert!(again.pending[0].cancel());
        });
    });
}

#[test]
fn wait_03_first_error_counts_errors_too() {
    on_each(|runtime| {
        run(runtime, async {
            let fine = spawn(async { Ok(()) });
            let has_ended = fine.handle();
            let tasks = [
                spawn(pending::<Result<(), &str>>()),
                fine,
                spawn(async move {
                    crate::hand::until("it ends", || has_ended.is_finished()).await;
                    Err("no luck")
                }),
            ];
            let mut waited = wait(tasks).first_error().await;
            assert_eq!((waited.done.len(), waited.pending.len()), (2, 1));
            let last = waited.done.pop().expect("two have ended");
            assert_eq!(last.await.expect("it did not panic"), Err("no luck"));
            assert!(waited.pending[0].cancel());
        });
    });
}

#[test]
fn wait_04_05_a_cancelled_child_is_no_exception_and_without_one_it_waits_for_all() {
    on_each(|runtime| {
        run(runtime, async {
            let (tell, told) = oneshot::channel::<()>();
            let cancelled = spawn(pending::<()>());
            cancelled.cancel();
            let last = spawn(async {
                told.await.expect("it is told");
            });
            let waiting = spawn(wait([cancelled, last]).until(ReturnWhen::FirstException));
            for _ in 0..20 {
                yield_now().await;
            }
            assert!(!waiting.is_finished());
            tell.send(()).expect("it listens");
            let waited = waiting.await.expect("it was not cancelled");
            assert_eq!((waited.done.len(), waited.pending.len()), (2, 0));
            assert!(waited.done[0].is_cancelled());
        });
    });
}

#[test]
fn wait_06_when_the_time_is_over_it_gives_what_there_is_and_cancels_nothing() {
    in_each_flavour(async || {
        let (tell, told) = oneshot::channel::<()>();
        let slow = spawn(async { told.await.is_ok() });
        let quick = spawn(async { true });
        let waited = wait([quick, slow]).timeout(millis(5)).await;
        assert_eq!((waited.done.len(), waited.pending.len()), (1, 1));
        tell.send(()).expect("it was not cancelled");
        for task in waited.done.into_iter().chain(waited.pending) {
            assert!(task.await.expect("it was not cancelled"));
        }
    });
}

#[test]
fn wait_07_what_ended_before_it_went_on_is_done_too() {
    for_one_worker(|build| {
        run(&build(), async {
            let tasks = [spawn(async {}), spawn(async {}), spawn(pending())];
            let mut waiting = pin!(wait(tasks).until(ReturnWhen::FirstCompleted));
            // Both end before it is polled for the second time.
            let once = poll_fn(|cx| Poll::Ready(waiting.as_mut().poll(cx)));
            assert!(once.await.is_pending());
            yield_now().await;
            let waited = waiting.await;
            assert_eq!((waited.done.len(), waited.pending.len()), (2, 1));
            assert!(waited.pending[0].cancel());
        });
    });
}

#[test]
fn wait_08_a_cancelled_wait_cancels_nothing() {
    on_each(|runtime| {
        run(runtime, async {
            let ended = Arc::new(AtomicUsize::new(0));
            let (tell, told) = oneshot::channel::<()>();
            let child = spawn({
                let ended = Arc::clone(&ended);
                async move {
                    told.await.expect("it is told");
                    ended.fetch_add(1, Ordering::SeqCst);
                }
            });
            let waiting = spawn(wait([child]));
            yield_now().await;
            waiting.cancel();
            assert!(waiting.await.is_err_and(|error| error.is_cancelled()));
            tell.send(()).expect("it still listens");
            until(&ended, 1).await;
        });
    });
}

#[test]
fn wait_08_one_that_borrows_its_tasks_loses_none_when_it_is_dropped() {
    on_each(|runtime| {
        run(runtime, async {
            let (tell, told) = oneshot::channel::<()>();
            let mut tasks = vec![spawn(async { told.await.is_ok() }), spawn(async { true })];
            {
                let mut waiting = pin!(wait(tasks.iter_mut().map(Task::by_ref)));
                let once = poll_fn(|cx| Poll::Ready(waiting.as_mut().poll(cx)));
                assert!(once.await.is_pending());
            }
            tell.send(()).expect("it was not cancelled");
            for task in tasks {
                assert!(task.await.expect("the handle is as before"));
            }
        });
    });
}

#[test]
fn wait_10_it_takes_whatever_can_be_iterated() {
    on_each(|runtime| {
        run(runtime, async {
            let waited = wait((0..10).map(|n| spawn(async move { n }))).await;
            assert_eq!(waited.done.len(), 10);
            let waited = wait((0..10).map(|n| async move { n })).await;
            let mut sum = 0;
            for task in waited.done {
                sum += task.await.expect("it ends");
            }
            assert_eq!(sum, 45);
        });
    });
}

#[test]
fn wait_11_for_nothing_it_does_not_wait() {
    on_each(|runtime| {
        run(runtime, async {
            for when in [ReturnWhen::AllCompleted, ReturnWhen::FirstCompleted] {
                let nothing: Vec<Task<()>> = Vec::new();
                let waited = wait(nothing).until(when).await;
                assert!(waited.done.is_empty() && waited.pending.is_empty());
            }
        });
    });
}

#[test]
fn wait_12_it_gives_tasks_and_no_errors() {
    on_each(|runtime| {
        run(runtime, async {
            let waited = wait([spawn(async { panic!("mine") })]).await;
            let [failed] = waited.done.try_into().expect("it has ended");
            let output: Result<(), _> = failed.await;
            assert!(output.is_err_and(|error| error.is_panic()));
        });
    });
}

#[test]
fn wait_13_nothing_of_a_wait_stays_with_the_tasks() {
    on_each(|runtime| {
        run(runtime, async {
            let (tell, told) = oneshot::channel::<()>();
            let mut long = spawn(async { told.await.is_ok() });
            let (waker, counted) = Counted::waker();
            let mut cx = Context::from_waker(&waker);
            for n in 0..10_000 {
                let quick = spawn(async { true });
                ended(&quick).await;
                let mut quick = quick;
                {
                    let both = [long.by_ref(), quick.by_ref()];
                    let mut waiting = pin!(wait(both).until(ReturnWhen::FirstCompleted));
                    let Poll::Ready(waited) = waiting.as_mut().poll(&mut cx) else {
                        panic!("round {n}: one has ended")
                    };
                    assert_eq!((waited.done.len(), waited.pending.len()), (1, 1));
                }
                if n % 2 == 0 {
                    let mut dropped = pin!(wait([long.by_ref()]));
                    assert!(dropped.as_mut().poll(&mut cx).is_pending());
                }
            }
            // Ours, and the local one.
            assert_eq!(Arc::strong_count(&counted), 2);
            tell.send(()).expect("it was not cancelled");
            assert!(long.await.expect("it ends"));
            assert_eq!(counted.wakes(), 0, "nobody of the past is woken");
        });
    });
}
