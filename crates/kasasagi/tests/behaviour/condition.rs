//! Conditions between tasks: who goes on, in what order, and what becomes of those who are cancelled.

use crate::flavour::{for_each_flavour, for_one_worker, in_each_flavour, run};
use crate::meeting::{Log, all, until, waiters, would_wait};
use kasasagi::sync::{Condition, Lock};
use kasasagi::{Task, catch_cancel, spawn, time};
use std::sync::Arc;
use std::time::Duration;

#[derive(Default)]
struct Shared {
    lock: Lock<usize>,
    condition: Condition,
}

/// A task that waits once, says so under the lock, and gives back what it found.
fn waiter(shared: &Arc<Shared>, log: &Log, n: usize) -> Task<usize> {
    let (shared, log) = (Arc::clone(shared), log.clone());
    spawn(async move {
        let guard = shared.condition.wait(shared.lock.lock().await).await;
        log.note(n);
        *guard
    })
}

async fn line(shared: &Arc<Shared>, log: &Log, n: usize) -> Vec<Task<usize>> {
    let mut tasks = Vec::new();
    for i in 1..=n {
        tasks.push(waiter(shared, log, i));
        waiters(&shared.condition, i).await;
    }
    tasks
}

#[test]
fn cond_01_the_lock_is_free_while_it_waits_and_held_when_it_returns() {
    in_each_flavour(async || {
        let (shared, log) = (Arc::new(Shared::default()), Log::default());
        let tasks = line(&shared, &log, 1).await;
        *shared.lock.lock().await = 7;
        shared.condition.notify_one();
        assert_eq!(all(tasks).await, [7]);
        assert!(!shared.lock.is_locked());
    });
}

#[test]
fn cond_02_a_notification_does_not_hand_control_over() {
    for_one_worker(|build| {
        run(&build(), async {
            let (shared, log) = (Arc::new(Shared::default()), Log::default());
            let tasks = line(&shared, &log, 1).await;
            let guard = shared.lock.lock().await;
            shared.condition.notify_one();
            waiters(&shared.lock, 1).await;
            assert_eq!(log.take(), [0; 0], "the notifier holds the lock");
            drop(guard);
            all(tasks).await;
            assert_eq!(log.take(), [1]);
        });
    });
}

#[test]
fn cond_03_notify_takes_up_to_n_in_order() {
    for_one_worker(|build| {
        run(&build(), async {
            let (shared, log) = (Arc::new(Shared::default()), Log::default());
            let tasks = line(&shared, &log, 6).await;
            for (n, expected) in [(1, vec![1]), (2, vec![2, 3]), (2048, vec![4, 5, 6])] {
                let guard = shared.lock.lock().await;
                shared.condition.notify(n);
                drop(guard);
                let mut seen = Vec::new();
                until(|| {
                    seen.extend(log.take());
                    seen.len() == expected.len()
                })
                .await;
                assert_eq!(seen, expected);
            }
            all(tasks).await;
        });
    });
}

#[test]
fn cond_03_04_notify_all_reaches_all_who_wait() {
    in_each_flavour(async || {
        let (shared, log) = (Arc::new(Shared::default()), Log::default());
        let tasks = line(&shared, &log, 50).await;
        {
            let _guard = shared.lock.lock().await;
            shared.condition.notify_all();
        }
        all(tasks).await;
        assert_eq!(log.take().len(), 50);
    });
}

/// Waits only with a guard, says the type; a notification needs none.
#[test]
fn cond_05_17_a_notification_without_the_lock_reaches_who_waits_and_nobody_later() {
    in_each_flavour(async || {
        let (shared, log) = (Arc::new(Shared::default()), Log::default());
        shared.condition.notify_all();
        let tasks = line(&shared, &log, 1).await;
        assert_eq!(log.take(), [0; 0]);
        shared.condition.notify_one();
        all(tasks).await;
    });
}

#[test]
fn cond_06_a_cancelled_wait_gives_up_its_place_and_its_cleanup_is_outside_the_lock() {
    in_each_flavour(async || {
        let shared = Arc::new(Shared::default());
        let theirs = Arc::clone(&shared);
        let task = spawn(async move {
            let wait = async { drop(theirs.condition.wait(theirs.lock.lock().await).await) };
            let Err(cancelled) = catch_cancel(wait).await else { return };
            // It has no guard; if it needs the lock, it takes it.
            *theirs.lock.lock().await += 1;
            cancelled.rethrow::<()>().await;
        });
        waiters(&shared.condition, 1).await;
        task.cancel();
        assert!(task.await.expect_err("it is cancelled").is_cancelled());
        assert_eq!(*shared.lock.lock().await, 1);
        waiters(&shared.condition, 0).await;
    });
}

