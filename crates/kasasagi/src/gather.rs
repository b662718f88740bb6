//! Gather: the outputs of many tasks, in the order in which they were given.
//!
//! It waits for all of them, whatever becomes of each, and is woken once, by the last. With a limit, or where outputs are
//! looked at as they come (`first_error`, `try_gather`, `map_concurrent`), it is woken once a batch.

mod first_error;
mod mixed;

pub use first_error::{FirstError, TryGather, try_gather};
pub use mixed::{GatherMixed, Mixed, gather_mixed};

use crate::child_scope::{ChildScope, because};
use crate::children::{Children, Wake};
use kasasagi_primitive::request::Cause;
use kasasagi_task::{IntoTask, JoinError, TaskHandle};
use std::fmt;
use std::iter::Fuse;
use std::mem;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// No more than so many slots are made for a limit.
pub(crate) const MOST: usize = 1 << 20;

/// Runs everything in `items` side by side, and gives what came of each, in the order of `items`.
///
/// Items are futures, which are spawned when the gather is first polled, or [`Task`](crate::Task)s. It never stops
/// early: a child that was cancelled or panicked is an `Err` in its place. Asked to end, it cancels its children.
///
/// # Panics
/// When it is polled where no runtime runs.
///
/// # Cancel safety
/// Not cancel safe: dropped, it cancels the children that it owns, and what they gave is lost.
///
/// # Examples
/// ```
/// use kasasagi::gather;
///
/// kasasagi::run(async {
///     let squares = gather((1..4).map(|n| async move { n * n })).await;
///     let squares: Result<Vec<_>, _> = squares.into_iter().collect();
///     assert_eq!(squares.expect("nothing panics"), [1, 4, 9]);
/// });
/// ```
///
/// Counterpart: `asyncio.gather(*aws, return_exceptions=True)`.
#[track_caller]
pub fn gather<I>(items: I) -> Gather<I::IntoIter>
where
    I: IntoIterator,
    I::Item: IntoTask,
{
    Gather {
        place: Location::caller(),
        limit: None,
        state: State::Ready(items.into_iter()),
        scope: ChildScope::default(),
    }
}

pub(crate) type Handle<I> = <<I as Iterator>::Item as IntoTask>::Handle;
pub(crate) type Joined<I> = Result<<<I as Iterator>::Item as IntoTask>::Output, JoinError>;

/// What [`gather`] gives: a future of all outputs.
#[must_use = "futures do nothing unless awaited"]
pub struct Gather<I>
where
    I: Iterator<Item: IntoTask>,
{
    place: &'static Location<'static>,
    limit: Option<usize>,
    state: State<I>,
    scope: ChildScope,
}

enum State<I: Iterator<Item: IntoTask>> {
    Ready(I),
    All(Children<Handle<I>>),
    Each(Box<Each<I>>),
    Done,
}

/// Children whose outputs are looked at, or make room for others, as they end.
pub(crate) struct Each<I: Iterator<Item: IntoTask>> {
    source: Option<Fuse<I>>,
    children: Children<Handle<I>>,
    /// Which output the child in a slot gives.
    places: Vec<usize>,
    outputs: Vec<Option<Joined<I>>>,
    running: usize,
}

// Nothing is pinned in it: iterators and handles move.
impl<I: Iterator<Item: IntoTask>> Unpin for Gather<I> {}

