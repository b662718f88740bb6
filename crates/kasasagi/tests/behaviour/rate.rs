//! Rate limits: how many start in any window, in which order, and what a cancellation gives back.

use crate::flavour::{for_each_flavour, for_one_worker, for_several_workers, on_virtual_time, run};
use kasasagi::sync::RateLimiter;
use kasasagi::time::{Duration, Instant, advance, now, pause, sleep, timeout};
use kasasagi::{Task, spawn, yield_now};
use std::sync::{Arc, Mutex};

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

async fn all(tasks: Vec<Task<Instant>>, begin: Instant) -> Vec<Duration> {
    let mut starts = Vec::new();
    for task in tasks {
        starts.push(task.await.expect("it ends") - begin);
    }
    starts.sort_unstable();
    starts
}

/// A job that starts when it may, and then takes its time; it says when it has started.
fn job(limiter: &Arc<RateLimiter>, time: Duration) -> Task<Instant> {
    let limiter = Arc::clone(limiter);
    spawn(async move {
        limiter.acquire().await;
        let start = now();
        sleep(time).await;
        start
    })
}

/// No window of the length has more than `max`.
fn assert_rate(starts: &[Instant], max: usize, period: Duration) {
    for (first, last) in starts.iter().zip(starts.iter().skip(max)) {
        let time = *last - *first;
        assert!(time >= period, "{} starts within {time:?}", max + 1);
    }
}

#[test]
fn rate_01_fifteen_jobs_start_in_three_fives() {
    on_virtual_time(|build| {
        run(&build(), async {
            let begin = now();
            let limiter = Arc::new(RateLimiter::new(5, ms(2000)));
            let jobs = (0..15).map(|_| job(&limiter, ms(500))).collect();
            let starts = all(jobs, begin).await;
            let fives = [0, 2000, 4000].map(|at| [ms(at); 5]).concat();
            assert_eq!(starts, fives);
            assert_eq!(now() - begin, ms(4500));
        });
    });
}

#[test]
fn rate_02_the_window_slides() {
    on_virtual_time(|build| {
        run(&build(), async {
            let begin = now();
            let limiter = Arc::new(RateLimiter::new(5, ms(400)));
            for (number, at) in [0, 100, 200, 300, 380].into_iter().enumerate() {
                sleep(begin + ms(at) - now()).await;
                assert_eq!(limiter.available(), 5 - number);
                assert_eq!(limiter.acquire().await.start() - begin, ms(at));
            }
            let jobs = (0..5).map(|_| job(&limiter, Duration::ZERO)).collect();
            assert_eq!(all(jobs, begin).await, [400, 500, 600, 700, 780].map(ms));
        });
    });
}

/// A thousand starts and more while workers race, in real time; some who wait leave.
#[test]
fn rate_02_no_window_has_more_than_it_may_while_workers_race() {
    for_several_workers(|build| {
        run(&build(), async {
            let (max, period) = (25, ms(5));
            let limiter = Arc::new(RateLimiter::new(max, period));
            let tasks = (0..1_200).map(|number| {
                let limiter = Arc::clone(&limiter);
                spawn(async move {
                    if number % 7 == 0 {
                        // It leaves at some moment: in line, with its turn, asleep with it, or not at all.
                        let limit = Duration::from_micros(number * 100);
                        return timeout(limit, limiter.acquire()).await.ok();
                    }
                    Some(limiter.acquire().await)
                })
            });
            let mut starts = Vec::new();
            for task in tasks.collect::<Vec<_>>() {
                starts.extend(task.await.expect("it ends").map(|permit| permit.start()));
            }
            starts.sort_unstable();
            assert!(starts.len() >= 1_000);
            assert_rate(&starts, max, period);
        });
    });
}

#[test]
fn rate_03_who_is_cancelled_in_line_or_asleep_has_counted_nothing() {
    on_virtual_time(|build| {
        run(&build(), async {
            let limiter = Arc::new(RateLimiter::new(1, ms(100)));
            let begin = now();
            limiter.acquire().await;
            // The first sleeps with its turn, the second is behind it.
            let (first, second) = (job(&limiter, Duration::ZERO), job(&limiter, Duration::ZERO));
            let third = job(&limiter, Duration::ZERO);
            sleep(ms(10)).await;
            assert!(first.cancel() && second.cancel());
            assert!(first.await.is_err() && second.await.is_err());
            assert_eq!(third.await.expect("it ends") - begin, ms(100));
            sleep(ms(100)).await;
            assert_eq!(limiter.available(), 1);
            assert!(limiter.try_acquire().is_ok());
        });
    });
}