#[test]
fn cond_07_08_16_cancelled_while_it_waits_for_the_lock_it_ends_and_leaves_the_lock_whole() {
    in_each_flavour(async || {
        let (shared, log) = (Arc::new(Shared::default()), Log::default());
        for times in 1..3 {
            let mut tasks = line(&shared, &log, 1).await;
            let guard = shared.lock.lock().await;
            shared.condition.notify_one();
            waiters(&shared.lock, 1).await;
            let task = tasks.remove(0);
            for _ in 0..times {
                task.cancel();
            }
            assert!(task.await.expect_err("it is cancelled").is_cancelled());
            assert!(shared.lock.is_locked(), "it is ours");
            drop(guard);
            assert!(shared.lock.try_lock().is_ok());
        }
    });
}

/// One of two is notified, and cancelled at once, while the lock is released: the other goes on.
#[test]
fn cond_08_09_10_a_notification_that_meets_a_cancellation_reaches_another() {
    for_each_flavour(|build| {
        run(&build(), async {
            let (shared, log) = (Arc::new(Shared::default()), Log::default());
            for round in 0..1_000 {
                let mut tasks = line(&shared, &log, 2).await;
                let guard = shared.lock.lock().await;
                shared.condition.notify_one();
                if round % 2 == 0 {
                    waiters(&shared.lock, 1).await;
                }
                let first = tasks.remove(0);
                let canceller = spawn(async move {
                    first.cancel();
                    first.await.is_ok()
                });
                drop(guard);
                if canceller.await.expect("it ends") {
                    // It was there before the cancellation, and the notification was its own.
                    shared.condition.notify_one();
                }
                all(tasks).await;
                assert!(shared.lock.try_lock().is_ok());
            }
        });
    });
}

#[test]
fn cond_11_the_reason_of_a_cancellation_comes_through() {
    in_each_flavour(async || {
        let (shared, log) = (Arc::new(Shared::default()), Log::default());
        for is_notified in [false, true] {
            let mut tasks = line(&shared, &log, 1).await;
            let guard = shared.lock.lock().await;
            if is_notified {
                shared.condition.notify_one();
                waiters(&shared.lock, 1).await;
            }
            let task = tasks.remove(0);
            task.cancel_with("no longer needed");
            let error = task.await.expect_err("it is cancelled");
            assert_eq!(error.reason(), Some("no longer needed"));
            drop(guard);
        }
    });
}

#[test]
fn cond_12_13_wait_for_goes_on_when_it_is_so_and_not_before() {
    in_each_flavour(async || {
        let shared = Arc::new(Shared::default());
        let theirs = Arc::clone(&shared);
        let task = spawn(async move {
            let guard = theirs.lock.lock().await;
            let mut looks = 0;
            let guard = theirs
                .condition
                .wait_for(guard, |now| {
                    looks += 1;
                    *now >= 3
                })
                .await;
            (*guard, looks)
        });
        for _ in 0..3 {
            waiters(&shared.condition, 1).await;
            *shared.lock.lock().await += 1;
            shared.condition.notify_all();
        }
        assert_eq!(task.await.expect("it ends"), (3, 4));
        let guard = shared.lock.lock().await;
        assert!(!would_wait(shared.condition.wait_for(guard, |now| *now == 3)));
    });
}

#[test]
fn cond_14_the_lock_excludes_others_also_with_two_conditions() {
    in_each_flavour(async || {
        let shared = Arc::new((Lock::new(0), Condition::new(), Condition::new()));
        let theirs = Arc::clone(&shared);
        let task = spawn(async move {
            let mut guard = theirs.1.wait_for(theirs.0.lock().await, |n| *n == 1).await;
            *guard = 2;
            theirs.2.notify_one();
        });
        waiters(&shared.1, 1).await;
        let mut guard = shared.0.lock().await;
        *guard = 1;
        shared.1.notify_one();
        assert!(shared.0.try_lock().is_err());
        drop(shared.2.wait_for(guard, |n| *n == 2).await);
        task.await.expect("it ends");
    });
}

#[test]
fn cond_15_a_wait_that_took_too_long_leaves_the_lock_to_be_taken_again() {
    in_each_flavour(async || {
        let shared = Shared::default();
        let guard = shared.lock.lock().await;
        let wait = shared.condition.wait(guard);
        assert!(time::timeout(Duration::from_millis(5), wait).await.is_err());
        *shared.lock.try_lock().expect("nobody has it") += 1;
        waiters(&shared.condition, 0).await;
    });
}
