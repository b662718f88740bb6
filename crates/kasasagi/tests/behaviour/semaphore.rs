//! Semaphores between tasks: orders, bounds, and permits of those who are cancelled.

use crate::flavour::{for_each_flavour, for_one_worker, in_each_flavour, on_virtual_time, run};
use crate::meeting::{Log, all, waiters};
use kasasagi::sync::{BoundedSemaphore, Semaphore, TooManyPermits};
use kasasagi::{Runtime, Task, gather, spawn, time, yield_now};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// A task that takes a permit for good, and says so.
fn taker(semaphore: &Arc<Semaphore>, log: &Log, n: usize) -> Task<()> {
    let (semaphore, log) = (Arc::clone(semaphore), log.clone());
    spawn(async move {
        semaphore.acquire().await.expect("it is open").forget();
        log.note(n);
    })
}

async fn line(semaphore: &Arc<Semaphore>, log: &Log, n: usize) -> Vec<Task<()>> {
    let mut tasks = Vec::new();
    for i in 1..=n {
        tasks.push(taker(semaphore, log, i));
        waiters(&**semaphore, i).await;
    }
    tasks
}

#[test]
fn sem_01_02_as_many_hold_it_as_there_are_permits() {
    in_each_flavour(async || {
        assert_eq!(Semaphore::default().available_permits(), 1);
        assert!(Semaphore::new(0).try_acquire().is_err());
        let semaphore = Semaphore::new(3);
        let two = (semaphore.acquire().await, semaphore.acquire().await);
        assert_eq!(semaphore.available_permits(), 1);
        let third = semaphore.acquire().await;
        assert!(semaphore.try_acquire().is_err());
        drop((two, third));
        assert_eq!(semaphore.available_permits(), 3);
    });
}

#[test]
fn sem_03_released_permits_are_handed_to_those_who_wait() {
    in_each_flavour(async || {
        let (semaphore, log) = (Arc::new(Semaphore::new(0)), Log::default());
        let mut tasks = line(&semaphore, &log, 2).await;
        let late = taker(&semaphore, &log, 3);
        semaphore.add_permits(2);
        assert_eq!(semaphore.available_permits(), 0);
        waiters(&*semaphore, 1).await;
        let last = tasks.pop().expect("there are two");
        last.await.expect("it gets one");
        all(tasks).await;
        assert!(!late.is_finished());
        semaphore.add_permits(1);
        late.await.expect("it gets one");
    });
}

#[test]
fn sem_04_05_06_permits_pass_by_those_who_were_cancelled() {
    in_each_flavour(async || {
        let (semaphore, log) = (Arc::new(Semaphore::new(0)), Log::default());
        let mut tasks = line(&semaphore, &log, 4).await;
        for task in tasks.drain(..2) {
            task.cancel();
        }
        waiters(&*semaphore, 2).await;
        semaphore.add_permits(1);
        tasks.remove(0).await.expect("it is the first who is left");
        assert_eq!(log.take(), [3]);
        assert!(semaphore.try_acquire().is_err());
        semaphore.add_permits(1);
        all(tasks).await;
    });
}

#[test]
fn sem_07_14_a_permit_that_meets_a_cancellation_is_not_lost() {
    for_each_flavour(|build| {
        run(&build(), async {
            let semaphore = Arc::new(Semaphore::new(1));
            for _ in 0..1_000 {
                let permit = Semaphore::acquire_owned(Arc::clone(&semaphore)).await;
                let theirs = Arc::clone(&semaphore);
                let task = spawn(async move { drop(theirs.acquire().await.expect("it is open")) });
                waiters(&*semaphore, 1).await;
                let releaser = spawn(async move { drop(permit) });
                task.cancel();
                let _ = task.await;
                releaser.await.expect("it ends");
                assert_eq!(semaphore.available_permits(), 1);
            }
        });
    });
}

#[test]
fn sem_08_who_releases_and_asks_again_goes_to_the_end() {
    for_one_worker(|build| {
        run(&build(), async {
            let (semaphore, log) = (Arc::new(Semaphore::new(1)), Log::default());
            let tasks = (1..=3).map(|n| {
                let (semaphore, log) = (Arc::clone(&semaphore), log.clone());
                spawn(async move {
                    for round in 1..=2 {
                        let _permit = semaphore.acquire().await.expect("it is open");
                        log.note(n * 10 + round);
                        yield_now().await;
                    }
                })
            });
            all(tasks.collect()).await;
            assert_eq!(log.take(), [11, 21, 31, 12, 22, 32]);
        });
    });
}

