//! Waiting with a thread, where there is no task to suspend.

use kasasagi_primitive::park::Parker;
use kasasagi_primitive::task_context;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll};

/// Polls `future` on this thread until it is ready, and parks in between; for `function`, which waits like that.
///
/// # Panics
/// Inside a task of kasasagi: its worker would run no other task meanwhile, perhaps not even the one it waits for.
#[track_caller]
pub(crate) fn block_on<F: Future>(function: &str, future: F) -> F::Output {
    assert!(
        task_context::current_id().is_none(),
        "`{function}` is for threads; inside a task it would keep a worker from all other tasks: await instead"
    );
    let parker = Parker::new();
    let waker = parker.unparker().into_waker();
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        parker.park();
    }
}