/// A turn that is given and cancelled at the same time is not lost: a thousand times.
#[test]
fn rate_03_no_turn_is_lost_while_workers_race() {
    for_several_workers(|build| {
        run(&build(), async {
            let limiter = Arc::new(RateLimiter::new(1, Duration::ZERO));
            for _ in 0..1_000 {
                let leaves = spawn({
                    let limiter = Arc::clone(&limiter);
                    async move {
                        yield_now().await;
                        limiter.acquire().await
                    }
                });
                let stays = job(&limiter, Duration::ZERO);
                leaves.cancel();
                limiter.acquire().await;
                stays.await.expect("it gets its turn");
                let _ = leaves.await;
            }
            assert_eq!(limiter.available(), 1);
        });
    });
}

#[test]
fn rate_04_what_fails_or_is_cancelled_counts_as_a_start_and_holds_nobody_up() {
    on_virtual_time(|build| {
        run(&build(), async {
            let limiter = Arc::new(RateLimiter::new(2, ms(100)));
            let begin = now();
            let fails = spawn({
                let limiter = Arc::clone(&limiter);
                async move {
                    let _permit = limiter.acquire().await;
                    Err::<(), _>("no")
                }
            });
            let runs_on = job(&limiter, ms(1000));
            assert_eq!(fails.await.expect("no panic"), Err("no"));
            sleep(ms(10)).await;
            assert!(runs_on.cancel());
            assert!(runs_on.await.is_err());
            assert_eq!(limiter.available(), 0);
            assert_eq!(limiter.try_acquire().expect_err("two have started") - begin, ms(100));
            // Those that last longer than a period do not keep others from starting.
            let long: Vec<_> = (0..4).map(|_| job(&limiter, ms(10_000))).collect();
            let starts = all(long, begin).await;
            assert_eq!(starts, [100, 100, 200, 200].map(ms));
        });
    });
}

/// The runtime's clock decides, and no other: it stands still here, while that of the wall goes on.
#[test]
fn rate_05_the_clock_is_the_runtimes() {
    for_each_flavour(|build| {
        run(&build(), async {
            pause();
            let limiter = RateLimiter::new(1, ms(5));
            let first = limiter.acquire().await.start();
            let wall = std::time::SystemTime::now();
            while wall.elapsed().is_ok_and(|time| time < ms(20)) {
                std::hint::spin_loop();
            }
            assert_eq!(limiter.try_acquire(), Err(first + ms(5)));
            advance(ms(5)).await;
            assert_eq!(limiter.try_acquire().map(|permit| permit.start()), Ok(first + ms(5)));
        });
    });
}

#[test]
fn rate_06_who_came_first_starts_first() {
    for_one_worker(|build| {
        run(&build(), async {
            let limiter = Arc::new(RateLimiter::new(3, ms(2)));
            let order = Arc::new(Mutex::new(Vec::new()));
            let tasks: Vec<_> = (0..12)
                .map(|number| {
                    let (limiter, order) = (Arc::clone(&limiter), Arc::clone(&order));
                    spawn(async move {
                        limiter.acquire().await;
                        order.lock().expect("no panic").push(number);
                    })
                })
                .collect();
            for task in tasks {
                task.await.expect("it ends");
            }
            assert_eq!(*order.lock().expect("no panic"), (0..12).collect::<Vec<_>>());
        });
    });
}

#[test]
fn rate_06_limiters_have_nothing_to_do_with_each_other() {
    on_virtual_time(|build| {
        run(&build(), async {
            let begin = now();
            let (slow, fast) = (RateLimiter::new(1, ms(1000)), RateLimiter::new(1, ms(10)));
            slow.acquire().await;
            for _ in 0..5 {
                fast.acquire().await;
            }
            assert_eq!(now() - begin, ms(40));
            slow.acquire().await;
            assert_eq!(now() - begin, ms(1000));
        });
    });
}
