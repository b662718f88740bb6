//! First error: all values of many tasks, or the error that came first. The others run on, or are cancelled.

use super::{Each, Gather, gather};
use crate::child_error::ChildError;
use crate::child_scope::because;
use kasasagi_task::{IntoTask, TaskHandle};
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// Runs everything in `items` side by side, and gives all values, or the first error: then the other children are
/// cancelled, and have ended when it returns. Tasks that are only lent run on, and are not waited for.
///
/// # Errors
/// What the first child that failed returned, or that it panicked or was cancelled.
///
/// # Panics
/// When it is polled where no runtime runs.
///
/// # Cancel safety
/// Not cancel safe: dropped, it cancels the children that it owns, and what they gave is lost.
///
/// # Examples
/// ```
/// use kasasagi::try_gather;
///
/// kasasagi::run(async {
///     let parsed = try_gather(["1", "2", "x"].map(|text| async move { text.parse::<i32>() })).await;
///     let error = parsed.expect_err("the last one is no number");
///     assert!(error.error().is_some());
/// });
/// ```
///
/// Counterpart: none; `asyncio.TaskGroup` comes near.
#[track_caller]
pub fn try_gather<I, T, E>(items: I) -> TryGather<I::IntoIter, T, E>
where
    I: IntoIterator,
    I::Item: IntoTask<Output = Result<T, E>>,
{
    TryGather { gather: gather(items), error: None }
}

impl<I, T, E> Gather<I>
where
    I: Iterator<Item: IntoTask<Output = Result<T, E>>>,
{
    /// All values, or the first error, at once: the other children run on, and nobody asks for what they give.
    ///
    /// Counterpart: `asyncio.gather(*aws)`.
    pub fn first_error(self) -> FirstError<I, T, E> {
        FirstError { gather: self }
    }
}

/// What [`Gather::first_error`] gives: a future of all values, or of the first error.
#[must_use = "futures do nothing unless awaited"]
pub struct FirstError<I, T, E>
where
    I: Iterator<Item: IntoTask<Output = Result<T, E>>>,
{
    gather: Gather<I>,
}

/// What [`try_gather`] gives: a future of all values, or of the first error.
#[must_use = "futures do nothing unless awaited"]
pub struct TryGather<I, T, E>
where
    I: Iterator<Item: IntoTask<Output = Result<T, E>>>,
{
    gather: Gather<I>,
    error: Option<ChildError<E>>,
}

// Nothing is pinned in them: handles, outputs and errors move.
impl<I, T, E> Unpin for FirstError<I, T, E> where I: Iterator<Item: IntoTask<Output = Result<T, E>>> {}
impl<I, T, E> Unpin for TryGather<I, T, E> where I: Iterator<Item: IntoTask<Output = Result<T, E>>> {}

impl<I, T, E> FirstError<I, T, E>
where
    I: Iterator<Item: IntoTask<Output = Result<T, E>>>,
{
    /// No more than `limit` children at a time; see [`Gather::limit`]. After an error no more are started.
    pub fn limit(self, limit: usize) -> Self {
        Self { gather: self.gather.limit(limit) }
    }
}

impl<I, T, E> TryGather<I, T, E>
where
    I: Iterator<Item: IntoTask<Output = Result<T, E>>>,
{
    /// No more than `limit` children at a time; see [`Gather::limit`]. After an error no more are started.
    pub fn limit(mut self, limit: usize) -> Self {
        self.gather = self.gather.limit(limit);
        self
    }
}

impl<I, T, E> Each<I>
where
    I: Iterator<Item: IntoTask<Output = Result<T, E>>>,
{
    /// Waits for the next error; `None`: all have ended without one.
    fn poll_error(&mut self, cx: &mut Context<'_>) -> Poll<Option<ChildError<E>>> {
        while let Some((place, mut child)) = ready!(self.poll_next(cx)) {
            match ChildError::split(child.task()) {
                Ok(value) => self.keep(place, Ok(Ok(value))),
                Err(error) => return Poll::Ready(Some(error)),
            }
        }
        Poll::Ready(None)
    }
}

impl<I, T, E> Future for FirstError<I, T, E>
where
    I: Iterator<Item: IntoTask<Output = Result<T, E>>>,
{
    type Output = Result<Vec<T>, ChildError<E>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(match ready!(self.gather.poll_each(cx, Each::poll_error)) {
            None => Ok(self.gather.outputs().filter_map(|output| output.ok()?.ok()).collect()),
            Some(error) => {
                self.gather.end();
                Err(error)
            }
        })
    }
}

impl<I, T, E> Future for TryGather<I, T, E>
where
    I: Iterator<Item: IntoTask<Output = Result<T, E>>>,
{
    type Output = Result<Vec<T>, ChildError<E>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { gather, error: first } = &mut *self;
        let place = gather.place;
        let ended = gather.poll_each(cx, |each, cx| {
            while let Some(error) = ready!(each.poll_error(cx)) {
                if first.is_none() {
                    *first = Some(error);
                    if !each.cancel(&because("a sibling in its gather failed", place)) {
                        // Those that are lent go on, and may do so for ever.
                        return Poll::Ready(());
                    }
                }
            }
            Poll::Ready(())
        });
        ready!(ended);
        let outputs = gather.outputs();
        Poll::Ready(match first.take() {
            Some(error) => Err(error),
            None => Ok(outputs.filter_map(|output| output.ok()?.ok()).collect()),
        })
    }
}

impl<I, T, E> fmt::Debug for FirstError<I, T, E>
where
    I: Iterator<Item: IntoTask<Output = Result<T, E>>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FirstError").field(&self.gather).finish()
    }
}

impl<I, T, E> fmt::Debug for TryGather<I, T, E>
where
    I: Iterator<Item: IntoTask<Output = Result<T, E>>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TryGather").field(&self.gather).finish()
    }
}
