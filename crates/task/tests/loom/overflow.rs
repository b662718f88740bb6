//! P4: more wakes during one poll than WAKES can count; in a model it has three bits, and the fold comes at four.

use crate::support::{Drops, Queue, assert_no_blocks, idle, join_all};
use kasasagi_primitive::explore::explore;
use kasasagi_primitive::sync::Arc;
use kasasagi_primitive::sync::atomic::{AtomicBool, Ordering::Relaxed};
use kasasagi_primitive::thread;
use kasasagi_task::slab::Heap;
use std::task::{Poll, Waker};

/// Another thread wakes `before` times, and once more with something to say. The task, in its first poll after an
/// idle time, wakes itself `own` times.
fn storm(name: &'static str, before: usize, own: usize, wake: fn(&Waker)) {
    explore(name, move || {
        let (heap, queue, futures) = (Heap::new(), Queue::new(1), Drops::new());
        let said = Arc::new(AtomicBool::new(false));
        let heard = Arc::clone(&said);
        let mut own = own;
        let (task, [waker]) = idle(&heap, &queue, futures.token(), move |cx| {
            if heard.load(Relaxed) {
                return Poll::Ready(());
            }
            for _ in 0..std::mem::take(&mut own) {
                wake(cx.waker());
            }
            Poll::Pending
        });
        drop(task);
        let threads = [thread::spawn(move || {
            for _ in 0..before {
                wake(&waker);
            }
            said.store(true, Relaxed);
            wake(&waker);
        })];
        queue.run();
        join_all(threads);
        drop(queue);
        assert_eq!((futures.all(), futures.outside()), (1, 0));
        assert_no_blocks(&heap);
    });
}

/// Race: the last of five wakes folds the count while a poll that began at two is about to compare it.
///
/// Mutation `task-fold-without-force`: the folded count is two again: the wakes are forgotten.
#[test]
fn task_wakes_hidden_by_a_fold_are_answered() {
    storm("task_wakes_hidden_by_fold", 2, 2, Waker::wake_by_ref);
}

/// Race: eight wakes by reference come during a poll.
///
/// Mutation `task-wakes-never-folded`: the count comes round to what it was, and the wakes are forgotten; or to zero,
/// and the task is queued twice.
#[test]
fn task_more_wakes_by_reference_than_the_count_holds_are_answered() {
    storm("task_wakes_folded_by_reference", 1, 7, Waker::wake_by_ref);
}

/// Race: as above, by clones that are woken by value: each gives its reference up with the wake, so the clone folds.
///
/// Mutation `task-clone-never-folds`: the count comes round.
#[test]
fn task_more_wakes_by_value_than_the_count_holds_are_answered() {
    storm("task_wakes_folded_by_clones", 1, 7, |waker| waker.clone().wake());
}
