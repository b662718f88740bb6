//! What `race` and `shield` promise: SHLD-01 and after.

use crate::flavour::{on_each, run};
use crate::gather::{Dropped, until};
use crate::hand::Counted;
use futures_channel::oneshot;
use kasasagi::{Runtime, gather, race, shield, spawn, time, try_gather, yield_now};
use std::future::{pending, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

#[test]
fn race_the_losers_have_ended_when_the_winner_is_given() {
    on_each(|runtime| {
        run(runtime, async {
            let dropped = Arc::new(AtomicUsize::new(0));
            let winner = race((0..5).map(|n| {
                let held = Dropped(Arc::clone(&dropped));
                async move {
                    let _held = held;
                    if n != 3 {
                        pending::<()>().await;
                    }
                    n
                }
            }))
            .await;
            assert_eq!((winner, dropped.load(Ordering::SeqCst)), (3, 5));
        });
    });
}

/// They would be waited for in vain: who lends a task cancels it, and nobody else.
#[test]
fn race_losers_that_are_only_lent_run_on_and_nobody_waits_for_them() {
    on_each(|runtime| {
        run(runtime, async {
            let mut ready = spawn(async { 1 });
            let mut never = spawn(pending());
            assert_eq!(race([never.by_ref(), ready.by_ref()]).await, 1);
            assert!(!never.is_finished() && never.cancelling() == 0);
            let mut fails = spawn(async { Err::<(), _>("no luck") });
            let mut waits = spawn(pending());
            let error = try_gather([waits.by_ref(), fails.by_ref()]).await.expect_err("one fails");
            assert_eq!(error.error(), Some(&"no luck"));
            assert!(!waits.is_finished() && waits.cancelling() == 0);
            assert!(never.cancel() && waits.cancel());
            assert!(never.await.is_err() && waits.await.is_err());
        });
    });
}

#[test]
fn race_a_panic_is_raised_once_the_others_have_ended() {
    on_each(|runtime| {
        run(runtime, async {
            let dropped = Arc::new(AtomicUsize::new(0));
            let held = Dropped(Arc::clone(&dropped));
            let racing = spawn(async {
                let loser = spawn(async move {
                    let _held = held;
                    pending::<()>().await;
                });
                race([loser, spawn(async { panic!("stumbled") })]).await;
            });
            let error = racing.await.expect_err("it panicked");
            assert!(error.to_string().contains("stumbled"), "{error}");
            assert_eq!(dropped.load(Ordering::SeqCst), 1);
        });
    });
}

#[test]
fn race_of_nothing_or_of_the_cancelled_has_no_winner() {
    on_each(|runtime| {
        run(runtime, async {
            let nothing = spawn(async { race(Vec::<kasasagi::Task<()>>::new()).await });
            let error = nothing.await.expect_err("it panicked").to_string();
            assert!(error.contains("was given nothing") && error.contains("race.rs"), "{error}");
            let out = spawn(pending::<i32>());
            out.cancel();
            assert_eq!(race([out, spawn(async { 2 })]).await, 2);
            let out = spawn(pending::<i32>());
            out.cancel_with("rain");
            let nobody = spawn(async move { race([out]).await });
            let error = nobody.await.expect_err("it panicked").to_string();
            assert!(error.contains("no value to give") && error.contains("rain"), "{error}");
        });
    });
}

#[test]
fn race_dropped_it_cancels_its_runners() {
    on_each(|runtime| {
        run(runtime, async {
            let dropped = Arc::new(AtomicUsize::new(0));
            let runner = || {
                let held = Dropped(Arc::clone(&dropped));
                async move {
                    let _held = held;
                    pending::<()>().await;
                }
            };
            let late = time::timeout(Duration::from_millis(2), race([runner(), runner()])).await;
            assert!(late.is_err());
            until(&dropped, 2).await;
        });
    });
}

#[test]
fn race_stress_one_winner_and_no_runner_left() {
    crate::flavour::for_several_workers(|build| {
        let runtime = build();
        let dropped = Arc::new(AtomicUsize::new(0));
        run(&runtime, async {
            for round in 1..=1_000 {
                let winner = race((0..4).map(|n| {
                    let held = Dropped(Arc::clone(&dropped));
                    async move {
                        let _held = held;
                        for _ in 0..(n + round) % 4 {
                            yield_now().await;
                        }
                        n
                    }
                }))
                .await;
                assert!(winner < 4);
                assert_eq!(dropped.load(Ordering::SeqCst), 4 * round, "all have ended");
            }
        });
    });
}

#[test]
fn shld_01_02_the_output_or_the_error_passes() {
    on_each(|runtime| {
        run(runtime, async {
            assert_eq!(shield(async { 42 }).await.ok(), Some(42));
            let mut ended = spawn(async { Err::<(), _>("inner") });
            while !ended.is_finished() {
                yield_now().await;
            }
            let at_once =
                pin!(shield(ended.by_ref())).poll(&mut Context::from_waker(Waker::noop()));
            assert!(matches!(at_once, Poll::Ready(Ok(Err("inner")))));
            assert!(shield(async { panic!("inner") }).await.is_err_and(|error| error.is_panic()));
        });
    });
}

#[test]
fn shld_03_a_cancelled_task_is_a_cancelled_output() {
    on_each(|runtime| {
        run(runtime, async {
            let inner = spawn(pending::<()>());
            inner.cancel_with("inside");
            let error = shield(inner).await.expect_err("it was cancelled");
            assert_eq!((error.is_cancelled(), error.reason()), (true, Some("inside")));
        });
    });
}

#[test]
fn shld_04_09_the_task_runs_on_when_the_one_who_waits_is_cancelled() {
    on_each(|runtime| {
        run(runtime, async {
            let (tell, told) = oneshot::channel::<()>();
            let proof = Arc::new(AtomicUsize::new(0));
            let inner = {
                let proof = Arc::clone(&proof);
                async move {
                    told.await.expect("it is told");
                    proof.fetch_add(1, Ordering::SeqCst);
                }
            };
            let after = Arc::clone(&proof);
            let outer = spawn(async move {
                let _ = shield(inner).await;
                after.fetch_add(10, Ordering::SeqCst);
            });
            for _ in 0..10 {
                yield_now().await;
            }
            outer.cancel();
            assert!(outer.await.is_err_and(|error| error.is_cancelled()));
            tell.send(()).expect("it still listens");
            until(&proof, 1).await;
        });
    });
}

#[test]
fn shld_05_nothing_of_a_dropped_shield_stays_with_the_task() {
    on_each(|runtime| {
        run(runtime, async {
            let (tell, told) = oneshot::channel::<()>();
            let mut inner = spawn(async { told.await.is_ok() });
            let (waker, counted) = Counted::waker();
            for _ in 0..10_000 {
                let mut outer = pin!(shield(inner.by_ref()));
                assert!(outer.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
            }
            assert_eq!(Arc::strong_count(&counted), 2);
            tell.send(()).expect("it was not cancelled");
            assert!(inner.await.expect("it ends"));
            assert_eq!(counted.wakes(), 0);
        });
    });
}

#[test]
fn shld_08_a_shielded_gather_goes_on() {
    on_each(|runtime| {
        run(runtime, async {
            let (tell, told): (Vec<_>, Vec<_>) = (0..2).map(|_| oneshot::channel::<u32>()).unzip();
            let mut gathered = spawn(gather(told));
            {
                let mut outer = pin!(shield(gathered.by_ref()));
                assert!(poll_fn(|cx| Poll::Ready(outer.as_mut().poll(cx))).await.is_pending());
            }
            for (tell, n) in tell.into_iter().zip(1..) {
                tell.send(n).expect("it still listens");
            }
            let outputs = gathered.await.expect("it was not cancelled");
            let outputs: Vec<_> = outputs.into_iter().map(|out| out.expect("ends")).collect();
            assert_eq!(outputs, [Ok(1), Ok(2)]);
        });
    });
}

#[test]
fn shld_10_the_end_of_the_runtime_ends_a_shielded_task() {
    for workers in [1, 2] {
        let runtime = Runtime::builder().workers(workers).build().expect("a runtime");
        let dropped = Arc::new(AtomicUsize::new(0));
        let held = Dropped(Arc::clone(&dropped));
        run(&runtime, async {
            let inner = async move {
                let _held = held;
                pending::<()>().await;
            };
            let mut outer = pin!(shield(inner));
            assert!(poll_fn(|cx| Poll::Ready(outer.as_mut().poll(cx))).await.is_pending());
        });
        assert!(runtime.shutdown(Duration::from_secs(5)).is_clean());
        assert_eq!(dropped.load(Ordering::SeqCst), 1);
    }
}
