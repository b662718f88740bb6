//! Virtual time: moments, pauses, jumps; who holds the time is in `virtual_held.rs`.

use crate::flavour::{limited, on_virtual_time, still};
use crate::hand::{LIMIT, compute};
use futures_channel::oneshot;
use kasasagi::time::{self, Duration, Instant, interval, now, sleep, sleep_until, timeout};
use kasasagi::{Runtime, spawn, yield_now};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};

const HOUR: Duration = secs(3600);

const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

#[test]
fn three_tasks_that_sleep_for_an_hour_end_in_milliseconds() {
    on_virtual_time(|build| {
        let real = Instant::now();
        build()
            .run(async {
                let start = now();
                let naps = [20, 40, 60].map(|minutes| {
                    spawn(async move {
                        sleep(secs(60 * minutes)).await;
                        (minutes, now() - start)
                    })
                });
                for nap in naps {
                    let (minutes, took) = nap.await.expect("it ends");
                    assert_eq!(took, secs(60 * minutes));
                }
                assert_eq!(now() - start, HOUR);
            })
            .expect("main ends");
        assert!(real.elapsed() < secs(1), "{:?}", real.elapsed());
    });
}

#[test]
fn virtual_time_begins_at_the_real_time_and_stands() {
    on_virtual_time(|build| {
        let before = Instant::now();
        let runtime = build();
        let after = Instant::now();
        runtime
            .run(async move {
                let begin = now();
                assert!(before <= begin && begin <= after);
                compute(ms(2));
                yield_now().await;
                assert_eq!(now(), begin);
            })
            .expect("main ends");
    });
}

#[test]
fn an_interval_ticks_and_a_timeout_ends_at_their_very_moments() {
    on_virtual_time(|build| {
        build()
            .run(async {
                let start = now();
                let mut ticks = interval(secs(60));
                for n in 0..100 {
                    assert_eq!(ticks.tick().await - start, secs(60 * n));
                    assert_eq!(now() - start, secs(60 * n));
                }
                let start = now();
                timeout(secs(10), std::future::pending::<()>()).await.expect_err("it never comes");
                assert_eq!(now() - start, secs(10));
                assert_eq!(timeout(secs(10), async { sleep(secs(9)).await }).await, Ok(()));
                assert_eq!(now() - start, secs(19));
                sleep_until(start + HOUR).await;
                assert_eq!(now() - start, HOUR);
            })
            .expect("main ends");
    });
}

#[test]
fn ten_thousand_timers_of_one_moment_are_all_on_time() {
    on_virtual_time(|build| {
        build()
            .run(async {
                let start = now();
                let naps: Vec<_> = (0..10_000)
                    .map(|_| {
                        spawn(async {
                            sleep(ms(1001)).await;
                            now()
                        })
                    })
                    .collect();
                for nap in naps {
                    assert_eq!(nap.await.expect("it ends") - start, ms(1001));
                }
            })
            .expect("main ends");
    });
}

#[test]
fn time_is_paused_advanced_and_resumed_while_the_runtime_runs() {
    crate::flavour::for_each_flavour(|build| {
        build()
            .run(async {
                let real = Instant::now();
                // These sleep by the real time already.
                let long = spawn(sleep(HOUR));
                yield_now().await;
                time::pause();
                time::pause();
                let start = now();
                compute(ms(2));
                assert_eq!(now(), start);
                time::advance(secs(60)).await;
                assert_eq!(now() - start, secs(60));
                assert!(!long.is_finished());
                long.await.expect("it ends");
                let took = now() - start;
                assert!(took <= HOUR && took > HOUR - secs(60), "{took:?}");
                time::resume();
                time::resume();
                let (virtual_start, real_start) = (now(), Instant::now());
                assert!(virtual_start - start >= took && virtual_start - start < took + LIMIT);
                sleep(ms(5)).await;
                let slept = now() - virtual_start;
                assert!(slept >= ms(5) && real_start.elapsed() >= slept, "{slept:?}");
                // Again, from another distance.
                time::pause();
                let start = now();
                sleep(HOUR).await;
                assert_eq!(now() - start, HOUR);
                time::resume();
                sleep(ms(1)).await;
                assert!(real.elapsed() < LIMIT);
            })
            .expect("main ends");
    });
}

