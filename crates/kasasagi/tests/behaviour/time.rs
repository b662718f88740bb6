//! Time: sleeps that are never early, timers that leave nothing behind.

use crate::flavour::{for_each_flavour, for_one_worker, for_several_workers};
use crate::hand::{Counted, Telling, compute, median};
use kasasagi::time::{interval, sleep, sleep_until, timeout};
use kasasagi::{Runtime, spawn, yield_now};
use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// What a machine that does other things as well may add.
const LATE: Duration = Duration::from_secs(2);

#[test]
fn time_01_two_sleeps_take_the_time_of_both() {
    for_each_flavour(|build| {
        build()
            .run(async {
                let nap = async |what| {
                    sleep(ms(50)).await;
                    what
                };
                let start = Instant::now();
                assert_eq!(nap("yeah").await, "yeah");
                assert_eq!(nap("yeah").await, "yeah");
                let took = start.elapsed();
                assert!(took >= ms(100) && took < ms(100) + LATE, "{took:?}");
            })
            .expect("main ends");
    });
}

/// How often a future was polled, and what came out.
async fn counted<F: Future>(future: F) -> (usize, F::Output) {
    let mut future = pin!(future);
    let mut polls = 0;
    let output = poll_fn(|cx| {
        polls += 1;
        future.as_mut().poll(cx)
    })
    .await;
    (polls, output)
}

#[test]
fn time_02_a_sleep_of_nothing_lets_others_run_exactly_once() {
    for_each_flavour(|build| {
        let (polls, ()) =
            build().run(async { counted(sleep(Duration::ZERO)).await }).expect("main ends");
        assert_eq!(polls, 2);
    });
    for_one_worker(|build| {
        let order = build().run(async {
            let order = Arc::new(Mutex::new(Vec::new()));
            let noted = Arc::clone(&order);
            let other = spawn(async move { noted.lock().expect("no panic").push("other") });
            order.lock().expect("no panic").push("before");
            sleep(Duration::ZERO).await;
            order.lock().expect("no panic").push("after");
            other.await.expect("it ends");
            Arc::into_inner(order).expect("the task is gone").into_inner().expect("no panic")
        });
        assert_eq!(order.expect("main ends"), ["before", "other", "after"]);
    });
}

#[test]
fn time_03_a_moment_that_is_past_is_like_a_sleep_of_nothing() {
    for_each_flavour(|build| {
        let (polls, ()) = build()
            .run(async {
                let past = Instant::now().checked_sub(ms(1)).expect("the machine runs for longer");
                counted(sleep_until(past)).await
            })
            .expect("main ends");
        assert_eq!(polls, 2);
    });
}

#[test]
fn time_05_a_run_of_a_sleep_takes_as_long() {
    for_each_flavour(|build| {
        let runtime = build();
        let start = Instant::now();
        runtime.run(async { sleep(ms(100)).await }).expect("main ends");
        let took = start.elapsed();
        assert!(took >= ms(100) && took < ms(100) + LATE, "{took:?}");
    });
}

#[test]
fn time_06_no_sleep_ends_early() {
    for_each_flavour(|build| {
        build()
            .run(async {
                let tasks: Vec<_> = (0..400_u32)
                    .map(|n| {
                        spawn(async move {
                            // From 0 to 40 ms, odd numbers of microseconds, some in a second task's time.
                            let time = Duration::from_micros(u64::from(n * 101));
                            if n % 3 == 0 {
                                yield_now().await;
                            }
                            let start = Instant::now();
                            sleep(time).await;
                            (time, start.elapsed())
                        })
                    })
                    .collect();
                for task in tasks {
                    let (asked, took) = task.await.expect("it ends");
                    assert!(took >= asked, "a sleep of {asked:?} took {took:?}");
                }
                let start = Instant::now();
                let deadline = start + ms(7);
                sleep_until(deadline).await;
                assert!(Instant::now() >= deadline);
                let mut every = interval(ms(3));
                let first = every.tick().await;
                for n in 1..5 {
                    let _ = every.tick().await;
                    assert!(Instant::now() >= start, "{first:?}");
                    assert!(start.elapsed() >= ms(7) + ms(3) * n);
                }
            })
            .expect("main ends");
    });
}

#[test]
fn time_06_a_sleep_is_late_by_little() {
    // A machine at work: what an idle one does, `benches` measures.
    for_each_flavour(|build| {
        build()
            .run(async {
                for time in [Duration::from_micros(50), ms(1), ms(5)] {
                    let mut late = Vec::new();
                    for _ in 0..41 {
                        let start = Instant::now();
                        sleep(time).await;
                        late.push(start.elapsed() - time);
                    }
                    let late = median(&late);
                    println!("a sleep of {time:?} is late by {late:?}");
                    assert!(late < ms(10), "a sleep of {time:?} is late by {late:?}");
                }
            })
            .expect("main ends");
    });
}

