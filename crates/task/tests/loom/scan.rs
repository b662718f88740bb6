//! The scan over a heap's blocks against the tasks that come and go in them.

use crate::support::{Drops, Queue, assert_no_blocks, join_all, run_once, spawn};
use kasasagi_primitive::explore::explore;
use kasasagi_primitive::thread;
use kasasagi_task::slab::Heap;
use kasasagi_task::{Ran, all};

/// Race: a scan finds a block whose task completes and is freed, and which a new task takes at once. The scan gets a
/// whole task or none, and a task it got keeps its block.
///
/// Mutation `task-scan-takes-complete`: a reference is added to a task whose block is being freed.
/// Mutation `task-birth-relaxed`: the scan sees a newborn task without its header.
#[test]
fn task_scan_meets_free_and_birth_in_one_block() {
    explore("task_scan_against_free_and_birth", || {
        let (heap, queue, futures) = (Heap::new(), Queue::new(2), Drops::new());
        let registry = heap.registry();
        heap.enter(|| {
            let token = futures.token();
            let (first, task) = spawn(&heap, &queue, 1, async move { drop(token) });
            drop(task);
            let threads = [thread::spawn(move || {
                for reference in all(&registry) {
                    assert!([1, 2].contains(&reference.id().as_u64()));
                    // The name's cell: seen as the spawn wrote it.
                    assert_eq!(*reference.name(), *format!("Task-{}", reference.id().as_u64()));
                }
            })];
            assert!(matches!(run_once(first), Ran::Complete(_)));
            let token = futures.token();
            let (second, task) = spawn(&heap, &queue, 2, async move { drop(token) });
            drop(task);
            assert!(matches!(run_once(second), Ran::Complete(_)));
            join_all(threads);
        });
        assert_eq!((futures.all(), futures.outside()), (2, 0));
        assert_no_blocks(&heap);
    });
}

/// Race: a scan cancels what it finds, as a shutdown does, while the task runs to its end.
///
/// Mutation `task-cancel-schedules-twice`: a task that is due is queued again.
#[test]
fn task_scan_that_cancels_meets_completion() {
    explore("task_scan_cancels_against_completion", || {
        let (heap, queue, futures) = (Heap::new(), Queue::new(1), Drops::new());
        let registry = heap.registry();
        let token = futures.token();
        let (due, task) = spawn(&heap, &queue, 1, async move { drop(token) });
        drop(task);
        queue.push(due);
        let threads = [thread::spawn(move || {
            for reference in all(&registry) {
                reference.cancel();
            }
        })];
        queue.run();
        join_all(threads);
        assert_eq!((futures.all(), futures.outside()), (1, 0));
        assert_no_blocks(&heap);
    });
}
