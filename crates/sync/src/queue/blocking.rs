//! A thread that waits for a future: how queues are used from outside tasks.
//!
//! Each thread keeps its place to wait, so that waiting allocates nothing.

use kasasagi_primitive::park::Parker;
use kasasagi_primitive::{task_context, thread_local};
use std::cell::Cell;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

thread_local! {
    static PLACE: Cell<Option<(Parker, Waker)>> = Cell::new(None)
}

/// Runs `future` on this thread, which sleeps while it waits.
///
/// # Panics
/// Inside a task.
#[track_caller]
pub(super) fn block_on<F: Future>(future: F, called: &str, instead: &str) -> F::Output {
    assert!(
        task_context::current().is_null(),
        "`{called}` was called inside a task, and would stop the worker that runs it: write `{instead}.await`, or call it \
         on a thread of its own, such as `to_thread` gives"
    );
    // Not there the first time, while it is in use further out, and when the thread ends.
    let (parker, waker) = PLACE.try_with(Cell::take).ok().flatten().unwrap_or_else(|| {
        let parker = Parker::new();
        let waker = parker.unparker().into_waker();
        (parker, waker)
    });
    let mut future = pin!(future);
    let output = loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            break output;
        }
        parker.park();
    };
    // A token that is left makes the next wait look once more than it has to. Kept only until the thread ends.
    let _ = PLACE.try_with(|place| place.set(Some((parker, waker))));
    output
}
