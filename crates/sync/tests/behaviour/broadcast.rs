//! Every message to every receiver, in order; those who are too slow are told.

use crate::polled::{Polled, block_on, ready};
use kasasagi_sync::broadcast::{self, RecvError, SendError, TryRecvError};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::task::Poll;

#[test]
fn every_receiver_gets_every_message_in_order() {
    let (sender, first) = broadcast::channel(8);
    let mut receivers = vec![first, sender.subscribe(), sender.subscribe()];
    for message in 0..8 {
        assert_eq!(sender.send(message), Ok(3));
    }
    for receiver in &mut receivers {
        assert_eq!(receiver.len(), 8);
        for message in 0..8 {
            assert_eq!(ready(receiver.recv()), Ok(message));
        }
        assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
        assert!(receiver.is_empty());
    }
}

#[test]
fn who_comes_later_gets_what_is_sent_later() {
    let (sender, mut first) = broadcast::channel(4);
    sender.send(1).expect("there is one");
    let mut second = sender.subscribe();
    let mut third = first.resubscribe();
    assert_eq!(sender.send(2), Ok(3));
    assert_eq!((first.try_recv(), first.try_recv()), (Ok(1), Ok(2)));
    assert_eq!(second.try_recv(), Ok(2));
    assert_eq!(third.try_recv(), Ok(2));
}

#[test]
fn a_message_without_a_receiver_comes_back() {
    let (sender, receiver) = broadcast::channel(4);
    drop(receiver);
    assert_eq!(sender.send("mine"), Err(SendError("mine")));
    let mut receiver = sender.subscribe();
    assert_eq!(sender.send("theirs"), Ok(1));
    assert_eq!(receiver.try_recv(), Ok("theirs"));
}

#[test]
fn who_is_too_slow_is_told_how_many_it_missed_and_goes_on_with_the_oldest() {
    for capacity in [1, 2, 3, 5] {
        for sent in 0..20_usize {
            let (sender, mut receiver) = broadcast::channel(capacity);
            for message in 0..sent {
                sender.send(message).expect("there is one");
            }
            let missed = sent.saturating_sub(capacity);
            assert_eq!(receiver.len(), sent.min(capacity));
            if missed > 0 {
                assert_eq!(ready(receiver.recv()), Err(RecvError::Lagged(missed as u64)));
            }
            for message in missed..sent {
                assert_eq!(receiver.try_recv(), Ok(message));
            }
            assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
        }
    }
}

#[test]
fn those_who_wait_are_woken_in_the_order_in_which_they_came() {
    let (sender, first) = broadcast::channel(4);
    let order = Arc::new(std::sync::Mutex::new(Vec::new()));
    struct Note(usize, Arc<std::sync::Mutex<Vec<usize>>>);
    impl std::task::Wake for Note {
        fn wake(self: Arc<Self>) {
            self.1.lock().expect("no panic").push(self.0);
        }
    }
    // More than one batch of wakers.
    let mut receivers: Vec<_> = (1..100).map(|_| sender.subscribe()).collect();
    receivers.push(first);
    let mut waiting: Vec<_> =
        receivers.iter_mut().map(|receiver| Box::pin(receiver.recv())).collect();
    for (number, future) in waiting.iter_mut().enumerate() {
        let waker = Arc::new(Note(number, Arc::clone(&order))).into();
        let mut cx = std::task::Context::from_waker(&waker);
        assert!(future.as_mut().poll(&mut cx).is_pending());
    }
    assert_eq!(sender.send(7), Ok(100));
    assert_eq!(*order.lock().expect("no panic"), (0..100).collect::<Vec<_>>());
    for future in waiting {
        assert_eq!(ready(future), Ok(7));
    }
}

