//! What awaiting a task gives, once or shared, and what a task costs: TASK-10, -18, -23, -30, -32.

use crate::flavour::{for_each_flavour, in_each_flavour, run};
use crate::settled::{settle, spawn};
use futures_util::FutureExt as _;
use kasasagi::{
    Handle, PromiseError, Task, TaskGroup, as_completed, gather, promise, task, wait, yield_now,
};
use std::error::Error;
use std::fmt;
use std::future::{pending, ready};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

#[derive(Debug, Clone, PartialEq)]
struct Spam(&'static str);

impl fmt::Display for Spam {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl Error for Spam {}

async fn ended<T>(task: &Task<T>) {
    crate::hand::until("it ends", || task.is_finished()).await;
}

#[test]
fn task_10_an_output_is_taken_once_it_is_there_and_not_before() {
    in_each_flavour(async || {
        let (promise, gate) = promise::<i32, Spam>();
        let mut value = spawn(async move { gate.await.expect("it is set") });
        let mut fails = spawn(async { Err::<(), _>(Spam("spam")) });
        let mut panics = spawn(async { assert!(task::try_current().is_none(), "in a task") });
        settle().await;
        assert!(value.try_take().is_none(), "it has not ended");
        promise.set_result(42).expect("nobody else sets it");
        ended(&value).await;
        assert_eq!(value.try_take().expect("it has ended").expect("no panic"), 42);
        ended(&fails).await;
        assert_eq!(fails.try_take().expect("it has ended").expect("no panic"), Err(Spam("spam")));
        ended(&panics).await;
        assert!(panics.try_take().expect("it has ended").expect_err("it panicked").is_panic());
        // What is read again and again is shared.
        let (promise, shared) = kasasagi::promise::<i32, Spam>();
        promise.set_result(42).expect("nobody else sets it");
        for _ in 0..3 {
            assert_eq!(shared.clone().await, Ok(42));
            assert_eq!(shared.result(), Ok(42));
        }
    });
}

#[test]
fn task_18_an_ended_task_is_awaited_without_suspending_and_a_shared_one_by_several() {
    in_each_flavour(async || {
        let mut task = spawn(ready(7));
        ended(&task).await;
        let polled = Pin::new(&mut { &mut task }).poll(&mut Context::from_waker(Waker::noop()));
        assert!(matches!(polled, Poll::Ready(Ok(7))), "at the first poll: {polled:?}");
        let counted = Arc::new(AtomicUsize::new(0));
        let theirs = Arc::clone(&counted);
        let task = spawn(async move {
            yield_now().await;
            theirs.fetch_add(1, Ordering::SeqCst)
        });
        let shared = async move { task.await.expect("it ends") }.shared();
        let (first, second) = (spawn(shared.clone()), spawn(shared.clone()));
        assert_eq!(first.await.expect("it ends"), 0);
        assert_eq!(second.await.expect("it ends"), 0);
        assert_eq!(shared.await, 0, "afterwards too");
        assert_eq!(counted.load(Ordering::SeqCst), 1, "it ran once");
    });
}

/// How far it is to the end of what `error` came from.
fn depth(error: &dyn Error) -> usize {
    match error.source() {
        Some(source) => 1 + depth(source),
        None => 0,
    }
}

#[test]
fn task_23_an_error_that_comes_while_another_is_handled_leaves_both_to_be_read() {
    in_each_flavour(async || {
        let first = spawn(async { Err::<(), _>(Spam("first")) });
        let group = TaskGroup::<Spam>::scope(|tg| async move {
            let handled = first.await.expect("it ends").expect_err("it fails");
            // While that is handled another one is awaited, which fails.
            tg.spawn(async { Err::<(), _>(Spam("second")) });
            pending::<()>().await;
            Err::<(), _>(handled)
        });
        let error = group.await.expect_err("a child failed");
        let texts: Vec<_> = error.errors().iter().filter_map(|child| child.error()).collect();
        assert_eq!(texts, [&Spam("second")]);
        assert_eq!(depth(&error), 1, "{error:?}");
        // An error that the program makes of a task's keeps it as its source, unchanged.
        let panicked = spawn(async { panic!("out of twigs") }).await;
        let wrapped = std::io::Error::other(panicked.expect_err("it panicked"));
        let source = wrapped.get_ref().expect("it was made of one");
        assert!(source.to_string().contains("out of twigs"), "{source}");
        assert_eq!(depth(&wrapped), 0, "a panic comes from no other error");
    });
}

/// Awaits without a spawn.
async fn deep(levels: usize) -> usize {
    if levels == 0 { 0 } else { 1 + Box::pin(deep(levels - 1)).await }
}

/// Five tasks, each with five, and so on; how many there were in all, this one among them.
fn wide(levels: usize) -> Pin<Box<dyn Future<Output = usize> + Send>> {
    Box::pin(async move {
        if levels == 0 {
            return 1;
        }
        let below: Vec<_> = (0..5).map(|_| kasasagi::spawn(wide(levels - 1))).collect();
        let below = gather(below).await;
        1 + below.into_iter().map(|count| count.expect("it ends")).sum::<usize>()
    })
}

fn wide_group(levels: usize) -> Pin<Box<dyn Future<Output = usize> + Send>> {
    Box::pin(async move {
        if levels == 0 {
            return 1;
        }
        let count = Arc::new(AtomicUsize::new(1));
        let all = Arc::clone(&count);
        let group = TaskGroup::<Spam>::scope(|tg| async move {
            for _ in 0..5 {
                let all = Arc::clone(&all);
                tg.spawn(async move {
                    all.fetch_add(wide_group(levels - 1).await, Ordering::SeqCst);
                    Ok(())
                });
            }
            Ok(())
        });
        group.await.expect("no child fails");
        count.load(Ordering::SeqCst)
    })
}

#[test]
fn task_30_awaits_make_no_task_and_spawns_make_one_each() {
    for_each_flavour(|build| {
        let runtime = build();
        let handle = runtime.handle();
        let spawned = move || {
            let metrics = handle.metrics();
            metrics.spawned_outside + metrics.seats.iter().map(|seat| seat.spawned).sum::<u64>()
        };
        let before = spawned();
        assert_eq!(run(&runtime, deep(100)), 100);
        let root = spawned() - before;
        assert!(root <= 1, "main, and nothing else");
        for tree in [wide, wide_group] {
            let before = spawned();
            assert_eq!(run(&runtime, tree(4)), 781);
            assert_eq!(spawned() - before, 780 + root, "one for each but main");
        }
    });
}

#[test]
fn task_32_a_task_passes_through_and_a_future_is_spawned() {
    in_each_flavour(async || {
        let task = spawn(ready(1));
        let id = task.id();
        let mut ends = as_completed([task]);
        let same = ends.next_task().await.expect("there is one");
        assert_eq!(same.id(), id);
        let waited = wait([same]).await;
        assert_eq!(waited.done[0].id(), id);
        let own = Handle::current().spawn(async { task::current().id() });
        let id = own.id();
        assert_eq!(gather([own]).await.remove(0).expect("it ends"), id);
        let here = task::current().id();
        let there = gather([async { task::current().id() }]).await.remove(0).expect("it ends");
        assert_ne!(there, here, "a future has a task of its own");
    });
}

#[test]
fn gath_12_a_shared_result_may_be_gathered_several_times() {
    in_each_flavour(async || {
        let runs = Arc::new(AtomicUsize::new(0));
        let theirs = Arc::clone(&runs);
        let (promise, abc) = promise::<&'static str, Spam>();
        let (other, def) = kasasagi::promise::<&'static str, Spam>();
        let setter = spawn(async move {
            theirs.fetch_add(1, Ordering::SeqCst);
            yield_now().await;
            other.set_result("def").expect("nobody else sets it");
            promise.set_result("abc").expect("nobody else sets it");
        });
        let outputs = gather([abc.clone(), abc.clone(), def, abc]).await;
        let outputs: Result<Vec<_>, PromiseError<Spam>> =
            outputs.into_iter().map(|output| output.expect("no panic")).collect();
        assert_eq!(outputs.expect("all are set"), ["abc", "abc", "def", "abc"]);
        setter.await.expect("it ends");
        assert_eq!(runs.load(Ordering::SeqCst), 1);
    });
}

#[test]
fn asc_07_a_next_may_be_given_up_for_another_which_gets_the_first_end() {
    in_each_flavour(async || {
        let (late, gate) = promise::<&'static str, Spam>();
        let (early, first) = promise::<&'static str, Spam>();
        let mut ends = as_completed([gate, first]);
        {
            // Polled, so that it waits; then dropped.
            let mut next = pin!(ends.next());
            assert!(next.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        }
        early.set_result("early").expect("nobody else sets it");
        let output = ends.next().await.expect("there are two").expect("no panic");
        assert_eq!(output.expect("it is set"), "early");
        late.set_result("late").expect("nobody else sets it");
        let output = ends.next().await.expect("there is one more").expect("no panic");
        assert_eq!(output.expect("it is set"), "late");
        assert!(ends.next().await.is_none());
    });
}
