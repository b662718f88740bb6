//! A job that runs in another process: a task here, which is cancelled when its handle is dropped.

use crate::process_pool::JobError;
use kasasagi_task::{Task, TaskRef};
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// A job in a worker process; made by [`ProcessPool::submit`](crate::ProcessPool::submit). A future of its result.
///
/// Dropped, it kills the worker process that it runs in, and only that; or it is never begun.
///
/// Counterpart: `concurrent.futures.Future`.
#[must_use = "dropping a job kills it: `.await` it, or `detach` it to let it run"]
pub struct Job<R> {
    state: State<R>,
    place: &'static Location<'static>,
}

enum State<R> {
    Runs(Task<Result<R, JobError>>),
    /// It could not be sent.
    Refused(JobError),
    /// Its result was given out, or it was detached.
    Over,
}

impl<R> Unpin for Job<R> {}

impl<R> Job<R> {
    pub(crate) fn new(task: Task<Result<R, JobError>>, place: &'static Location<'static>) -> Self {
        Self { state: State::Runs(task), place }
    }

    pub(crate) fn refused(error: JobError, place: &'static Location<'static>) -> Self {
        Self { state: State::Refused(error), place }
    }

    /// Kills it, or takes it out of the line; awaited, it then gives [`JobError::Cancelled`].
    ///
    /// Returns whether it was still to end.
    pub fn cancel(&self) -> bool {
        match &self.state {
            State::Runs(task) => task.cancel(),
            State::Refused(_) | State::Over => false,
        }
    }

    /// Whether its result is there.
    pub fn is_finished(&self) -> bool {
        match &self.state {
            State::Runs(task) => task.is_finished(),
            State::Refused(_) | State::Over => true,
        }
    }

    /// The task that waits for it, to be looked at; `None` if it could not be sent, or its result was given out.
    pub fn task(&self) -> Option<TaskRef> {
        match &self.state {
            State::Runs(task) => Some(task.handle()),
            State::Refused(_) | State::Over => None,
        }
    }

    /// Lets it run to its end, whatever that is.
    pub fn detach(mut self) {
        drop(std::mem::replace(&mut self.state, State::Over));
    }
}

impl<R> Future for Job<R> {
    type Output = Result<R, JobError>;

    /// # Panics
    /// When it is polled after it gave its result.
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let place = self.place;
        if let State::Runs(task) = &mut self.state {
            let joined = ready!(task.poll_output(cx, place));
            self.state = State::Over;
            return Poll::Ready(match joined.map_err(|error| error.into_panic()) {
                Ok(result) => result,
                Err(Err(_)) => Err(JobError::Cancelled),
                // The encoding of the program's own types panicked.
                Err(Ok(payload)) => std::panic::resume_unwind(payload),
            });
        }
        match std::mem::replace(&mut self.state, State::Over) {
            State::Refused(error) => Poll::Ready(Err(error)),
            _ => panic!("a job was polled after it gave its result"),
        }
    }
}

impl<R> Drop for Job<R> {
    fn drop(&mut self) {
        if let State::Runs(task) = std::mem::replace(&mut self.state, State::Over) {
            task.cancel();
            task.disregard();
        }
    }
}

impl<R> fmt::Debug for Job<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Job").field("task", &self.task()).finish_non_exhaustive()
    }
}
