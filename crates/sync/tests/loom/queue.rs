//! Queues: no item and no room is lost, nobody waits for ever, and the end is exact.

use kasasagi_primitive::explore::explore;
use kasasagi_primitive::park::Parker;
use kasasagi_primitive::thread::{self, JoinHandle};
use kasasagi_sync::{Closed, Queue, TryGetError};
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

fn block_on<F: Future>(future: F) -> F::Output {
    let parker = Parker::new();
    let waker = parker.unparker().into_waker();
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        parker.park();
    }
}

/// Polls a future once with a waker that does nothing.
fn poll_once<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// Runs `f` with a handle of the queue on a thread of its own.
fn beside<T, R: Send + 'static>(
    queue: &Queue<T>,
    f: impl FnOnce(Queue<T>) -> R + Send + 'static,
) -> JoinHandle<R>
where
    T: Send + 'static,
{
    let queue = queue.clone();
    thread::spawn(move || f(queue))
}

fn end<R>(thread: JoinHandle<R>) -> R {
    thread.join().expect("it does not panic")
}

/// Race: an item is put while one looks for it and gets in line.
///
/// Mutation `sync-queue-looks-and-queues-apart`: a getter gets in line under another lock than it looked under.
#[test]
fn que_07_a_put_meets_a_get() {
    explore("que_07_a_put_meets_a_get", || {
        let queue = Queue::unbounded();
        let putter = beside(&queue, |queue| queue.try_put(1).is_ok());
        let other = beside(&queue, |queue| block_on(queue.get()));
        assert_eq!(queue.try_put(1), Ok(()));
        assert_eq!(block_on(queue.get()), Ok(1));
        assert_eq!(end(other), Ok(1));
        assert!(end(putter));
        assert!(queue.is_empty());
    });
}

/// Race: two go on exchanging through room for one: each waits for the other, and is woken.
///
/// Mutation `sync-queue-room-is-silent`: who makes room wakes nobody.
#[test]
fn que_11_two_exchange_through_room_for_one() {
    explore("que_11_two_exchange_through_room_for_one", || {
        let queue = Queue::bounded(1);
        let putter = beside(&queue, |queue| {
            for item in 0..3 {
                assert!(block_on(queue.put(item)).is_ok());
            }
        });
        for item in 0..3 {
            assert_eq!(block_on(queue.get()), Ok(item));
        }
        end(putter);
    });
}

/// Race: a getter is woken for an item and leaves at that moment, with another behind it.
///
/// Mutation `sync-queue-promise-kept`: who leaves takes the promise along: the other one waits for ever.
#[test]
fn que_14_15_a_woken_getter_leaves() {
    explore("que_14_15_a_woken_getter_leaves", || {
        let queue = Queue::unbounded();
        let putter = beside(&queue, |queue| queue.try_put(1).is_ok());
        let other = beside(&queue, |queue| block_on(queue.get()));
        {
            let mut leaver = pin!(queue.get());
            if let Poll::Ready(item) = poll_once(leaver.as_mut()) {
                assert_eq!(item, Ok(1));
                // The other one needs one too.
                assert_eq!(queue.try_put(1), Ok(()));
            }
        }
        assert_eq!(end(other), Ok(1));
        assert!(end(putter) && queue.is_empty());
    });
}

/// Race: room is made for a putter that leaves at that moment, with another behind it.
///
/// Mutation `sync-queue-room-kept-for-nobody`: who leaves takes the room along: the other one waits for ever.
#[test]
fn que_16_18_a_woken_putter_leaves() {
    explore("que_16_18_a_woken_putter_leaves", || {
        let queue = Queue::bounded(1);
        assert_eq!(queue.try_put(1), Ok(()));
        let getter = beside(&queue, |queue| queue.try_get());
        let other = beside(&queue, |queue| block_on(queue.put(3)));
        let put = {
            let mut leaver = pin!(queue.put(2));
            poll_once(leaver.as_mut()).is_ready()
        };
        assert_eq!(end(getter), Ok(1));
        if put {
            // It has put before the other, which waits for us.
            assert_eq!(block_on(queue.get()), Ok(2));
        }
        assert_eq!(end(other), Ok(()));
        assert_eq!(queue.try_get(), Ok(3), "what the leaver did not put is not there");
        assert_eq!(queue.try_get(), Err(TryGetError::Empty));
    });
}

/// Race: a future that was polled here is dropped on another thread, while an item is put and a second one waits.
///
/// Mutation `sync-queue-promise-kept`, as above.
#[test]
fn mt_07_a_waiter_is_dropped_on_another_thread() {
    explore("mt_07_a_waiter_is_dropped_on_another_thread", || {
        let queue = Queue::unbounded();
        let mut leaver = {
            let queue = queue.clone();
            Box::pin(async move { queue.get().await })
        };
        assert!(poll_once(leaver.as_mut()).is_pending());
        let dropper = thread::spawn(move || drop(leaver));
        let putter = beside(&queue, |queue| queue.try_put(1).is_ok());
        assert_eq!(block_on(queue.get()), Ok(1));
        end(dropper);
        assert!(end(putter));
    });
}