#[test]
fn time_12_dropped_sleeps_are_gone_at_once_and_the_others_stay() {
    for_each_flavour(|build| {
        build()
            .run(async {
                let (waker, count) = Counted::waker();
                let mut cx = Context::from_waker(&waker);
                let mut sleeps: Vec<_> =
                    (0..1000).map(|n| Box::pin(sleep(ms(50) + ms(n % 7 * 600_000)))).collect();
                for nap in &mut sleeps {
                    assert!(nap.as_mut().poll(&mut cx).is_pending());
                }
                assert_eq!(Arc::strong_count(&count), 1000 + 2);
                // All but those of 50 ms.
                let mut n = 0;
                sleeps.retain(|_| {
                    n += 1;
                    n % 7 == 1
                });
                assert_eq!(
                    Arc::strong_count(&count),
                    sleeps.len() + 2,
                    "their wakers are given back"
                );
                for nap in &mut sleeps {
                    nap.as_mut().await;
                }
                assert_eq!(Arc::strong_count(&count), 2);
            })
            .expect("main ends");
    });
}

#[test]
fn time_13_nobody_gets_up_for_timers_that_are_gone() {
    for_each_flavour(|build| {
        let runtime = build();
        let before = runtime.handle().metrics().seats.iter().map(|seat| seat.parks).sum::<u64>();
        let took = runtime.run(async {
            let (waker, _) = Counted::waker();
            let mut cx = Context::from_waker(&waker);
            for n in 1..=40 {
                let mut gone = pin!(sleep(ms(5 * n)));
                assert!(gone.as_mut().poll(&mut cx).is_pending());
            }
            let start = Instant::now();
            sleep(ms(300)).await;
            start.elapsed()
        });
        assert!(took.expect("main ends") >= ms(300));
        let parks =
            runtime.handle().metrics().seats.iter().map(|seat| seat.parks).sum::<u64>() - before;
        let seats = runtime.handle().metrics().seats.len() as u64;
        assert!(parks < 20 * seats, "{parks} sleeps of {seats} workers, for one timer");
    });
}

#[test]
fn time_16_tiny_sleeps_do_not_spin() {
    for_one_worker(|build| {
        let runtime = build();
        let turns = |runtime: &Runtime| {
            let seat = runtime.handle().metrics().seats[0];
            seat.parks + seat.checks
        };
        let before = turns(&runtime);
        runtime
            .run(async {
                for time in [1e-2, 1e-4, 1e-6, 1e-8, 1e-10] {
                    sleep(Duration::from_secs_f64(time)).await;
                }
            })
            .expect("main ends");
        let turns = turns(&runtime) - before;
        assert!(turns <= 20, "{turns} looks outside for five sleeps");
    });
}

#[test]
fn time_18_what_was_overdue_behind_a_long_poll_comes_in_the_order_of_its_time() {
    for_one_worker(|build| {
        let order = build().run(async {
            let order = Arc::new(Mutex::new(Vec::new()));
            let tasks: Vec<_> = [7, 2, 9, 4, 1, 8, 3, 6, 5]
                .map(|n| {
                    let order = Arc::clone(&order);
                    spawn(async move {
                        sleep(ms(n * 3)).await;
                        order.lock().expect("no panic").push(n);
                    })
                })
                .into();
            // Main has every second turn: after so many each task has begun.
            for _ in 0..20 {
                yield_now().await;
            }
            compute(ms(60));
            for task in tasks {
                task.await.expect("it ends");
            }
            order.lock().expect("no panic").clone()
        });
        assert_eq!(order.expect("main ends"), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
    });
    // With several workers none is lost.
    for_several_workers(|build| {
        build()
            .run(async {
                let tasks: Vec<_> =
                    (0..64).map(|n| spawn(async move { sleep(ms(n % 16)).await })).collect();
                yield_now().await;
                compute(ms(60));
                for task in tasks {
                    task.await.expect("it ends");
                }
            })
            .expect("main ends");
    });
}

#[test]
fn time_19_a_dropped_sleep_wakes_nobody() {
    for_each_flavour(|build| {
        build()
            .run(async {
                let (waker, count) = Counted::waker();
                {
                    let mut nap = pin!(sleep(ms(5)));
                    assert!(nap.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
                    assert_eq!(Arc::strong_count(&count), 3);
                }
                assert_eq!(Arc::strong_count(&count), 2, "its waker is given back at once");
                sleep(ms(30)).await;
                assert_eq!(count.wakes(), 0);
            })
            .expect("main ends");
    });
}

#[test]
fn a_timeout_ends_what_takes_too_long_and_no_more() {
    for_each_flavour(|build| {
        build()
            .run(async {
                assert_eq!(timeout(ms(10_000), async { 5 }).await, Ok(5));
                let start = Instant::now();
                assert!(timeout(ms(20), std::future::pending::<()>()).await.is_err());
                assert!(start.elapsed() >= ms(20));
                assert!(timeout(Duration::ZERO, std::future::pending::<()>()).await.is_err());
                assert_eq!(timeout(Duration::ZERO, async { 6 }).await, Ok(6));
            })
            .expect("main ends");
    });
}

/// The timer of a task that moved, or of a waker that is no task's, is fired all the same.
#[test]
fn a_timer_wakes_any_waker() {
    for_each_flavour(|build| {
        build()
            .run(async {
                let (waker, told) = Telling::waker();
                let mut nap = pin!(sleep(ms(5)));
                assert_eq!(nap.as_mut().poll(&mut Context::from_waker(&waker)), Poll::Pending);
                sleep(ms(10)).await;
                assert!(told.try_recv().is_ok(), "it was due before ours");
            })
            .expect("main ends");
    });
}
