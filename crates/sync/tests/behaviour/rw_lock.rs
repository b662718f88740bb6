//! Locks of readers and writers: one line, order, and futures dropped in every state.

use crate::hand::{Hand, ready};
use kasasagi_primitive::sync::Arc;
use kasasagi_sync::{
    MappedWriteGuard, OwnedMappedWriteGuard, OwnedReadGuard, OwnedWriteGuard, ReadGuard, RwLock,
    WouldBlock, WriteGuard,
};

#[test]
fn many_read_at_a_time_and_one_writes() {
    let lock = RwLock::new(1);
    let (one, two) = (ready(lock.read()), ready(lock.read()));
    assert_eq!(*one + *two, 2);
    let mut writer = Hand::waiting(lock.write());
    drop(one);
    assert!(writer.poll().is_pending());
    drop(two);
    assert_eq!(writer.wakes(), 1);
    let mut guard = writer.ready();
    *guard = 5;
    let mut reader = Hand::waiting(lock.read());
    drop(guard);
    assert_eq!(*reader.ready(), 5);
}

#[test]
fn a_writer_is_not_starved_by_readers_who_come_after_it() {
    let lock = RwLock::new(());
    let reading = ready(lock.read());
    let mut writer = Hand::waiting(lock.write());
    let mut late = Hand::waiting(lock.read());
    assert_eq!(lock.try_read().err(), Some(WouldBlock), "nobody overtakes");
    drop(reading);
    assert_eq!((writer.wakes(), late.wakes()), (1, 0));
    drop(writer.ready());
    drop(late.ready());
}

#[test]
fn readers_who_wait_together_are_let_in_together_up_to_the_next_writer() {
    let lock = RwLock::new(());
    let writing = ready(lock.write());
    let mut readers: Vec<_> = (0..40).map(|_| Hand::waiting(lock.read())).collect();
    let mut writer = Hand::waiting(lock.write());
    let last = Hand::waiting(lock.read());
    drop(writing);
    assert!(readers.iter().all(|reader| reader.wakes() == 1));
    assert_eq!((writer.wakes(), last.wakes()), (0, 0));
    let guards: Vec<_> = readers.iter_mut().map(Hand::ready).collect();
    drop(guards);
    drop(writer.ready());
    assert_eq!(last.wakes(), 1);
}

#[test]
fn a_writer_that_leaves_lets_the_readers_behind_it_in() {
    let lock = RwLock::new(());
    let reading = ready(lock.read());
    let writer = Hand::waiting(lock.write());
    let mut late = Hand::waiting(lock.read());
    drop(writer);
    assert_eq!(late.wakes(), 1);
    drop(late.ready());
    drop(reading);
    assert!(lock.try_write().is_ok());
}

#[test]
fn one_who_was_let_in_and_leaves_passes_it_on() {
    let lock = RwLock::new(());
    let writing = ready(lock.write());
    let (reader, other) = (Hand::waiting(lock.read()), Hand::waiting(lock.write()));
    drop(writing);
    assert_eq!((reader.wakes(), other.wakes()), (1, 0));
    drop(reader);
    assert_eq!(other.wakes(), 1);
    drop(other);
    assert!(lock.try_write().is_ok());
}

#[test]
fn a_downgrade_lets_readers_in_and_no_writer_in_between() {
    let lock = RwLock::new(1);
    let mut guard = ready(lock.write());
    let mut reader = Hand::waiting(lock.read());
    let writer = Hand::waiting(lock.write());
    *guard = 2;
    let guard = WriteGuard::downgrade(guard);
    assert_eq!((reader.wakes(), writer.wakes()), (1, 0));
    assert_eq!(*reader.ready() + *guard, 4);
    drop(guard);
    assert_eq!(writer.wakes(), 1);
}

