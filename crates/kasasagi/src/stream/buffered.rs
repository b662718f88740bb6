//! Buffered: the futures that a stream gives, run ahead as tasks; their outputs in the stream's order.

use super::for_each::room;
use crate::child_scope::{ChildScope, because};
use crate::children::Children;
use futures_core::Stream;
use kasasagi_primitive::request::Cause;
use kasasagi_task::{IntoTask, JoinError, TaskHandle};
use pin_project_lite::pin_project;
use std::collections::VecDeque;
use std::fmt;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// Runs the futures that `stream` gives as tasks, at most `n` ahead of the consumer, and gives what came of each, in
/// the order of the stream.
///
/// Those that have ended and were not taken count as running: no more than `n` are kept. An `n` of zero is one; see
/// [`for_each_concurrent`](super::for_each_concurrent) for what is set aside.
///
/// Where futures-util's `buffered` polls its futures only while it is polled itself, here they run on, on all workers,
/// while the consumer does something else; new ones are started when it is polled. An output is a `Result`, as of a
/// `gather`: a child that panicked or was cancelled is an `Err` in its place, and the others go on. For outputs in the
/// order of the ends there is [`as_completed`](crate::as_completed()).
///
/// # Panics
/// When it is polled where no runtime runs; if the stream does.
///
/// # Cancel safety
/// Cancel safe: a `next` that is dropped has taken nothing. Dropped itself, it cancels its children. Cancelled while it is
/// polled, it drops the stream, and waits for the children that it cancels.
///
/// # Examples
/// ```
/// use futures_util::{StreamExt, stream::iter};
/// use kasasagi::{stream, time};
/// use std::time::Duration;
///
/// kasasagi::run(async {
///     let naps = iter([30, 1, 15]).map(|millis| async move {
///         time::sleep(Duration::from_millis(millis)).await;
///         millis
///     });
///     let naps: Vec<_> = stream::buffered(naps, 2).collect().await;
///     let naps: Result<Vec<_>, _> = naps.into_iter().collect();
///     assert_eq!(naps.expect("nothing panics"), [30, 1, 15]);
/// });
/// ```
///
/// Counterpart: none; an `asyncio.Queue` of tasks with a bound.
#[track_caller]
pub fn buffered<S>(stream: S, n: usize) -> Buffered<S>
where
    S: Stream<Item: IntoTask>,
{
    let place = Location::caller();
    let room = room(&stream, n);
    let children = Children::with_room(room, place);
    let (order, ended) = (VecDeque::new(), vec![false; room]);
    let ahead = Ahead { children, order, ended, running: 0, off: false, place };
    Buffered { stream: Some(stream), ahead, scope: ChildScope::default() }
}

pin_project! {
    /// A stream of the outputs of a stream of futures; made by [`buffered`].
    #[must_use = "streams do nothing unless polled"]
    pub struct Buffered<S>
    where
        S: Stream,
        S::Item: IntoTask,
    {
        // Until it has ended.
        #[pin]
        stream: Option<S>,
        ahead: Ahead<<S::Item as IntoTask>::Handle>,
        scope: ChildScope,
    }
}

struct Ahead<H: TaskHandle> {
    children: Children<H>,
    /// The slots of the children whose outputs were not taken, in the order of their starts.
    order: VecDeque<usize>,
    /// Whether the child in a slot has ended.
    ended: Vec<bool>,
    running: usize,
    /// Called off: they are waited for, and nothing more is given.
    off: bool,
    place: &'static Location<'static>,
}

impl<H: TaskHandle> Drop for Ahead<H> {
    fn drop(&mut self) {
        if !self.order.is_empty() {
            self.children.cancel(&because("its `buffered` was dropped", self.place));
        }
    }
}

type Joined<H> = Result<<H as TaskHandle>::Output, JoinError>;

impl<H: TaskHandle> Ahead<H> {
    /// Takes note of those that have ended; afterwards the next end wakes, or there is none to come.
    fn poll_ends(&mut self, cx: &mut Context<'_>) {
        while self.running > 0 {
            let Poll::Ready(end) = self.children.poll_next(cx) else { return };
            if let Some(slot) = end {
                self.ended[slot] = true;
                self.running -= 1;
            }
        }
    }

    /// The output of the first in the line, if it has ended.
    fn pop(&mut self) -> Option<Joined<H>> {
        let slot = *self.order.front().filter(|slot| self.ended[**slot])?;
        self.order.pop_front();
        self.ended[slot] = false;
        Some(self.children.take(slot))
    }
}

/// What is polled below the scope.
struct Parts<'a, S, H: TaskHandle> {
    stream: Pin<&'a mut Option<S>>,
    ahead: &'a mut Ahead<H>,
}

impl<S> Parts<'_, S, <S::Item as IntoTask>::Handle>
where
    S: Stream<Item: IntoTask>,
{
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Joined<<S::Item as IntoTask>::Handle>>> {
        while self.ahead.children.has_room() {
            let Some(stream) = self.stream.as_mut().as_pin_mut() else { break };
            match stream.poll_next(cx) {
                Poll::Ready(Some(item)) => {
                    let slot = self.ahead.children.start(item);
                    self.ahead.order.push_back(slot);
                    self.ahead.running += 1;
                }
                Poll::Ready(None) => self.stream.set(None),
                Poll::Pending => break,
            }
        }
        self.ahead.poll_ends(cx);
        if self.ahead.off {
            while self.ahead.pop().is_some() {}
        } else if let Some(output) = self.ahead.pop() {
            return Poll::Ready(Some(output));
        }
        let over = self.ahead.order.is_empty() && self.stream.is_none();
        if over { Poll::Ready(None) } else { Poll::Pending }
    }

    /// Asks for no more futures, and the children to end. Says whether they are to be waited for.
    fn cancel(&mut self, cause: &Cause) -> bool {
        self.stream.set(None);
        self.ahead.off = true;
        self.ahead.children.cancel(cause)
    }
}

impl<S> Stream for Buffered<S>
where
    S: Stream<Item: IntoTask>,
{
    type Item = Joined<<S::Item as IntoTask>::Handle>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.project();
        let mut parts = Parts { stream: this.stream, ahead: this.ahead };
        let output = ready!(this.scope.poll(cx, &mut parts, Parts::poll, Parts::cancel));
        if this.scope.passes() { Poll::Pending } else { Poll::Ready(output) }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let kept = self.ahead.order.len();
        let (least, most) = self.stream.as_ref().map_or((0, Some(0)), Stream::size_hint);
        (least.saturating_add(kept), most.and_then(|most| most.checked_add(kept)))
    }
}

impl<S: Stream<Item: IntoTask>> fmt::Debug for Buffered<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Buffered")
            .field("ahead", &self.ahead.order.len())
            .field("place", &self.ahead.place)
            .finish_non_exhaustive()
    }
}
