//! Offers to futures that wait under another waker than their task's.

use crate::hand::{Data, block_on};
use crate::runner::{Hand, other_in_line};
use kasasagi_primitive::explore::explore;
use kasasagi_primitive::sync::atomic::{AtomicBool, Ordering};
use kasasagi_primitive::sync::{Arc, Mutex};
use kasasagi_primitive::thread;
use kasasagi_sync::{Lock, LockingOwned, Semaphore};
use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Wake, Waker};

/// Race: a lock is released to a future whose waker wakes nobody, while its task goes to sleep; another one is in line, for
/// whom the task waits.
///
/// Mutation `sync-offer-task-unwoken`: who serves a future under a foreign waker does not wake its task: nothing is taken
/// back.
#[test]
fn offers_a_grant_whose_wake_stays_meets_the_end_of_a_poll() {
    explore("offers_a_grant_whose_wake_stays_meets_the_end_of_a_poll", || {
        let lock = Arc::new(Lock::new(Data::new()));
        let guard = Lock::try_lock_owned(&lock).expect("nobody has it");
        let hand = Hand::new();
        let mut left = pin!(lock.lock());
        hand.begin_under(left.as_mut(), Waker::noop());
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

/// A flag that tells a branch, and nobody else, that it is to be polled.
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: std::sync::Arc<Self>) {
        self.0.store(true, Ordering::Release);
    }
}

/// Race: a lock is released to a branch that is polled on a wake of its own alone, and whose wake its combinator keeps: its
/// task is woken, and finds the branch due.
///
/// Mutation `sync-offer-task-first`: the task is woken before the branch is due: it sleeps again, and the branch with it.
#[test]
fn offers_a_branch_is_due_when_its_task_is_woken() {
    explore("offers_a_branch_is_due_when_its_task_is_woken", || {
        let lock = Arc::new(Lock::new(Data::new()));
        let guard = Lock::try_lock_owned(&lock).expect("nobody has it");
        let hand = Hand::new();
        let flag = std::sync::Arc::new(Flag(AtomicBool::new(false)));
        let waker = Waker::from(std::sync::Arc::clone(&flag));
        let mut branch = pin!(lock.lock());
        hand.begin_under(branch.as_mut(), &waker);
        let giver = thread::spawn(move || {
            guard.touch();
            drop(guard);
        });
        let guard = hand.run(|_| {
            if !flag.0.load(Ordering::Acquire) {
                return Poll::Pending;
            }
            branch.as_mut().poll(&mut Context::from_waker(&waker))
        });
        guard.touch();
        drop(guard);
        giver.join().expect("it releases the lock");
    });
}

/// Drops what it has, when it is woken.
struct Ender(Mutex<Option<Pin<Box<LockingOwned<Data>>>>>);

impl Wake for Ender {
    fn wake(self: std::sync::Arc<Self>) {
        let left = self.0.lock().take();
        drop(left);
    }
}

/// Race: a lock is released to a future that its foreign waker drops, while its task ends polls and then is gone; another
/// one is in line.
///
/// Mutation `sync-offer-dropped-keeps`: who is dropped with an offer keeps it: the other waits for ever.
#[test]
fn offers_one_that_its_waker_drops_meets_the_end_of_its_task() {
    explore("offers_one_that_its_waker_drops_meets_the_end_of_its_task", || {
        let lock = Arc::new(Lock::new(Data::new()));
        let guard = Lock::try_lock_owned(&lock).expect("nobody has it");
        let hand = Hand::new();
        let ender = std::sync::Arc::new(Ender(Mutex::new(None)));
        let waker = Waker::from(std::sync::Arc::clone(&ender));
        let mut left = Box::pin(Lock::lock_owned(Arc::clone(&lock)));
        hand.begin_under(left.as_mut(), &waker);
        *ender.0.lock() = Some(left);
        let other = {
            let lock = Arc::clone(&lock);
            thread::spawn(move || block_on(lock.lock()).touch())
        };
        let giver = thread::spawn(move || drop(guard));
        for _ in 0..2 {
            let _ = hand.poll(|_| Poll::<()>::Pending);
        }
        drop(hand);
        other.join().expect("it gets the lock");
        giver.join().expect("it releases the lock");
        assert!(!lock.is_locked());
    });
}

/// Race: a task serves two at once, of whom it wakes the first last, while that one's task is polled for something else: the
/// first keeps its turn until it was told of it, and the third one waits.
///
/// Mutation `sync-offer-lead-overtaken`: an offer is taken back although not all who were served were woken yet.
#[test]
fn offers_to_several_are_kept_until_all_are_woken() {
    explore("offers_to_several_are_kept_until_all_are_woken", || {
        let semaphore = Arc::new(Semaphore::new(0));
        let hand = Hand::new();
        let flag = std::sync::Arc::new(Flag(AtomicBool::new(false)));
        let waker = Waker::from(std::sync::Arc::clone(&flag));
        let mut first = pin!(semaphore.acquire());
        hand.begin_under(first.as_mut(), &waker);
        let mut others = [0; 2].map(|_| Box::pin(semaphore.acquire()));
        for other in &mut others {
            let polled = other.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            assert!(polled.is_pending());
        }
        let giver = {
            let semaphore = Arc::clone(&semaphore);
            thread::spawn(move || Hand::new().inside(|| semaphore.add_permits(2)))
        };
        let mut look = |_: &mut Context<'_>| {
            if !flag.0.load(Ordering::Acquire) {
                return Poll::Pending;
            }
            let polled = first.as_mut().poll(&mut Context::from_waker(&waker));
            assert!(polled.is_ready(), "it is its turn");
            polled
        };
        // While not all are woken, it would be polled again and again.
        let found = (0..3).map(|_| hand.poll(&mut look).0).find(Poll::is_ready);
        giver.join().expect("it gives two");
        let permit = found.unwrap_or_else(|| Poll::Ready(hand.run(look)));
        let [second, third] = &mut others;
        let mut cx = Context::from_waker(Waker::noop());
        let behind = second.as_mut().poll(&mut cx);
        assert!(behind.is_ready() && third.as_mut().poll(&mut cx).is_pending());
        drop((permit, behind));
    });
}

/// Race: a lock is released to a future that one task has polled, and another one after it under the same foreign waker,
/// which wakes nobody: the second task takes it back, while a third thread waits for the lock.
///
/// Mutation `sync-offer-pair-of-another-task`: the task before is woken, which has nothing to do with it.
#[test]
fn offers_one_moved_under_its_waker_is_the_other_tasks() {
    explore("offers_one_moved_under_its_waker_is_the_other_tasks", || {
        let lock = Arc::new(Lock::new(Data::new()));
        let guard = Lock::try_lock_owned(&lock).expect("nobody has it");
        let (before, hand) = (Hand::new(), Hand::of(8));
        let flag = std::sync::Arc::new(Flag(AtomicBool::new(false)));
        let waker = Waker::from(flag);
        let mut left = pin!(lock.lock());
        before.begin_under(left.as_mut(), &waker);
        hand.begin_under(left.as_mut(), &waker);
        drop(before);
        let (done, other) = other_in_line(&lock, &hand);
        let giver = thread::spawn(move || drop(guard));
        hand.run(|_| done.poll());
        other.join().expect("it gets the lock");
        giver.join().expect("it releases the lock");
        hand.run(|cx| left.as_mut().poll(cx)).touch();
    });
}
