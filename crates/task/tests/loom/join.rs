//! P2: completion against the handle, which waits, changes its waker, or goes.

use crate::support::{Drops, Joiner, Queue, assert_no_blocks, join_all, poll, run_once, spawn};
use kasasagi_primitive::explore::explore;
use kasasagi_primitive::sync::Arc;
use kasasagi_primitive::thread;
use kasasagi_task::slab::Heap;
use kasasagi_task::{Ran, Runnable, Task};
use std::task::Poll;

struct Born {
    heap: Heap,
    due: Runnable,
    task: Task<crate::support::Token>,
    queue: Arc<Queue>,
    futures: std::sync::Arc<Drops>,
    outputs: std::sync::Arc<Drops>,
}

/// A task that is due and will be ready at once, with a counted output.
fn born() -> Born {
    let (heap, queue) = (Heap::new(), Queue::new(1));
    let (futures, outputs) = (Drops::new(), Drops::new());
    let (future, output) = (futures.token(), outputs.token());
    let (due, task) = spawn(&heap, &queue, 1, async move {
        let _future = future;
        output
    });
    Born { heap, due, task, queue, futures, outputs }
}

/// Race: the handle is polled, with one waker throughout, while the task completes.
///
/// Mutation `task-waits-blind`: the handle does not look at what it found as it published its waker: nobody wakes it.
/// Mutation `task-join-waker-after-release`: the completer reads the waker after it gave its reference up.
/// Mutation `task-free-without-acquire`: who finds itself last frees the block before the completer has read it.
#[test]
fn task_output_is_read_once_by_who_waits() {
    explore("task_join_poll", || {
        let Born { heap, due, mut task, queue, futures, outputs } = born();
        let (joiner, waker) = Joiner::new();
        let waiting = std::sync::Arc::clone(&joiner);
        let read = std::sync::Arc::clone(&outputs);
        let threads = [thread::spawn(move || {
            let output = waiting.join(&waker, &mut task).expect("the task gives a token");
            assert_eq!(read.all(), 0, "the output is moved, not copied");
            drop(output);
        })];
        assert!(matches!(run_once(due), Ran::Complete(_)));
        join_all(threads);
        drop(queue);
        assert_eq!((futures.all(), outputs.all(), joiner.wakers()), (1, 1, 0));
        assert_no_blocks(&heap);
    });
}

/// Race: the handle goes, its waker in place, while the task completes.
///
/// Mutation `task-join-drop-copies-late`: the waker is copied out after the exchange, when the block may be gone.
/// Mutation `task-join-drop-forgets-waker`: who clears WAITS does not drop the waker, and nobody else will.
/// Mutation `task-join-waker-after-release`: as above.
#[test]
fn task_output_and_waker_of_a_dropped_handle_are_dropped_once() {
    explore("task_join_drop", || {
        let Born { heap, due, mut task, queue, futures, outputs } = born();
        let (joiner, waker) = Joiner::new();
        let threads = [thread::spawn(move || {
            if let Poll::Ready(output) = poll(&waker, &mut task) {
                drop(output.expect("the task gives a token"));
            }
            drop(task);
        })];
        assert!(matches!(run_once(due), Ran::Complete(_)));
        join_all(threads);
        drop(queue);
        assert_eq!((futures.all(), outputs.all(), joiner.wakers()), (1, 1, 0));
        assert_no_blocks(&heap);
    });
}

/// Race: the handle is polled with another waker while the task completes. The first is dropped, or woken, once;
/// the second, once in place, is the one that is woken.
///
/// Mutation `task-waits-cleared-blind`: the handle takes the cell back although the completer has it: the waker is
/// dropped twice.
/// Mutation `task-second-waker-ignored`: the handle leaves the first waker where it is, and is never woken.
#[test]
fn task_waker_replaced_while_it_completes_is_dropped_once() {
    explore("task_join_waker_replaced", || {
        let Born { heap, due, mut task, queue, futures, outputs } = born();
        let (first, early) = Joiner::new();
        let (second, late) = Joiner::new();
        let waiting = std::sync::Arc::clone(&second);
        let threads = [thread::spawn(move || {
            let output = match poll(&early, &mut task) {
                Poll::Ready(output) => output,
                Poll::Pending => waiting.join(&late, &mut task),
            };
            drop(output.expect("the task gives a token"));
        })];
        assert!(matches!(run_once(due), Ran::Complete(_)));
        join_all(threads);
        drop(queue);
        assert_eq!((futures.all(), outputs.all()), (1, 1));
        assert_eq!((first.wakers(), second.wakers()), (0, 0));
        assert_no_blocks(&heap);
    });
}
