//! Locks: order, exclusion, guards, and futures dropped in every state.

use crate::hand::{Hand, ready, wakes};
use kasasagi_primitive::sync::Arc;
use kasasagi_sync::{
    Lock, LockGuard, Locking, MappedLockGuard, OwnedLockGuard, OwnedMappedLockGuard, WouldBlock,
};
use std::future::Future;

fn line<T>(lock: &Lock<T>, n: usize) -> Vec<Hand<Locking<'_, T>>> {
    (0..n).map(|_| Hand::waiting(lock.lock())).collect()
}

#[test]
fn lock_01_it_is_held_until_the_guard_is_dropped() {
    let lock = Lock::new(1);
    assert!(!lock.is_locked());
    let mut guard = ready(lock.lock());
    *guard += 1;
    assert!(lock.is_locked());
    drop(guard);
    assert!(!lock.is_locked());
    assert_eq!(*ready(lock.lock()), 2);
}

#[test]
fn lock_02_it_is_handed_over_in_order_to_one_at_a_time() {
    let lock = Lock::new(());
    let guard = ready(lock.lock());
    let mut hands = line(&lock, 3);
    drop(guard);
    assert_eq!(wakes(&hands), [1, 0, 0]);
    assert!(hands[1].poll().is_pending());
    drop(hands[0].ready());
    assert_eq!(wakes(&hands), [1, 1, 0]);
    drop(hands[1].ready());
    drop(hands[2].ready());
    assert!(!lock.is_locked());
}

#[test]
fn lock_03_14_nobody_overtakes_one_who_was_woken_and_has_not_run() {
    let lock = Lock::new(());
    let guard = ready(lock.lock());
    let mut first = Hand::waiting(lock.lock());
    drop(guard);
    assert!(lock.is_locked(), "it is the first one's");
    assert_eq!(lock.try_lock().err(), Some(WouldBlock));
    let mut newcomer = Hand::waiting(lock.lock());
    drop(first.ready());
    drop(newcomer.ready());
    assert!(lock.try_lock().is_ok());
}

#[test]
fn lock_04_05_who_left_the_line_is_not_waited_for() {
    let lock = Lock::new(());
    let guard = ready(lock.lock());
    let hands = line(&lock, 3);
    drop(hands);
    assert!(format!("{lock:?}").contains("waiters: 0"));
    drop(guard);
    drop(ready(lock.lock()));
}

#[test]
fn lock_07_one_who_was_given_it_and_leaves_passes_it_on() {
    let lock = Lock::new(());
    let guard = ready(lock.lock());
    let mut hands = line(&lock, 2);
    drop(guard);
    drop(hands.remove(0));
    assert_eq!(hands[0].wakes(), 1);
    drop(hands[0].ready());
    assert!(!lock.is_locked());
}

/// Every way of dropping one of three waiters, at each point of two releases: exactly one of those who stay has it.
#[test]
fn lock_08_10_exactly_one_has_it_whoever_leaves_whenever() {
    for leaver in 0..3 {
        for moment in 0..4 {
            let lock = Lock::new(());
            let mut guard = Some(ready(lock.lock()));
            let mut hands: Vec<_> = (0..3).map(|_| Some(Hand::new(lock.lock()))).collect();
            let mut served = 0;
            for step in 0..4 {
                if step == moment {
                    hands[leaver] = None;
                }
                match step {
                    0 => hands.iter_mut().flatten().for_each(|one| {
                        assert!(one.poll().is_pending());
                    }),
                    1 => drop(guard.take()),
                    _ => {
                        let mut next = hands.iter_mut().filter(|one| one.is_some());
                        if let Some(one) = next.next() {
                            drop(one.take().expect("it is there").ready());
                            served += 1;
                        }
                    }
                }
            }
            for one in &mut hands {
                if let Some(mut one) = one.take() {
                    drop(one.ready());
                    served += 1;
                }
            }
            assert!(served >= 2, "leaver {leaver} at {moment}: {served} were served");
            assert!(!lock.is_locked());
        }
    }
}

#[test]
fn lock_16_an_owned_guard_keeps_its_lock_and_may_be_dropped_elsewhere() {
    let lock = Arc::new(Lock::new(7));
    let guard = ready(Lock::lock_owned(Arc::clone(&lock)));
    let mut second = Hand::waiting(Lock::lock_owned(Arc::clone(&lock)));
    assert!(Lock::try_lock_owned(&lock).is_err());
    assert_eq!(Arc::strong_count(&lock), 3);
    std::thread::spawn(move || drop(guard)).join().expect("a guard may be dropped elsewhere");
    let mut guard = second.ready();
    *guard += 1;
    drop((guard, second));
    assert_eq!(Arc::strong_count(&lock), 1);
    assert_eq!(*Lock::try_lock_owned(&lock).expect("it is free"), 8);
}

