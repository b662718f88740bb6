//! P3: cancellation against the run, wakes, completion and the handle.

use crate::support::{
    Drops, Joiner, Queue, assert_gone, assert_no_blocks, join_all, poll, spawn, waits_for,
};
use kasasagi_primitive::explore::explore;
use kasasagi_primitive::sync::Arc;
use kasasagi_primitive::sync::atomic::{AtomicBool, Ordering::Relaxed};
use kasasagi_primitive::thread;
use kasasagi_task::TaskState;
use kasasagi_task::slab::Heap;
use std::task::Poll;

/// Race: a cancellation meets the run of a task that waits for a wake on another thread. It comes before, during or
/// after the poll, or after the end. Completes exactly once: the queue counts (a second end is a panic), and the
/// task is there to be ended, or the runner waits for ever.
///
/// Mutation `task-cancel-schedules-twice`: who finds the task due already queues it too.
#[test]
fn task_cancelled_or_woken_completes_exactly_once() {
    explore("task_cancel_wake_run", || {
        let (heap, queue, futures) = (Heap::new(), Queue::new(1), Drops::new());
        let flag = Arc::new(AtomicBool::new(false));
        let (task, [waker]) = waits_for(&heap, &queue, futures.token(), [&flag]);
        let reference = task.handle();
        drop(task);
        let threads = [
            thread::spawn(move || {
                // The only one who can end it, unless the flag was up: no wake follows a false one.
                let asked = reference.cancel();
                assert!(asked || reference.info().state == TaskState::Finished);
            }),
            thread::spawn(move || {
                flag.store(true, Relaxed);
                waker.wake();
            }),
        ];
        queue.run();
        join_all(threads);
        assert_gone(&futures, &heap);
    });
}

/// Race: an idle task that nobody ever wakes is cancelled by two at once; one of them queues it.
///
/// Mutation `task-cancel-without-wake`: an idle task is marked, and nobody comes to see it.
/// Mutation `task-cancel-taken-and-forgotten`: the mark is taken out and the task polled on.
/// Mutation `task-cancel-schedules-twice`: as above.
#[test]
fn task_cancelled_by_two_while_idle_is_queued_once() {
    explore("task_cancel_twice_while_idle", || {
        let (heap, queue, futures) = (Heap::new(), Queue::new(1), Drops::new());
        let never = Arc::new(AtomicBool::new(false));
        let (task, [waker]) = waits_for(&heap, &queue, futures.token(), [&never]);
        drop(waker);
        let reference = task.handle();
        let threads = [
            thread::spawn(move || {
                reference.cancel();
            }),
            thread::spawn(move || {
                task.cancel();
                drop(task);
            }),
        ];
        queue.run();
        join_all(threads);
        assert_gone(&futures, &heap);
    });
}

/// Race: a cancellation comes before the first poll, while it is under way, or after it, which was the last.
///
/// Mutation `task-detached-output-kept`: nobody drops the output of a task without a handle.
#[test]
fn task_cancelled_around_its_first_poll_drops_future_and_output_once() {
    explore("task_cancel_first_poll", || {
        let (heap, queue) = (Heap::new(), Queue::new(1));
        let (futures, outputs) = (Drops::new(), Drops::new());
        let (future, output) = (futures.token(), outputs.token());
        let (due, task) = spawn(&heap, &queue, 1, async move {
            let _future = future;
            output
        });
        queue.push(due);
        let threads = [thread::spawn(move || {
            task.cancel();
            drop(task);
        })];
        queue.run();
        join_all(threads);
        // The output is captured by the future: it goes with it, or after it.
        assert_eq!((futures.all(), outputs.all()), (1, 1));
        assert_eq!(futures.outside(), 0, "a runner drops the future");
        assert_no_blocks(&heap);
    });
}

/// Race: the handle waits, its waker in place, and cancels; the wake that would end the task comes from a third
/// thread. The handle gets one answer, whichever it is, and is woken for it.
///
/// Mutation `task-waits-blind`: the waker that comes too late for the completer is left in its cell.
#[test]
fn task_joined_and_cancelled_answers_once() {
    explore("task_join_and_cancel", || {
        let (heap, queue, futures) = (Heap::new(), Queue::new(1), Drops::new());
        let flag = Arc::new(AtomicBool::new(false));
        let (mut task, [waker]) = waits_for(&heap, &queue, futures.token(), [&flag]);
        let (joiner, joins) = Joiner::new();
        let waiting = std::sync::Arc::clone(&joiner);
        let threads = [
            thread::spawn(move || {
                if let Poll::Ready(output) = poll(&joins, &mut task) {
                    output.expect("nobody cancelled it yet");
                    return;
                }
                task.cancel();
                match waiting.join(&joins, &mut task) {
                    Ok(()) => assert!(!task.is_cancelled()),
                    Err(error) => assert!(error.is_cancelled() && task.is_cancelled()),
                }
            }),
            thread::spawn(move || {
                flag.store(true, Relaxed);
                waker.wake();
            }),
        ];
        queue.run();
        join_all(threads);
        assert_eq!((futures.all(), futures.outside(), joiner.wakers()), (1, 0, 0));
        assert_no_blocks(&heap);
    });
}

/// Race: a request is taken back while the task runs. It is delivered once, or not at all, and never lost to the count.
/// That it is withdrawn, mutation `task-uncancel-keeps-pending` shows in a test on one thread.
#[test]
fn task_request_taken_back_is_delivered_or_withdrawn() {
    explore("task_uncancel", || {
        let (heap, queue, futures) = (Heap::new(), Queue::new(1), Drops::new());
        let flag = Arc::new(AtomicBool::new(false));
        let (task, [waker]) = waits_for(&heap, &queue, futures.token(), [&flag]);
        let threads = [thread::spawn(move || {
            // Nobody runs it before it is due, and it is due by the request alone.
            task.cancel();
            assert_eq!(task.uncancel(), 0);
            assert_eq!(task.cancelling(), 0);
            flag.store(true, Relaxed);
            waker.wake();
            drop(task);
        })];
        queue.run();
        join_all(threads);
        assert_gone(&futures, &heap);
    });
}

/// Race: the last cleanup that a task owes ends while the task does. It is done after that, and not before, and somebody
/// wakes it.
///
/// Mutation `task-owed-paid-without-wake`: who pays the last wakes nobody.
/// Mutation `task-owed-looks-before-it-pays`: who pays looks whether the task waits under another lock than it pays.
#[test]
fn task_owed_cleanup_and_the_end_see_one_another() {
    explore("task_owed", || {
        let (heap, queue, futures) = (Heap::new(), Queue::new(1), Drops::new());
        let flag = Arc::new(AtomicBool::new(true));
        let (task, [waker]) = waits_for(&heap, &queue, futures.token(), [&flag]);
        let reference = task.handle();
        let owed = reference.owe().expect("it is not done");
        let paid = Arc::new(AtomicBool::new(false));
        let pays = Arc::clone(&paid);
        drop(task);
        let threads = [thread::spawn(move || {
            waker.wake();
            pays.store(true, Relaxed);
            drop(owed);
        })];
        queue.run();
        assert!(paid.load(Relaxed), "done before what it owes is");
        assert!(reference.is_finished());
        join_all(threads);
        assert_eq!(reference.owe().map(drop), None, "it is done");
        drop(reference);
        assert_gone(&futures, &heap);
    });
}
