//! Tasks that run other tasks inside their polls and drops: neither takes the other's marks for its own.

use crate::support::{Count, World, answer, panic_text, poll};
use kasasagi_task::{Attributes, Birth, Ran, try_current, yield_now};
use std::panic::Location;
use std::pin::pin;
use std::task::Poll;

/// Runs a task of a scheduler of its own to its end.
fn run_inside<F>(future: F)
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let inner = World::default();
    drop(inner.spawn(future));
    inner.queue.run();
    assert_eq!(inner.blocks(), 0);
}

/// Calls what it holds as it is dropped.
struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

#[test]
fn a_yield_is_kept_although_another_task_runs_inside_after_it() {
    let world = World::default();
    let mut polls = 0;
    let mut task = world.spawn(std::future::poll_fn(move |cx| {
        polls += 1;
        if polls == 2 {
            return Poll::Ready(());
        }
        assert!(pin!(yield_now()).poll(cx).is_pending());
        run_inside(async {});
        Poll::Pending
    }));
    world.queue.run();
    assert!(answer(&mut task).is_ok());
}

#[test]
fn a_task_that_runs_inside_one_that_yielded_has_not_yielded() {
    let world = World::default();
    let task = world.spawn(std::future::poll_fn(|cx| {
        assert!(pin!(yield_now()).poll(cx).is_pending());
        let inner = World::default();
        let (home, heap, place) = (&inner.queue, &inner.heap, Location::caller());
        let birth =
            Birth { heap, home, id: 2, pin: None, place, attributes: Attributes::default() };
        let (due, handle) = birth.spawn(std::future::pending::<()>());
        assert!(matches!(due.run(), Ran::Pending));
        handle.cancel();
        inner.queue.run();
        Poll::Ready(())
    }));
    world.queue.run();
    assert!(task.is_finished());
    drop(task);
    assert_eq!(world.blocks(), 0);
}

#[test]
fn a_ready_future_whose_drop_runs_a_task_and_panics_is_dropped_once() {
    let (world, drops) = (World::default(), Count::default());
    let dropped = drops.clone();
    let on_drop = OnDrop(move || {
        dropped.add();
        let token = Count::default();
        let inside = token.token();
        run_inside(async move { drop(inside) });
        assert_eq!(token.get(), 1);
        panic!("after the task inside");
    });
    let mut task = world.spawn(std::future::poll_fn(move |_| {
        let _ = &on_drop;
        Poll::Ready(())
    }));
    world.queue.run();
    assert_eq!(panic_text(answer(&mut task)), "after the task inside");
    drop(task);
    assert_eq!((drops.get(), world.blocks()), (1, 0));
}

#[test]
fn a_task_that_panics_inside_the_drop_of_a_ready_future_is_dropped_too() {
    let (world, inner) = (World::default(), Count::default());
    let counts = inner.clone();
    let on_drop = OnDrop(move || {
        let token = counts.token();
        run_inside(std::future::poll_fn(move |_| -> Poll<()> {
            let _ = &token;
            panic!("the task inside");
        }));
    });
    let mut task = world.spawn(std::future::poll_fn(move |_| {
        let _ = &on_drop;
        Poll::Ready(7)
    }));
    world.queue.run();
    assert_eq!(answer(&mut task).expect("its own drop did not panic"), 7);
    assert_eq!(inner.get(), 1);
}

#[test]
fn the_current_task_is_there_in_poll_and_drop_and_back_after_one_inside() {
    for how in ["ready", "cancelled", "panicked"] {
        let (world, seen) = (World::default(), Count::default());
        let count = seen.clone();
        let on_drop = OnDrop(move || {
            run_inside(async {});
            assert_eq!(try_current().expect("a task drops it").id().as_u64(), 1);
            count.add();
        });
        let task = world.spawn(std::future::poll_fn(move |_| {
            let _ = &on_drop;
            run_inside(async {});
            assert_eq!(try_current().expect("a task runs it").id().as_u64(), 1);
            match how {
                "ready" => Poll::Ready(()),
                "panicked" => std::panic::resume_unwind(Box::new(how)),
                _ => Poll::Pending,
            }
        }));
        world.queue.run();
        task.cancel();
        world.queue.run();
        assert!(try_current().is_none());
        assert_eq!(seen.get(), 1, "{how}");
        assert_eq!(task.is_cancelled(), how == "cancelled");
    }
}

#[test]
fn a_reference_to_itself_keeps_the_block_until_it_is_dropped() {
    let world = World::default();
    let mut task = world.spawn(async { try_current() });
    world.queue.run();
    let itself = answer(&mut task).expect("a value").expect("it ran as a task");
    assert_eq!(itself.id(), task.id());
    drop(task);
    assert_eq!(world.blocks(), 1);
    drop(itself);
    assert_eq!(world.blocks(), 0);
}

#[test]
fn a_task_that_awaits_itself_gets_an_error_and_goes() {
    let world = World::default();
    let shelf = std::sync::Arc::new(std::sync::Mutex::new(None));
    let own = std::sync::Arc::clone(&shelf);
    let mut told = None;
    let task = world.spawn(std::future::poll_fn(move |cx| {
        let task = told.get_or_insert_with(|| own.lock().expect("nobody panics").take());
        let task = task.as_mut().expect("the handle was put there");
        match poll(cx.waker(), task) {
            Poll::Ready(Err(error)) => assert!(!error.is_cancelled() && !error.is_panic()),
            _ => panic!("it waits for itself"),
        }
        Poll::Ready(())
    }));
    *shelf.lock().expect("nobody panics") = Some(task);
    world.queue.run();
    assert_eq!(world.blocks(), 0);
}