/// Race: a shutdown meets one who puts and one who gets: what was put is got, what was not put comes back.
///
/// Mutation `sync-queue-put-after-the-end`: who puts does not look whether it is shut down: the item is lost.
#[test]
fn que_29_30_a_shutdown_meets_put_and_get() {
    explore("que_29_30_a_shutdown_meets_put_and_get", || {
        let queue = Queue::bounded(1);
        let putter = beside(&queue, |queue| block_on(queue.put(1)));
        let closer = beside(&queue, |queue| queue.shutdown(false));
        let got = block_on(queue.get());
        end(closer);
        match end(putter) {
            Ok(()) => assert_eq!(got, Ok(1)),
            Err(error) => assert_eq!((got, error.into_inner()), (Err(Closed), 1)),
        }
        assert_eq!(queue.try_get(), Err(TryGetError::Closed));
    });
}

/// Race: the last item is taken by one of two while it is shut down: the other one is sent away.
///
/// Mutation `sync-queue-last-tells-nobody`: who takes the last item tells nobody: the other one waits for ever.
/// Mutation `sync-queue-sent-away-early`: a shutdown sends all away who wait, though an item may come back to them.
#[test]
fn que_30_the_last_item_meets_a_shutdown() {
    explore("que_30_the_last_item_meets_a_shutdown", || {
        let queue = Queue::unbounded();
        let mut leaver = Box::pin(queue.get());
        assert!(poll_once(leaver.as_mut()).is_pending());
        let closer = beside(&queue, |queue| {
            let put = queue.try_put(1).is_ok();
            queue.shutdown(false);
            put
        });
        let one = beside(&queue, |queue| block_on(queue.get()));
        let two = beside(&queue, |queue| block_on(queue.get()));
        drop(leaver);
        let got = [end(one), end(two)];
        assert!(end(closer));
        assert!(got.contains(&Ok(1)) && got.contains(&Err(Closed)), "{got:?}");
    });
}

/// Race: all is thrown away while an item is put, and taken by one who was woken for it: it is counted once.
///
/// Mutation `sync-queue-thrown-away-promised`: items that are thrown away stay promised.
/// Mutation `sync-queue-thrown-away-unfinished`: items that are thrown away stay unfinished: a join waits for ever.
#[test]
fn que_31_32_an_immediate_shutdown_meets_put_and_get() {
    explore("que_31_32_an_immediate_shutdown_meets_put_and_get", || {
        let queue = Queue::unbounded();
        let putter = beside(&queue, |queue| queue.try_put(1).is_ok());
        let getter = beside(&queue, |queue| {
            let got = block_on(queue.get());
            got.is_err() || queue.task_done().is_ok()
        });
        queue.shutdown(true);
        block_on(queue.join());
        assert!(end(getter), "its item was not done before");
        let _ = end(putter);
        block_on(queue.join());
        assert_eq!((queue.unfinished(), queue.try_get()), (0, Err(TryGetError::Closed)));
        assert!(queue.task_done().is_err());
    });
}

/// Race: the last item is done while two begin to join, one of whom leaves.
///
/// Mutation `sync-queue-joins-and-queues-apart`: who joins gets in line under another lock than it looked under.
/// Mutation `sync-queue-done-is-silent`: the last one done begins no new round: those who join wait for ever.
#[test]
fn que_22_25_the_last_one_done_meets_those_who_join() {
    explore("que_22_25_the_last_one_done_meets_those_who_join", || {
        let queue = Queue::unbounded();
        assert_eq!(queue.try_put(1), Ok(()));
        let worker = beside(&queue, |queue| drop(block_on(queue.get_guarded())));
        let other = beside(&queue, |queue| block_on(queue.join()));
        {
            let mut leaver = pin!(queue.join());
            let _ = poll_once(leaver.as_mut());
        }
        block_on(queue.join());
        assert_eq!(queue.unfinished(), 0);
        end(worker);
        end(other);
    });
}

/// Race: two put through room for one, and one gets: each item comes once, those of one in their order.
///
/// Mutation `sync-queue-overtakes`: who puts looks at the items alone, and takes room that is kept for another.
#[test]
fn que_35_two_put_and_one_gets() {
    explore("que_35_two_put_and_one_gets", || {
        let queue = Queue::bounded(1);
        let two = beside(&queue, |queue| {
            assert!(block_on(queue.put(1)).is_ok() && block_on(queue.put(2)).is_ok());
        });
        let one = beside(&queue, |queue| assert!(block_on(queue.put(10)).is_ok()));
        let mut got = Vec::new();
        for _ in 0..3 {
            got.push(block_on(queue.get()).expect("it is open"));
            assert!(queue.len() <= 1, "there is room for one");
        }
        end(two);
        end(one);
        got.retain(|item| *item < 10);
        assert_eq!(got, [1, 2]);
        assert!(queue.is_empty());
    });
}

/// Race: a thread that sleeps for room, by the blocking forms, and one that sleeps for items.
///
/// Mutation `sync-queue-room-is-silent`, as above.
#[test]
fn que_37_threads_that_sleep_are_woken() {
    explore("que_37_threads_that_sleep_are_woken", || {
        let queue = Queue::bounded(1);
        let putter =
            beside(&queue, |queue| queue.put_blocking(1).is_ok() && queue.put_blocking(2).is_ok());
        assert_eq!((queue.get_blocking(), queue.get_blocking()), (Ok(1), Ok(2)));
        assert!(end(putter));
    });
}
