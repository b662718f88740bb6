//! Locks: one alone, or many who look.

use crate::hand::{Inside, block_on, join, leave, threads};
use kasasagi_primitive::schedules::schedules;
use kasasagi_primitive::sync::Arc;
use kasasagi_primitive::thread;
use kasasagi_sync::{Condition, Lock, LockGuard, RwLock, WriteGuard};

/// Seven at one lock: some come at once or not at all, some leave, one gives its guard to another thread.
#[test]
fn a_lock_is_one_threads_at_a_time_and_everybodys_in_turn() {
    schedules("lock", 100, || {
        let shared =
            Arc::new((Lock::new(0_usize), Inside::default(), Arc::new(Lock::new(0_usize))));
        let rounds = threads(7, &shared, |shared, number| {
            let (lock, inside, owned) = &**shared;
            let mut count = 0;
            for _ in 0..2 {
                if number >= 5 {
                    leave(lock.lock());
                    leave(Lock::lock_owned(Arc::clone(owned)));
                }
                if number == 4 {
                    if let Ok(mut guard) = lock.try_lock() {
                        inside.alone();
                        *guard += 1;
                        count += 1;
                    }
                    continue;
                }
                let mut guard = block_on(lock.lock());
                inside.alone();
                *guard += 1;
                count += 1;
                drop(LockGuard::map(guard, |value| value));
                if number == 0 {
                    let mut guard = block_on(Lock::lock_owned(Arc::clone(owned)));
                    thread::spawn(move || *guard += 1).join().expect("no panic");
                }
            }
            count
        });
        let count: usize = join(rounds).into_iter().sum();
        assert_eq!(*shared.0.try_lock().expect("it is free"), count);
        assert_eq!(*shared.2.try_lock().expect("it is free"), 2);
    });
}

/// Three who read, two who write, one of them goes on reading; two leave.
#[test]
fn a_writer_is_alone_and_readers_are_among_themselves() {
    schedules("rw_lock", 100, || {
        let shared = Arc::new((RwLock::new(0_usize), Inside::default()));
        let all = threads(7, &shared, |shared, number| {
            let (lock, inside) = &**shared;
            for _ in 0..2 {
                match number {
                    0..3 => {
                        let guard = block_on(lock.read());
                        let before = *guard;
                        inside.among(5);
                        assert_eq!(*guard, before);
                    }
                    3 => {
                        let mut guard = block_on(lock.write());
                        inside.alone();
                        *guard += 1;
                    }
                    4 => {
                        let mut guard = block_on(lock.write());
                        inside.alone();
                        *guard += 1;
                        let now = *guard;
                        let guard = WriteGuard::downgrade(guard);
                        inside.among(5);
                        assert_eq!(*guard, now);
                    }
                    5 => leave(lock.write()),
                    _ => leave(lock.read()),
                }
            }
        });
        join(all);
        assert_eq!(*shared.0.try_write().expect("it is free"), 4);
    });
}

/// A place for one item, two who fill it and two who empty it; two are notified and leave, and take nothing.
#[test]
fn a_notification_is_lost_with_nobody() {
    schedules("condition", 100, || {
        type Place = (Lock<Option<usize>>, Condition, Condition);
        let shared: Arc<Place> = Arc::new((Lock::new(None), Condition::new(), Condition::new()));
        let all = threads(6, &shared, |shared, number| {
            let (item, filled, emptied) = &**shared;
            let mut sum = 0;
            for round in 0..2 {
                match number {
                    0 | 1 => block_on(async {
                        let guard = item.lock().await;
                        let mut guard = emptied.wait_for(guard, |item| item.is_none()).await;
                        *guard = Some(1 + number * 2 + round);
                        filled.notify_one();
                    }),
                    2 | 3 => block_on(async {
                        let guard = item.lock().await;
                        let mut guard = filled.wait_for(guard, |item| item.is_some()).await;
                        sum += guard.take().expect("it was there");
                        drop(guard);
                        emptied.notify(1);
                    }),
                    4 => leave(filled.wait(block_on(item.lock()))),
                    _ => leave(emptied.wait(block_on(item.lock()))),
                }
            }
            sum
        });
        assert_eq!(join(all).into_iter().sum::<usize>(), 1 + 2 + 3 + 4);
        assert_eq!(*shared.0.try_lock().expect("it is free"), None);
    });
}

/// Five wait, and are notified all at once; two of them leave.
#[test]
fn all_who_wait_are_notified_at_once() {
    schedules("condition_all", 100, || {
        let shared = Arc::new((Lock::new((0, false)), Condition::new(), Inside::default()));
        let all = threads(5, &shared, |shared, number| {
            let (lock, condition, inside) = &**shared;
            let mut guard = block_on(lock.lock());
            guard.0 += 1;
            if number >= 3 {
                return leave(condition.wait(guard));
            }
            let guard = block_on(condition.wait_for(guard, |(_, is_so)| *is_so));
            inside.alone();
            assert!(guard.1);
        });
        loop {
            let mut guard = block_on(shared.0.lock());
            if guard.0 == 5 {
                guard.1 = true;
                shared.1.notify_all();
                break;
            }
            drop(guard);
            thread::yield_now();
        }
        join(all);
        assert!(!shared.0.is_locked());
    });
}
