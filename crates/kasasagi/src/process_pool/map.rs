//! The results of many jobs, in the order of their arguments.

use crate::process_pool::{Job, JobError};
use futures_core::Stream;
use std::collections::VecDeque;
use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// What [`ProcessPool::map`](crate::ProcessPool::map) gives: a stream of results in the order of the arguments; awaited,
/// all of them, or the first error in that order.
#[must_use = "dropping it kills its jobs: `.await` it, or take its results as a stream"]
pub struct Map<R> {
    jobs: VecDeque<Job<R>>,
}

impl<R> Unpin for Map<R> {}

impl<R> Map<R> {
    pub(crate) fn new(jobs: VecDeque<Job<R>>) -> Self {
        Self { jobs }
    }

    /// How many are still to come.
    pub fn len(&self) -> usize {
        self.jobs.len()
    }

    /// Whether none is to come.
    pub fn is_empty(&self) -> bool {
        self.jobs.is_empty()
    }

    fn poll_front(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<R, JobError>>> {
        let Some(job) = self.jobs.front_mut() else { return Poll::Ready(None) };
        let result = ready!(Pin::new(job).poll(cx));
        self.jobs.pop_front();
        Poll::Ready(Some(result))
    }
}

impl<R> Stream for Map<R> {
    type Item = Result<R, JobError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_front(cx)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.len(), Some(self.len()))
    }
}

impl<R> IntoFuture for Map<R> {
    type Output = Result<Vec<R>, JobError>;
    type IntoFuture = All<R>;

    fn into_future(self) -> All<R> {
        All { results: Vec::with_capacity(self.len()), map: self }
    }
}

/// All results of a [`Map`], or the first error; the jobs behind that are killed.
#[must_use = "futures do nothing unless awaited"]
pub struct All<R> {
    map: Map<R>,
    results: Vec<R>,
}

impl<R> Unpin for All<R> {}

impl<R> Future for All<R> {
    type Output = Result<Vec<R>, JobError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        while let Some(result) = ready!(self.map.poll_front(cx)) {
            let result = result?;
            self.results.push(result);
        }
        Poll::Ready(Ok(std::mem::take(&mut self.results)))
    }
}

impl<R> Drop for Map<R> {
    fn drop(&mut self) {
        // From behind: those that wait leave the line before those that run leave a slot, which would start a worker for
        // a job that is next to be dropped.
        while self.jobs.pop_back().is_some() {}
    }
}

impl<R> fmt::Debug for All<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("All").field("left", &self.map.len()).finish_non_exhaustive()
    }
}

impl<R> fmt::Debug for Map<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Map").field("left", &self.len()).finish_non_exhaustive()
    }
}