#[test]
fn the_last_sender_that_goes_ends_it_and_what_was_sent_is_still_received() {
    let (sender, mut receiver) = broadcast::channel(4);
    let other = sender.clone();
    assert_eq!(sender.sender_count(), 2);
    assert!(sender.same_channel(&other));
    sender.send(1).expect("there is one");
    drop(sender);
    assert!(!receiver.is_closed());
    assert_eq!(receiver.try_recv(), Ok(1));
    let mut waiting = Polled::waiting(receiver.recv());
    other.send(2).expect("there is one");
    drop(other);
    assert_eq!(waiting.wakes(), 1);
    assert_eq!(waiting.poll(), Poll::Ready(Ok(2)));
    drop(waiting);
    assert!(receiver.is_closed());
    assert_eq!(ready(receiver.recv()), Err(RecvError::Closed));
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Closed));
}

#[test]
fn the_end_wakes_who_waits() {
    let (sender, mut receiver) = broadcast::channel::<u8>(4);
    let mut waiting = Polled::waiting(receiver.recv());
    drop(sender);
    assert_eq!(waiting.wakes(), 1);
    assert_eq!(waiting.poll(), Poll::Ready(Err(RecvError::Closed)));
}

#[test]
fn a_dropped_recv_has_taken_nothing_before_and_after_its_wake() {
    let (sender, mut receiver) = broadcast::channel(4);
    let waiting = Polled::waiting(receiver.recv());
    let wakers = waiting.wakers();
    drop(waiting);
    assert_eq!(wakers(), 0, "its waker is kept");
    let waiting = Polled::waiting(receiver.recv());
    sender.send(1).expect("there is one");
    assert_eq!(waiting.wakes(), 1);
    drop(waiting);
    assert_eq!(ready(receiver.recv()), Ok(1));
    let mut waiting = Polled::waiting(receiver.recv());
    assert!(waiting.poll().is_pending());
    assert_eq!(waiting.kept_wakers(), 1);
}

/// Counts how often it was cloned and dropped.
struct Counted(Arc<[AtomicUsize; 2]>);