#[test]
fn guards_of_a_part_hold_the_whole_lock() {
    let lock = RwLock::new((1, [2, 3]));
    let guard = WriteGuard::map(ready(lock.write()), |pair| &mut pair.1);
    let mut guard = MappedWriteGuard::map(guard, |both| &mut both[0]);
    *guard = 7;
    assert!(lock.try_read().is_err());
    drop(guard);
    let guard = ReadGuard::map(ready(lock.read()), |pair| &pair.1[0]);
    assert_eq!(*guard, 7);
    assert!(lock.try_write().is_err() && lock.try_read().is_ok());
    drop(guard);
    assert_eq!(lock.into_inner(), (1, [7, 3]));
}

#[test]
fn owned_guards_keep_their_lock_and_may_be_dropped_elsewhere() {
    let lock = Arc::new(RwLock::new(1));
    let mut guard = ready(RwLock::write_owned(Arc::clone(&lock)));
    *guard += 1;
    let guard = OwnedWriteGuard::downgrade(guard);
    let second = ready(RwLock::read_owned(Arc::clone(&lock)));
    assert_eq!(*guard + *second, 4);
    std::thread::spawn(move || drop((guard, second))).join().expect("they may be dropped there");
    assert_eq!(Arc::strong_count(&lock), 1);
    assert!(lock.try_write().is_ok());
}

#[test]
fn debug_tells_who_is_inside_and_how_many_wait() {
    let lock = RwLock::new(());
    let reading = (ready(lock.read()), ready(lock.read()));
    let waiting = Hand::waiting(lock.write());
    let text = format!("{lock:?}");
    assert_eq!(text, "RwLock { readers: 2, writing: false, waiters: 1, .. }");
    drop((waiting, reading));
    let _writing = ready(lock.write());
    let text = format!("{lock:?}");
    assert_eq!(text, "RwLock { readers: 0, writing: true, waiters: 0, .. }");
}

#[test]
fn a_panic_under_a_guard_releases_it() {
    let lock = RwLock::new(());
    let hold = || {
        let _guard = ready(lock.write());
        panic!("under the guard");
    };
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(hold)).is_err());
    assert!(lock.try_write().is_ok());
}

#[test]
fn a_waker_that_panics_in_a_downgrade_does_not_keep_the_lock() {
    struct Bad;
    impl std::task::Wake for Bad {
        fn wake(self: std::sync::Arc<Self>) {
            panic!("a bad waker");
        }
    }
    let lock = RwLock::new(());
    let guard = lock.try_write().expect("nobody has it");
    let mut reader = Box::pin(lock.read());
    let waker = std::task::Waker::from(std::sync::Arc::new(Bad));
    assert!(reader.as_mut().poll(&mut std::task::Context::from_waker(&waker)).is_pending());
    let downgrade = || drop(WriteGuard::downgrade(guard));
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(downgrade)).is_err());
    drop(reader);
    assert_eq!(format!("{lock:?}"), "RwLock { readers: 0, writing: false, waiters: 0, .. }");
    assert!(lock.try_write().is_ok(), "nobody has it");
}

#[test]
fn owned_guards_of_parts_keep_the_lock_and_what_it_promises() {
    let lock = Arc::new(RwLock::new((1, [2, 3])));
    let guard = ready(RwLock::write_owned(Arc::clone(&lock)));
    let guard = OwnedWriteGuard::map(guard, |pair| &mut pair.1);
    let mut guard = OwnedMappedWriteGuard::map(guard, |both| &mut both[0]);
    *guard += 10;
    assert_eq!(format!("{guard:?}"), "12");
    assert!(lock.try_read().is_err(), "it is alone");
    std::thread::spawn(move || drop(guard)).join().expect("a guard may be dropped elsewhere");
    let guard = ready(RwLock::read_owned(Arc::clone(&lock)));
    let guard = OwnedReadGuard::map(guard, |pair| &pair.1);
    let guard = OwnedReadGuard::map(guard, |both| &both[0]);
    assert_eq!((*guard, Arc::strong_count(&lock)), (12, 2));
    assert!(lock.try_read().is_ok() && lock.try_write().is_err(), "it is among readers");
    drop(guard);
    assert!(lock.try_write().is_ok());
    assert_eq!(Arc::strong_count(&lock), 1);
}
