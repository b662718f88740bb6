//! Locks between tasks: order, cancellation in every state, exclusion.

use crate::flavour::{for_each_flavour, for_one_worker, for_several_workers, in_each_flavour, run};
use crate::meeting::{Log, all, until, waiters, would_wait};
use kasasagi::sync::{Lock, RwLock, WriteGuard};
use kasasagi::{Runtime, spawn, yield_now};
use std::sync::Arc;

/// A task that takes the lock, says so, and gives it back.
fn taker(lock: &Arc<Lock<()>>, log: &Log, n: usize) -> kasasagi::Task<()> {
    let (lock, log) = (Arc::clone(lock), log.clone());
    spawn(async move {
        let _guard = lock.lock().await;
        log.note(n);
    })
}

#[test]
fn lock_01_the_guard_holds_it_until_it_is_dropped() {
    in_each_flavour(async || {
        let lock = Lock::new(1);
        {
            let mut guard = lock.lock().await;
            *guard += 1;
            assert!(lock.is_locked());
        }
        assert!(!lock.is_locked());
        assert_eq!(*lock.lock().await, 2);
    });
}

#[test]
fn lock_02_waiters_get_it_in_the_order_in_which_they_came() {
    for_one_worker(|build| {
        run(&build(), async {
            let (lock, log) = (Arc::new(Lock::new(())), Log::default());
            let guard = lock.lock().await;
            let tasks: Vec<_> = (1..=3).map(|n| taker(&lock, &log, n)).collect();
            waiters(&lock, 3).await;
            assert_eq!(log.take(), [0; 0]);
            drop(guard);
            all(tasks).await;
            assert_eq!(log.take(), [1, 2, 3]);
        });
    });
}

#[test]
fn lock_03_14_a_newcomer_queues_behind_one_who_was_woken_and_has_not_run() {
    for_one_worker(|build| {
        run(&build(), async {
            let (lock, log) = (Arc::new(Lock::new(())), Log::default());
            let guard = lock.lock().await;
            let first = taker(&lock, &log, 1);
            waiters(&lock, 1).await;
            drop(guard);
            assert!(lock.try_lock().is_err(), "it is the first one's");
            drop(lock.lock().await);
            assert_eq!(log.take(), [1]);
            first.await.expect("it ends");
        });
    });
    in_each_flavour(async || {
        let lock = Arc::new(Lock::new(()));
        let guard = lock.lock().await;
        assert!(lock.try_lock().is_err());
        drop(guard);
        assert!(lock.try_lock().is_ok());
    });
}

#[test]
fn lock_04_05_who_was_cancelled_stands_in_nobodys_way() {
    in_each_flavour(async || {
        let (lock, log) = (Arc::new(Lock::new(())), Log::default());
        let guard = lock.lock().await;
        let tasks: Vec<_> = (0..3).map(|n| taker(&lock, &log, n)).collect();
        waiters(&lock, 3).await;
        for task in tasks {
            task.cancel();
            assert!(task.await.expect_err("it is cancelled").is_cancelled());
        }
        waiters(&lock, 0).await;
        drop(guard);
        assert!(lock.try_lock().is_ok());
        assert_eq!(log.take(), [0; 0]);
    });
}

/// A holder lets go, the first in line is cancelled and the second waits, all at once: the second gets it.
#[test]
fn lock_06_07_08_10_a_release_that_meets_a_cancellation_reaches_the_next() {
    for_each_flavour(|build| {
        run(&build(), async {
            let (lock, log) = (Arc::new(Lock::new(())), Log::default());
            for _ in 0..1_000 {
                let guard = Lock::lock_owned(Arc::clone(&lock)).await;
                let first = taker(&lock, &log, 1);
                let second = taker(&lock, &log, 2);
                waiters(&lock, 2).await;
                let releaser = spawn(async move { drop(guard) });
                first.cancel();
                releaser.await.expect("it ends");
                second.await.expect("it gets the lock");
                let _ = first.await;
                assert!(!lock.is_locked());
            }
        });
    });
}

