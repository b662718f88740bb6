//! P18: a request against its delivery in the tree of scopes: told once, never lost, and void once it was taken back.

use crate::support::{Drops, Queue, assert_gone, assert_no_blocks, join_all, run_once, spawn};
use kasasagi_primitive::explore::explore;
use kasasagi_primitive::scope::{Delivery, Polled, Scope, is_task_asked, requests};
use kasasagi_primitive::sync::atomic::{AtomicBool, Ordering::Relaxed};
use kasasagi_primitive::sync::{Arc, Mutex};
use kasasagi_primitive::thread;
use kasasagi_task::slab::Heap;
use kasasagi_task::{Ran, Task};
use std::future::{pending, poll_fn};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::task::{Context, Poll, Wake, Waker};

/// Runs `inner` in a scope; what reaches that is for the caller to use up, to give back or to pass on.
async fn catch<F: Future>(inner: F) -> Result<F::Output, (Scope, Delivery)> {
    let (mut scope, mut inner) = (Scope::new(), Some(Box::pin(inner)));
    poll_fn(move |cx| {
        let Some(future) = inner.as_mut() else { return Poll::Pending };
        match scope.poll(future.as_mut(), cx) {
            Polled::Pending => Poll::Pending,
            Polled::Ready(value) => {
                scope.leave();
                Poll::Ready(Ok(value))
            }
            Polled::Cancelled(delivery) => {
                inner = None;
                Poll::Ready(Err((std::mem::take(&mut scope), delivery)))
            }
        }
    })
    .await
}

async fn until(flag: &AtomicBool) {
    poll_fn(|_| if flag.load(Relaxed) { Poll::Ready(()) } else { Poll::Pending }).await;
}

/// Counts that cost no interleavings: read when all threads are joined, or by the task itself.
fn count() -> std::sync::Arc<AtomicUsize> {
    std::sync::Arc::default()
}

/// What a task finds wrong is counted, since a panic of it would be its own end and no more.
fn check(faults: &AtomicUsize, is_right: bool) {
    faults.fetch_add(usize::from(!is_right), SeqCst);
}

/// A task that was polled once and is idle, and a waker of it.
fn idle<T: Send + 'static>(
    heap: &Heap,
    queue: &Arc<Queue>,
    future: impl Future<Output = T> + Send + 'static,
) -> (Task<T>, Waker) {
    let (due, task) = spawn(heap, queue, 1, future);
    let waker = due.waker();
    assert!(matches!(run_once(due), Ran::Pending), "the first poll leaves it idle");
    (task, waker)
}

/// Race: two requests meet the deliveries of one another. Together they are one delivery, apart they are two; the task
/// goes on by them alone, so that one which is lost leaves it asleep.
///
/// Mutation `task-cancel-taken-late`: CANCEL is taken out after the request was looked at.
/// Mutation `task-cancel-shown-first`: CANCEL is set before the request is pending.
#[test]
fn task_scope_is_told_of_each_request_once() {
    explore("task_scope_two_requests", || {
        let (heap, queue) = (Heap::new(), Queue::new(1));
        let told = count();
        let tell = std::sync::Arc::clone(&told);
        let (task, waker) = idle(&heap, &queue, async move {
            while requests() < 2 {
                let (mut scope, _) = catch(pending::<()>()).await.expect_err("it never ends");
                scope.leave();
                tell.fetch_add(1, SeqCst);
            }
        });
        drop(waker);
        let reference = task.handle();
        let threads = [
            thread::spawn(move || assert!(reference.cancel(), "it waits for this one")),
            thread::spawn(move || {
                assert!(task.cancel(), "it waits for this one");
                drop(task);
            }),
        ];
        queue.run();
        join_all(threads);
        assert!((1..=2).contains(&told.load(SeqCst)), "each is told once");
        assert_no_blocks(&heap);
    });
}

