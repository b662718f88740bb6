//! One value, once: whoever goes first, and whenever.

use crate::polled::{Polled, ready};
use kasasagi_primitive::task_context::{self, TaskContext};
use kasasagi_sync::oneshot::{self, RecvError, SendError, TryRecvError};
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

#[test]
fn what_was_sent_is_received_before_and_after_it_is_waited_for() {
    let (sender, receiver) = oneshot::channel();
    sender.send(1).expect("the receiver is there");
    assert_eq!(ready(receiver), Ok(1));
    let (sender, receiver) = oneshot::channel();
    let mut receiver = Polled::waiting(receiver);
    sender.send(2).expect("the receiver is there");
    assert_eq!(receiver.wakes(), 1);
    assert_eq!(receiver.poll(), Poll::Ready(Ok(2)));
    assert_eq!(receiver.poll(), Poll::Ready(Err(RecvError)), "once");
}

#[test]
fn a_sender_that_goes_wakes_who_waits() {
    let (sender, receiver) = oneshot::channel::<u8>();
    let mut receiver = Polled::waiting(receiver);
    drop(sender);
    assert_eq!(receiver.wakes(), 1);
    assert_eq!(receiver.poll(), Poll::Ready(Err(RecvError)));
    let (sender, mut receiver) = oneshot::channel::<u8>();
    drop(sender);
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Closed));
    assert_eq!(ready(receiver), Err(RecvError));
}

#[test]
fn what_nobody_receives_comes_back() {
    let (sender, receiver) = oneshot::channel();
    assert!(!sender.is_closed());
    drop(receiver);
    assert!(sender.is_closed());
    assert_eq!(sender.send("mine"), Err(SendError("mine")));
    let (sender, mut receiver) = oneshot::channel();
    receiver.close();
    assert!(sender.is_closed());
    assert_eq!(sender.send("mine"), Err(SendError("mine")));
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Closed));
}

#[test]
fn what_was_sent_before_the_close_can_be_received() {
    let (sender, mut receiver) = oneshot::channel();
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
    sender.send(1).expect("it is open");
    receiver.close();
    assert_eq!(receiver.try_recv(), Ok(1));
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Closed));
}

/// Each way in which the two sides can end, with a waker left or not: the value is dropped once, and no waker is kept.
#[test]
fn nothing_is_left_whoever_goes_when() {
    for waits in [false, true] {
        for sends in [false, true] {
            for receives in [false, true] {
                for receiver_first in [false, true] {
                    let value = Arc::new(());
                    let (sender, mut receiver) = oneshot::channel();
                    let mut waiting = Polled::new(&mut receiver);
                    assert!(!waits || waiting.poll().is_pending());
                    if sends {
                        sender.send(Arc::clone(&value)).expect("it is there");
                        assert_eq!(waiting.kept_wakers(), 0);
                        assert!(!receives || waiting.poll().is_ready());
                        drop(waiting);
                        drop(receiver);
                    } else if receiver_first {
                        // The waker stays, as the receiver does; and goes with it.
                        assert_eq!(waiting.kept_wakers(), usize::from(waits));
                        drop(waiting);
                        drop(receiver);
                        let back = sender.send(Arc::clone(&value)).expect_err("nobody is there");
                        assert!(Arc::ptr_eq(&back.0, &value));
                    } else {
                        drop(sender);
                        assert_eq!(waiting.kept_wakers(), 0);
                        assert!(!receives || waiting.poll().is_ready());
                    }
                    assert_eq!(Arc::strong_count(&value), 1);
                }
            }
        }
    }
}

#[test]
fn a_receiver_that_goes_takes_its_waker_along() {
    let (sender, mut receiver) = oneshot::channel::<u8>();
    let mut waiting =
        Polled::waiting(std::future::poll_fn(|cx| std::pin::Pin::new(&mut receiver).poll(cx)));
    assert_eq!(waiting.kept_wakers(), 1);
    assert!(waiting.poll().is_pending());
    assert_eq!(waiting.kept_wakers(), 1);
    let count = waiting.wakers();
    drop(waiting);
    drop(receiver);
    assert_eq!(count(), 0);
    assert_eq!(sender.send(1), Err(SendError(1)));
}