#[test]
fn lock_12_debug_tells_who_holds_it_and_where() {
    in_each_flavour(async || {
        let lock = Lock::new(());
        let guard = lock.lock().await;
        let line = line!() - 1;
        let text = format!("{lock:?}");
        assert!(text.starts_with("Lock { locked: true, waiters: 0"), "{text}");
        if let Some(task) = kasasagi::task::try_current() {
            assert!(text.contains(&format!("task: {}", task.id().as_u64())), "{text}");
            assert!(text.contains(&format!("lock.rs:{line}")), "{text}");
        }
        drop(guard);
        assert!(format!("{lock:?}").starts_with("Lock { locked: false, waiters: 0"));
    });
}

async fn count(lock: Arc<Lock<u64>>, times: usize) {
    for _ in 0..times {
        *lock.lock().await += 1;
    }
}

#[test]
fn lock_13_what_is_added_under_the_lock_is_all_there() {
    for_each_flavour(|build| {
        run(&build(), async {
            let lock = Arc::new(Lock::new(0));
            all((0..8).map(|_| spawn(count(Arc::clone(&lock), 1_000))).collect()).await;
            assert_eq!(*lock.lock().await, 8_000);
        });
    });
    let eight = Runtime::builder().workers(8).build().expect("the system gives threads");
    run(&eight, async {
        let lock = Arc::new(Lock::new(0));
        all((0..8).map(|_| spawn(count(Arc::clone(&lock), 100_000))).collect()).await;
        assert_eq!(*lock.lock().await, 800_000);
    });
}

#[test]
fn lock_15_a_task_that_panics_with_the_guard_releases_it() {
    in_each_flavour(async || {
        let lock = Arc::new(Lock::new(1));
        let theirs = Arc::clone(&lock);
        let task = spawn(async move {
            *theirs.lock().await = 2;
            let _guard = theirs.lock().await;
            panic!("with the guard");
        });
        assert!(task.await.expect_err("it panics").is_panic());
        assert_eq!(*lock.lock().await, 2);
    });
}

#[test]
fn lock_16_an_owned_guard_is_dropped_by_another_task() {
    for_several_workers(|build| {
        run(&build(), async {
            let lock = Arc::new(Lock::new(0));
            for n in 0..1_000 {
                let mut guard = Lock::lock_owned(Arc::clone(&lock)).await;
                *guard += 1;
                let other = spawn(async move { drop(guard) });
                assert_eq!(*lock.lock().await, n + 1);
                other.await.expect("it ends");
            }
        });
    });
}

/// Readers and writers of 1,000 rounds: nobody is lost, and each writer is alone.
#[test]
fn a_rw_lock_keeps_writers_apart_from_all_others() {
    for_each_flavour(|build| {
        run(&build(), async {
            let lock = Arc::new(RwLock::new((0_u64, 0_u64)));
            let writers = (0..2).map(|_| {
                let lock = Arc::clone(&lock);
                spawn(async move {
                    for n in 0..500 {
                        let mut guard = lock.write().await;
                        guard.0 += 1;
                        yield_now().await;
                        guard.1 += 1;
                        if n % 3 == 0 {
                            let guard = WriteGuard::downgrade(guard);
                            assert_eq!(guard.0, guard.1);
                            yield_now().await;
                        }
                    }
                })
            });
            let readers = (0..4).map(|_| {
                let lock = Arc::clone(&lock);
                spawn(async move {
                    for _ in 0..500 {
                        let guard = lock.read().await;
                        let before = *guard;
                        yield_now().await;
                        assert_eq!((guard.0, *guard), (guard.1, before));
                    }
                })
            });
            let tasks: Vec<_> = writers.chain(readers).collect();
            all(tasks).await;
            assert_eq!(*lock.read().await, (1_000, 1_000));
        });
    });
}

#[test]
fn a_rw_lock_lets_a_writer_in_before_readers_who_came_later() {
    in_each_flavour(async || {
        let lock = Arc::new(RwLock::new(0));
        let reading = lock.read().await;
        let writer = spawn({
            let lock = Arc::clone(&lock);
            async move { *lock.write().await = 1 }
        });
        waiters(&lock, 1).await;
        assert!(would_wait(lock.read()));
        drop(reading);
        assert_eq!(*lock.read().await, 1);
        writer.await.expect("it ends");
        until(|| lock.try_write().is_ok()).await;
    });
}
