//! Locks: one at a time, nobody stranded, nobody overtaken.

use crate::hand::{Data, block_on, once};
use kasasagi_primitive::explore::explore;
use kasasagi_primitive::sync::Arc;
use kasasagi_primitive::thread;
use kasasagi_sync::{Lock, RwLock, WriteGuard};
use std::pin::pin;

/// Race: two take the lock, release it, and hand it over; what one did under it is seen by the other.
///
/// Mutation `sync-lock-relaxed`: a lock is taken without Acquire: the data race is reported.
#[test]
fn lock_13_keeps_two_apart() {
    explore("lock_13_keeps_two_apart", || {
        let lock = Arc::new(Lock::new(Data::new()));
        let other = {
            let lock = Arc::clone(&lock);
            thread::spawn(move || block_on(lock.lock()).touch())
        };
        block_on(lock.lock()).touch();
        other.join().expect("it gets the lock");
        assert!(!lock.is_locked());
    });
}

/// Race: the lock is handed to a waiter that leaves at that moment, with another behind it.
///
/// Mutation `sync-semaphore-keep-grant` breaks this one too: the other waits for ever.
#[test]
fn lock_06_07_08_a_grant_meets_a_drop() {
    explore("lock_06_07_08_a_grant_meets_a_drop", || {
        let lock = Arc::new(Lock::new(()));
        let guard = lock.try_lock().expect("nobody has it");
        let mut leaver = Box::pin(lock.lock());
        assert!(once(leaver.as_mut()).is_pending());
        let other = {
            let lock = Arc::clone(&lock);
            thread::spawn(move || drop(block_on(lock.lock())))
        };
        let looker = {
            let lock = Arc::clone(&lock);
            thread::spawn(move || lock.is_locked())
        };
        drop(guard);
        drop(leaver);
        other.join().expect("it gets the lock");
        looker.join().expect("it only looks");
        assert!(!lock.is_locked());
    });
}

/// Race: a newcomer that does not wait meets a hand-over: it does not get what is another's.
///
/// Mutation `sync-semaphore-barge` breaks the semaphore below.
#[test]
fn lock_03_14_a_hand_over_meets_a_newcomer() {
    explore("lock_03_14_a_hand_over_meets_a_newcomer", || {
        let lock = Arc::new(Lock::new(()));
        let guard = lock.try_lock().expect("nobody has it");
        let mut first = Box::pin(lock.lock());
        assert!(once(first.as_mut()).is_pending());
        let newcomer = {
            let lock = Arc::clone(&lock);
            thread::spawn(move || {
                assert!(lock.try_lock().is_err(), "it is the first one's");
            })
        };
        drop(guard);
        newcomer.join().expect("it got nothing");
        assert!(once(first.as_mut()).is_ready());
    });
}

/// Race: two read while one writes; a reader sees what was written before it, and never a write under way.
///
/// Mutation `sync-rw-lock-read-relaxed`: a read is given back without Release: the write after it is a data race.
#[test]
fn rw_lock_keeps_a_writer_apart_from_readers() {
    explore("rw_lock_keeps_a_writer_apart_from_readers", || {
        let lock = Arc::new(RwLock::new(Data::new()));
        let reader = {
            let lock = Arc::clone(&lock);
            thread::spawn(move || block_on(lock.read()).look())
        };
        let writer = {
            let lock = Arc::clone(&lock);
            thread::spawn(move || block_on(lock.write()).touch())
        };
        block_on(lock.read()).look();
        reader.join().expect("it reads");
        writer.join().expect("it writes");
        assert!(lock.try_write().is_ok());
    });
}

/// Race: a writer goes on as a reader, while another reader comes and a writer waits for both.
///
/// Mutation `sync-rw-lock-downgrade-gives-all`: a downgrade keeps no permit: reader and writer meet.
#[test]
fn rw_lock_downgrade_meets_a_writer() {
    explore("rw_lock_downgrade_meets_a_writer", || {
        let lock = Arc::new(RwLock::new(Data::new()));
        let guard = lock.try_write().expect("nobody has it");
        let writer = {
            let lock = Arc::clone(&lock);
            thread::spawn(move || block_on(lock.write()).touch())
        };
        let reader = {
            let lock = Arc::clone(&lock);
            thread::spawn(move || block_on(lock.read()).look())
        };
        guard.touch();
        let guard = WriteGuard::downgrade(guard);
        guard.look();
        drop(guard);
        writer.join().expect("it writes");
        reader.join().expect("it reads");
    });
}

/// Race: a writer at the front leaves while a reader behind it waits, and another reads.
///
/// Mutation `sync-semaphore-left-line-unserved`: who leaves does not look whom it stood in the way of.
#[test]
fn rw_lock_a_writer_that_leaves_lets_readers_in() {
    explore("rw_lock_a_writer_that_leaves_lets_readers_in", || {
        let lock = Arc::new(RwLock::new(()));
        let reading = lock.try_read().expect("nobody has it");
        let behind = {
            let lock = Arc::clone(&lock);
            thread::spawn(move || drop(block_on(lock.read())))
        };
        {
            let mut writer = pin!(lock.write());
            assert!(once(writer.as_mut()).is_pending());
        }
        behind.join().expect("it reads, although another reads still");
        drop(reading);
        assert!(lock.try_write().is_ok());
    });
}
