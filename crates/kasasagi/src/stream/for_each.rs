//! For each, concurrently: a task for each item of a stream, so many at a time.

use crate::child_scope::{ChildScope, because};
use crate::children::Children;
use crate::gather::MOST;
use crate::map_concurrent::raise;
use futures_core::Stream;
use kasasagi_primitive::request::Cause;
use kasasagi_task::{IntoTask, JoinError, TaskHandle};
use pin_project_lite::pin_project;
use std::fmt;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// Calls `f` with each item of `stream` and runs the future that it gives as a task, at most `limit` at a time; waits for
/// all.
///
/// An item is asked for when there is room for it. A limit of zero is one; what it needs for a task is set aside for as many
/// as the limit, or as the stream says that it has, whichever is less, and for a million at most.
///
/// What futures-util's `for_each_concurrent` has run inside the one who awaits it, by turns, runs here on all workers, and is
/// polled alone when it is woken. So `f`'s futures are `Send` and `'static`, and borrow nothing from around.
///
/// # Panics
/// If a child panics, with its payload, or was cancelled by somebody else; then the stream is dropped, the others are
/// cancelled, and they have ended. If the stream or `f` panics, with its payload; the children are cancelled. When it is
/// polled where no runtime runs.
///
/// # Cancel safety
/// Not cancel safe: dropped, it cancels its children, and items that they had are lost. Cancelled, it drops the stream,
/// and waits for the children that it cancels.
///
/// # Examples
/// ```
/// use kasasagi::stream;
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicU64, Ordering};
///
/// kasasagi::run(async {
///     let numbers = stream::from_fn(|y| async move {
///         for n in 1..=10 {
///             y.emit(n).await;
///         }
///     });
///     let sum = Arc::new(AtomicU64::new(0));
///     let add = |n| {
///         let sum = Arc::clone(&sum);
///         async move { _ = sum.fetch_add(n, Ordering::Relaxed) }
///     };
///     stream::for_each_concurrent(numbers, 3, add).await;
///     assert_eq!(sum.load(Ordering::Relaxed), 55);
/// });
/// ```
///
/// Counterpart: none; `async for`, a `Semaphore` and a `TaskGroup`.
#[track_caller]
pub fn for_each_concurrent<S, F, R>(stream: S, limit: usize, f: F) -> ForEachConcurrent<S, F, R>
where
    S: Stream,
    F: FnMut(S::Item) -> R,
    R: IntoTask<Output = ()>,
{
    let place = Location::caller();
    let children = Children::with_room(room(&stream, limit), place);
    let work = Work { children, running: 0, error: None, place };
    ForEachConcurrent { stream: Some(stream), f, work, scope: ChildScope::default() }
}

/// How many slots are made.
pub(super) fn room<S: Stream>(stream: &S, limit: usize) -> usize {
    let most = stream.size_hint().1.unwrap_or(usize::MAX);
    limit.min(most).clamp(1, MOST)
}

pin_project! {
    /// Waits until every item was done with; made by [`for_each_concurrent`].
    #[must_use = "futures do nothing unless awaited"]
    pub struct ForEachConcurrent<S, F, R>
    where
        R: IntoTask,
    {
        // Until it has ended.
        #[pin]
        stream: Option<S>,
        f: F,
        work: Work<R::Handle>,
        scope: ChildScope,
    }
}

struct Work<H: TaskHandle> {
    children: Children<H>,
    running: usize,
    error: Option<JoinError>,
    place: &'static Location<'static>,
}

impl<H: TaskHandle> Drop for Work<H> {
    fn drop(&mut self) {
        if self.running > 0 {
            self.children.cancel(&because("its `for_each_concurrent` was dropped", self.place));
        }
    }
}

/// What is polled below the scope.
struct Parts<'a, S, F, H: TaskHandle> {
    stream: Pin<&'a mut Option<S>>,
    f: &'a mut F,
    work: &'a mut Work<H>,
}

impl<S, F, R> Parts<'_, S, F, R::Handle>
where
    S: Stream,
    F: FnMut(S::Item) -> R,
    R: IntoTask,
{
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            self.poll_ends(cx);
            let Some(stream) = self.stream.as_mut().as_pin_mut() else { break };
            if !self.work.children.has_room() {
                break;
            }
            match ready!(stream.poll_next(cx)) {
                Some(item) => {
                    self.work.children.start((self.f)(item));
                    self.work.running += 1;
                }
                None => self.stream.set(None),
            }
        }
        let over = self.work.running == 0 && self.stream.is_none();
        if over { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Takes what has ended; afterwards the next end wakes, or there is none to come.
    fn poll_ends(&mut self, cx: &mut Context<'_>) {
        while self.work.running > 0 {
            let Poll::Ready(end) = self.work.children.poll_next(cx) else { return };
            let Some(slot) = end else { continue };
            self.work.running -= 1;
            if let Err(error) = self.work.children.take(slot) {
                if self.work.error.is_none() {
                    self.work.error = Some(error);
                    let place = self.work.place;
                    if !self
                        .cancel(&because("a sibling in its `for_each_concurrent` failed", place))
                    {
                        // Those that are lent go on, and may do so for ever.
                        self.work.running = 0;
                    }
                }
            }
        }
    }

    /// Asks for no more items, and the children to end. Says whether they are to be waited for.
    fn cancel(&mut self, cause: &Cause) -> bool {
        self.stream.set(None);
        self.work.children.cancel(cause)
    }
}

impl<S, F, R> Future for ForEachConcurrent<S, F, R>
where
    S: Stream,
    F: FnMut(S::Item) -> R,
    R: IntoTask<Output = ()>,
{
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        let mut parts = Parts { stream: this.stream, f: this.f, work: this.work };
        ready!(this.scope.poll(cx, &mut parts, Parts::poll, Parts::cancel));
        if this.scope.passes() {
            return Poll::Pending;
        }
        match parts.work.error.take() {
            Some(error) => raise(error, "for_each_concurrent", parts.work.place),
            None => Poll::Ready(()),
        }
    }
}

impl<S, F, R: IntoTask> fmt::Debug for ForEachConcurrent<S, F, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ForEachConcurrent")
            .field("running", &self.work.running)
            .field("place", &self.work.place)
            .finish_non_exhaustive()
    }
}
