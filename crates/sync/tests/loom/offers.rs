//! Offers to tasks: taken back, looked at and dropped at the same time.

use crate::hand::{Data, block_on};
use crate::runner::{Hand, other_in_line};
use kasasagi_primitive::explore::explore;
use kasasagi_primitive::sync::Arc;
use kasasagi_primitive::thread;
use kasasagi_sync::{Lock, LockingOwned, Semaphore};
use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

/// Race: a lock is released to a future that its task does not poll, while the task goes on and another one is in line
/// for the lock, whom the task waits for.
///
/// Mutation `sync-offer-not-passed-on`: what is taken back goes to nobody: the other waits for ever.
/// Mutation `sync-offer-unseen`: a line does not say that it has offers: nobody takes them back.
#[test]
fn offers_a_grant_meets_the_end_of_a_poll() {
    explore("offers_a_grant_meets_the_end_of_a_poll", || {
        let lock = Arc::new(Lock::new(Data::new()));
        let guard = Lock::try_lock_owned(&lock).expect("nobody has it");
        let hand = Hand::new();
        let mut left = pin!(lock.lock());
        hand.begin(left.as_mut());
        let (done, other) = other_in_line(&lock, &hand);
        let giver = thread::spawn(move || {
            guard.touch();
            drop(guard);
        });
        hand.run(|_| done.poll());
        hand.run(|cx| left.as_mut().poll(cx)).touch();
        other.join().expect("it gets the lock");
        giver.join().expect("it releases the lock");
    });
}

/// The lock was offered to a future of the hand's, and left once.
fn left_once() -> (Arc<Lock<Data>>, Hand, Pin<Box<LockingOwned<Data>>>) {
    let lock = Arc::new(Lock::new(Data::new()));
    let guard = Lock::try_lock_owned(&lock).expect("nobody has it");
    let hand = Hand::new();
    let mut left = Box::pin(Lock::lock_owned(Arc::clone(&lock)));
    hand.begin(left.as_mut());
    drop(guard);
    let (_, again) = hand.poll(|_| Poll::<()>::Pending);
    assert!(again, "it is polled once more first");
    (lock, hand, left)
}

/// Race: an offer is taken back while its future is dropped elsewhere, and another comes.
///
/// Mutation `sync-offer-given-twice`: who missed its turn gives back, as it is dropped, what it has not: two have the
/// lock.
#[test]
fn offers_one_taken_back_meets_a_drop() {
    explore("offers_one_taken_back_meets_a_drop", || {
        let (lock, hand, left) = left_once();
        let other = {
            let lock = Arc::clone(&lock);
            thread::spawn(move || block_on(lock.lock()).touch())
        };
        let dropper = thread::spawn(move || drop(left));
        let _ = hand.poll(|_| Poll::<()>::Pending);
        block_on(lock.lock()).touch();
        other.join().expect("it gets the lock");
        dropper.join().expect("it drops");
        assert!(!lock.is_locked());
    });
}

/// Race: an offer is taken back while its future is polled elsewhere, outside of tasks.
///
/// Mutation `sync-offer-missed-for-good`: who missed its turn asks for no other: it waits for ever.
#[test]
fn offers_one_taken_back_meets_a_look() {
    explore("offers_one_taken_back_meets_a_look", || {
        let (lock, hand, left) = left_once();
        let looker = thread::spawn(move || block_on(left).touch());
        let other = {
            let lock = Arc::clone(&lock);
            thread::spawn(move || block_on(lock.lock()).touch())
        };
        let _ = hand.poll(|_| Poll::<()>::Pending);
        looker.join().expect("it gets the lock");
        other.join().expect("it gets the lock");
        assert!(!lock.is_locked());
    });
}

/// Race: a task that waits, and has left a wait elsewhere unpolled, is polled for nothing while the lock is released to it: it
/// gets it, and not the one behind.
///
/// Mutation `sync-offer-hasty`: an offer is taken back at the end of the poll in which it was made.
#[test]
fn offers_who_waits_keeps_its_turn() {
    explore("offers_who_waits_keeps_its_turn", || {
        let lock = Arc::new(Lock::new(0));
        let guard = Lock::try_lock_owned(&lock).expect("nobody has it");
        let hand = Hand::new();
        let never = Semaphore::new(0);
        let mut left = Box::pin(never.acquire());
        hand.begin(left.as_mut());
        let mut first = Box::pin(lock.lock());
        hand.begin(first.as_mut());
        let mut second = Box::pin(Lock::lock_owned(Arc::clone(&lock)));
        let behind = second.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert!(behind.is_pending());
        let giver = thread::spawn(move || drop(guard));
        let other = thread::spawn(move || {
            let mut count = block_on(second);
            assert_eq!(*count, 1, "the first one was before");
            *count += 1;
        });
        *hand.run(|cx| first.as_mut().poll(cx)) += 1;
        giver.join().expect("it releases the lock");
        other.join().expect("it gets the lock");
    });
}

/// Race: permits that are taken back, with nobody in line, meet a newcomer that does not wait, one that does, and a release.
///
/// Mutation `sync-offer-spare-lost`: what was taken back is free, and a newcomer does not find it.
#[test]
fn offers_permits_taken_back_are_free() {
    explore("offers_permits_taken_back_are_free", || {
        let semaphore = Arc::new(Semaphore::new(0));
        let hand = Hand::new();
        let mut left = Box::pin(Semaphore::acquire_owned(Arc::clone(&semaphore)));
        hand.begin(left.as_mut());
        semaphore.add_permits(1);
        let (_, again) = hand.poll(|_| Poll::<()>::Pending);
        assert!(again, "it is polled once more first");
        let giver = {
            let semaphore = Arc::clone(&semaphore);
            thread::spawn(move || semaphore.add_permits(1))
        };
        let newcomer = {
            let semaphore = Arc::clone(&semaphore);
            thread::spawn(move || drop(block_on(semaphore.acquire_many(2)).expect("it is open")))
        };
        let _ = hand.poll(|_| Poll::<()>::Pending);
        drop(semaphore.try_acquire());
        newcomer.join().expect("it gets them");
        giver.join().expect("it gives one");
        assert_eq!(semaphore.available_permits(), 2);
        drop(semaphore.try_acquire().expect("nobody has them"));
    });
}