#[test]
fn sem_09_11_wakes_follow_each_other_in_order() {
    for_one_worker(|build| {
        run(&build(), async {
            let (semaphore, log) = (Arc::new(Semaphore::new(0)), Log::default());
            let tasks = line(&semaphore, &log, 3).await;
            semaphore.add_permits(3);
            assert!(semaphore.try_acquire().is_err(), "they are others', who have not run");
            let fourth = taker(&semaphore, &log, 4);
            all(tasks).await;
            semaphore.add_permits(1);
            fourth.await.expect("it gets one");
            assert_eq!(log.take(), [1, 2, 3, 4]);
        });
    });
}

#[test]
fn sem_10_the_first_is_cancelled_and_the_next_two_get_the_permits() {
    for_one_worker(|build| {
        run(&build(), async {
            let (semaphore, log) = (Arc::new(Semaphore::new(0)), Log::default());
            let mut tasks = line(&semaphore, &log, 3).await;
            tasks[0].cancel();
            semaphore.add_permits(2);
            assert!(tasks.remove(0).await.is_err());
            all(tasks).await;
            assert_eq!(log.take(), [2, 3]);
        });
    });
}

#[test]
fn sem_12_13_a_bounded_one_refuses_more_than_at_first() {
    in_each_flavour(async || {
        let semaphore = Semaphore::new(1);
        semaphore.add_permits(1);
        assert_eq!(semaphore.available_permits(), 2);
        let bounded = BoundedSemaphore::new(1);
        assert_eq!(bounded.add_permits(1), Err(TooManyPermits));
        bounded.acquire().await.expect("it is open").forget();
        assert_eq!(bounded.add_permits(1), Ok(()));
        assert_eq!(bounded.available_permits(), 1);
    });
}

#[test]
fn sem_15_ten_jobs_of_a_second_take_four_of_them_three_at_a_time() {
    on_virtual_time(|build| {
        run(&build(), async {
            let semaphore = Arc::new(Semaphore::new(3));
            let counts = Arc::new((AtomicUsize::new(0), AtomicUsize::new(0)));
            let start = time::now();
            let jobs = (0..10).map(|_| {
                let (semaphore, counts) = (Arc::clone(&semaphore), Arc::clone(&counts));
                async move {
                    let _permit = semaphore.acquire().await.expect("it is open");
                    let now = counts.0.fetch_add(1, Ordering::SeqCst) + 1;
                    counts.1.fetch_max(now, Ordering::SeqCst);
                    time::sleep(Duration::from_secs(1)).await;
                    counts.0.fetch_sub(1, Ordering::SeqCst);
                }
            });
            gather(jobs).await;
            assert_eq!(time::now() - start, Duration::from_secs(4));
            assert_eq!(counts.1.load(Ordering::SeqCst), 3);
        });
    });
}

#[test]
fn sem_16_never_more_hold_it_than_there_are_permits() {
    let check = |runtime: &Runtime| {
        run(runtime, async {
            let shared = Arc::new((Semaphore::new(5), AtomicUsize::new(0)));
            let tasks = (0..100).map(|_| {
                let shared = Arc::clone(&shared);
                spawn(async move {
                    for _ in 0..20 {
                        let _permit = shared.0.acquire().await.expect("it is open");
                        assert!(shared.1.fetch_add(1, Ordering::SeqCst) < 5);
                        yield_now().await;
                        shared.1.fetch_sub(1, Ordering::SeqCst);
                    }
                })
            });
            all(tasks.collect()).await;
            assert_eq!(shared.0.available_permits(), 5);
        });
    };
    for_each_flavour(|build| check(&build()));
    check(&Runtime::builder().workers(8).build().expect("the system gives threads"));
}

#[test]
fn sem_17_debug_tells_permits_and_waiters() {
    in_each_flavour(async || {
        let (semaphore, log) = (Arc::new(Semaphore::new(0)), Log::default());
        let tasks = line(&semaphore, &log, 1).await;
        assert_eq!(format!("{semaphore:?}"), "Semaphore { permits: 0, waiters: 1, closed: false }");
        semaphore.add_permits(2);
        all(tasks).await;
        assert_eq!(format!("{semaphore:?}"), "Semaphore { permits: 1, waiters: 0, closed: false }");
    });
}

/// One wants all permits, while many take one at a time, again and again.
#[test]
fn sem_18_a_large_request_is_not_starved() {
    for_each_flavour(|build| {
        run(&build(), async {
            let semaphore = Arc::new(Semaphore::new(4));
            let small = (0..8).map(|_| {
                let semaphore = Arc::clone(&semaphore);
                spawn(async move {
                    for _ in 0..1_000 {
                        let _permit = semaphore.acquire().await.expect("it is open");
                        yield_now().await;
                    }
                })
            });
            let small: Vec<_> = small.collect();
            for _ in 0..50 {
                drop(semaphore.acquire_many(4).await.expect("it is open"));
            }
            assert!(small.iter().any(|task| !task.is_finished()), "it is served among them");
            all(small).await;
        });
    });
}