impl Clone for Counted {
    fn clone(&self) -> Self {
        self.0[0].fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(&self.0))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0[1].fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn a_message_is_gone_when_all_have_got_it_and_the_last_gets_the_message_itself() {
    let counts = Arc::new([AtomicUsize::new(0), AtomicUsize::new(0)]);
    let (sender, mut first) = broadcast::channel(4);
    let mut second = sender.subscribe();
    let third = sender.subscribe();
    sender.send(Counted(Arc::clone(&counts))).expect("there are receivers");
    drop(first.try_recv().expect("a message"));
    drop(third);
    assert_eq!(counts.each_ref().map(|n| n.load(Ordering::Relaxed)), [1, 1]);
    drop(second.try_recv().expect("a message"));
    assert_eq!(counts.each_ref().map(|n| n.load(Ordering::Relaxed)), [1, 2]);
    // What nobody got goes with the last receiver, and what was overwritten, with the next message.
    for _ in 0..6 {
        sender.send(Counted(Arc::clone(&counts))).expect("there are receivers");
    }
    assert_eq!(counts[1].load(Ordering::Relaxed), 4);
    drop(first);
    assert_eq!(counts[1].load(Ordering::Relaxed), 4);
    drop(second);
    assert_eq!(counts[1].load(Ordering::Relaxed), 8);
    drop(sender);
    assert_eq!(Arc::strong_count(&counts), 1);
}

#[test]
fn a_clone_that_panics_loses_and_doubles_nothing() {
    struct Picky(Arc<AtomicUsize>);
    impl Clone for Picky {
        fn clone(&self) -> Self {
            assert!(self.0.fetch_add(1, Ordering::Relaxed) > 0, "the first time");
            Self(Arc::clone(&self.0))
        }
    }
    /// The same without anything to drop.
    struct Plain(&'static AtomicUsize);
    impl Clone for Plain {
        fn clone(&self) -> Self {
            assert!(self.0.fetch_add(1, Ordering::Relaxed) > 0, "the first time");
            Self(self.0)
        }
    }
    fn two_receive<T: Clone>(message: T) -> [bool; 4] {
        let (sender, mut first) = broadcast::channel(2);
        let mut second = sender.subscribe();
        assert!(sender.send(message).is_ok());
        let receive = |receiver: &mut broadcast::Receiver<T>| {
            let received = std::panic::AssertUnwindSafe(|| receiver.try_recv().is_ok());
            std::panic::catch_unwind(received).unwrap_or(false)
        };
        [receive(&mut first), receive(&mut second), receive(&mut first), receive(&mut second)]
    }
    static PLAIN: AtomicUsize = AtomicUsize::new(0);
    let picky = Picky(Arc::default());
    // What was got and not cloned is gone, as an argument of a function that panics is.
    assert_eq!(two_receive(picky), [false, true, false, false]);
    assert_eq!(two_receive(Plain(&PLAIN)), [false, true, true, false]);
}

/// A message that comes back to its channel when it is cloned and dropped: no lock is held then.
#[test]
fn a_message_may_use_its_channel_when_it_is_cloned_or_dropped() {
    struct Nosy(broadcast::Sender<Nosy>);
    impl Clone for Nosy {
        fn clone(&self) -> Self {
            assert!(self.0.receiver_count() > 0);
            Self(self.0.clone())
        }
    }
    impl Drop for Nosy {
        fn drop(&mut self) {
            let _ = (self.0.receiver_count(), self.0.subscribe());
        }
    }
    let (over, ended) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let (sender, mut receiver) = broadcast::channel(1);
        let mut other = sender.subscribe();
        for _ in 0..2 {
            let message = Nosy(sender.clone());
            assert!(sender.send(message).is_ok());
        }
        assert_eq!(receiver.try_recv().err(), Some(TryRecvError::Lagged(1)));
        drop(receiver.try_recv());
        assert_eq!(other.try_recv().err(), Some(TryRecvError::Lagged(1)));
        drop((receiver, other));
        let _ = over.send(());
    });
    let ended = ended.recv_timeout(std::time::Duration::from_secs(10));
    assert!(ended.is_ok(), "it was cloned or dropped under a lock");
}

#[test]
#[should_panic(expected = "its capacity is not 0")]
fn a_capacity_of_0_is_refused() {
    let _ = broadcast::channel::<u8>(0);
}

#[test]
fn messages_of_several_threads_come_to_all_in_one_order() {
    const EACH: usize = 2000;
    let (sender, first) = broadcast::channel(4 * EACH);
    let receivers = vec![first, sender.subscribe()];
    let start = Arc::new(Barrier::new(4));
    let senders: Vec<_> = (0..2)
        .map(|who| {
            let (sender, start) = (sender.clone(), Arc::clone(&start));
            std::thread::spawn(move || {
                start.wait();
                for number in 0..EACH {
                    sender.send((who, number)).expect("there are two");
                }
            })
        })
        .collect();
    drop(sender);
    let receivers: Vec<_> = receivers
        .into_iter()
        .map(|mut receiver| {
            let start = Arc::clone(&start);
            std::thread::spawn(move || {
                start.wait();
                let mut got = Vec::new();
                loop {
                    match block_on(receiver.recv()) {
                        Ok(message) => got.push(message),
                        Err(RecvError::Closed) => return got,
                        Err(lagged) => panic!("there is room for all: {lagged}"),
                    }
                }
            })
        })
        .collect();
    for sender in senders {
        sender.join().expect("no panic");
    }
    let got: Vec<_> = receivers.into_iter().map(|it| it.join().expect("no panic")).collect();
    assert_eq!(got[0], got[1], "one order");
    for who in 0..2 {
        let numbers: Vec<_> = got[0].iter().filter(|it| it.0 == who).map(|it| it.1).collect();
        assert_eq!(numbers, (0..EACH).collect::<Vec<_>>());
    }
}
