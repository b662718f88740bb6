//! Conditions: who is notified, who has the lock, and what becomes of a notification whose waiter leaves.

use crate::hand::{Hand, ready, wakes};
use kasasagi_sync::{Condition, ConditionWait, Lock};
use std::sync::Arc;

type Wait<'a> = Hand<ConditionWait<'a, u32>>;

fn line<'a>(lock: &'a Lock<u32>, condition: &'a Condition, n: usize) -> Vec<Wait<'a>> {
    (0..n).map(|_| Hand::waiting(condition.wait(ready(lock.lock())))).collect()
}

#[test]
fn cond_01_the_lock_is_free_while_it_waits_and_held_when_it_returns() {
    let (lock, condition) = (Lock::new(0), Condition::new());
    let mut hands = line(&lock, &condition, 1);
    assert!(!lock.is_locked());
    *ready(lock.lock()) += 1;
    condition.notify_one();
    assert_eq!(hands[0].wakes(), 1);
    let guard = hands[0].ready();
    assert!(lock.is_locked());
    assert_eq!(*guard, 1);
}

/// A guard that owns its lock is given back as such, and keeps the lock alive while it waits; it stands in one line with
/// those who borrow.
#[test]
fn cond_01_a_guard_that_owns_its_lock_waits_too() {
    let (lock, condition) = (Arc::new(Lock::new(0)), Condition::new());
    let guard = ready(Lock::lock_owned(Arc::clone(&lock)));
    let mut owns = Hand::waiting(condition.wait_owned(guard));
    let mut borrows = Hand::waiting(condition.wait(ready(lock.lock())));
    *ready(lock.lock()) += 1;
    condition.notify_all();
    assert!(borrows.poll().is_pending(), "the other came first");
    let mut guard = owns.ready();
    *guard += 1;
    assert!(lock.is_locked() && borrows.poll().is_pending());
    drop(guard);
    assert_eq!(*borrows.ready(), 2);
    let guard = ready(Lock::lock_owned(Arc::clone(&lock)));
    let mut owns = Hand::waiting(condition.wait_owned(guard));
    drop(borrows);
    drop(lock);
    condition.notify_one();
    assert_eq!(*owns.ready(), 2, "it keeps the lock alive");
}

#[test]
fn cond_06_a_wait_that_owns_its_lock_and_is_dropped_holds_nobody_up() {
    let (lock, condition) = (Arc::new(Lock::new(0)), Condition::new());
    let owned = || ready(Lock::lock_owned(Arc::clone(&lock)));
    drop(Hand::new(condition.wait_owned(owned())));
    assert!(!lock.is_locked(), "dropped before its first poll");
    let first = Hand::waiting(condition.wait_owned(owned()));
    let mut second = Hand::waiting(condition.wait_owned(owned()));
    condition.notify_one();
    drop(first);
    drop(second.ready());
    drop(Hand::waiting(condition.wait_owned(owned())));
    assert!(!lock.is_locked() && Arc::strong_count(&lock) == 1);
}

#[test]
fn cond_02_one_who_is_notified_goes_on_when_the_notifier_has_released_the_lock() {
    let (lock, condition) = (Lock::new(0), Condition::new());
    let mut hands = line(&lock, &condition, 1);
    let guard = ready(lock.lock());
    condition.notify_one();
    assert!(hands[0].poll().is_pending());
    drop(guard);
    assert_eq!(hands[0].wakes(), 2);
    drop(hands[0].ready());
    assert!(!lock.is_locked());
}

#[test]
fn cond_03_notify_takes_the_first_n_in_order() {
    let (lock, condition) = (Lock::new(0), Condition::new());
    let mut hands = line(&lock, &condition, 5);
    condition.notify(2);
    assert!(format!("{condition:?}").contains("waiters: 3, notified: 2"));
    assert!(hands[2].poll().is_pending());
    drop(hands[0].ready());
    drop(hands[1].ready());
    condition.notify(2048);
    for hand in &mut hands[2..] {
        drop(hand.ready());
    }
}

