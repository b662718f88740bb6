//! A thread that waits for a future: how results are taken outside tasks.
//!
//! Each thread keeps its place to wait, so that waiting allocates nothing.

use crate::clock;
use crate::spin::Spin;
use kasasagi_primitive::park::Parker;
use kasasagi_primitive::{task_context, thread_local};
use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

thread_local! {
    static PLACE: Cell<Option<Place>> = Cell::new(None)
}

/// Where a thread waits, and how long it does so awake.
struct Place {
    parker: Parker,
    waker: Waker,
    spin: Spin,
}

impl Place {
    fn new() -> Self {
        let parker = Parker::new();
        let waker = parker.unparker().into_waker();
        Self { parker, waker, spin: Spin::new() }
    }
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
    let mut place = PLACE.try_with(Cell::take).ok().flatten().unwrap_or_else(Place::new);
    let output = loop {
        let mut cx = Context::from_waker(&place.waker);
        if let Poll::Ready(output) = Pin::new(&mut *future).poll(&mut cx) {
            break Some(output);
        }
        let Place { parker, spin, .. } = &mut place;
        if spin.until(|| parker.try_park()) {
            continue;
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
    let _ = PLACE.try_with(|kept| kept.set(Some(place)));
    output
}
