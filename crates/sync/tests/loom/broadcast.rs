//! Messages for everybody: sent, received, waited for and overwritten at once.

use crate::by_hand::{Count, block_on};
use kasasagi_primitive::explore::explore;
use kasasagi_primitive::sync::Arc;
use kasasagi_primitive::thread;
use kasasagi_sync::broadcast::{self, RecvError};
use std::pin::pin;
use std::task::Context;

/// Race: a message is sent while two begin to wait for it: both get it.
///
/// Mutation `sync-growing-blind-waiters`: who gets in line does not look again whether the number has grown.
#[test]
fn broadcast_send_meets_two_who_wait() {
    explore("broadcast_send_meets_two_who_wait", || {
        let (sender, mut first) = broadcast::channel(1);
        let mut second = sender.subscribe();
        let other = thread::spawn(move || block_on(second.recv()));
        let sending = thread::spawn(move || {
            assert_eq!(sender.send(7), Ok(2));
            // Its end would wake who waits.
            sender
        });
        assert_eq!(block_on(first.recv()), Ok(7));
        assert_eq!(other.join().expect("the other does not panic"), Ok(7));
        drop(sending.join().expect("the sender does not panic"));
    });
}

/// Race: two messages are sent into a ring of one while one receives: it gets each, or is told that it missed it; in order.
///
/// Mutation `sync-broadcast-blind-slot`: who receives takes what lies in the place, whatever its number.
#[test]
fn broadcast_overwrite_meets_recv() {
    explore("broadcast_overwrite_meets_recv", || {
        let (sender, mut receiver) = broadcast::channel(1);
        let sending = thread::spawn(move || {
            for message in [0, 1] {
                sender.send(message).expect("there is a receiver");
            }
        });
        let mut next = 0;
        loop {
            match block_on(receiver.recv()) {
                Ok(message) => {
                    assert_eq!(message, next, "out of order, or missed unsaid");
                    next += 1;
                }
                Err(RecvError::Lagged(missed)) => next += missed,
                Err(RecvError::Closed) => break,
            }
        }
        assert_eq!(next, 2);
        sending.join().expect("the sender does not panic");
    });
}

/// Race: a message is sent while one receiver goes and another receives it: it is counted for those who are there, so that
/// it is dropped once, and the last one that it is for does not miss it.
///
/// Mutation `sync-broadcast-goes-uncounted`: a receiver that goes leaves its share of messages behind: one is kept.
#[test]
fn broadcast_send_meets_drop() {
    explore("broadcast_send_meets_drop", || {
        let (sender, mut stays) = broadcast::channel(2);
        let goes = sender.subscribe();
        let message = Arc::new(());
        let sent = Arc::clone(&message);
        let sending = thread::spawn(move || {
            assert!(sender.send(sent).is_ok());
            sender
        });
        let going = thread::spawn(move || drop(goes));
        drop(block_on(stays.recv()).expect("it is sent"));
        going.join().expect("who goes does not panic");
        let sender = sending.join().expect("the sender does not panic");
        assert!(Arc::try_unwrap(message).is_ok(), "all have got it, and it is kept");
        drop((sender, stays));
    });
}

/// Race: one who waits leaves while a message is sent: no waker is kept, another who waits is woken, and the message is
/// still there for the one who left.
///
/// Mutation `sync-growing-leaves-flag`: who leaves the line clears the mark that somebody waits, also when others do.
#[test]
fn broadcast_send_meets_one_who_leaves() {
    explore("broadcast_send_meets_one_who_leaves", || {
        let (sender, mut leaves) = broadcast::channel(1);
        let mut stays = sender.subscribe();
        let count = Count::new();
        let other = thread::spawn(move || block_on(stays.recv()));
        {
            let mut waiting = pin!(leaves.recv());
            let waker = count.waker();
            let polled = waiting.as_mut().poll(&mut Context::from_waker(&waker));
            assert!(polled.is_pending());
        }
        assert_eq!(count.kept(), 0, "its waker is kept");
        assert_eq!(sender.send(7), Ok(2));
        assert_eq!(other.join().expect("the other does not panic"), Ok(7));
        assert_eq!(leaves.try_recv(), Ok(7));
    });
}

/// Race: the last two senders go while one waits: it is told.
///
/// Mutation `sync-broadcast-end-untold`: the last sender says that it is over and wakes nobody.
#[test]
fn broadcast_end_meets_recv() {
    explore("broadcast_end_meets_recv", || {
        let (sender, mut receiver) = broadcast::channel::<u8>(1);
        let other = sender.clone();
        let threads = [sender, other].map(|sender| thread::spawn(move || drop(sender)));
        assert_eq!(block_on(receiver.recv()), Err(RecvError::Closed));
        for thread in threads {
            thread.join().expect("a sender does not panic");
        }
    });
}
