//! P1: wakes against the run.

use crate::support::{Drops, Queue, assert_no_blocks, idle, join_all, waits_for};
use kasasagi_primitive::cell::UnsafeCell;
use kasasagi_primitive::explore::explore;
use kasasagi_primitive::sync::Arc;
use kasasagi_primitive::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use kasasagi_primitive::thread;
use kasasagi_task::slab::Heap;
use std::task::Poll;

/// Race: two wakes, one of them by value and so a free too, against the poll and its end. Either may be coalesced
/// with the other, before or during the poll, and has to publish all the same.
///
/// Mutation `task-start-relaxed`: the poll misses what the last wake published, and nobody wakes again.
/// Mutation `task-end-without-recheck`: a wake during the poll is forgotten.
/// Mutation `task-coalesced-wake-by-load`: a wake of a task that is due already publishes nothing.
#[test]
fn task_every_wake_is_answered_by_a_poll_that_sees_its_data() {
    explore("task_two_wakers_and_a_runner", || {
        let (heap, queue, futures) = (Heap::new(), Queue::new(1), Drops::new());
        let flags = [Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false))];
        let (task, [first, second]) =
            waits_for(&heap, &queue, futures.token(), [&flags[0], &flags[1]]);
        drop(task);
        let [one, two] = flags;
        let threads = [
            thread::spawn(move || {
                one.store(true, Relaxed);
                first.wake();
            }),
            thread::spawn(move || {
                two.store(true, Relaxed);
                second.wake_by_ref();
            }),
        ];
        queue.run();
        join_all(threads);
        assert_eq!((futures.all(), futures.outside()), (1, 0));
        assert_no_blocks(&heap);
    });
}

/// Race: the task goes from one runner to another, through a wake by a third thread, at the moment its poll ends.
/// Each runner must see the future as the other left it, and never be there together.
///
/// Mutation `task-end-relaxed`: the end of a poll publishes nothing, so the next runner races with it.
/// Mutation `task-requeue-makes-idle`: a poll that was woken makes the task idle and queues it all the same: the
/// next wake queues it twice.
#[test]
fn task_migrates_whole_and_has_one_runner_at_a_time() {
    explore("task_two_runners_and_a_waker", || {
        let (heap, queue, futures) = (Heap::new(), Queue::new(1), Drops::new());
        let wakes = Arc::new(AtomicUsize::new(0));
        let seen = Arc::clone(&wakes);
        let polls = UnsafeCell::new(0_usize);
        let (task, [waker]) = idle(&heap, &queue, futures.token(), move |_| {
            // loom complains if two are here at once, or one after the other without an order.
            polls.with_mut(|_polls| {});
            if seen.load(Relaxed) == 3 { Poll::Ready(()) } else { Poll::Pending }
        });
        drop(task);
        let other = Arc::clone(&queue);
        let threads = [
            thread::spawn(move || other.run()),
            thread::spawn(move || {
                wakes.store(1, Relaxed);
                waker.wake_by_ref();
                wakes.store(2, Relaxed);
                waker.wake_by_ref();
                wakes.store(3, Relaxed);
                waker.wake();
            }),
        ];
        queue.run();
        join_all(threads);
        assert_eq!((futures.all(), futures.outside()), (1, 0));
        assert_no_blocks(&heap);
    });
}

/// Race: the last waker of a task is dropped, its handle is dropped, and it completes, each on a thread of its own.
/// Whoever is last frees the block, after all others are through with it.
///
/// Mutation `task-complete-keeps-its-reference`: the runtime's reference stays, and with it the block.
#[test]
fn task_block_is_freed_once_by_the_last_of_three() {
    explore("task_last_reference_of_three", || {
        let (heap, queue, futures) = (Heap::new(), Queue::new(1), Drops::new());
        let (task, [waker, kept]) = idle(&heap, &queue, futures.token(), |_| Poll::Ready(()));
        let threads = [thread::spawn(move || drop(task)), thread::spawn(move || drop(kept))];
        waker.wake();
        queue.run();
        join_all(threads);
        assert_eq!((futures.all(), futures.outside()), (1, 0));
        assert_no_blocks(&heap);
    });
}

/// Race: a thread that woke the task is still in the scheduler while the task runs, ends, and its owner drops the
/// scheduler. The share taken before the push keeps it.
///
/// A late wake, after the end, touches the block alone.
#[test]
fn task_wake_from_outside_outlives_the_scheduler() {
    explore("task_wake_against_scheduler_end", || {
        let (heap, queue, futures) = (Heap::new(), Queue::new(1), Drops::new());
        let (task, [waker, late]) = idle(&heap, &queue, futures.token(), |_| Poll::Ready(()));
        drop(task);
        let threads = [thread::spawn(move || {
            waker.wake();
            late.wake_by_ref();
            late.wake();
        })];
        queue.run();
        drop(queue);
        join_all(threads);
        assert_eq!((futures.all(), futures.outside()), (1, 0));
        assert_no_blocks(&heap);
    });
}
