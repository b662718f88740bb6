//! Conditions: no notification is lost between two lines.

use crate::hand::{block_on, once};
use kasasagi_primitive::explore::explore;
use kasasagi_primitive::sync::Arc;
use kasasagi_primitive::thread;
use kasasagi_sync::{Condition, Lock};

/// Race: one looks and waits while another changes what it looks at and notifies.
///
/// Mutation `sync-condition-released-first`: the lock is released before the waiter is in line: it misses the
/// notification.
#[test]
fn cond_01_wait_meets_notify() {
    explore("cond_01_wait_meets_notify", || {
        let shared = Arc::new((Lock::new(false), Condition::new()));
        let notifier = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                *block_on(shared.0.lock()) = true;
                shared.1.notify_one();
            })
        };
        let guard = block_on(async {
            let mut guard = shared.0.lock().await;
            while !*guard {
                guard = shared.1.wait(guard).await;
            }
            guard
        });
        drop(guard);
        notifier.join().expect("it does not panic");
    });
}

/// Race: a waiter leaves while it is notified, and led to the line of the lock, with another behind it: the notification
/// is the other's.
///
/// Mutation `sync-condition-kept-notification`: a waiter that was notified and leaves keeps it: the other waits for ever.
#[test]
fn cond_09_10_notify_meets_a_drop() {
    explore("cond_09_10_notify_meets_a_drop", || {
        let shared = Arc::new((Lock::new(()), Condition::new()));
        let mut leaver = Box::pin(shared.1.wait(shared.0.try_lock().expect("nobody has it")));
        assert!(once(leaver.as_mut()).is_pending());
        let mut other = Box::pin(shared.1.wait(shared.0.try_lock().expect("nobody has it")));
        assert!(once(other.as_mut()).is_pending());
        let notifier = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                let guard = block_on(shared.0.lock());
                shared.1.notify_one();
                drop(guard);
            })
        };
        if let std::task::Poll::Ready(guard) = once(leaver.as_mut()) {
            // It was there first; then the notification was its own.
            drop(guard);
            shared.1.notify_one();
        }
        drop(leaver);
        drop(block_on(other.as_mut()));
        notifier.join().expect("it does not panic");
        assert!(!shared.0.is_locked());
    });
}

/// Race: two are notified at once, on threads of their own, one of whom leads the other, while the lock is released.
///
/// Mutation `sync-condition-leads-nobody`: who leads moves nobody but itself: the other waits for ever.
/// Mutation `sync-condition-blind-line`: the line of the lock is joined without saying that somebody waits: nobody hands
/// the lock over.
#[test]
fn cond_04_one_leads_the_other_while_the_lock_is_released() {
    explore("cond_04_one_leads_the_other_while_the_lock_is_released", || {
        let shared = Arc::new((Lock::new(0), Condition::new()));
        let waiters: Vec<_> = (0..2)
            .map(|_| {
                let shared = Arc::clone(&shared);
                thread::spawn(move || {
                    block_on(async {
                        let mut guard = shared.0.lock().await;
                        *guard += 1;
                        while *guard < 3 {
                            guard = shared.1.wait(guard).await;
                        }
                    });
                })
            })
            .collect();
        {
            let mut guard = block_on(shared.0.lock());
            *guard += 3;
            shared.1.notify_all();
        }
        for waiter in waiters {
            waiter.join().expect("it goes on");
        }
        assert!(!shared.0.is_locked());
    });
}
