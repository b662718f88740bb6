//! P20: what is called when a task is done, against its end.

use crate::support::{Queue, assert_no_blocks, join_all, run_once, spawn};
use kasasagi_primitive::explore::explore;
use kasasagi_primitive::thread;
use kasasagi_task::slab::Heap;
use kasasagi_task::{Ran, TaskRef};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

/// Counts its calls, which come after the end.
fn counts(calls: &Arc<AtomicUsize>) -> impl FnOnce(TaskRef) + Send + 'static + use<> {
    let calls = Arc::clone(calls);
    move |task| {
        assert!(task.is_finished(), "it is called after the end");
        calls.fetch_add(1, SeqCst);
    }
}

/// Race: a callback is registered while the task ends: it is called once, by the runner or by who registers it.
///
/// Mutation `task-calls-noted-first`: the note is left before the callback is in the list.
/// Mutation `task-calls-complete-unseen`: who registers it does not look whether the task has ended.
#[test]
fn task_callback_that_meets_the_end_is_called_once() {
    explore("task_callback", || {
        let (heap, queue, calls) = (Heap::new(), Queue::new(1), Arc::default());
        let (due, task) = spawn(&heap, &queue, 1, async {});
        let _ = task.on_done(counts(&calls));
        let late = counts(&calls);
        let threads = [thread::spawn(move || {
            let _ = task.on_done(late);
        })];
        assert!(matches!(run_once(due), Ran::Complete(_)));
        join_all(threads);
        drop(queue);
        assert_eq!(calls.load(SeqCst), 2);
        assert_no_blocks(&heap);
    });
}

/// Race: a callback is taken back while the task ends: it is called, or was taken back, and never both or neither.
///
/// Mutation `task-calls-taken-back-blind`: who takes a callback back does not look whether it is still there.
#[test]
fn task_callback_taken_back_is_not_called() {
    explore("task_callback_taken_back", || {
        let (heap, queue, calls) = (Heap::new(), Queue::new(1), Arc::default());
        let (due, task) = spawn(&heap, &queue, 1, async {});
        let id = task.on_done(counts(&calls));
        let taken = Arc::new(AtomicUsize::new(0));
        let takes = Arc::clone(&taken);
        let threads = [thread::spawn(move || {
            takes.fetch_add(usize::from(task.remove_on_done(id)), SeqCst);
            drop(task);
        })];
        assert!(matches!(run_once(due), Ran::Complete(_)));
        join_all(threads);
        drop(queue);
        assert_eq!(calls.load(SeqCst) + taken.load(SeqCst), 1);
        assert_no_blocks(&heap);
    });
}
