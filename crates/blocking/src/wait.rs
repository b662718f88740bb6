//! A thread that waits for a future: how results are taken outside tasks.
//!
//! Each thread keeps its place to wait, so that waiting allocates nothing.

use crate::clock;
use kasasagi_primitive::park::Parker;
use kasasagi_primitive::{task_context, thread_local};
use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

thread_local! {
    static PLACE: Cell<Option<(Parker, Waker)>> = Cell::new(None)
}

/// Runs `future` on this thread, which sleeps while it waits, `limit` at most.
///
/// # Panics
/// Inside a task.
#[track_caller]
pub(crate) fn block_on<F: Future + Unpin>(
    future: &mut F,
    called: &str,
    limit: Option<Duration>,
) -> Option<F::Output> {
    assert!(
        task_context::current().is_null(),
        "`{called}` was called inside a task, and would stop the worker that runs it: write `.await` instead, or call \
         it on a thread of its own, such as `to_thread` gives"
    );
    let until = limit.map(|limit| clock::now().saturating_add(limit));
    // Not there the first time, while it is in use further out, and when the thread ends.
    let (parker, waker) = PLACE.try_with(Cell::take).ok().flatten().unwrap_or_else(|| {
        let parker = Parker::new();
        let waker = parker.unparker().into_waker();
        (parker, waker)
    });
    let output = loop {
        if let Poll::Ready(output) = Pin::new(&mut *future).poll(&mut Context::from_waker(&waker)) {
            break Some(output);
        }
        let Some(until) = until else {
            parker.park();
            continue;
        };
        let left = until.saturating_sub(clock::now());
        if left.is_zero() {
            break None;
        }
        parker.park_timeout(left);
    };
    // A token that is left makes the next wait look once more than it has to. Kept only until the thread ends.
    let _ = PLACE.try_with(|place| place.set(Some((parker, waker))));
    output
}
