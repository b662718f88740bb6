//! The future of a closure's result.

use crate::crew::Crew;
use crate::error::BlockingError;
use crate::job::{AnyJob, Outcome};
use crate::wait::block_on;
use kasasagi_primitive::wait_site::WaitKind;
use kasasagi_primitive::{coop, task_context};
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

/// Waits for a closure's result; made by [`Pool::unblock`](crate::Pool::unblock).
///
/// # Cancel safety
/// Dropped before the closure has started, the closure never runs. Dropped later, the closure runs to its end and
/// its result is dropped; await it to be sure that it has ended.
///
/// Counterpart: `concurrent.futures.Future`.
#[must_use = "dropping it takes back a closure that has not started; await it"]
pub struct Unblock<T> {
    // None once the result was given.
    job: Option<Arc<dyn Outcome<T>>>,
    place: &'static Location<'static>,
    /// The pool that has it, as an address: only to be compared.
    crew: Option<usize>,
}

impl<T> Unblock<T> {
    pub(crate) fn new(
        job: Arc<dyn Outcome<T>>,
        place: &'static Location<'static>,
        crew: Option<usize>,
    ) -> Self {
        Self { job: Some(job), place, crew }
    }

    /// Where the closure was handed in.
    pub fn place(&self) -> &'static Location<'static> {
        self.place
    }

    /// Whether the result is there, or was given.
    pub fn is_finished(&self) -> bool {
        self.job.as_ref().is_none_or(|job| job.is_over())
    }

    /// Takes the closure back if it has not started: it never runs, and its future gives
    /// [`BlockingError::Cancelled`]. `false` if it has started, or ended.
    ///
    /// Counterpart: `concurrent.futures.Future.cancel`.
    pub fn cancel(&self) -> bool {
        self.job.as_ref().is_some_and(|job| job.cancel(BlockingError::Cancelled))
    }

    /// Has the closure run although nobody waits for it. If it panics, that is reported.
    pub fn detach(mut self) {
        if let Some(job) = self.job.take() {
            job.detach();
        }
    }

    /// Waits for the result on this thread, which must not be a worker.
    ///
    /// Threads of the pool itself may do so as well, as long as one of them is left to run what is waited for.
    ///
    /// # Errors
    /// As the future, and [`BlockingError::Deadlock`] if this was the last thread of the pool that did not wait for a
    /// closure of the pool.
    ///
    /// # Panics
    /// Inside a task: it would block the worker. If the result was given before.
    ///
    /// Counterpart: `concurrent.futures.Future.result`.
    #[track_caller]
    pub fn wait(mut self) -> Result<T, BlockingError> {
        let _waiting = match (self.own_crew(), self.any_job()) {
            (Some(crew), Some(job)) if !job.is_over() => Some(crew.wait_for(job)?),
            _ => None,
        };
        match block_on(&mut self, "wait", None) {
            Some(result) => result,
            None => unreachable!("it waits without a limit"),
        }
    }

    /// Waits for the result on this thread, which must not be a worker, `limit` at most; `None` if that was too short.
    ///
    /// # Panics
    /// Inside a task: it would block the worker. If the result was given before.
    ///
    /// Counterpart: `concurrent.futures.Future.result(timeout)`.
    #[track_caller]
    pub fn wait_timeout(&mut self, limit: Duration) -> Option<Result<T, BlockingError>> {
        block_on(self, "wait_timeout", Some(limit))
    }

    /// The crew of this thread, if it is the one that has the closure.
    fn own_crew(&self) -> Option<Crew> {
        let address = self.crew?;
        Crew::of_this_thread().filter(|crew| crew.address() == address)
    }

    fn any_job(&self) -> Option<AnyJob> {
        self.job.clone().map(Outcome::as_run)
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
