//! The side that a task gets when it first waits in a line: put before what its cold word says, while others write there.

use crate::support::{Drops, Queue, assert_gone, join_all, run_once, spawn};
use kasasagi_primitive::explore::explore;
use kasasagi_primitive::offers::{self, At, Line, Taken};
use kasasagi_primitive::thread;
use kasasagi_task::Ran;
use kasasagi_task::slab::Heap;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Poll, Waker};

/// A line in which nobody is offered anything.
struct Quiet;

impl Line for Quiet {
    fn has_offers(&self) -> bool {
        false
    }

    fn take_back(&self, _: At, _: &mut Taken) {}
}

/// Race: a task gets in line for the first time while it is asked plainly. The request is delivered.
///
/// Mutation `primitive-side-over-request`: the side is put in place without the request that came meanwhile.
#[test]
fn task_asked_plainly_while_it_gets_in_line_is_cancelled() {
    explore("task_side_and_asked", || {
        let (heap, queue, futures) = (Heap::new(), Queue::new(1), Drops::new());
        let (token, line) = (futures.token(), Arc::new(Quiet));
        let mut joined = false;
        let in_line = poll_fn(move |_| {
            let _ = &token;
            if !joined {
                let _ = offers::join(&line);
                joined = true;
            }
            Poll::<()>::Pending
        });
        let (due, mut task) = spawn(&heap, &queue, 1, in_line);
        queue.push(due);
        let asks = task.handle();
        let threads = [thread::spawn(move || assert!(asks.cancel(), "nothing else ends it"))];
        queue.run();
        join_all(threads);
        assert_eq!(task.cancelling(), 1);
        let error = task.try_take().expect("it has ended").expect_err("it was cancelled");
        assert!(error.is_cancelled() && error.cancelled_at().is_some());
        drop((task, error));
        assert_gone(&futures, &heap);
    });
}

/// Race: a task gets in line for the first time, and ends, while it is asked plainly and named: a cold part takes the place
/// of the request, before the side or in it. The name stays, and the request is counted.
///
/// Mutation `primitive-side-not-followed`: who finds the side in place of what was there believes to have written.
#[test]
fn task_named_while_it_gets_in_line_keeps_its_name() {
    explore("task_side_and_named", || {
        let (heap, queue, futures) = (Heap::new(), Queue::new(1), Drops::new());
        let (token, line) = (futures.token(), Arc::new(Quiet));
        let in_line = poll_fn(move |_| {
            let _ = &token;
            let _ = offers::join(&line);
            Poll::Ready(())
        });
        let (due, mut task) = spawn(&heap, &queue, 1, in_line);
        queue.push(due);
        let (asks, names) = (task.handle(), task.handle());
        let asked = Arc::new(std::sync::Mutex::new(false));
        let of_thread = Arc::clone(&asked);
        let threads = [
            thread::spawn(move || {
                *of_thread.lock().expect("nobody panics here") = asks.cancel();
            }),
            thread::spawn(move || names.set_name("named")),
        ];
        queue.run();
        join_all(threads);
        assert_eq!(&*task.name(), "named");
        let output = task.try_take().expect("it has ended");
        let is_asked = *asked.lock().expect("nobody panics here");
        assert!(is_asked || output.is_ok(), "nothing else ends it");
        drop((task, output));
        assert_gone(&futures, &heap);
    });
}

/// Race: a task that waits under a foreign waker is woken by the waker that was made of both, twice, and ends.
///
/// Mutation `task-context-waker-uncounted`: the waker that is made of a context counts as no reference to its task.
#[test]
fn task_ends_while_it_is_woken_beside_a_foreign_waker() {
    explore("task_ends_while_woken_beside_a_foreign_waker", || {
        let (heap, queue, futures) = (Heap::new(), Queue::new(1), Drops::new());
        let (token, kept) = (futures.token(), Arc::new(std::sync::Mutex::new(None)));
        let of_task = Arc::clone(&kept);
        let mut polls = 0;
        let waits = poll_fn(move |_| {
            let _ = &token;
            polls += 1;
            if polls > 1 {
                return Poll::Ready(());
            }
            let waker = offers::waker(Waker::noop());
            *of_task.lock().expect("nobody panics here") = Some((waker.clone(), waker));
            Poll::Pending
        });
        let (due, mut task) = spawn(&heap, &queue, 1, waits);
        assert!(matches!(run_once(due), Ran::Pending));
        let wakers = kept.lock().expect("nobody panics here").take();
        let (one, other) = wakers.expect("it left them");
        let threads =
            [thread::spawn(move || one.wake()), thread::spawn(move || other.wake_by_ref())];
        queue.run();
        task.try_take().expect("it has ended").expect("and well");
        drop(task);
        join_all(threads);
        assert_gone(&futures, &heap);
    });
}
