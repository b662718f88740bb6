//! P16: the ends of many tasks, told to one who waits for them.

use crate::support::{Drops, Joiner, Queue, Token, assert_no_blocks, join_all, run_once, spawn};
use kasasagi_primitive::explore::explore;
use kasasagi_primitive::sync::Arc;
use kasasagi_primitive::thread;
use kasasagi_task::slab::Heap;
use kasasagi_task::{Ends, Ran, Runnable, Task};
use std::task::{Context, Poll, Waker};

struct Born {
    heap: Heap,
    due: [Runnable; 2],
    tasks: [Task<Token>; 2],
    queue: Arc<Queue>,
    outputs: std::sync::Arc<Drops>,
}

/// Two tasks that are due and will be ready at once.
fn born() -> Born {
    let (heap, queue, outputs) = (Heap::new(), Queue::new(2), Drops::new());
    let [(a, first), (b, second)] = [1, 2].map(|id| {
        let output = outputs.token();
        spawn(&heap, &queue, id, async move { output })
    });
    Born { heap, due: [a, b], tasks: [first, second], queue, outputs }
}

fn watched(tasks: &mut [Task<Token>; 2], batch: usize) -> Ends {
    let mut ends = Ends::new(2, batch);
    tasks.iter_mut().enumerate().for_each(|(index, task)| ends.watch(index, task));
    ends
}

fn poll(ends: &mut Ends, waker: &Waker) -> Poll<()> {
    ends.poll(&Context::from_waker(waker))
}

fn run_elsewhere(due: [Runnable; 2]) -> [thread::JoinHandle<()>; 2] {
    due.map(|due| thread::spawn(move || assert!(matches!(run_once(due), Ran::Complete(_)))))
}

/// Race: two tasks end on two threads while one waits for each. Both are told of, once, and the waiter is not
/// left waiting.
///
/// Mutation `task-ends-waits-blind`: the waiter does not look again once its waker is in place.
/// Mutation `task-ends-relaxed-link`: an end is published without what comes with it.
#[test]
fn task_each_end_is_told_once() {
    explore("task_ends_each", || {
        let Born { heap, due, mut tasks, queue, outputs } = born();
        let (joiner, waker) = Joiner::new();
        let mut ends = watched(&mut tasks, 1);
        let threads = run_elsewhere(due);
        let mut told = [0; 2];
        while told != [1, 1] {
            match poll(&mut ends, &waker) {
                Poll::Pending => joiner.wait(),
                Poll::Ready(()) => {
                    while let Some(index) = ends.pop() {
                        told[index] += 1;
                        drop(tasks[index].output().expect("it gave a token"));
                    }
                }
            }
        }
        join_all(threads);
        drop((ends, tasks, waker, queue));
        assert_eq!((outputs.all(), joiner.wakers()), (2, 0));
        assert_no_blocks(&heap);
    });
}

/// Race: two tasks end on two threads, and one waits for both: it is woken once, when both have ended.
///
/// Mutation `task-ends-wakes-each`: each end wakes.
#[test]
fn task_who_waits_for_all_is_woken_once() {
    explore("task_ends_all", || {
        let Born { heap, due, mut tasks, queue, outputs } = born();
        let (joiner, waker) = Joiner::new();
        let mut ends = watched(&mut tasks, 2);
        let threads = run_elsewhere(due);
        if poll(&mut ends, &waker).is_pending() {
            joiner.wait();
            assert!(poll(&mut ends, &waker).is_ready(), "no wake comes before the last end");
        }
        assert!(tasks.iter().all(Task::is_finished));
        join_all(threads);
        drop((ends, tasks, waker, queue));
        assert_eq!((outputs.all(), joiner.wakers()), (2, 0));
        assert_no_blocks(&heap);
    });
}

/// Race: the waiter goes, first or last, while two tasks end; the handles go with it. Its waker is dropped or woken, and
/// the block is freed once, by whoever has it last.
///
/// Mutation `task-ends-waker-gives-all-up`: who wakes hands its reference over with the node, and then uses the block.
/// Mutation `task-ends-pushed-for-nobody`: an end is pushed although nobody will take it.
#[test]
fn task_ends_of_a_waiter_that_goes_are_freed_once() {
    explore("task_ends_drop", || {
        let Born { heap, due, mut tasks, queue, outputs } = born();
        let (joiner, waker) = Joiner::new();
        let mut ends = watched(&mut tasks, 1);
        let threads = run_elsewhere(due);
        let _ = poll(&mut ends, &waker);
        drop(ends);
        drop((tasks, waker));
        join_all(threads);
        drop(queue);
        assert_eq!((outputs.all(), joiner.wakers()), (2, 0));
        assert_no_blocks(&heap);
    });
}

/// Race: the waiter forgets one task, and the other ends, or both do.
#[test]
fn task_a_forgotten_end_wakes_nobody_and_frees_its_reference() {
    explore("task_ends_forget", || {
        let Born { heap, due, mut tasks, queue, outputs } = born();
        let (joiner, waker) = Joiner::new();
        let mut ends = watched(&mut tasks, 1);
        let threads = run_elsewhere(due);
        let _ = poll(&mut ends, &waker);
        tasks[0].forget_waiter();
        drop(ends);
        drop(waker);
        join_all(threads);
        drop((tasks, queue));
        assert_eq!((outputs.all(), joiner.wakers()), (2, 0));
        assert_no_blocks(&heap);
    });
}
