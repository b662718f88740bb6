//! The latest value: changed, watched and left at once.

use crate::by_hand::{Count, block_on};
use kasasagi_primitive::explore::explore;
use kasasagi_primitive::thread;
use kasasagi_sync::watch;
use std::pin::pin;
use std::task::Context;

/// Race: a value is changed twice while one watches: it sees the last one, and never an older one after a newer.
///
/// Mutation `sync-watch-wakes-nobody`: who changes the value does not wake those who wait.
/// Mutation `sync-watch-version-first`: the version grows before the value is changed: an old value counts as seen under
/// the version of the new one, which is never seen.
#[test]
fn watch_send_meets_changed() {
    explore("watch_send_meets_changed", || {
        let (sender, mut receiver) = watch::channel(0);
        let sending = thread::spawn(move || {
            for value in [1, 2] {
                sender.send(value).expect("there is a receiver");
            }
            // Its end would wake who waits.
            sender
        });
        let mut last = 0;
        while last != 2 {
            assert_eq!(block_on(receiver.changed()), Ok(()));
            let value = *receiver.borrow_and_update();
            assert!(value >= last, "it goes back");
            last = value;
        }
        drop(sending.join().expect("the sender does not panic"));
    });
}

/// Race: two wait for different values while one changes it: each of them is told of its own.
///
/// Mutation `sync-watch-wakes-one`: a change wakes the first in line only.
#[test]
fn watch_send_meets_two_conditions() {
    explore("watch_send_meets_two_conditions", || {
        let (sender, mut receiver) = watch::channel(0);
        let mut other = receiver.clone();
        let other =
            thread::spawn(move || block_on(other.wait_for(|value| *value > 0)).map(|value| *value));
        let sending = thread::spawn(move || {
            sender.send_modify(|value| *value += 1);
            // Its end would wake who waits.
            sender
        });
        assert_eq!(block_on(receiver.wait_for(|value| *value == 1)).map(|value| *value), Ok(1));
        assert_eq!(other.join().expect("the other does not panic"), Ok(1));
        drop(sending.join().expect("the sender does not panic"));
    });
}

/// Race: one who waits leaves while the value is changed: the change does not count as seen, no waker is kept, and
/// another who waits is told.
///
/// Mutation `sync-watch-seen-while-waiting`: what changed after a poll looked counts as seen if it was waiting.
#[test]
fn watch_send_meets_drop() {
    explore("watch_send_meets_drop", || {
        let (sender, mut receiver) = watch::channel(0);
        let mut stays = receiver.clone();
        let count = Count::new();
        let stays = thread::spawn(move || block_on(stays.changed()));
        let sending = thread::spawn(move || {
            assert!(sender.send(1).is_ok());
            sender
        });
        let seen = {
            let mut waiting = pin!(receiver.changed());
            let waker = count.waker();
            waiting.as_mut().poll(&mut Context::from_waker(&waker)).is_ready()
        };
        let sender = sending.join().expect("the sender does not panic");
        assert_eq!(count.kept(), 0, "its waker is kept");
        assert_eq!(receiver.has_changed(), Ok(!seen));
        assert_eq!(stays.join().expect("who stays does not panic"), Ok(()));
        drop(sender);
    });
}

/// Race: the last sender changes the value and goes while one waits: it sees the value before the end.
///
/// Mutation `sync-watch-end-hides-change`: who looks takes the end before the change.
#[test]
fn watch_end_meets_changed() {
    explore("watch_end_meets_changed", || {
        let (sender, mut receiver) = watch::channel(0);
        let sending = thread::spawn(move || sender.send(1).is_ok());
        assert_eq!(block_on(receiver.changed()), Ok(()));
        assert_eq!(*receiver.borrow(), 1);
        assert!(block_on(receiver.changed()).is_err());
        assert!(sending.join().expect("the sender does not panic"));
    });
}