#[test]
fn the_last_waker_is_the_one_woken() {
    let (sender, mut receiver) = oneshot::channel();
    let mut first = Polled::waiting(&mut receiver);
    assert!(first.poll().is_pending(), "polled again with the same waker");
    assert_eq!(first.kept_wakers(), 1);
    let first_wakes = {
        let wakes = first.wakes();
        drop(first);
        wakes
    };
    let mut second = Polled::waiting(&mut receiver);
    sender.send(3).expect("it is there");
    assert_eq!((first_wakes, second.wakes()), (0, 1));
    assert_eq!(second.poll(), Poll::Ready(Ok(3)));
}

#[test]
fn a_thread_waits_for_its_value() {
    let (sender, receiver) = oneshot::channel();
    let waiter = std::thread::spawn(move || receiver.blocking_recv());
    sender.send(7).expect("it is there");
    assert_eq!(waiter.join().expect("no panic"), Ok(7));
    let (sender, receiver) = oneshot::channel::<u8>();
    let waiter = std::thread::spawn(move || receiver.blocking_recv());
    drop(sender);
    assert_eq!(waiter.join().expect("no panic"), Err(RecvError));
}

/// Runs `f` as if it were part of a task.
pub(crate) fn inside_a_task<R>(context: &TaskContext, f: impl FnOnce() -> R) -> R {
    #[expect(unsafe_code, reason = "the test stands in for the task cell")]
    // SAFETY: the context outlives the guard, and this is the only thread that polls under it.
    let _entered = unsafe { task_context::enter(std::ptr::from_ref(context)) };
    f()
}

#[test]
#[should_panic(
    expected = "inside a task it would keep a worker from all other tasks: await instead"
)]
fn a_thread_that_runs_a_task_may_not_wait_like_that() {
    let (_sender, receiver) = oneshot::channel::<u8>();
    let context = TaskContext::new(1);
    let _ = inside_a_task(&context, || receiver.blocking_recv());
}

#[test]
fn a_waiting_task_says_what_for_and_where_it_was_made() {
    let (sender, mut receiver) = oneshot::channel::<u8>();
    let line = line!() - 1;
    let context = TaskContext::new(1);
    let waiting = inside_a_task(&context, || Polled::waiting(&mut receiver));
    let wait = context.wait.get().expect("it waits");
    assert_eq!(wait.kind.as_str(), "channel");
    assert_eq!(wait.place.map(std::panic::Location::line), Some(line));
    drop(waiting);
    drop(sender);
}

#[test]
fn a_spent_budget_suspends_and_takes_nothing() {
    let previous = kasasagi_primitive::coop::start();
    let mut taken = 0;
    loop {
        let (sender, receiver) = oneshot::channel();
        sender.send(taken).expect("it is there");
        let mut receiver = Polled::new(receiver);
        match receiver.poll() {
            Poll::Ready(value) => assert_eq!(value, Ok(taken)),
            Poll::Pending => {
                assert_eq!(receiver.wakes(), 1);
                kasasagi_primitive::coop::restore(previous);
                assert_eq!(receiver.poll(), Poll::Ready(Ok(taken)));
                break;
            }
        }
        taken += 1;
    }
    assert_eq!(taken, u32::from(kasasagi_primitive::coop::BUDGET));
}

#[test]
fn large_values_and_those_without_a_size_arrive_whole() {
    let (sender, receiver) = oneshot::channel();
    sender.send([7_u64; 100]).expect("it is there");
    assert_eq!(ready(receiver), Ok([7_u64; 100]));
    let (sender, receiver) = oneshot::channel();
    sender.send(()).expect("it is there");
    assert_eq!(ready(receiver), Ok(()));
}

/// A waker is foreign: what it panics with is not the sender's, which may go in a panic itself.
#[test]
fn a_waker_that_panics_does_so_neither_in_a_send_nor_in_a_drop() {
    struct Bad;
    impl Wake for Bad {
        fn wake(self: Arc<Self>) {
            panic!("a foreign waker");
        }
    }
    let waker = Waker::from(Arc::new(Bad));
    let mut cx = Context::from_waker(&waker);
    for sends in [false, true] {
        let (sender, mut receiver) = oneshot::channel();
        assert!(Pin::new(&mut receiver).poll(&mut cx).is_pending());
        let end = catch_unwind(AssertUnwindSafe(|| if sends { sender.send(7) } else { Ok(()) }));
        assert!(matches!(end, Ok(Ok(()))), "sends: {sends}");
        let found = if sends { Ok(7) } else { Err(TryRecvError::Closed) };
        assert_eq!(receiver.try_recv(), found);
    }
}
