//! Who excludes others, and who is waited for.

use crate::executors::Spawn;
use crate::scenes::{ROUNDS, TASKS, a_turn, give_up, leave};
use kasasagi::sync::{Barrier, BoundedSemaphore, Condition, Event, Lock, LockGuard, RwLock};
use std::sync::Arc;
use std::sync::atomic::{AtomicIsize, AtomicUsize, Ordering};

/// One at a time, also over a turn; some with a guard that owns its lock, and is dropped by another task.
pub(crate) async fn lock(spawn: Spawn) {
    let lock = Arc::new(Lock::new((0_usize, 0_usize)));
    let inside = Arc::new(AtomicUsize::new(0));
    let ours = spawn.clone();
    let tasks = (0..TASKS).map(|number| {
        let (lock, inside, spawn) = (Arc::clone(&lock), Arc::clone(&inside), ours.clone());
        async move {
            for round in 0..ROUNDS {
                if (number + round) % 5 == 0 {
                    leave(lock.lock()).await;
                    give_up(Lock::lock_owned(Arc::clone(&lock)));
                }
                if (number + round) % 7 == 0 {
                    let mut guard = Lock::lock_owned(Arc::clone(&lock)).await;
                    assert_eq!(inside.fetch_add(1, Ordering::Relaxed), 0);
                    guard.0 += 1;
                    let inside = Arc::clone(&inside);
                    let elsewhere = async move {
                        guard.1 += 1;
                        inside.fetch_sub(1, Ordering::Relaxed);
                    };
                    spawn.all([elsewhere]).await;
                    continue;
                }
                let mut guard = lock.lock().await;
                assert_eq!(inside.fetch_add(1, Ordering::Relaxed), 0);
                guard.0 += 1;
                a_turn().await;
                inside.fetch_sub(1, Ordering::Relaxed);
                *LockGuard::map(guard, |both| &mut both.1) += 1;
            }
        }
    });
    spawn.all(tasks).await;
    assert_eq!(*lock.try_lock().expect("all are done"), (TASKS * ROUNDS, TASKS * ROUNDS));
}

/// Readers together, a writer alone, and one that goes on as a reader.
pub(crate) async fn rw_lock(spawn: Spawn) {
    let lock = Arc::new(RwLock::new(0_usize));
    // Readers, or -1 for a writer.
    let inside = Arc::new(AtomicIsize::new(0));
    let tasks = (0..TASKS).map(|number| {
        let (lock, inside) = (Arc::clone(&lock), Arc::clone(&inside));
        async move {
            let mut written = 0;
            for round in 0..ROUNDS {
                if (number + round) % 5 == 0 {
                    leave(lock.write()).await;
                    give_up(lock.read());
                }
                if (number + round) % 4 > 0 {
                    let guard = lock.read().await;
                    assert!(inside.fetch_add(1, Ordering::Relaxed) >= 0, "a writer is inside");
                    let before = *guard;
                    a_turn().await;
                    assert_eq!(*guard, before, "somebody writes");
                    inside.fetch_sub(1, Ordering::Relaxed);
                    continue;
                }
                let mut guard = lock.write().await;
                assert_eq!(inside.fetch_sub(1, Ordering::Relaxed), 0, "somebody is inside");
                *guard += 1;
                written += 1;
                a_turn().await;
                let now = *guard;
                inside.fetch_add(2, Ordering::Relaxed);
                let guard = kasasagi::sync::WriteGuard::downgrade(guard);
                a_turn().await;
                assert_eq!(*guard, now, "somebody writes");
                inside.fetch_sub(1, Ordering::Relaxed);
            }
            written
        }
    });
    let written: usize = spawn.all(tasks).await.into_iter().sum();
    assert_eq!(*lock.try_read().expect("all are done"), written);
}

/// Permits that are forgotten, and added for by hand; one too many is refused.
pub(crate) async fn bounded_semaphore(spawn: Spawn) {
    let semaphore = Arc::new(BoundedSemaphore::new(3));
    let holders = Arc::new(AtomicUsize::new(0));
    let tasks = (0..TASKS).map(|_| {
        let (semaphore, holders) = (Arc::clone(&semaphore), Arc::clone(&holders));
        async move {
            for round in 0..ROUNDS {
                if round % 5 == 0 {
                    leave(semaphore.acquire()).await;
                }
                let permit = semaphore.acquire().await.expect("nobody closes it");
                assert!(holders.fetch_add(1, Ordering::Relaxed) < 3);
                a_turn().await;
                holders.fetch_sub(1, Ordering::Relaxed);
                if round % 2 == 0 {
                    permit.forget();
                    semaphore.add_permits(1).expect("one is out");
                }
            }
        }
    });
    spawn.all(tasks).await;
    assert_eq!(semaphore.available_permits(), 3);
    assert!(semaphore.add_permits(1).is_err());
}

