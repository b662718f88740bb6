//! Requests to cancel without a reason: they stand in one word, and their error is the task itself. Nobody sees it.

use crate::support::{Count, World, answer};
use kasasagi_primitive::task_context;
use kasasagi_primitive::wait_site::WaitKind;
use kasasagi_task::{JoinError, Task, TaskState};
use std::future::{pending, poll_fn};
use std::panic::Location;
use std::task::Poll;

/// A task that waits for a sleep at the place it gives, until it is cancelled.
fn sleeper(world: &World) -> (Task<()>, &'static Location<'static>) {
    let place = Location::caller();
    let task = world.spawn(poll_fn(move |_| {
        task_context::waiting(WaitKind::Sleep, 0, place);
        Poll::<()>::Pending
    }));
    world.queue.run();
    (task, place)
}

fn error_of(mut task: Task<()>) -> JoinError {
    answer(&mut task).expect_err("it was cancelled")
}

#[test]
fn an_error_outlives_its_task_its_heap_and_its_scheduler() {
    let world = World::default();
    let (task, waited) = sleeper(&world);
    let line = line!() + 1;
    assert!(task.cancel());
    world.queue.run();
    let error = error_of(task);
    assert_eq!(world.blocks(), 1, "it is the error's");
    drop(world);
    assert_eq!((error.is_cancelled(), error.is_panic(), error.reason()), (true, false, None));
    assert_eq!(error.cancelled_at().map(Location::line), Some(line));
    assert_eq!((error.cancelled_by(), error.interrupted_at()), (None, Some(waited)));
    assert_eq!(error.to_string(), "task `Task-1` was cancelled");
    let error = error.into_panic().expect_err("it did not panic");
    assert_eq!(error.id().as_u64(), 1);
}

#[test]
fn an_error_of_a_large_task_keeps_no_block() {
    let world = World::default();
    let large = [7_u8; 4096];
    let task = world.spawn(async move {
        pending::<()>().await;
        std::hint::black_box(&large);
    });
    world.queue.run();
    let line = line!() + 1;
    assert!(task.cancel());
    world.queue.run();
    let error = error_of(task);
    assert_eq!(world.blocks(), 0);
    assert_eq!(error.cancelled_at().map(Location::line), Some(line));
    assert_eq!((error.id().as_u64(), error.interrupted_at()), (1, None));
}

#[test]
fn requests_are_counted_and_taken_back_whoever_made_them() {
    let world = World::default();
    let (task, _) = sleeper(&world);
    assert!(task.cancel());
    assert_eq!((task.cancelling(), task.handle().info().state), (1, TaskState::Cancelling));
    assert_eq!((task.uncancel(), task.cancelling()), (0, 0));
    assert_eq!(task.uncancel(), 0, "there is none to take back");
    world.queue.run();
    assert!(!task.is_finished(), "it was withdrawn");
    assert!(task.cancel() && task.cancel());
    assert_eq!((task.cancelling(), task.uncancel(), task.cancelling()), (2, 1, 1));
    world.queue.run();
    assert!(task.is_cancelled());
}

#[test]
fn a_reason_that_comes_later_is_heard() {
    let world = World::default();
    let (task, _) = sleeper(&world);
    assert!(task.cancel() && task.cancel_with("later"));
    world.queue.run();
    assert_eq!(error_of(task).reason(), Some("later"));
}

#[test]
fn what_is_noted_of_a_task_after_the_request_changes_nothing_of_it() {
    let world = World::default();
    let (task, waited) = sleeper(&world);
    let line = line!() + 1;
    assert!(task.cancel());
    task.set_name("late");
    world.queue.run();
    let error = error_of(task);
    assert_eq!(error.cancelled_at().map(Location::line), Some(line));
    assert_eq!(error.interrupted_at(), Some(waited));
    assert_eq!(error.to_string(), "task `late` was cancelled");
}

#[test]
fn what_is_noted_of_a_task_after_its_end_changes_nothing_of_the_error() {
    let world = World::default();
    let (mut task, waited) = sleeper(&world);
    let line = line!() + 1;
    assert!(task.cancel());
    world.queue.run();
    let error = answer(&mut task).expect_err("it was cancelled");
    assert!(!task.cancel(), "it has ended");
    task.set_name("late");
    assert_eq!(task.uncancel(), 0);
    assert_eq!(error.cancelled_at().map(Location::line), Some(line));
    assert_eq!((error.interrupted_at(), error.reason()), (Some(waited), None));
    drop((task, error));
    assert_eq!(world.blocks(), 0);
}

/// Waits for something else, at a place of its own, while it is dropped.
struct Busy;

impl Drop for Busy {
    fn drop(&mut self) {
        task_context::waiting(WaitKind::Lock, 1, Location::caller());
        task_context::with(|context| assert_eq!(context.requests(), 1, "it was asked once"));
    }
}

#[test]
fn a_drop_that_waits_does_not_hide_where_the_task_was_interrupted() {
    let world = World::default();
    let (busy, place) = (Busy, Location::caller());
    let task = world.spawn(poll_fn(move |_| {
        let _ = &busy;
        task_context::waiting(WaitKind::Sleep, 0, place);
        Poll::<()>::Pending
    }));
    world.queue.run();
    assert!(task.cancel());
    world.queue.run();
    assert_eq!(error_of(task).interrupted_at(), Some(place));
}

#[test]
fn a_drop_that_panics_is_a_panic_of_the_task() {
    let world = World::default();
    let count = Count::default();
    let bomb = count.bomb();
    let task = world.spawn(async move {
        pending::<()>().await;
        drop(bomb);
    });
    world.queue.run();
    assert!(task.cancel());
    world.queue.run();
    let error = error_of(task);
    assert_eq!((error.is_panic(), error.is_cancelled(), count.get()), (true, false, 1));
    assert_eq!(world.blocks(), 0);
}

#[test]
fn a_task_without_a_handle_leaves_nothing() {
    let world = World::default();
    let (task, _) = sleeper(&world);
    let reference = task.handle();
    drop(task);
    assert!(reference.cancel());
    world.queue.run();
    assert!(reference.is_cancelled());
    drop(reference);
    assert_eq!(world.blocks(), 0);
}
