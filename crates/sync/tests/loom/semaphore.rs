//! Permits: conserved, and nobody stranded (P16).

use kasasagi_primitive::cell::UnsafeCell;
use kasasagi_primitive::explore::explore;
use kasasagi_primitive::park::Parker;
use kasasagi_primitive::sync::Arc;
use kasasagi_primitive::sync::atomic::{AtomicUsize, Ordering};
use kasasagi_primitive::thread;
use kasasagi_sync::{Closed, Semaphore};
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

fn block_on<F: Future>(future: F) -> F::Output {
    let parker = Parker::new();
    let waker = parker.unparker().into_waker();
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        parker.park();
    }
}

/// Race: a permit is given to a waiter that leaves at that moment, with another behind it.
///
/// Mutation `sync-semaphore-keep-grant`: a waiter that was given a permit and leaves keeps it: the other one waits
/// for ever.
#[test]
fn semaphore_grant_meets_drop() {
    explore("semaphore_grant_meets_drop", || {
        let semaphore = Arc::new(Semaphore::new(0));
        let giver = {
            let semaphore = Arc::clone(&semaphore);
            thread::spawn(move || semaphore.add_permits(1))
        };
        let other = {
            let semaphore = Arc::clone(&semaphore);
            thread::spawn(move || block_on(semaphore.acquire()).map(drop))
        };
        {
            let mut leaver = pin!(semaphore.acquire());
            drop(leaver.as_mut().poll(&mut Context::from_waker(Waker::noop())));
        }
        giver.join().expect("the giver does not panic");
        assert_eq!(other.join().expect("the other does not panic"), Ok(()));
        assert_eq!(semaphore.available_permits(), 1);
    });
}

/// Race: a close meets one who comes to wait, and a release: it gets a permit or is sent away.
///
/// Mutation `sync-semaphore-close-unseen`: who queues does not look whether it is closed: it waits for ever.
#[test]
fn semaphore_close_meets_acquire() {
    explore("semaphore_close_meets_acquire", || {
        let semaphore = Arc::new(Semaphore::new(0));
        let closer = {
            let semaphore = Arc::clone(&semaphore);
            thread::spawn(move || semaphore.close())
        };
        let giver = {
            let semaphore = Arc::clone(&semaphore);
            thread::spawn(move || semaphore.add_permits(1))
        };
        let answer = block_on(semaphore.acquire());
        assert!(matches!(answer, Ok(_) | Err(Closed)));
        drop(answer);
        closer.join().expect("the closer does not panic");
        giver.join().expect("the giver does not panic");
        assert_eq!(semaphore.available_permits(), 1);
    });
}

/// Race: a release without the lock meets one who gets in line; both hold the same data in turn.
///
/// Mutation `sync-semaphore-blind-waiters`: WAITERS is set without looking at the permits again: one that was
/// released meanwhile is missed.
/// Mutation `sync-semaphore-relaxed`: a release that is not Release: the data race is reported.
#[test]
fn semaphore_release_meets_new_waiter() {
    explore("semaphore_release_meets_new_waiter", || {
        let shared = Arc::new((Semaphore::new(1), Data(UnsafeCell::new(0_u32))));
        let threads: Vec<_> = (0..2)
            .map(|_| {
                let shared = Arc::clone(&shared);
                thread::spawn(move || {
                    let permit = block_on(shared.0.acquire());
                    shared.1.touch();
                    drop(permit);
                })
            })
            .collect();
        for thread in threads {
            thread.join().expect("everybody gets the permit");
        }
        assert_eq!(shared.0.available_permits(), 1);
    });
}

struct Data(UnsafeCell<u32>);

#[expect(unsafe_code, reason = "the model checks that the one permit keeps accesses apart")]
// SAFETY: `touch` is called only by whoever holds the permit.
unsafe impl Sync for Data {}

impl Data {
    /// An access that loom sees; it needs no pointer.
    fn touch(&self) {
        self.0.with_mut(|_| ());
    }
}

/// Race: a newcomer without waiting meets a hand-over: it does not overtake, and no permit is doubled.
///
/// Mutation `sync-semaphore-barge`: `take` does not look at WAITERS: the newcomer gets a permit that was kept for the
/// front, and both hold more than there are.
#[test]
fn semaphore_try_acquire_does_not_barge() {
    explore("semaphore_try_acquire_does_not_barge", || {
        let semaphore = Arc::new(Semaphore::new(1));
        let holders = Arc::new(AtomicUsize::new(0));
        let hold = |holders: &AtomicUsize, n: usize| {
            assert!(holders.fetch_add(n, Ordering::Relaxed) + n <= 2);
            holders.fetch_sub(n, Ordering::Relaxed);
        };
        let mut front = Box::pin(semaphore.acquire_many(2));
        assert!(front.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        let giver = {
            let semaphore = Arc::clone(&semaphore);
            thread::spawn(move || semaphore.add_permits(1))
        };
        let newcomer = {
            let (semaphore, holders) = (Arc::clone(&semaphore), Arc::clone(&holders));
            thread::spawn(move || {
                assert!(semaphore.try_acquire().is_err(), "the front is served first");
                hold(&holders, 0);
            })
        };
        let permit = block_on(front.as_mut());
        hold(&holders, 2);
        newcomer.join().expect("the newcomer does not panic");
        drop(permit);
        giver.join().expect("the giver does not panic");
        drop(front);
        assert_eq!(semaphore.available_permits(), 2);
    });
}
