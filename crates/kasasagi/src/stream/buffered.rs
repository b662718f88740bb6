//! Futures of a stream as tasks, so many at a time; their outputs in the order of the stream.

use crate::run::spawn_at;
use futures_core::stream::Stream;
use kasasagi_task::{JoinError, Spawn, Task};
use std::collections::VecDeque;
use std::fmt;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// Spawns the futures of a stream, at most `limit` at a time, and gives their outputs in the order of the stream.
///
/// An output that is not asked for yet counts as one of them. Futures-util's `buffered` polls them in the task that
/// polls the stream; here they are tasks, which run meanwhile. Dropped, it cancels those that have not ended, and does
/// not wait for them.
///
/// # Panics
/// If `limit` is 0: nothing would ever run. Where no runtime runs, when it is polled.
///
/// # Cancel safety
/// Cancel safe: what waits for the next output may be dropped, and the output is there the next time.
///
/// # Examples
/// ```
/// use futures_util::{StreamExt, stream as futures};
/// use kasasagi::stream;
///
/// kasasagi::run(async {
///     let squares = futures::iter(1..=4).map(|i| async move { i * i });
///     let squares: Vec<i32> = stream::buffered(squares, 2).map(|square| square.expect("it ends")).collect().await;
///     assert_eq!(squares, [1, 4, 9, 16]);
/// });
/// ```
#[track_caller]
pub fn buffered<S>(stream: S, limit: usize) -> Buffered<S>
where
    S: Stream,
    S::Item: Spawn,
    <S::Item as Spawn>::Future: Send + 'static,
    <S::Item as Spawn>::Output: Send + 'static,
{
    assert!(limit > 0, "`stream::buffered` with a limit of 0 would run nothing: give 1 or more");
    let (tasks, place) = (VecDeque::new(), Location::caller());
    Buffered { source: Some(Box::pin(stream)), tasks, limit, place }
}

/// The outputs of futures that run as tasks; made by [`buffered`].
#[must_use = "streams do nothing unless polled"]
pub struct Buffered<S: Stream>
where
    S::Item: Spawn,
{
    /// None once it has ended.
    source: Option<Pin<Box<S>>>,
    tasks: VecDeque<Task<<S::Item as Spawn>::Output>>,
    limit: usize,
    place: &'static Location<'static>,
}

impl<S: Stream> Unpin for Buffered<S> where S::Item: Spawn {}

impl<S> Stream for Buffered<S>
where
    S: Stream,
    S::Item: Spawn,
    <S::Item as Spawn>::Future: Send + 'static,
    <S::Item as Spawn>::Output: Send + 'static,
{
    type Item = Result<<S::Item as Spawn>::Output, JoinError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        while let Some(source) = this.source.as_mut().filter(|_| this.tasks.len() < this.limit) {
            match source.as_mut().poll_next(cx) {
                Poll::Ready(Some(what)) => this.tasks.push_back(spawn_at(this.place, what)),
                Poll::Ready(None) => this.source = None,
                Poll::Pending => break,
            }
        }
        let Some(mut first) = this.tasks.front_mut() else {
            return if this.source.is_none() { Poll::Ready(None) } else { Poll::Pending };
        };
        let output = ready!(Pin::new(&mut first).poll(cx));
        this.tasks.pop_front();
        Poll::Ready(Some(output))
    }
}

impl<S: Stream> Drop for Buffered<S>
where
    S::Item: Spawn,
{
    fn drop(&mut self) {
        for task in &self.tasks {
            task.cancel_with("its stream was dropped");
        }
    }
}

impl<S: Stream> fmt::Debug for Buffered<S>
where
    S::Item: Spawn,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tasks = self.tasks.len();
        f.debug_struct("Buffered")
            .field("limit", &self.limit)
            .field("tasks", &tasks)
            .finish_non_exhaustive()
    }
}