impl<I: Iterator<Item: IntoTask>> Gather<I> {
    /// No more than `limit` children at a time; the next is spawned when one has ended.
    ///
    /// Tasks that run already are not held up. A limit of zero is one.
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = Some(limit.clamp(1, MOST));
        self
    }

    /// Starts what has to be started; `look`: whether each output is to be seen when it is there.
    fn begin(&mut self, look: bool) {
        if !matches!(self.state, State::Ready(_)) {
            return;
        }
        let State::Ready(source) = mem::replace(&mut self.state, State::Done) else { return };
        self.state = match self.limit {
            None if !look => State::All(Children::all(source, Wake::All, self.place)),
            None => {
                let children = Children::all(source, Wake::First, self.place);
                let count = children.len();
                let outputs = std::iter::repeat_with(|| None).take(count).collect();
                let places = (0..count).collect();
                State::Each(Box::new(Each {
                    source: None,
                    children,
                    places,
                    outputs,
                    running: count,
                }))
            }
            Some(limit) => {
                let limit = source.size_hint().1.map_or(limit, |most| limit.min(most.max(1)));
                State::Each(Box::new(Each {
                    source: Some(source.fuse()),
                    children: Children::with_room(limit, self.place),
                    places: vec![0; limit],
                    outputs: Vec::new(),
                    running: 0,
                }))
            }
        };
    }

    /// Lets go of the children that are left: they run on, and their errors are nobody's news.
    fn end(&mut self) {
        if let State::Each(each) = mem::replace(&mut self.state, State::Done) {
            each.children.into_rest().for_each(TaskHandle::disregard);
        }
    }

    /// Waits by `poll`, which looks at each child that ends. Pending for ever once a cancellation has moved on.
    pub(crate) fn poll_each<T>(
        &mut self,
        cx: &mut Context<'_>,
        mut poll: impl FnMut(&mut Each<I>, &mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        self.begin(true);
        let poll = |state: &mut State<I>, cx: &mut Context<'_>| match state {
            State::Each(each) => poll(each, cx),
            _ => polled_again(),
        };
        let value = ready!(self.scope.wait(cx, &mut self.state, poll, State::cancel));
        if self.scope.passes() { Poll::Pending } else { Poll::Ready(value) }
    }

    /// All outputs, once all have ended.
    pub(crate) fn outputs(&mut self) -> impl Iterator<Item = Joined<I>> + use<I> {
        let outputs = match mem::replace(&mut self.state, State::Done) {
            State::Each(each) => each.outputs,
            _ => Vec::new(),
        };
        outputs.into_iter().map(|output| output.expect("each child has ended"))
    }
}

impl<I: Iterator<Item: IntoTask>> State<I> {
    /// Asks the children to end, and starts no more. Says whether they are to be waited for.
    fn cancel(&mut self, cause: &Cause) -> bool {
        match self {
            Self::All(children) => children.cancel(cause),
            Self::Each(each) => each.cancel(cause),
            Self::Ready(_) | Self::Done => false,
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match self {
            Self::All(children) => children.poll(cx),
            Self::Each(each) => each.poll_all(cx),
            Self::Ready(_) | Self::Done => polled_again(),
        }
    }
}

#[cold]
#[track_caller]
fn polled_again() -> ! {
    panic!("a gather was polled again after it had given its outputs: await it once")
}

impl<I: Iterator<Item: IntoTask>> Each<I> {
    /// Starts as many as there is room for, and waits for the next end. `None`: none is left.
    fn poll_slot(&mut self, cx: &mut Context<'_>) -> Poll<Option<usize>> {
        while self.children.has_room() {
            let Some(item) = self.source.as_mut().and_then(Iterator::next) else { break };
            let slot = self.children.start(item);
            self.places[slot] = self.outputs.len();
            self.outputs.push(None);
            self.running += 1;
        }
        if self.running == 0 {
            return Poll::Ready(None);
        }
        ready!(self.children.poll(cx));
        let slot = self.children.next().expect("it is ready when an end is known");
        self.running -= 1;
        Poll::Ready(Some(slot))
    }

    /// The next child that has ended, and where its output belongs. `None`: none is left.
    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<(usize, Handle<I>)>> {
        let slot = ready!(self.poll_slot(cx));
        Poll::Ready(slot.map(|slot| (self.places[slot], self.children.remove(slot))))
    }

    /// Keeps an output until all are there.
    pub(crate) fn keep(&mut self, place: usize, output: Joined<I>) {
        self.outputs[place] = Some(output);
    }

    fn poll_all(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while let Some((place, mut child)) = ready!(self.poll_next(cx)) {
            let output = child.task().output();
            self.keep(place, output);
        }
        Poll::Ready(())
    }

    /// Asks the children to end, and starts no more. Says whether they are to be waited for.
    pub(crate) fn cancel(&mut self, cause: &Cause) -> bool {
        self.source = None;
        self.children.cancel(cause)
    }
}

impl<I: Iterator<Item: IntoTask>> Future for Gather<I> {
    type Output = Vec<Joined<I>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        this.begin(false);
        ready!(this.scope.wait(cx, &mut this.state, State::poll, State::cancel));
        if this.scope.passes() {
            return Poll::Pending;
        }
        Poll::Ready(match mem::replace(&mut this.state, State::Done) {
            State::All(children) => {
                // Its iterator cannot say how many there are.
                let mut outputs = Vec::with_capacity(children.len());
                outputs.extend(children.into_rest().map(|mut child| child.task().output()));
                outputs
            }
            state => {
                this.state = state;
                this.outputs().collect()
            }
        })
    }
}

impl<I: Iterator<Item: IntoTask>> Drop for Gather<I> {
    fn drop(&mut self) {
        self.state.cancel(&because("its gather was dropped", self.place));
    }
}

impl<I: Iterator<Item: IntoTask>> fmt::Debug for Gather<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gather").field("place", &self.place).finish_non_exhaustive()
    }
}