/// Race: a request is taken back while it is delivered, or comes back from a scope that does not use it up. Taken back
/// before that, it is void; else it may reach the next scope; nothing of it is left at the end.
///
/// Mutation `primitive-given-back-although-void`: who gives back does not look whether anything is still asked.
#[test]
fn task_request_given_back_is_void_once_it_was_taken_back() {
    explore("task_scope_give_back_uncancel", || {
        let (heap, queue) = (Heap::new(), Queue::new(1));
        let flag = Arc::new(AtomicBool::new(false));
        let (told, faults) = (count(), count());
        let (seen, tell) = (Arc::clone(&flag), std::sync::Arc::clone(&told));
        let found = std::sync::Arc::clone(&faults);
        let (task, waker) = idle(&heap, &queue, async move {
            let mut is_void = false;
            if let Err((mut scope, _)) = catch(until(&seen)).await {
                tell.fetch_add(1, SeqCst);
                is_void = requests() == 0;
                scope.give_back();
            }
            if let Err((mut scope, _)) = catch(until(&seen)).await {
                // Nobody asked any more, or the next is told of what came back.
                check(&found, !is_void && tell.fetch_add(1, SeqCst) == 1);
                scope.leave();
            }
            until(&seen).await;
            check(&found, !is_task_asked());
        });
        let threads = [thread::spawn(move || {
            assert!(task.cancel());
            assert_eq!(task.uncancel(), 0);
            flag.store(true, Relaxed);
            waker.wake();
            drop(task);
        })];
        queue.run();
        join_all(threads);
        assert!(told.load(SeqCst) <= 2 && faults.load(SeqCst) == 0);
        assert_no_blocks(&heap);
    });
}

/// Race: a delivery comes back from one scope, and has to reach the next, whoever else wakes the task meanwhile.
///
/// Mutation `primitive-given-back-and-asleep`: the runner lets the task sleep although something came back.
#[test]
fn task_request_given_back_reaches_the_next_scope() {
    explore("task_scope_give_back", || {
        let (heap, queue) = (Heap::new(), Queue::new(1));
        let told = count();
        let tell = std::sync::Arc::clone(&told);
        let (task, waker) = idle(&heap, &queue, async move {
            let (mut scope, _) = catch(pending::<()>()).await.expect_err("it never ends");
            tell.fetch_add(1, SeqCst);
            scope.give_back();
            let (mut scope, _) = catch(pending::<()>()).await.expect_err("it never ends");
            tell.fetch_add(1, SeqCst);
            scope.leave();
        });
        let threads = [
            thread::spawn(move || waker.wake()),
            thread::spawn(move || {
                task.cancel();
                drop(task);
            }),
        ];
        queue.run();
        join_all(threads);
        assert_eq!(told.load(SeqCst), 2);
        assert_no_blocks(&heap);
    });
}

/// Race: who waits for a task is cancelled while that one ends. Either it gets the value, and what was asked of it is
/// still to be delivered, or the request has moved on and ends it: it is not used up by a task that never saw it.
///
/// Mutation `task-unseen-request-used-up`: a value that was there before the request takes the request with it.
#[test]
fn task_request_of_who_waits_is_not_used_up_by_an_end_that_did_not_see_it() {
    explore("task_scope_join", || {
        let (heap, queue) = (Heap::new(), Queue::new(1));
        let (due, child) = spawn(&heap, &queue, 2, async {});
        let faults = count();
        let found = std::sync::Arc::clone(&faults);
        let (task, waker) = idle(&heap, &queue, async move {
            let ended = child.await;
            // A child that is asked before its first poll ends cancelled, and so does who waits for it. One that gives a
            // value has not seen what was asked, and nobody has used that up.
            check(&found, ended.is_ok() && (requests() == 0 || is_task_asked()));
        });
        drop(waker);
        let reference = task.handle();
        drop(task);
        let threads = [
            thread::spawn(move || {
                reference.cancel();
            }),
            thread::spawn(move || {
                let mut due = due;
                while let Ran::Requeue(task) = run_once(due) {
                    due = task;
                }
            }),
        ];
        queue.run();
        join_all(threads);
        assert_eq!(faults.load(SeqCst), 0);
        assert_no_blocks(&heap);
    });
}

/// A waker that a combinator puts between; so large that it is not taken for the task's own, see `is_own`.
struct Foreign {
    fired: std::sync::atomic::AtomicBool,
    task: Waker,
    _large: [u64; 256],
}

impl Wake for Foreign {
    fn wake(self: std::sync::Arc<Self>) {
        self.wake_by_ref();
    }
    fn wake_by_ref(self: &std::sync::Arc<Self>) {
        self.fired.store(true, SeqCst);
        self.task.wake_by_ref();
    }
}