/// Of a hundred who are notified at once, only the first is woken before the lock is his.
#[test]
fn cond_04_notify_all_wakes_each_when_the_lock_is_his() {
    let (lock, condition) = (Lock::new(0), Condition::new());
    let mut hands = line(&lock, &condition, 100);
    let guard = ready(lock.lock());
    condition.notify_all();
    assert_eq!(wakes(&hands).iter().sum::<usize>(), 1);
    assert!(hands[0].poll().is_pending());
    assert!(format!("{lock:?}").contains("waiters: 100"));
    drop(guard);
    for i in 0..100 {
        let all = wakes(&hands);
        assert_eq!(all[i], if i == 0 { 2 } else { 1 });
        assert!(all[i + 1..].iter().all(|wakes| *wakes == 0), "{i}: {all:?}");
        let mut guard = hands[i].ready();
        *guard += 1;
        assert_eq!(usize::try_from(*guard), Ok(i + 1));
    }
    assert!(!lock.is_locked());
}

/// One who was notified, and is polled before the one who leads, leads all the same.
#[test]
fn cond_04_whoever_is_polled_first_leads_the_others() {
    let (lock, condition) = (Lock::new(0), Condition::new());
    let mut hands = line(&lock, &condition, 3);
    condition.notify_all();
    assert!(hands[2].poll().is_pending());
    assert_eq!(wakes(&hands), [1, 0, 0], "the first one, whose lock it is, was woken already");
    for hand in &mut hands {
        drop(hand.ready());
    }
}

#[test]
fn cond_06_a_wait_that_is_dropped_gives_the_lock_up_and_holds_nobody_up() {
    let (lock, condition) = (Lock::new(0), Condition::new());
    drop(Hand::new(condition.wait(ready(lock.lock()))));
    assert!(!lock.is_locked(), "dropped before its first poll");
    let mut hands = line(&lock, &condition, 2);
    drop(hands.remove(0));
    condition.notify_one();
    drop(hands[0].ready());
    assert!(!lock.is_locked());
}

#[test]
fn cond_09_a_notification_whose_waiter_leaves_goes_to_the_next() {
    let (lock, condition) = (Lock::new(0), Condition::new());
    let mut hands = line(&lock, &condition, 3);
    condition.notify_one();
    drop(hands.remove(0));
    assert_eq!(hands[0].wakes(), 1);
    drop(hands[0].ready());
    assert!(hands[1].poll().is_pending());
}

/// Every way of dropping one of four waiters, of whom two are notified, at each point of the hand-over: two go on.
#[test]
fn cond_09_10_16_two_of_those_who_stay_go_on_whoever_leaves_whenever() {
    for leaver in 0..4 {
        for moment in 0..5 {
            let (lock, condition) = (Lock::new(0), Condition::new());
            let mut hands: Vec<_> = line(&lock, &condition, 4).into_iter().map(Some).collect();
            let mut guard = Some(ready(lock.lock()));
            let mut served = 0;
            let mut poll = |hands: &mut Vec<Option<Wait<'_>>>| {
                for hand in hands.iter_mut() {
                    if hand.as_mut().is_some_and(|one| one.poll().is_ready()) {
                        *hand = None;
                        served += 1;
                    }
                }
            };
            for step in 0..5 {
                if step == moment {
                    hands[leaver] = None;
                }
                match step {
                    0 => condition.notify(2),
                    1 => poll(&mut hands),
                    2 => drop(guard.take()),
                    _ => {}
                }
            }
            poll(&mut hands);
            // Who left when it had been notified passed that on; who left unnoticed took nothing with it.
            assert_eq!(served, 2, "leaver {leaver} at {moment}");
            assert!(!lock.is_locked());
            drop(hands);
            assert!(format!("{condition:?}").contains("waiters: 0, notified: 0"));
            assert!(format!("{lock:?}").contains("waiters: 0"));
        }
    }
}

