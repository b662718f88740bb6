//! The latest value, and who waits for another.

use crate::polled::{Polled, block_on, ready};
use kasasagi_sync::watch::{self, RecvError, SendError};
use std::task::Poll;

#[test]
fn the_first_value_counts_as_seen_and_a_change_is_seen_once() {
    let (sender, mut receiver) = watch::channel(1);
    assert_eq!((*receiver.borrow(), receiver.has_changed()), (1, Ok(false)));
    let mut waiting = Polled::waiting(receiver.changed());
    sender.send(2).expect("there is one");
    sender.send(3).expect("there is one");
    assert_eq!(waiting.wakes(), 1);
    assert_eq!(waiting.poll(), Poll::Ready(Ok(())));
    drop(waiting);
    assert_eq!(*receiver.borrow(), 3);
    drop(Polled::waiting(receiver.changed()));
}

#[test]
fn a_look_counts_as_seen_only_if_it_says_so() {
    let (sender, mut receiver) = watch::channel(1);
    sender.send(2).expect("there is one");
    assert_eq!(*receiver.borrow(), 2);
    assert_eq!(receiver.has_changed(), Ok(true));
    assert_eq!(*receiver.borrow_and_update(), 2);
    assert_eq!(receiver.has_changed(), Ok(false));
    receiver.mark_changed();
    assert_eq!(ready(receiver.changed()), Ok(()));
    sender.send(3).expect("there is one");
    receiver.mark_unchanged();
    drop(Polled::waiting(receiver.changed()));
}

#[test]
fn each_receiver_sees_by_itself_and_a_clone_has_seen_the_same() {
    let (sender, mut first) = watch::channel(1);
    sender.send(2).expect("there is one");
    let mut clone = first.clone();
    let mut new = sender.subscribe();
    assert_eq!(ready(first.changed()), Ok(()));
    assert_eq!(ready(clone.changed()), Ok(()));
    drop(Polled::waiting(new.changed()));
    assert_eq!(sender.receiver_count(), 3);
}

#[test]
fn a_value_that_nobody_will_see_comes_back_and_can_be_set_all_the_same() {
    let (sender, receiver) = watch::channel(1);
    drop(receiver);
    assert!(sender.is_closed());
    assert_eq!(sender.send(2), Err(SendError(2)));
    assert_eq!(*sender.borrow(), 1);
    assert_eq!(sender.send_replace(3), 1);
    let receiver = sender.subscribe();
    assert_eq!(*receiver.borrow(), 3);
}

#[test]
fn a_value_can_be_changed_in_its_place() {
    let (sender, mut receiver) = watch::channel(vec![1]);
    sender.send_modify(|list| list.push(2));
    assert_eq!(*receiver.borrow_and_update(), [1, 2]);
    let mut waiting = Polled::waiting(receiver.changed());
    assert!(!sender.send_if_modified(|_| false));
    assert_eq!(waiting.wakes(), 0);
    assert!(sender.send_if_modified(|list| list.pop().is_some()));
    assert_eq!(waiting.wakes(), 1);
    assert_eq!(waiting.poll(), Poll::Ready(Ok(())));
    drop(waiting);
    assert_eq!(*receiver.borrow(), [1]);
}

#[test]
fn a_change_that_panics_locks_nothing_and_tells_nobody() {
    let (sender, mut receiver) = watch::channel(1);
    let mut waiting = Polled::waiting(receiver.changed());
    let panics = || sender.send_modify(|_| panic!("no"));
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(panics)).is_err());
    assert_eq!(waiting.wakes(), 0);
    sender.send(2).expect("it is not locked");
    assert_eq!(waiting.poll(), Poll::Ready(Ok(())));
}

