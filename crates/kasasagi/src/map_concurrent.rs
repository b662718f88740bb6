//! Map concurrent: a function of futures over many items, so many at a time.

use crate::child_scope::because;
use crate::gather::{Gather, gather};
use kasasagi_task::{IntoTask, JoinError, TaskHandle};
use std::fmt;
use std::iter::Map;
use std::panic::{Location, resume_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// Calls `f` with each item, runs the futures that it gives as tasks, at most `limit` at a time, and gives the values in
/// the order of the items.
///
/// An item is taken when there is room for it. A limit of zero is one.
///
/// # Panics
/// If a child panics, with its payload, or was cancelled by somebody else; the others are cancelled, and have ended, by
/// then. When it is polled where no runtime runs.
///
/// # Cancel safety
/// Not cancel safe: dropped, it cancels its children, and what they gave is lost.
///
/// # Examples
/// ```
/// use kasasagi::map_concurrent;
///
/// kasasagi::run(async {
///     let lengths = map_concurrent(["a", "bc", "def"], 2, |word| async move { word.len() }).await;
///     assert_eq!(lengths, [1, 2, 3]);
/// });
/// ```
///
/// Counterpart: none; a `Semaphore` around each coroutine of a `gather`.
#[track_caller]
pub fn map_concurrent<I, F, R>(items: I, limit: usize, f: F) -> MapConcurrent<Map<I::IntoIter, F>>
where
    I: IntoIterator,
    F: FnMut(I::Item) -> R,
    R: IntoTask,
{
    let place = Location::caller();
    let gather = gather(items.into_iter().map(f)).limit(limit);
    MapConcurrent { place, gather, error: None }
}

/// What [`map_concurrent`] gives: a future of all values.
#[must_use = "futures do nothing unless awaited"]
pub struct MapConcurrent<I>
where
    I: Iterator<Item: IntoTask>,
{
    place: &'static Location<'static>,
    gather: Gather<I>,
    error: Option<JoinError>,
}

// Nothing is pinned in it: handles, outputs and errors move.
impl<I: Iterator<Item: IntoTask>> Unpin for MapConcurrent<I> {}

impl<I: Iterator<Item: IntoTask>> Future for MapConcurrent<I> {
    type Output = Vec<<I::Item as IntoTask>::Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { place: here, gather, error: first } = &mut *self;
        let ended = gather.poll_each(cx, |each, cx| {
            while let Some((place, mut child)) = ready!(each.poll_next(cx)) {
                match child.task().output() {
                    Ok(value) => each.keep(place, Ok(value)),
                    Err(error) if first.is_none() => {
                        *first = Some(error);
                        if !each.cancel(&because("a sibling in its `map_concurrent` failed", here))
                        {
                            // Those that are lent go on, and may do so for ever.
                            break;
                        }
                    }
                    Err(_) => {}
                }
            }
            Poll::Ready(())
        });
        ready!(ended);
        let outputs = gather.outputs();
        if let Some(error) = first.take() {
            raise(error, "map_concurrent", here);
        }
        Poll::Ready(outputs.filter_map(Result::ok).collect())
    }
}

/// Lets the panic of a child go on in whoever waits for it.
pub(crate) fn raise(error: JoinError, what: &str, place: &Location<'_>) -> ! {
    match error.into_panic() {
        Ok(payload) => resume_unwind(payload),
        Err(error) => panic!("`{what}` at {place} has no value to give: {error}"),
    }
}

impl<I: Iterator<Item: IntoTask>> fmt::Debug for MapConcurrent<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("MapConcurrent").field(&self.gather).finish()
    }
}