/// Each wait ends, and not before it is set: also where it is cleared at once.
pub(crate) async fn event(spawn: Spawn) {
    for round in 0..ROUNDS {
        let (event, sets) = (Arc::new(Event::new()), Arc::new(AtomicUsize::new(0)));
        let waiting = Arc::new(AtomicUsize::new(0));
        let tasks = (0..TASKS).map(|number| {
            let (event, sets, waiting) =
                (Arc::clone(&event), Arc::clone(&sets), Arc::clone(&waiting));
            async move {
                if number % 3 == 0 {
                    give_up(event.wait());
                }
                let mut wait = std::pin::pin!(event.wait());
                let mut is_counted = false;
                std::future::poll_fn(|cx| {
                    let poll = wait.as_mut().poll(cx);
                    if !std::mem::replace(&mut is_counted, true) {
                        waiting.fetch_add(1, Ordering::Release);
                    }
                    poll
                })
                .await;
                assert!(sets.load(Ordering::Acquire) > 0, "it was not set");
            }
        });
        let setting = {
            let (event, sets, waiting) =
                (Arc::clone(&event), Arc::clone(&sets), Arc::clone(&waiting));
            async move {
                // All have been polled, and are in line: a first poll may be refused its budget.
                let all = format!("waiters: {TASKS} ");
                while waiting.load(Ordering::Acquire) < TASKS
                    || !format!("{event:?}").contains(&all)
                {
                    a_turn().await;
                }
                sets.fetch_add(1, Ordering::Release);
                event.set();
                if round % 2 == 0 {
                    event.clear();
                }
            }
        };
        let theirs = spawn.clone();
        futures_lite::future::zip(spawn.all([setting]), theirs.all(tasks)).await;
        assert_eq!(event.is_set(), round % 2 != 0);
    }
}

/// A place for one item, and who waits for the place or for the item; some give up.
pub(crate) async fn condition(spawn: Spawn) {
    struct Place {
        item: Lock<Option<usize>>,
        filled: Condition,
        emptied: Condition,
    }
    let place = Arc::new(Place {
        item: Lock::new(None),
        filled: Condition::new(),
        emptied: Condition::new(),
    });
    let giving = (0..TASKS / 2).map(|number| {
        let place = Arc::clone(&place);
        async move {
            for round in 0..ROUNDS {
                let guard = place.item.lock().await;
                let mut guard = place.emptied.wait_for(guard, |item| item.is_none()).await;
                *guard = Some(number * ROUNDS + round);
                place.filled.notify_one();
            }
        }
    });
    let taking = (0..TASKS / 2).map(|_| {
        let place = Arc::clone(&place);
        async move {
            let mut sum = 0;
            for round in 0..ROUNDS {
                let guard = place.item.lock().await;
                let mut guard = place.filled.wait_for(guard, |item| item.is_some()).await;
                sum += guard.take().expect("it was there");
                if round % 2 == 0 {
                    drop(guard);
                }
                place.emptied.notify(1);
            }
            sum
        }
    });
    // Whoever was notified and leaves takes nothing itself: another has to be notified.
    let leaving = (0..TASKS / 4).map(|_| {
        let place = Arc::clone(&place);
        async move {
            for _ in 0..ROUNDS * 4 {
                leave(place.filled.wait(place.item.lock().await)).await;
            }
        }
    });
    let (theirs, others) = (spawn.clone(), spawn.clone());
    let both = futures_lite::future::zip(spawn.all(giving), theirs.all(taking));
    let ((_, sums), _) = futures_lite::future::zip(both, others.all(leaving)).await;
    let all = TASKS / 2 * ROUNDS;
    assert_eq!(sums.into_iter().sum::<usize>(), all * (all - 1) / 2);
    assert_eq!(*place.item.try_lock().expect("all are done"), None);
}

/// All meet in each round, and none is in the next before; some come, leave and come again.
///
/// One comes last, when all others have come to stay: who leaves when it was let go already has passed.
pub(crate) async fn barrier(spawn: Spawn) {
    let barrier = Arc::new(Barrier::new(TASKS + 1));
    let arrived: Arc<[AtomicUsize]> = (0..ROUNDS).map(|_| AtomicUsize::new(0)).collect();
    let numbers: Arc<[AtomicUsize]> = (0..ROUNDS).map(|_| AtomicUsize::new(0)).collect();
    let tasks = (0..=TASKS).map(|number| {
        let (barrier, arrived, numbers) =
            (Arc::clone(&barrier), Arc::clone(&arrived), Arc::clone(&numbers));
        async move {
            for round in 0..ROUNDS {
                if number == TASKS {
                    while arrived[round].load(Ordering::Acquire) < TASKS {
                        a_turn().await;
                    }
                } else if (number + round) % 3 == 0 {
                    give_up(barrier.wait());
                }
                arrived[round].fetch_add(1, Ordering::Release);
                let got = barrier.wait().await.expect("nobody breaks it");
                numbers[round].fetch_add(got, Ordering::Relaxed);
                assert_eq!(arrived[round].load(Ordering::Acquire), TASKS + 1);
            }
        }
    });
    spawn.all(tasks).await;
    // Each has had a number of its own.
    let sum = TASKS * (TASKS + 1) / 2;
    assert!(numbers.iter().all(|numbers| numbers.load(Ordering::Relaxed) == sum));
    assert_eq!(barrier.n_waiting(), 0);
}