#[test]
fn the_last_sender_that_goes_ends_it_after_the_last_value_was_seen() {
    let (sender, mut receiver) = watch::channel(1);
    let other = sender.clone();
    assert_eq!(other.sender_count(), 2);
    sender.send(2).expect("there is one");
    drop(sender);
    assert_eq!(ready(receiver.changed()), Ok(()));
    let mut waiting = Polled::waiting(receiver.changed());
    drop(other);
    assert_eq!(waiting.wakes(), 1);
    assert_eq!(waiting.poll(), Poll::Ready(Err(RecvError)));
    drop(waiting);
    assert_eq!(receiver.has_changed(), Err(RecvError));
    assert_eq!(*receiver.borrow(), 2, "it can still be looked at");
    assert_eq!(ready(receiver.wait_for(|value| *value == 2)).map(|value| *value), Ok(2));
    assert_eq!(ready(receiver.wait_for(|value| *value == 3)).map(|value| *value), Err(RecvError));
}

#[test]
fn a_condition_is_waited_for() {
    let (sender, mut receiver) = watch::channel(1);
    assert_eq!(ready(receiver.wait_for(|value| *value == 1)).map(|value| *value), Ok(1));
    let mut waiting = Polled::waiting(receiver.wait_for(|value| *value > 2));
    sender.send(2).expect("there is one");
    assert_eq!(waiting.wakes(), 1);
    assert!(waiting.poll().is_pending());
    sender.send(3).expect("there is one");
    assert_eq!(waiting.wakes(), 2);
    assert!(matches!(waiting.poll(), Poll::Ready(Ok(value)) if *value == 3));
    drop(waiting);
    assert_eq!(receiver.has_changed(), Ok(false));
}

#[test]
fn two_looks_on_one_thread_do_not_get_in_each_others_way() {
    let (sender, receiver) = watch::channel(1);
    let other = receiver.clone();
    let first = receiver.borrow();
    // One who wants to change it waits; that must not keep the second look waiting.
    let changes = std::thread::spawn(move || sender.send(2));
    std::thread::yield_now();
    for _ in 0..1000 {
        assert_eq!((*first, *other.borrow()), (1, 1));
    }
    drop(first);
    changes.join().expect("no panic").expect("there are two");
    assert_eq!(*other.borrow(), 2);
}

#[test]
fn a_dropped_wait_has_seen_nothing_and_leaves_no_waker() {
    let (sender, mut receiver) = watch::channel(1);
    let waiting = Polled::waiting(receiver.changed());
    let wakers = waiting.wakers();
    sender.send(2).expect("there is one");
    drop(waiting);
    assert_eq!((wakers(), receiver.has_changed()), (0, Ok(true)));
    receiver.mark_unchanged();
    let waiting = Polled::waiting(receiver.wait_for(|value| *value == 9));
    let wakers = waiting.wakers();
    drop(waiting);
    assert_eq!(wakers(), 0);
    assert!(format!("{sender:?} {receiver:?}").contains("version: 1"));
}

#[test]
fn more_than_a_batch_is_woken_whoever_panics() {
    struct Bad;
    impl std::task::Wake for Bad {
        fn wake(self: std::sync::Arc<Self>) {
            panic!("a bad waker");
        }
    }
    let (sender, mut bad) = watch::channel(1);
    let mut receivers: Vec<_> = (0..100).map(|_| sender.subscribe()).collect();
    let waker = std::sync::Arc::new(Bad).into();
    let mut first = Box::pin(bad.changed());
    assert!(first.as_mut().poll(&mut std::task::Context::from_waker(&waker)).is_pending());
    let waiting: Vec<_> =
        receivers.iter_mut().map(|receiver| Polled::waiting(receiver.changed())).collect();
    sender.send(2).expect("there are many");
    assert!(waiting.iter().all(|one| one.wakes() == 1));
}

#[test]
fn who_watches_on_another_thread_sees_the_last_value() {
    for _ in 0..50 {
        let (sender, mut receiver) = watch::channel(0);
        let watcher = std::thread::spawn(move || {
            let mut last = 0;
            while block_on(receiver.changed()).is_ok() {
                let value = *receiver.borrow_and_update();
                assert!(value >= last, "it goes back");
                last = value;
            }
            last
        });
        for value in 1..=100 {
            sender.send(value).expect("there is one");
        }
        drop(sender);
        assert_eq!(watcher.join().expect("no panic"), 100);
    }
}