#[test]
fn lock_12_debug_tells_whether_it_is_locked_and_how_many_wait() {
    let lock = Lock::new(());
    assert_eq!(format!("{lock:?}"), "Lock { locked: false, waiters: 0, .. }");
    let _guard = ready(lock.lock());
    let _hands = line(&lock, 2);
    assert_eq!(format!("{lock:?}"), "Lock { locked: true, waiters: 2, .. }");
}

#[test]
fn lock_15_a_panic_under_the_guard_releases_it_and_poisons_nothing() {
    let lock = Lock::new(1);
    let hold = || {
        let mut guard = ready(lock.lock());
        *guard = 2;
        panic!("under the guard");
    };
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(hold)).is_err());
    assert_eq!(*ready(lock.lock()), 2);
}

#[test]
fn a_guard_of_a_part_holds_the_whole_lock() {
    let lock = Lock::new((1, [2, 3]));
    let guard = LockGuard::map(ready(lock.lock()), |pair| &mut pair.1);
    let mut guard = MappedLockGuard::map(guard, |both| &mut both[1]);
    *guard += 10;
    assert!(lock.is_locked());
    assert_eq!(format!("{guard:?}"), "13");
    drop(guard);
    assert_eq!(lock.into_inner(), (1, [2, 13]));
}

#[test]
fn lock_16_an_owned_guard_of_a_part_holds_the_whole_lock_and_keeps_it() {
    let lock = Arc::new(Lock::new((1, [2, 3])));
    let guard = ready(Lock::lock_owned(Arc::clone(&lock)));
    let guard = OwnedLockGuard::map(guard, |pair| &mut pair.1);
    let mut guard = OwnedMappedLockGuard::map(guard, |both| &mut both[1]);
    let mut behind = Hand::waiting(lock.lock());
    *guard += 10;
    assert_eq!((format!("{guard:?}"), Arc::strong_count(&lock)), ("13".into(), 2));
    std::thread::spawn(move || drop(guard)).join().expect("a guard may be dropped elsewhere");
    assert_eq!((behind.wakes(), Arc::strong_count(&lock)), (1, 1));
    assert_eq!(*behind.ready(), (1, [2, 13]));
}

#[test]
fn a_map_of_an_owned_guard_that_panics_releases_the_lock() {
    let lock = Arc::new(Lock::new(1));
    let guard = ready(Lock::lock_owned(Arc::clone(&lock)));
    let map = || drop(OwnedLockGuard::map(guard, |_| -> &mut i32 { panic!("in the map") }));
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(map)).is_err());
    assert!(!lock.is_locked());
    assert_eq!(Arc::strong_count(&lock), 1);
}

#[test]
fn a_map_that_panics_releases_the_lock() {
    let lock = Lock::new(1);
    let map = || drop(LockGuard::map(ready(lock.lock()), |_| -> &mut i32 { panic!("in the map") }));
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(map)).is_err());
    assert!(!lock.is_locked());
}

#[test]
fn a_lock_may_be_static_unsized_and_taken_apart() {
    static LOCK: Lock<Option<u32>> = Lock::new(None);
    *ready(LOCK.lock()) = Some(1);
    let unsized_lock: &Lock<[u8]> = &Lock::new([1, 2, 3]);
    assert_eq!(ready(unsized_lock.lock()).len(), 3);
    let mut lock = Lock::from(5);
    *lock.get_mut() += 1;
    assert_eq!(lock.into_inner(), 6);
    assert_eq!(Lock::<u8>::default().into_inner(), 0);
}

/// What is dropped with a guard is dropped where the guard is, and once.
#[test]
fn the_value_is_dropped_once_with_its_lock() {
    let value = std::sync::Arc::new(());
    let lock = Arc::new(Lock::new(std::sync::Arc::clone(&value)));
    let guard = ready(Lock::lock_owned(Arc::clone(&lock)));
    drop(lock);
    assert_eq!(std::sync::Arc::strong_count(&value), 2, "the guard keeps it");
    drop(guard);
    assert_eq!(std::sync::Arc::strong_count(&value), 1);
}

/// A stand-in for the drop of a future on another thread than the one that polled it.
#[test]
fn mt_07_a_waiter_may_be_dropped_on_another_thread() {
    let lock = std::sync::Arc::new(Lock::new(()));
    let guard = lock.try_lock().expect("nobody has it");
    let theirs = std::sync::Arc::clone(&lock);
    let mut future: std::pin::Pin<Box<dyn Future<Output = ()> + Send>> =
        Box::pin(async move { drop(theirs.lock().await) });
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(future.as_mut().poll(&mut cx).is_pending());
    let mut behind = Hand::waiting(lock.lock());
    drop(guard);
    std::thread::spawn(move || drop(future)).join().expect("it does not panic");
    assert_eq!(behind.wakes(), 1);
    drop(behind.ready());
}
