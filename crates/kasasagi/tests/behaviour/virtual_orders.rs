//! Behaviours whose times are exact in virtual time, and runs that are the same each time.

use crate::flavour::{limited, on_virtual_time};
use kasasagi::sync::Semaphore;
use kasasagi::time::{Duration, now, sleep, timeout};
use kasasagi::{Runtime, spawn, yield_now};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

#[test]
fn time_01_two_sleeps_take_exactly_the_time_of_both_in_virtual_time() {
    on_virtual_time(|build| {
        build()
            .run(async {
                let nap = async |what| {
                    sleep(ms(50)).await;
                    what
                };
                let start = now();
                assert_eq!([nap("yeah").await, nap("yeah").await], ["yeah"; 2]);
                assert_eq!(now() - start, ms(100));
            })
            .expect("main ends");
    });
}

#[test]
fn canc_01_a_sleeping_task_that_is_cancelled_ends_in_no_time() {
    on_virtual_time(|build| {
        build()
            .run(async {
                let start = now();
                let task = spawn(sleep(ms(10_000)));
                sleep(ms(1)).await;
                assert!(task.cancel());
                let refs = task.handle();
                assert!(task.await.expect_err("it was cancelled").is_cancelled());
                assert!(!refs.cancel(), "it has ended");
                assert_eq!(now() - start, ms(1));
            })
            .expect("main ends");
    });
}

#[test]
fn sem_15_ten_jobs_of_a_second_with_three_permits_take_four_seconds() {
    on_virtual_time(|build| {
        build()
            .run(async {
                for (permits, took) in [(3, ms(4000)), (10, ms(1000))] {
                    let (start, most) = (now(), Arc::new(AtomicUsize::new(0)));
                    let (semaphore, running) =
                        (Arc::new(Semaphore::new(permits)), Arc::new(AtomicUsize::new(0)));
                    let jobs: Vec<_> = (0..10)
                        .map(|_| {
                            let (semaphore, running, most) =
                                (Arc::clone(&semaphore), Arc::clone(&running), Arc::clone(&most));
                            spawn(async move {
                                let _permit = semaphore.acquire().await.expect("it is open");
                                let now = running.fetch_add(1, Ordering::SeqCst) + 1;
                                most.fetch_max(now, Ordering::SeqCst);
                                sleep(ms(1000)).await;
                                running.fetch_sub(1, Ordering::SeqCst);
                            })
                        })
                        .collect();
                    for job in jobs {
                        job.await.expect("it ends");
                    }
                    assert_eq!(now() - start, took);
                    assert_eq!(most.load(Ordering::SeqCst), permits);
                }
            })
            .expect("main ends");
    });
}

/// What tasks do whose sleeps end at the same moments, again and again.
fn trace(seed: u64) -> Vec<(u64, u64, u128)> {
    let runtime = Runtime::builder().current_thread().seed(seed).virtual_time().build();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&seen);
    let main = runtime.expect("it builds").run(async move {
        let (start, semaphore) = (now(), Arc::new(Semaphore::new(5)));
        let tasks: Vec<_> = (0..100_u64)
            .map(|task| {
                let (noted, semaphore) = (Arc::clone(&noted), Arc::clone(&semaphore));
                spawn(async move {
                    for step in 0..20 {
                        match (task * 7 + step * 13) % 5 {
                            0 => yield_now().await,
                            1 => drop(timeout(ms(20), sleep(ms(10 + 20 * (task % 2)))).await),
                            2 => {
                                let _permit = semaphore.acquire().await.expect("it is open");
                                sleep(ms(10)).await;
                            }
                            _ => sleep(ms(10 * (1 + (task + step) % 3))).await,
                        }
                        let when = (now() - start).as_millis();
                        noted.lock().expect("no panic").push((task, step, when));
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.expect("it ends");
        }
    });
    main.expect("main ends");
    std::mem::take(&mut *seen.lock().expect("no panic"))
}

#[test]
fn a_run_on_one_worker_in_virtual_time_is_the_same_each_time() {
    limited(|| {
        let first = trace(1);
        assert_eq!(first.len(), 2000);
        for _ in 0..10 {
            assert_eq!(trace(1), first);
        }
        // One worker throws no dice.
        assert_eq!(trace(2), first);
    });
}
