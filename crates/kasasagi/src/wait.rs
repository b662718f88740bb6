//! Wait: which of many tasks have ended, once enough of them have. It cancels nothing and takes no output.

use crate::children::{Children, Wake};
use kasasagi_reactor::time::{Timeout, timeout};
use kasasagi_task::{IntoTask, Task, TaskHandle};
use std::convert::Infallible;
use std::fmt;
use std::future::{Pending, pending};
use std::mem;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

/// What a [`wait`] waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum ReturnWhen {
    /// All have ended.
    #[default]
    AllCompleted,
    /// One has ended, however.
    FirstCompleted,
    /// One has panicked, or all have ended. A cancelled one does not count; [`Wait::first_error`] counts errors.
    FirstException,
}

/// What a [`wait`] gives: the tasks themselves, each in one of two lists, in the order in which they were given.
#[derive(Debug)]
#[must_use = "tasks are detached when they are dropped"]
pub struct Waited<H> {
    /// Those that have ended; awaiting them gives their outputs.
    pub done: Vec<H>,
    /// Those that have not. They run on.
    pub pending: Vec<H>,
}

/// Waits for tasks, and gives them back: those that have ended, and the others.
///
/// Items are futures, which are spawned when the wait is first polled, [`Task`]s, or tasks lent by [`Task::by_ref`],
/// of which a cancelled wait loses none. It waits for all, or for what [`until`](Wait::until) says, or until the time is
/// over that [`timeout`](Wait::timeout) gives. Of nothing it waits for nothing.
///
/// # Panics
/// When it is polled where no runtime runs.
///
/// # Cancel safety
/// Cancel safe if the tasks are lent. Dropped, it cancels no task; those that it owns are detached.
///
/// # Examples
/// ```
/// use kasasagi::{ReturnWhen, spawn, time, wait};
/// use std::time::Duration;
///
/// kasasagi::run(async {
///     let nap = |millis| spawn(time::sleep(Duration::from_millis(millis)));
///     let waited = wait([nap(1), nap(60_000)]).until(ReturnWhen::FirstCompleted).await;
///     assert_eq!((waited.done.len(), waited.pending.len()), (1, 1));
///     assert!(waited.pending[0].cancel());
/// });
/// ```
///
/// Tasks are lent by name. `&mut task` is a future itself, and futures are spawned: `wait(tasks.iter_mut())` does not
/// compile.
/// ```
/// use kasasagi::{Task, spawn, wait};
///
/// kasasagi::run(async {
///     let mut tasks = vec![spawn(async { 1 }), spawn(async { 2 })];
///     assert_eq!(wait(tasks.iter_mut().map(Task::by_ref)).await.done.len(), 2);
///     for task in tasks {
///         assert!(task.await.is_ok());
///     }
/// });
/// ```
/// ```compile_fail,E0597
/// # kasasagi::run(async {
/// let mut tasks = vec![kasasagi::spawn(async { 1 })];
/// drop(kasasagi::wait(tasks.iter_mut()).await);
/// # });
/// ```
///
/// One future is no list of them:
/// ```compile_fail,E0277
/// # kasasagi::run(async {
/// kasasagi::wait(async { 1 }).await;
/// # });
/// ```
///
/// Counterpart: `asyncio.wait`.
#[track_caller]
pub fn wait<I>(items: I) -> Wait<I::IntoIter>
where
    I: IntoIterator,
    I::Item: IntoTask,
{
    Wait {
        place: Location::caller(),
        until: ReturnWhen::AllCompleted,
        failed: Task::has_panicked,
        limit: None,
        state: State::Ready(items.into_iter()),
    }
}

type Handle<I> = <<I as Iterator>::Item as IntoTask>::Handle;
type Output<I> = <<I as Iterator>::Item as IntoTask>::Output;

/// A wait, and what it waits for; made by [`wait`].
#[must_use = "futures do nothing unless awaited"]
pub struct Wait<I>
where
    I: Iterator<Item: IntoTask>,
{
    place: &'static Location<'static>,
    until: ReturnWhen,
    failed: fn(&mut Task<Output<I>>) -> bool,
    limit: Option<Pin<Box<Timeout<Pending<Infallible>>>>>,
    state: State<I>,
}

enum State<I: Iterator<Item: IntoTask>> {
    Ready(I),
    Waiting { children: Children<Handle<I>>, left: usize },
    Done,
}

// Nothing is pinned in it: handles move, the timer is boxed.
impl<I: Iterator<Item: IntoTask>> Unpin for Wait<I> {}

impl<I: Iterator<Item: IntoTask>> Wait<I> {
    /// Waits until this is so.
    pub fn until(mut self, when: ReturnWhen) -> Self {
        self.until = when;
        self
    }

    /// Waits no longer than this, counted from the first poll: then it gives what there is.
    #[track_caller]
    pub fn timeout(mut self, time: Duration) -> Self {
        self.limit = Some(Box::pin(timeout(time, pending())));
        self
    }
}

impl<I, T, E> Wait<I>
where
    I: Iterator<Item: IntoTask<Output = Result<T, E>>>,
{
    /// Waits until one has panicked or returned an error, or all have ended.
    pub fn first_error(mut self) -> Self {
        self.until = ReturnWhen::FirstException;
        self.failed = Task::has_failed;
        self
    }
}

impl<I: Iterator<Item: IntoTask>> Wait<I> {
    fn begin(&mut self) {
        if !matches!(self.state, State::Ready(_)) {
            return;
        }
        let State::Ready(items) = mem::replace(&mut self.state, State::Done) else { return };
        let wake = match self.until {
            ReturnWhen::AllCompleted => Wake::All,
            ReturnWhen::FirstCompleted | ReturnWhen::FirstException => Wake::First,
        };
        let children = Children::all(items, wake, self.place);
        let left = children.len();
        self.state = State::Waiting { children, left };
    }

    /// Whether enough have ended.
    fn poll_enough(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let State::Waiting { children, left } = &mut self.state else {
            panic!("a wait was polled again after it had given its tasks: await it once")
        };
        while *left > 0 {
            std::task::ready!(children.poll(cx));
            while let Some(slot) = children.next() {
                *left -= 1;
                let enough = match self.until {
                    ReturnWhen::AllCompleted => false,
                    ReturnWhen::FirstCompleted => true,
                    ReturnWhen::FirstException => children.get(slot).is_some_and(self.failed),
                };
                if enough {
                    return Poll::Ready(());
                }
            }
        }
        Poll::Ready(())
    }
}

impl<I: Iterator<Item: IntoTask>> Future for Wait<I> {
    type Output = Waited<Handle<I>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.begin();
        if self.poll_enough(cx).is_pending() {
            let Some(limit) = &mut self.limit else { return Poll::Pending };
            let Err(_elapsed) = std::task::ready!(limit.as_mut().poll(cx));
        }
        let mut waited = Waited { done: Vec::new(), pending: Vec::new() };
        if let State::Waiting { children, .. } = mem::replace(&mut self.state, State::Done) {
            for mut handle in children.into_rest() {
                let task = handle.task();
                task.forget_waiter();
                let list = if task.is_finished() { &mut waited.done } else { &mut waited.pending };
                list.push(handle);
            }
        }
        self.limit = None;
        Poll::Ready(waited)
    }
}

impl<I: Iterator<Item: IntoTask>> fmt::Debug for Wait<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wait")
            .field("until", &self.until)
            .field("place", &self.place)
            .finish_non_exhaustive()
    }
}
