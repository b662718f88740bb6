//! Plain requests to cancel, which stand in one word: against those who need a cold part, the run, and the end.

use crate::support::{
    Drops, Joiner, Queue, assert_gone, assert_no_blocks, join_all, run_once, spawn, waits_for,
};
use kasasagi_primitive::explore::explore;
use kasasagi_primitive::sync::Arc;
use kasasagi_primitive::sync::atomic::{AtomicBool, Ordering::Relaxed};
use kasasagi_primitive::thread;
use kasasagi_task::Ran;
use kasasagi_task::slab::Heap;
use std::future::pending;

/// Race: a task is asked plainly while another thread has something to note of it. The request is delivered, and the note
/// stays.
///
/// Mutation `primitive-plain-taken-blind`: the runner takes the request without a look at what the word has become.
/// Mutation `primitive-plain-forgotten`: the cold part is not made of the request.
#[test]
fn task_asked_plainly_and_named_is_cancelled_and_keeps_its_name() {
    explore("task_plain_and_named", || {
        let (heap, queue, futures) = (Heap::new(), Queue::new(1), Drops::new());
        let never = Arc::new(AtomicBool::new(false));
        let (mut task, [waker]) = waits_for(&heap, &queue, futures.token(), [&never]);
        drop(waker);
        let (asks, names) = (task.handle(), task.handle());
        let threads = [
            thread::spawn(move || assert!(asks.cancel(), "nothing else ends it")),
            thread::spawn(move || names.set_name("named")),
        ];
        queue.run();
        join_all(threads);
        assert_eq!((&*task.name(), task.cancelling()), ("named", 1));
        let error = task.try_take().expect("it has ended").expect_err("it was cancelled");
        assert!(error.is_cancelled() && error.cancelled_at().is_some());
        drop((task, error));
        assert_gone(&futures, &heap);
    });
}

/// Race: a task is asked plainly while it runs, for a wake in vain.
///
/// Mutation `task-plain-shown-first`: CANCEL is set before the request is in its place.
#[test]
fn task_asked_plainly_and_woken_in_vain_is_cancelled() {
    explore("task_plain_and_woken", || {
        let (heap, queue, futures) = (Heap::new(), Queue::new(1), Drops::new());
        let never = Arc::new(AtomicBool::new(false));
        let (task, [waker]) = waits_for(&heap, &queue, futures.token(), [&never]);
        let threads = [
            thread::spawn(move || {
                assert!(task.cancel(), "nothing else ends it");
                drop(task);
            }),
            thread::spawn(move || waker.wake()),
        ];
        queue.run();
        join_all(threads);
        assert_gone(&futures, &heap);
    });
}

/// Race: a request was taken back, and its mark leads the runner to another one that may not be shown yet. Who made that one
/// is told whether it was in time.
///
/// Mutation `primitive-plain-void-blind`: who finds the task complete believes to have been late.
#[test]
fn task_ended_by_a_plain_request_tells_so_whoever_asked() {
    explore("task_plain_told", || {
        let (heap, queue, futures) = (Heap::new(), Queue::new(1), Drops::new());
        let flag = Arc::new(AtomicBool::new(false));
        let (mut task, [waker]) = waits_for(&heap, &queue, futures.token(), [&flag]);
        drop(waker);
        assert!(task.cancel());
        assert_eq!(task.uncancel(), 0);
        flag.store(true, Relaxed);
        let asks = task.handle();
        let told = std::sync::Arc::new(std::sync::Mutex::new(false));
        let tells = std::sync::Arc::clone(&told);
        let threads = [thread::spawn(move || {
            *tells.lock().expect("nobody panics here") = asks.cancel();
        })];
        queue.run();
        join_all(threads);
        let is_asked = *told.lock().expect("nobody panics here");
        let output = task.try_take().expect("it has ended");
        assert!(is_asked || output.is_ok(), "nothing but this request ended it");
        drop((task, output));
        assert_gone(&futures, &heap);
    });
}

