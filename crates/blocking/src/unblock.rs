//! The future of a closure's result.

use crate::error::BlockingError;
use crate::job::Outcome;
use kasasagi_primitive::wait_site::WaitKind;
use kasasagi_primitive::{coop, task_context};
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

/// Waits for a closure's result; made by [`Pool::unblock`](crate::Pool::unblock).
///
/// # Cancel safety
/// Dropped before the closure has started, the closure never runs. Dropped later, the closure runs to its end and
/// its result is dropped; await it to be sure that it has ended.
#[must_use = "dropping it takes back a closure that has not started; await it"]
pub struct Unblock<T> {
    // None once the result was given.
    job: Option<Arc<dyn Outcome<T>>>,
    place: &'static Location<'static>,
}

impl<T> Unblock<T> {
    pub(crate) fn new(job: Arc<dyn Outcome<T>>, place: &'static Location<'static>) -> Self {
        Self { job: Some(job), place }
    }
}

impl<T> Future for Unblock<T> {
    type Output = Result<T, BlockingError>;

    /// # Panics
    /// When it is polled after it gave its result.
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        ready!(coop::poll_proceed(cx));
        let job = self.job.as_ref().expect("a future is not polled after it gave its result");
        match job.poll(cx) {
            Poll::Ready(result) => {
                self.job = None;
                Poll::Ready(result)
            }
            Poll::Pending => {
                coop::refund();
                let resource = Arc::as_ptr(job).cast::<()>() as usize;
                task_context::waiting(WaitKind::Blocking, resource, self.place);
                Poll::Pending
            }
        }
    }
}

impl<T> Drop for Unblock<T> {
    fn drop(&mut self) {
        if let Some(job) = self.job.take() {
            job.abandon();
        }
    }
}

impl<T> fmt::Debug for Unblock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unblock").field("place", &self.place).finish_non_exhaustive()
    }
}
