//! Wakers and references that outlive the task, its heap and its scheduler.

use crate::support::{Count, World};
use kasasagi_primitive::sync::{Arc, Mutex};
use kasasagi_primitive::thread;
use kasasagi_task::TaskState;
use std::task::{Poll, Waker};

/// A task that ended, by `end` or by cancellation, and two wakers of it, all in `world`.
fn ended(world: &World, end: bool) -> (kasasagi_task::Task<()>, [Waker; 2]) {
    let kept = Arc::new(Mutex::new(Vec::new()));
    let shelf = Arc::clone(&kept);
    let futures = Count::default();
    let token = futures.token();
    let task = world.spawn(std::future::poll_fn(move |cx| {
        let _ = &token;
        shelf.lock().extend([cx.waker().clone(), cx.waker().clone()]);
        if end { Poll::Ready(()) } else { Poll::Pending }
    }));
    world.queue.run();
    assert_eq!(task.cancel(), !end);
    world.queue.run();
    assert_eq!(futures.get(), 1);
    let wakers = std::mem::take(&mut *kept.lock());
    (task, wakers.try_into().expect("it was polled once"))
}

fn use_up([first, second]: [Waker; 2]) {
    first.wake_by_ref();
    let clone = first.clone();
    assert!(clone.will_wake(&second));
    clone.wake();
    second.wake();
    let last = first.clone();
    drop(first);
    last.wake_by_ref();
    last.wake();
}

#[test]
fn wakers_are_inert_after_the_task_its_heap_and_its_scheduler() {
    for end in [true, false] {
        let world = World::default();
        let (task, wakers) = ended(&world, end);
        drop(task);
        assert_eq!(world.blocks(), 1);
        drop(world);
        use_up(wakers);
    }
}

#[test]
fn wakers_are_inert_on_other_threads_after_the_heap() {
    let world = World::default();
    let threads = [true, false].map(|end| {
        let (task, wakers) = ended(&world, end);
        drop(task);
        thread::spawn(move || use_up(wakers))
    });
    drop(world);
    for thread in threads {
        thread.join().expect("a late wake does not panic");
    }
}

#[test]
fn handles_and_references_answer_after_the_heap() {
    let world = World::default();
    let (mut task, wakers) = ended(&world, true);
    let reference = task.handle();
    let registry = world.heap.registry();
    drop(world);
    assert!(kasasagi_task::all(&registry).is_empty());
    assert!(!reference.cancel() && !reference.cancel_with("too late"));
    assert_eq!(reference.info().state, TaskState::Finished);
    assert_eq!(&*reference.name(), "Task-1");
    assert!(task.try_take().expect("it has ended").is_ok());
    assert!(task.try_take().is_none());
    drop(task);
    use_up(wakers);
    reference.set_name("late");
    assert_eq!(&*reference.clone().name(), "late");
}

#[test]
fn a_wake_after_the_end_queues_nothing() {
    let world = World::default();
    let (task, wakers) = ended(&world, true);
    use_up(wakers);
    assert_eq!(world.queue.len(), 0);
    drop(task);
    assert_eq!(world.blocks(), 0);
}
