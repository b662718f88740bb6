//! As completed: what many tasks give, in the order in which they end.

use crate::children::{Children, Wake};
use futures_core::Stream;
use kasasagi_reactor::time::{Elapsed, Timeout, timeout};
use kasasagi_task::{IntoTask, JoinError, Task};
use std::convert::Infallible;
use std::fmt;
use std::future::{Pending, pending};
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

/// Starts everything in `items`, and gives what came of each as it ends: a stream, or [`next`](AsCompleted::next).
///
/// Futures are spawned by this call. The stream knows how many are to come. Dropped, it leaves those running.
///
/// # Panics
/// Where no runtime runs.
///
/// # Cancel safety
/// Cancel safe: a `next` that is dropped has taken nothing.
///
/// # Examples
/// ```
/// use kasasagi::{as_completed, time};
/// use std::time::Duration;
///
/// kasasagi::run(async {
///     let nap = |millis| async move {
///         time::sleep(Duration::from_millis(millis)).await;
///         millis
///     };
///     let mut naps = as_completed([nap(30), nap(1), nap(15)]);
///     assert_eq!(naps.len(), 3);
///     let mut order = Vec::new();
///     while let Some(nap) = naps.next().await {
///         order.push(nap.expect("nothing panics"));
///     }
///     assert_eq!(order, [1, 15, 30]);
/// });
/// ```
///
/// One end after the other: two `next`s at once are refused by the compiler.
/// ```compile_fail,E0499
/// # kasasagi::run(async {
/// let mut naps = kasasagi::as_completed([async { 1 }, async { 2 }]);
/// let first = naps.next();
/// let second = naps.next();
/// drop((first, second));
/// # });
/// ```
///
/// Counterpart: `asyncio.as_completed`.
#[track_caller]
pub fn as_completed<I, T>(items: I) -> AsCompleted<T>
where
    I: IntoIterator,
    I::Item: IntoTask<Output = T, Handle = Task<T>>,
{
    let place = Location::caller();
    let children = Children::all(items.into_iter(), Wake::First, place);
    let left = children.len();
    AsCompleted { children, left, place }
}

/// What [`as_completed`] gives: a stream of outputs in the order of the ends.
#[must_use = "streams do nothing unless polled"]
pub struct AsCompleted<T> {
    children: Children<Task<T>>,
    left: usize,
    place: &'static Location<'static>,
}

impl<T> Unpin for AsCompleted<T> {}

impl<T> AsCompleted<T> {
    /// How many are still to come.
    pub fn len(&self) -> usize {
        self.left
    }

    /// Whether none is to come.
    pub fn is_empty(&self) -> bool {
        self.left == 0
    }

    /// What came of the next task to end; `None` after the last.
    ///
    /// # Cancel safety
    /// Cancel safe: dropped, it has taken nothing.
    #[expect(clippy::should_implement_trait, reason = "the name that streams have for it")]
    pub fn next(&mut self) -> Next<'_, T> {
        Next(self)
    }

    /// As [`next`](Self::next), the task itself: its name and number tell which it is, and awaiting it gives the output.
    ///
    /// # Cancel safety
    /// Cancel safe: dropped, it has taken nothing.
    pub fn next_task(&mut self) -> NextTask<'_, T> {
        NextTask(self)
    }

    /// Gives all of them together so much time, counted from the first poll.
    ///
    /// When it has passed the stream gives [`Elapsed`] and ends. The tasks that are left run on:
    /// [`Timed::into_pending`] has them.
    #[track_caller]
    pub fn timeout(self, time: Duration) -> Timed<T> {
        Timed { ends: self, limit: Some(Box::pin(timeout(time, pending()))) }
    }

    fn poll_task(&mut self, cx: &mut Context<'_>) -> Poll<Option<Task<T>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let slot = ready!(self.children.poll_next(cx)).expect("it is ready when an end is known");
        self.left -= 1;
        Poll::Ready(Some(self.children.remove(slot)))
    }

    fn poll_output(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<T, JoinError>>> {
        self.poll_task(cx).map(|task| task.map(|mut task| task.output()))
    }
}

impl<T> Stream for AsCompleted<T> {
    type Item = Result<T, JoinError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_output(cx)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl<T> fmt::Debug for AsCompleted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsCompleted")
            .field("left", &self.left)
            .field("place", &self.place)
            .finish_non_exhaustive()
    }
}

/// The next output; made by [`AsCompleted::next`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Next<'a, T>(&'a mut AsCompleted<T>);

impl<T> Future for Next<'_, T> {
    type Output = Option<Result<T, JoinError>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.poll_output(cx)
    }
}

/// The next task that has ended; made by [`AsCompleted::next_task`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct NextTask<'a, T>(&'a mut AsCompleted<T>);

impl<T> Future for NextTask<'_, T> {
    type Output = Option<Task<T>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.poll_task(cx)
    }
}

/// An [`AsCompleted`] with an end in time; made by [`AsCompleted::timeout`].
#[must_use = "streams do nothing unless polled"]
pub struct Timed<T> {
    ends: AsCompleted<T>,
    /// Until it has passed, or nothing is left to wait for.
    limit: Option<Pin<Box<Timeout<Pending<Infallible>>>>>,
}

impl<T> Unpin for Timed<T> {}

impl<T> Timed<T> {
    /// What came of the next task to end; `None` after the last, and after the time has passed and was told of.
    ///
    /// # Cancel safety
    /// Cancel safe: dropped, it has taken nothing.
    #[expect(clippy::should_implement_trait, reason = "the name that streams have for it")]
    pub fn next(&mut self) -> impl Future<Output = Option<Result<Result<T, JoinError>, Elapsed>>> {
        std::future::poll_fn(move |cx| Pin::new(&mut *self).poll_next(cx))
    }

    /// The tasks that are left, in the order in which they were given.
    pub fn into_pending(self) -> Vec<Task<T>> {
        let rest = self.ends.children.into_rest();
        rest.map(|mut task| {
            task.forget_waiter();
            task
        })
        .collect()
    }
}

impl<T> Stream for Timed<T> {
    type Item = Result<Result<T, JoinError>, Elapsed>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        let Some(limit) = &mut this.limit else { return Poll::Ready(None) };
        if let Poll::Ready(output) = this.ends.poll_output(cx) {
            if this.ends.is_empty() {
                // Its timer would wake for nothing.
                this.limit = None;
            }
            return Poll::Ready(output.map(Ok));
        }
        let Err(elapsed) = ready!(limit.as_mut().poll(cx));
        this.limit = None;
        Poll::Ready(Some(Err(elapsed)))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = if self.limit.is_some() { self.ends.len() } else { 0 };
        (usize::from(left > 0), Some(left))
    }
}

impl<T> fmt::Debug for Timed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timed").field("ends", &self.ends).finish_non_exhaustive()
    }
}
