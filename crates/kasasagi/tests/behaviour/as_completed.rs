//! What `as_completed` promises: ASC-01 and after.

use crate::flavour::{for_one_worker, in_each_flavour, on_each, run};
use crate::gather::until;
use futures_channel::oneshot;
use futures_util::{FutureExt as _, Stream, StreamExt};
use kasasagi::{FutureExt, as_completed, spawn, time, yield_now};
use std::future::{pending, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

#[test]
fn asc_01_outputs_come_in_the_order_of_the_ends() {
    on_each(|runtime| {
        run(runtime, async {
            let (tell, told): (Vec<_>, Vec<_>) = (0..3).map(|_| oneshot::channel::<u32>()).unzip();
            let mut ends = as_completed(told);
            for (tell, n) in tell.into_iter().rev().zip(1..) {
                tell.send(n).expect("it listens");
                assert_eq!(ends.next().await.expect("three come").expect("it ends"), Ok(n));
            }
            assert!(ends.next().await.is_none() && ends.next().await.is_none());
        });
    });
}

#[test]
fn asc_01_those_that_ended_meanwhile_come_in_the_order_of_their_ends_too() {
    for_one_worker(|build| {
        run(&build(), async {
            let turns = [3, 1, 2, 0];
            let mut ends = as_completed(turns.map(|n| async move {
                for _ in 0..n {
                    yield_now().await;
                }
                n
            }));
            for _ in 0..10 {
                yield_now().await;
            }
            let order: Vec<_> = (&mut ends).map(|end| end.expect("it ends")).collect().await;
            assert_eq!(order, [0, 1, 2, 3]);
        });
    });
}

#[test]
fn asc_02_the_tasks_that_were_given_can_be_had_back() {
    on_each(|runtime| {
        run(runtime, async {
            let tasks = ["a", "b"].map(|name| spawn(async move { name }.named(name)));
            let ids = [tasks[0].id(), tasks[1].id()];
            let mut ends = as_completed(tasks);
            while let Some(task) = ends.next_task().await {
                assert!(ids.contains(&task.id()) && task.is_finished());
                let name = task.name();
                assert_eq!(task.await.expect("it ended"), &*name);
            }
        });
    });
}

#[test]
fn asc_03_10_broken_off_and_gone_on_with_every_output_comes_once() {
    on_each(|runtime| {
        run(runtime, async {
            let mut ends = as_completed((0..5).map(|n| async move {
                yield_now().await;
                n
            }));
            let mut seen = Vec::new();
            for _ in 0..2 {
                seen.push(ends.next().await.expect("five come").expect("it ends"));
            }
            // One that is given up has taken nothing.
            let _ = ends.next().now_or_never().flatten().map(|end| seen.push(end.expect("ends")));
            while let Some(end) = ends.next().await {
                seen.push(end.expect("it ends"));
            }
            seen.sort_unstable();
            assert_eq!(seen, [0, 1, 2, 3, 4]);
        });
    });
}

#[test]
fn asc_04_05_when_the_time_is_over_that_is_said_once_and_nothing_is_cancelled() {
    in_each_flavour(async || {
        let (tell, told) = oneshot::channel::<()>();
        let slow = spawn(async { told.await.is_ok() });
        let quick = spawn(async { false });
        let start = Instant::now();
        let mut ends = as_completed([slow, quick]).timeout(millis(20));
        assert!(!ends.next().await.expect("it comes").expect("in time").expect("it ends"));
        assert!(ends.next().await.expect("it is said").is_err());
        assert!(start.elapsed() >= millis(20));
        assert!(ends.next().await.is_none());
        let [slow] = ends.into_pending().try_into().expect("one is left");
        tell.send(()).expect("it was not cancelled");
        assert!(slow.await.expect("it goes on"));
    });
}

#[test]
fn asc_06_a_time_that_was_not_needed_leaves_no_timer() {
    in_each_flavour(async || {
        let child = spawn(time::sleep(millis(1)));
        let mut ends = as_completed([child]).timeout(Duration::from_secs(3600));
        assert!(ends.next().await.is_some_and(|end| end.is_ok()));
        assert!(ends.next().await.is_none());
        assert!(format!("{ends:?}").contains("left: 0"));
    });
}

#[test]
fn asc_09_a_failed_one_gives_its_error_and_the_rest_come() {
    on_each(|runtime| {
        run(runtime, async {
            let ends = as_completed((0..4).map(|n| async move {
                assert!(n != 2, "the third one");
                n
            }));
            let ends: Vec<_> = ends.collect().await;
            assert_eq!(ends.iter().filter(|end| end.is_ok()).count(), 3);
            assert!(ends.iter().flatten().copied().sum::<i32>() == 4);
        });
    });
}

#[test]
fn asc_10_dropped_midway_it_leaves_the_others_running() {
    on_each(|runtime| {
        run(runtime, async {
            let ended = Arc::new(AtomicUsize::new(0));
            let (tell, told): (Vec<_>, Vec<_>) = (0..3).map(|_| oneshot::channel::<()>()).unzip();
            let mut tell = tell.into_iter();
            let mut ends = as_completed(told.into_iter().map(|told| {
                let ended = Arc::clone(&ended);
                async move {
                    let _ = told.await;
                    ended.fetch_add(1, Ordering::SeqCst);
                }
            }));
            tell.next().expect("three").send(()).expect("it listens");
            assert!(ends.next().await.is_some());
            drop(ends);
            tell.for_each(|tell| tell.send(()).expect("it still listens"));
            until(&ended, 3).await;
        });
    });
}

#[test]
fn asc_11_it_knows_how_many_are_left() {
    on_each(|runtime| {
        run(runtime, async {
            let mut ends = as_completed((0..3).map(|n| async move { n }));
            for left in (0..3).rev() {
                assert_eq!((ends.len(), ends.size_hint()), (left + 1, (left + 1, Some(left + 1))));
                assert!(!ends.is_empty());
                assert!(StreamExt::next(&mut ends).await.is_some());
            }
            assert!(ends.is_empty());
        });
    });
}

#[test]
fn asc_the_one_that_takes_them_is_polled_once_a_batch() {
    for_one_worker(|build| {
        run(&build(), async {
            let polls = AtomicUsize::new(0);
            let mut ends = as_completed((0..1000).map(|_| async {}));
            // All end before it is polled again.
            let first = poll_fn(|cx| std::task::Poll::Ready(ends.next().poll_unpin(cx)));
            assert!(first.await.is_pending());
            yield_now().await;
            let all = async {
                let mut count = 0;
                while ends.next().await.is_some() {
                    count += 1;
                }
                count
            };
            let mut all = Box::pin(all);
            let count = poll_fn(|cx| {
                polls.fetch_add(1, Ordering::SeqCst);
                Pin::as_mut(&mut all).poll(cx)
            });
            assert_eq!(count.await, 1000);
            // One poll a budget, which is 128 units.
            let polls = polls.load(Ordering::SeqCst);
            assert!((1..=1000 / 128 + 2).contains(&polls), "{polls}");
        });
    });
}

#[test]
fn asc_stress_every_output_comes_once() {
    crate::flavour::for_several_workers(|build| {
        run(&build(), async {
            for round in 0..1_000_usize {
                let mut ends = as_completed((0..8).map(|n| async move {
                    for _ in 0..(n + round) % 3 {
                        yield_now().await;
                    }
                    n
                }));
                let mut seen = [0; 8];
                while let Some(end) = ends.next().await {
                    seen[end.expect("it ends")] += 1;
                }
                assert_eq!(seen, [1; 8], "round {round}");
            }
            drop(as_completed([spawn(pending::<()>())]));
        });
    });
}
