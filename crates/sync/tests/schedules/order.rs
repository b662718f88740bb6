//! First come, first served: those who stand in line go on in that order, whoever leaves it.

use crate::hand::{block_on, once};
use kasasagi_primitive::schedules::schedules;
use kasasagi_primitive::sync::{Arc, Mutex};
use kasasagi_primitive::thread;
use kasasagi_sync::{Lock, RwLock, Semaphore};
use std::future::Future;
use std::pin::Pin;

/// How many are in line; every third leaves.
const LINE: usize = 6;

/// All get in line, one after the other, and are then awaited, or left, by threads of their own; `release` lets the first
/// one go on. Each notes its number while it has what it waited for.
fn in_order<F>(mut ask: impl FnMut() -> F, release: impl FnOnce())
where
    F: Future<Output: Send> + Send + 'static,
{
    let waits: Vec<Pin<Box<F>>> = (0..LINE)
        .map(|_| {
            let mut wait = Box::pin(ask());
            assert!(once(wait.as_mut()).is_pending());
            wait
        })
        .collect();
    let order = Arc::new(Mutex::new(Vec::new()));
    let threads: Vec<_> = (0..)
        .zip(waits)
        .map(|(number, wait)| {
            let order = Arc::clone(&order);
            thread::spawn(move || {
                if number % 3 == 1 {
                    return drop(wait);
                }
                let got = block_on(wait);
                order.lock().push(number);
                drop(got);
            })
        })
        .collect();
    release();
    threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
    assert_eq!(*order.lock(), [0, 2, 3, 5]);
}

#[test]
fn a_lock_goes_to_who_has_waited_longest() {
    schedules("lock_order", 100, || {
        let lock = Arc::new(Lock::new(()));
        let guard = lock.try_lock().expect("nobody has it");
        in_order(|| Lock::lock_owned(Arc::clone(&lock)), || drop(guard));
        assert!(!lock.is_locked());
    });
}

#[test]
fn a_permit_goes_to_who_has_waited_longest() {
    schedules("permit_order", 100, || {
        let semaphore = Arc::new(Semaphore::new(1));
        let permit = semaphore.try_acquire().expect("one is free");
        in_order(|| Semaphore::acquire_owned(Arc::clone(&semaphore)), || drop(permit));
        assert_eq!(semaphore.available_permits(), 1);
    });
}

#[test]
fn writers_write_in_the_order_in_which_they_came() {
    schedules("writer_order", 100, || {
        let lock = Arc::new(RwLock::new(()));
        let guard = lock.try_read().expect("nobody writes");
        in_order(|| RwLock::write_owned(Arc::clone(&lock)), || drop(guard));
        assert!(lock.try_write().is_ok());
    });
}
