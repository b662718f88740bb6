//! One value: sent, dropped and waited for at once.

use crate::by_hand::{Count, block_on, poll_once};
use kasasagi_primitive::explore::explore;
use kasasagi_primitive::sync::Arc;
use kasasagi_primitive::thread;
use kasasagi_sync::oneshot::{self, RecvError, TryRecvError};
use std::task::Waker;

/// Race: the value is sent while one begins to wait: it gets the value, whole, and does not wait for ever.
///
/// Mutation `primitive-gift-waker-unseen`: who gives it does not look whether somebody has begun to wait meanwhile.
/// Mutation `primitive-gift-relaxed`: it is given without Release: the data race is reported.
#[test]
fn oneshot_send_meets_poll() {
    explore("oneshot_send_meets_poll", || {
        let (sender, receiver) = oneshot::channel();
        let value = Arc::new(7);
        let sent = Arc::clone(&value);
        let sending = thread::spawn(move || sender.send(sent).is_ok());
        assert_eq!(block_on(receiver).map(|value| *value), Ok(7));
        assert!(sending.join().expect("the sender does not panic"));
    });
}

/// Race: the value is sent while one waits with another waker than before: that one is woken, or it sees the value.
///
/// Mutation `primitive-gift-soon-is-nothing`: who polls while the first waker is being called is content with it.
#[test]
fn oneshot_send_meets_another_waker() {
    explore("oneshot_send_meets_another_waker", || {
        let (sender, mut receiver) = oneshot::channel();
        assert!(poll_once(&mut receiver, Waker::noop()).is_pending());
        let sending = thread::spawn(move || sender.send(7).is_ok());
        assert_eq!(block_on(receiver), Ok(7));
        assert!(sending.join().expect("the sender does not panic"));
    });
}

/// Race: the value is sent while the one who waits for it goes: it is received by nobody, or given back, and dropped once;
/// the waker too. loom reports the block if it is leaked, or used after it was freed.
///
/// Mutation `primitive-gift-taker-frees`: who goes frees the block without looking whether the other is still there.
/// Mutation `primitive-gift-value-kept`: who goes leaves a value that was given meanwhile in the block.
/// Mutation `primitive-gift-gone-relaxed`: who finds the other gone frees the block without having acquired it.
#[test]
fn oneshot_send_meets_drop() {
    explore("oneshot_send_meets_drop", || {
        let (sender, mut receiver) = oneshot::channel();
        let count = Count::new();
        assert!(poll_once(&mut receiver, &count.waker()).is_pending());
        let value = Arc::new(());
        let sent = Arc::clone(&value);
        let sending = thread::spawn(move || drop(sender.send(sent)));
        drop(receiver);
        sending.join().expect("the sender does not panic");
        assert!(Arc::try_unwrap(value).is_ok(), "the value is dropped once");
        assert!(count.wakes() <= 1);
        assert_eq!(count.kept(), 0, "the waker is dropped once");
    });
}

/// Race: the sender goes without a value while one waits, and the receiver goes: who waits is told, once.
///
/// Mutation `primitive-gift-broken-tells-nobody`: a giver that goes wakes nobody.
#[test]
fn oneshot_end_meets_poll() {
    explore("oneshot_end_meets_poll", || {
        let (sender, receiver) = oneshot::channel::<Arc<u8>>();
        let dropping = thread::spawn(move || drop(sender));
        assert_eq!(block_on(receiver).map(|_| ()), Err(RecvError));
        dropping.join().expect("the sender does not panic");
    });
}

/// Race: the value is sent while the receiver, which has waited, is closed: either it comes back, or it can be received.
///
/// Mutation `primitive-gift-refused-keeps`: a value that was refused while the waker was called counts as given.
#[test]
fn oneshot_send_meets_close() {
    explore("oneshot_send_meets_close", || {
        let (sender, mut receiver) = oneshot::channel();
        let count = Count::new();
        assert!(poll_once(&mut receiver, &count.waker()).is_pending());
        let sending = thread::spawn(move || sender.send(7).is_ok());
        receiver.close();
        let first = receiver.try_recv();
        let sent = sending.join().expect("the sender does not panic");
        assert_eq!(first, if sent { Ok(7) } else { Err(TryRecvError::Closed) });
        drop(receiver);
        assert_eq!(count.kept(), 0, "the waker is dropped once");
    });
}