/// Race: the error of a plain cancellation is the block of the task. It is dropped last, or before the last reference, and
/// the block is freed once.
///
/// Mutation `task-kept-uncounted`: the error is no reference.
#[test]
fn task_cancelled_plainly_lives_as_long_as_its_error() {
    explore("task_plain_error", || {
        let (heap, queue, futures) = (Heap::new(), Queue::new(1), Drops::new());
        let token = futures.token();
        let (due, mut task) = spawn(&heap, &queue, 1, async move {
            let _token = token;
            pending::<()>().await;
        });
        queue.push(due);
        let reference = task.handle();
        let (joiner, joins) = Joiner::new();
        let threads = [
            thread::spawn(move || {
                let error = joiner.join(&joins, &mut task).expect_err("it never ends by itself");
                drop(task);
                assert_eq!(error.id().as_u64(), 1);
                assert!(error.is_cancelled() && error.cancelled_at().is_some());
            }),
            thread::spawn(move || {
                assert!(reference.cancel(), "nothing else ends it");
            }),
        ];
        queue.run();
        join_all(threads);
        assert_gone(&futures, &heap);
    });
}

/// Race: a cold part is made of a plain request while somebody asks how often the task was asked.
///
/// Mutation `primitive-plain-counted-apart`: the cold part is looked for first, and the request after it.
#[test]
fn task_asked_plainly_counts_as_asked_while_it_is_named() {
    explore("task_plain_counted", || {
        let (heap, queue, futures) = (Heap::new(), Queue::new(1), Drops::new());
        let never = Arc::new(AtomicBool::new(false));
        let (task, [waker]) = waits_for(&heap, &queue, futures.token(), [&never]);
        drop(waker);
        assert!(task.cancel());
        let (names, asks) = (task.handle(), task.handle());
        let threads = [
            thread::spawn(move || names.set_name("named")),
            thread::spawn(move || assert_eq!(asks.cancelling(), 1, "it was asked once")),
        ];
        join_all(threads);
        queue.run();
        drop(task);
        assert_no_blocks(&heap);
    });
}

/// Race: as in `task_ended_by_a_plain_request_tells_so_whoever_asked`, and the task is named after its end. Who asked is told
/// that it was in time all the same.
///
/// Mutation `primitive-plain-void-apart`: the cold part is looked for first, and the request after it.
#[test]
fn task_ended_by_a_plain_request_tells_so_though_it_is_named() {
    explore("task_plain_told_named", || {
        let (heap, queue, futures) = (Heap::new(), Queue::new(1), Drops::new());
        let flag = Arc::new(AtomicBool::new(false));
        let (mut task, [waker]) = waits_for(&heap, &queue, futures.token(), [&flag]);
        drop(waker);
        assert!(task.cancel());
        assert_eq!(task.uncancel(), 0);
        flag.store(true, Relaxed);
        let asks = task.handle();
        let told = std::sync::Arc::new(std::sync::Mutex::new(false));
        let tells = std::sync::Arc::clone(&told);
        let threads = [thread::spawn(move || {
            *tells.lock().expect("nobody panics here") = asks.cancel();
        })];
        queue.run();
        task.handle().set_name("late");
        join_all(threads);
        let is_asked = *told.lock().expect("nobody panics here");
        let output = task.try_take().expect("it has ended");
        assert!(is_asked || output.is_ok(), "nothing but this request ended it");
        drop((task, output));
        assert_no_blocks(&heap);
    });
}

/// Race: a request of who waits for a task was taken back, and its mark leads the runner to another one. That is offered to
/// the task that is waited for, as any is.
///
/// Mutation `primitive-plain-taken-while-it-waits`: a request that comes after the look for one is taken without the offer.
#[test]
fn task_asked_plainly_while_it_waits_for_a_task_has_that_one_asked() {
    explore("task_plain_joins", || {
        let (heap, queue) = (Heap::new(), Queue::new(2));
        let (due, child) = spawn(&heap, &queue, 2, pending::<()>());
        assert!(matches!(run_once(due), Ran::Pending));
        let reference = child.handle();
        let (due, task) = spawn(&heap, &queue, 1, async move {
            let _ = child.await;
        });
        assert!(matches!(run_once(due), Ran::Pending));
        assert!(task.cancel());
        assert_eq!(task.uncancel(), 0);
        let threads = [thread::spawn(move || assert!(task.cancel(), "nothing else ends it"))];
        // It never ends, if the child was not asked.
        queue.run();
        join_all(threads);
        assert!(reference.is_cancelled());
        drop(reference);
        assert_no_blocks(&heap);
    });
}
