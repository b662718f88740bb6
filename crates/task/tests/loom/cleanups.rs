//! P19: the cleanups that a task owes, against its end.

use crate::support::{Drops, Queue, assert_no_blocks, join_all, run_once, spawn};
use kasasagi_primitive::explore::explore;
use kasasagi_primitive::sync::Arc;
use kasasagi_primitive::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use kasasagi_primitive::thread;
use kasasagi_task::slab::Heap;
use kasasagi_task::{Owed, Ran, Runnable, TaskRef, try_current};

/// A task whose future has ended, and that owes `N` cleanups; `late`: it was cancelled in its last poll.
fn owing<const N: usize>(
    heap: &Heap,
    queue: &Arc<Queue>,
    late: bool,
    futures: &std::sync::Arc<Drops>,
) -> (Runnable, TaskRef, [Owed; N]) {
    let (token, shelf) = (futures.token(), std::sync::Arc::new(std::sync::Mutex::new(Vec::new())));
    let owed = std::sync::Arc::clone(&shelf);
    let (due, task) = spawn(heap, queue, 1, async move {
        let _token = token;
        let me = try_current().expect("a task runs");
        owed.lock()
            .expect("nobody panics here")
            .extend((0..N).map(|_| me.owe().expect("it is not done")));
        if late {
            assert!(me.cancel(), "it has not ended");
        }
    });
    let reference = task.handle();
    drop(task);
    let Ran::Requeue(due) = run_once(due) else { panic!("it waits for what it owes") };
    let owed = std::mem::take(&mut *shelf.lock().expect("nobody panics here"));
    (due, reference, owed.try_into().expect("as many as were asked for"))
}

/// Race: the last cleanup ends while the runner clears away a request that came too late for the last poll. Its wake is
/// not cleared away with it.
///
/// Mutation `task-late-request-cleared-last`: the runner looks whether all is paid, and clears the request after that.
#[test]
fn task_owed_cleanup_paid_while_a_late_request_is_cleared_ends_the_task() {
    explore("task_owed_late_request", || {
        let (heap, queue, futures) = (Heap::new(), Queue::new(1), Drops::new());
        let (due, reference, [owed]) = owing(&heap, &queue, true, &futures);
        queue.push(due);
        let threads = [thread::spawn(move || drop(owed))];
        queue.run();
        assert!(reference.is_finished() && !reference.is_cancelled(), "the value was first");
        join_all(threads);
        drop(reference);
        assert_eq!((futures.all(), futures.outside()), (1, 0));
        assert_no_blocks(&heap);
    });
}

/// Race: two cleanups end at once, while the runner looks. The task ends once, after both.
///
/// Mutation `task-owed-forgotten-by-one`: the first that is paid ends the task.
#[test]
fn task_owing_two_cleanups_ends_once_after_both() {
    explore("task_owed_two", || {
        let (heap, queue, futures) = (Heap::new(), Queue::new(1), Drops::new());
        let (due, reference, owed) = owing::<2>(&heap, &queue, false, &futures);
        let paid = Arc::new(AtomicUsize::new(0));
        queue.push(due);
        let threads = owed.map(|owed| {
            let paid = Arc::clone(&paid);
            thread::spawn(move || {
                paid.fetch_add(1, Relaxed);
                drop(owed);
            })
        });
        queue.run();
        assert_eq!(paid.load(Relaxed), 2, "done before what it owes is");
        join_all(threads);
        drop(reference);
        assert_eq!((futures.all(), futures.outside()), (1, 0));
        assert_no_blocks(&heap);
    });
}

/// Race: a task that waits for its cleanups is given up while one of two ends. It ends once, and does not wait for the
/// other.
///
/// Mutation `primitive-cut-waits-for-cleanups`: what a task owes is waited for although it was given up.
#[test]
fn task_given_up_while_it_owes_ends_at_once() {
    explore("task_owed_cut", || {
        let (heap, queue, futures) = (Heap::new(), Queue::new(1), Drops::new());
        let (due, reference, [one, other]) = owing(&heap, &queue, false, &futures);
        queue.push(due);
        let gives_up = reference.clone();
        let threads = [
            thread::spawn(move || gives_up.cut("it takes too long")),
            thread::spawn(move || drop(one)),
        ];
        queue.run();
        assert!(reference.is_finished());
        drop(other);
        join_all(threads);
        drop(reference);
        assert_eq!((futures.all(), futures.outside()), (1, 0));
        assert_no_blocks(&heap);
    });
}