#[test]
fn cond_10_one_who_has_the_lock_already_and_leaves_passes_both_on() {
    let (lock, condition) = (Lock::new(0), Condition::new());
    let mut hands = line(&lock, &condition, 2);
    let guard = ready(lock.lock());
    condition.notify_one();
    assert!(hands[0].poll().is_pending());
    let mut third = Hand::waiting(lock.lock());
    drop(guard);
    assert_eq!(hands[0].wakes(), 2);
    drop(hands.remove(0));
    assert_eq!(third.wakes(), 1);
    drop(third.ready());
    assert_eq!(hands[0].wakes(), 1);
    drop(hands[0].ready());
}

#[test]
fn cond_12_wait_for_looks_first_and_after_each_notification() {
    let (lock, condition) = (Lock::new(0), Condition::new());
    let guard = ready(lock.lock());
    let guard = ready(condition.wait_for(guard, |now| *now == 0));
    let mut hand = Hand::waiting(condition.wait_for(guard, |now| *now >= 2));
    for _ in 0..2 {
        assert!(hand.poll().is_pending());
        *ready(lock.lock()) += 1;
        condition.notify_all();
    }
    assert_eq!(*hand.ready(), 2);
}

#[test]
fn cond_14_a_condition_is_used_with_one_lock_at_a_time() {
    let (one, two, condition) = (Lock::new(0), Lock::new(0), Condition::new());
    let hands = line(&one, &condition, 1);
    let mut other = Hand::new(condition.wait(ready(two.lock())));
    let poll = || other.poll().is_pending();
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(poll));
    let text = *panic.expect_err("it refuses").downcast::<&str>().expect("a text");
    assert!(text.contains("use one lock with a condition"), "{text}");
    drop(other);
    assert!(!two.is_locked());
    drop(hands);
    drop(line(&two, &condition, 1));
}

/// One who was notified waits for his lock only, so that others may come with another one. Should he leave, they are
/// notified, and stay with theirs.
#[test]
fn cond_14_a_notification_whose_waiter_leaves_goes_to_those_who_came_with_another_lock() {
    for is_led in [false, true] {
        let (one, two, condition) = (Lock::new(0), Lock::new(0), Condition::new());
        let mut leaver = line(&one, &condition, 1);
        let held = ready(one.lock());
        condition.notify_one();
        assert!(leaver[0].poll().is_pending());
        let mut hands = line(&two, &condition, 2);
        if is_led {
            condition.notify_one();
        }
        drop(leaver);
        assert_eq!(wakes(&hands), [1, 0], "the first leads the others");
        drop(held);
        assert!(!one.is_locked());
        drop(hands[0].ready());
        assert_eq!(hands[1].poll().is_ready(), is_led);
        drop(hands);
        assert!(!two.is_locked());
    }
}

#[test]
fn cond_17_a_notification_is_not_remembered() {
    let (lock, condition) = (Lock::new(0), Condition::new());
    condition.notify_one();
    condition.notify_all();
    condition.notify(0);
    let mut hands = line(&lock, &condition, 1);
    condition.notify(0);
    assert!(hands[0].poll().is_pending());
}

/// A waker that panics as the lock is released loses nothing: the waiter is in line, and is notified.
#[test]
fn a_waker_that_panics_as_the_lock_is_released_loses_no_waiter() {
    struct Bad;
    impl std::task::Wake for Bad {
        fn wake(self: std::sync::Arc<Self>) {
            panic!("a bad waker");
        }
    }
    let (lock, condition) = (Lock::new(0), Condition::new());
    let mut wait = Hand::new(condition.wait(ready(lock.lock())));
    let mut next = Box::pin(lock.lock());
    let waker = std::task::Waker::from(std::sync::Arc::new(Bad));
    assert!(next.as_mut().poll(&mut std::task::Context::from_waker(&waker)).is_pending());
    let poll = || wait.poll().is_pending();
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(poll)).is_err());
    drop(next);
    condition.notify_one();
    drop(wait.ready());
    assert!(!lock.is_locked());
}