type Branch = Pin<Box<dyn Future<Output = ()> + Send>>;
type Slot = Arc<Mutex<Option<Branch>>>;

/// A branch that waits in a scope, and passes on what reaches that.
fn branch(told: std::sync::Arc<AtomicUsize>) -> Slot {
    let branch: Branch = Box::pin(async move {
        let mut scope = Scope::new();
        let mut inner = Some(Box::pin(pending::<()>()));
        poll_fn(move |cx| {
            let Some(future) = inner.as_mut() else { return Poll::Pending };
            if let Polled::Cancelled(delivery) = scope.poll(future.as_mut(), cx) {
                inner = None;
                told.fetch_add(1, SeqCst);
                scope.pass(delivery);
            }
            Poll::Pending
        })
        .await
    });
    Arc::new(Mutex::new(Some(branch)))
}

/// Polls what is in the slot, under a waker of its own, whenever that was woken; ends when the flag is up.
async fn holds(slot: Slot, flag: Arc<AtomicBool>) {
    let mut foreign = None;
    poll_fn(move |cx| {
        let foreign = foreign.get_or_insert_with(|| {
            let fired = std::sync::atomic::AtomicBool::new(true);
            std::sync::Arc::new(Foreign { fired, task: cx.waker().clone(), _large: [0; 256] })
        });
        if foreign.fired.swap(false, SeqCst) {
            if let Some(branch) = slot.lock().as_mut() {
                let waker = Waker::from(std::sync::Arc::clone(foreign));
                let _ = branch.as_mut().poll(&mut Context::from_waker(&waker));
            }
        }
        if flag.load(Relaxed) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

/// Race: a scope under a foreign waker is dropped on another thread while a request is delivered. It leaves its key for
/// the thread that polls, or was told already, and the task does not wait for it: the request ends it.
///
/// Mutation `primitive-foreign-never-passed-over`: who was told and does not come is waited for.
#[test]
fn task_scope_dropped_elsewhere_holds_no_request_up() {
    explore("task_scope_gone", || {
        let (heap, queue, futures) = (Heap::new(), Queue::new(1), Drops::new());
        let told = count();
        let slot = branch(std::sync::Arc::clone(&told));
        let (never, token) = (Arc::new(AtomicBool::new(false)), futures.token());
        let (holder, polled) = (Arc::clone(&slot), Arc::clone(&never));
        let (task, waker) = idle(&heap, &queue, async move {
            let _token = token;
            holds(holder, never).await;
        });
        drop(waker);
        let reference = task.handle();
        let threads = [
            thread::spawn(move || {
                let gone = slot.lock().take();
                // Where the model may stop, as it does not see the list's lock: beside a look of the poll's, and beside
                // the runner's look at the request. Nobody polls the branch any more, and nobody knows that yet.
                polled.store(false, Relaxed);
                drop(gone);
                reference.cancelling();
            }),
            thread::spawn(move || {
                assert!(task.cancel(), "nothing else ends it");
                drop(task);
            }),
        ];
        queue.run();
        join_all(threads);
        assert!(told.load(SeqCst) <= 1);
        assert_gone(&futures, &heap);
    });
}

/// Race: a scope under a foreign waker is dropped on another thread while its task ends. The task's tree does not keep
/// that waker, which may have the task's own in it, beyond the end: both would be kept for ever.
///
/// Mutation `task-end-keeps-its-tree`: the tree goes with the block, and not with the future.
#[test]
fn task_scope_that_outlives_its_task_keeps_nothing_of_it() {
    explore("task_scope_outlives", || {
        let (heap, queue) = (Heap::new(), Queue::new(1));
        let slot = branch(count());
        let flag = Arc::new(AtomicBool::new(false));
        let (task, waker) = idle(&heap, &queue, holds(Arc::clone(&slot), Arc::clone(&flag)));
        drop(task);
        let threads = [thread::spawn(move || {
            let gone = slot.lock().take();
            flag.store(true, Relaxed);
            waker.wake();
            drop(gone);
        })];
        queue.run();
        join_all(threads);
        assert_no_blocks(&heap);
    });
}