#[test]
fn advance_lets_everything_on_the_way_happen_in_its_order() {
    on_virtual_time(|build| {
        build()
            .run(async {
                let start = now();
                let seen = Arc::new(Mutex::new(Vec::new()));
                let tasks: Vec<_> = [7_u64, 10, 13]
                    .map(|period| {
                        let seen = Arc::clone(&seen);
                        spawn(async move {
                            loop {
                                sleep(secs(period)).await;
                                seen.lock().expect("no panic").push((now() - start, period));
                            }
                        })
                    })
                    .into();
                time::advance(secs(60)).await;
                assert_eq!(now() - start, secs(60));
                let mut wanted: Vec<_> = [7_u64, 10, 13]
                    .iter()
                    .flat_map(|period| (1..=60 / period).map(move |n| (secs(n * period), *period)))
                    .filter(|(when, _)| *when < secs(60))
                    .collect();
                wanted.sort_unstable();
                let mut seen = std::mem::take(&mut *seen.lock().expect("no panic"));
                seen.retain(|(when, _)| *when < secs(60));
                assert_eq!(seen, wanted);
                assert!(tasks.iter().all(|task| task.cancel()));
            })
            .expect("main ends");
    });
}

#[test]
fn a_thread_in_block_on_lives_in_virtual_time() {
    on_virtual_time(|build| {
        let runtime = build();
        let handle = runtime.handle();
        let took = handle.block_on(async {
            let start = now();
            let nap = spawn(async {
                sleep(HOUR).await;
                now()
            });
            sleep(2 * HOUR).await;
            (nap.await.expect("it ends") - start, now() - start)
        });
        assert_eq!(took, (HOUR, 2 * HOUR));
    });
}

#[test]
fn a_runtime_that_nobody_runs_lives_in_virtual_time() {
    on_virtual_time(|build| {
        let runtime = build();
        let real = Instant::now();
        for _ in 0..10 {
            let (tell, told) = channel();
            drop(runtime.handle().spawn(async move {
                let start = now();
                sleep(HOUR).await;
                let _ = tell.send(now() - start);
            }));
            assert_eq!(told.recv_timeout(LIMIT), Ok(HOUR));
        }
        // Between two runs as well.
        let nap = runtime.run(async { spawn(sleep(HOUR)) }).expect("main ends");
        runtime.run(async { nap.await.expect("it ends") }).expect("main ends");
        assert!(real.elapsed() < LIMIT);
    });
}

#[test]
fn two_runtimes_have_two_clocks() {
    let (one, other) = (still(1), still(2));
    let begin = other.run(async { now() }).expect("main ends");
    one.run(async { sleep(HOUR).await }).expect("main ends");
    assert_eq!(other.run(async { now() }).expect("main ends"), begin);
    let real = Runtime::new().expect("it builds");
    let now = real.run(async { now() }).expect("main ends");
    assert!(now <= Instant::now());
}

#[test]
fn leftovers_of_virtual_time_are_cancelled_at_once() {
    on_virtual_time(|build| {
        let runtime = build();
        runtime
            .run(async {
                for _ in 0..10 {
                    drop(spawn(async {
                        loop {
                            sleep(secs(1)).await;
                        }
                    }));
                }
                sleep(secs(10)).await;
            })
            .expect("main ends");
        let report = runtime.shutdown(LIMIT);
        assert!(report.is_clean());
        assert_eq!(report.cancelled.len(), 10);
    });
}

#[test]
fn a_runtime_in_virtual_time_that_waits_for_a_thread_outside_does_not_spin() {
    on_virtual_time(|build| {
        let runtime = build();
        let (tell, told) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            // Time is the subject: how often a worker wakes in a tenth of a second.
            std::thread::sleep(ms(100));
            let _ = tell.send(());
        });
        runtime.run(async { told.await.expect("it is told") }).expect("main ends");
        thread.join().expect("no panic");
        let parks: u64 = runtime.handle().metrics().seats.iter().map(|seat| seat.parks).sum();
        assert!(parks < 200, "{parks} sleeps in 0.1 s");
    });
}

#[test]
fn misuse_of_virtual_time_says_what_to_do() {
    let message = |f: fn()| {
        let payload = catch_unwind(f).expect_err("it is refused");
        payload.downcast::<String>().map(|text| *text).expect("a message")
    };
    let text = message(time::pause);
    assert!(text.contains("`time::pause` was called where no runtime runs"), "{text}");
    assert!(text.contains("Builder::virtual_time"), "{text}");
    assert!(message(time::resume).contains("`time::resume`"));
    assert!(message(|| drop(time::advance(secs(1)))).contains("`time::advance`"));
    limited(|| {
        let runtime = crate::flavour::one();
        let run = || runtime.run(async { time::advance(secs(1)).await });
        let payload = catch_unwind(AssertUnwindSafe(run)).expect_err("the clock goes");
        let text = payload.downcast::<String>().expect("a message");
        assert!(
            text.contains("needs a clock that stands still: call `time::pause()` first"),
            "{text}"
        );
        assert!(text.contains("virtual_time.rs"), "{text}");
    });
}
