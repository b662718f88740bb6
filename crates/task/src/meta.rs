//! Who a task is: its number, its name, where it was spawned, and by whom.

use crate::eager::Eager;
use crate::in_context::InContext;
use crate::owner::Owned;
use kasasagi_primitive::counter::Counter;
use kasasagi_primitive::holders::Held;
use kasasagi_primitive::vars::Context;
use kasasagi_primitive::wait_site::Wait;
use std::fmt;
use std::num::NonZeroU64;
use std::panic::Location;
use std::sync::Arc;

/// A task's number: unique in the process, and strictly increasing among the spawns of one thread.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId(NonZeroU64);

impl TaskId {
    pub(crate) fn new(id: u64) -> Option<Self> {
        NonZeroU64::new(id).map(Self)
    }

    /// The number.
    pub fn as_u64(self) -> u64 {
        self.0.get()
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Task-{}", self.0)
    }
}

impl fmt::Debug for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// How many numbers a spawner takes from the process's counter at once: rare enough that the counter's line
/// is never hot, few enough that the numbers of a small program stay small.
const ID_BLOCK: u64 = 256;

static NEXT_BLOCK: Counter = Counter::new(1);

/// The numbers that one spawner hands out.
#[derive(Debug, Default)]
pub struct Ids {
    next: u64,
    end: u64,
}

impl Ids {
    /// No numbers yet; the first block is taken at the first need.
    pub const fn new() -> Self {
        Self { next: 0, end: 0 }
    }

    /// The next number.
    #[inline]
    pub fn take(&mut self) -> u64 {
        if self.next == self.end {
            self.next = NEXT_BLOCK.take(ID_BLOCK);
            self.end = self.next + ID_BLOCK;
        }
        let id = self.next;
        self.next += 1;
        id
    }

    /// Forgets what is left of the block. A thread that takes a seat calls it, so that its numbers go on
    /// increasing although somebody else sat there before.
    pub fn renew(&mut self) {
        self.end = self.next;
    }
}

/// Something that can be spawned: a future, or a future with a name.
pub trait Spawn {
    /// The future's output.
    type Output;
    /// The future.
    type Future: Future<Output = Self::Output>;
    /// The future, and what was said about the task it will be.
    fn into_parts(self) -> (Self::Future, Attributes);
    /// Who has to know when the task is done; asked once, before the future is where it stays.
    #[inline]
    fn owned(future: &mut Self::Future) -> Option<Owned> {
        let _ = future;
        None
    }
    /// What of this output is an error that must not go unseen: it is reported if nobody takes the output.
    #[inline]
    fn failure(output: &Self::Output) -> Option<&dyn fmt::Display> {
        let _ = output;
        None
    }
}

/// What is said about a task before it is spawned.
#[derive(Debug, Default, Clone)]
#[non_exhaustive]
pub struct Attributes {
    /// Its name; `Task-<n>` if there is none.
    pub name: Option<Arc<str>>,
    /// The context it runs in; a copy of what its parent's gives children if there is none.
    pub context: Option<Context>,
    /// Whether its first poll is made inside the spawn, where that is inside another task's poll.
    pub eager: bool,
    /// Whether it is a cleanup, which no request ends, however early it comes.
    pub deaf: bool,
}

impl<F: Future> Spawn for F {
    type Output = F::Output;
    type Future = F;
    #[inline]
    fn into_parts(self) -> (F, Attributes) {
        (self, Attributes::default())
    }
}

/// A future with a name for the task it will be; made by [`FutureExt::named`].
#[derive(Debug)]
#[must_use = "a named future does nothing until it is given to `spawn` or awaited"]
pub struct Named<F> {
    future: F,
    name: Arc<str>,
}

impl<F: Future> Named<F> {
    pub(crate) fn new(future: F, name: impl fmt::Display) -> Self {
        Self { future, name: name.to_string().into() }
    }

    /// Says in which context it runs; see [`FutureExt::in_context`].
    pub fn in_context(self, context: &Context) -> InContext<Self> {
        InContext::new(self, context)
    }

    /// Has it begin inside the spawn; see [`FutureExt::eager`].
    pub fn eager(self) -> Eager<Self> {
        Eager::new(self)
    }
}

impl<F: Future> Spawn for Named<F> {
    type Output = F::Output;
    type Future = F;
    fn into_parts(self) -> (F, Attributes) {
        (self.future, Attributes { name: Some(self.name), ..Attributes::default() })
    }
}

/// A future whose error is reported if nobody looks at it, once it is a task.
#[derive(Debug)]
#[must_use = "it does nothing until it is given to `spawn`"]
pub struct Fallible<W>(W);

impl<W> Fallible<W> {
    /// Says so of `what`.
    pub fn new(what: W) -> Self {
        Self(what)
    }
}

impl<T, E: fmt::Display, W: Spawn<Output = Result<T, E>>> Spawn for Fallible<W> {
    type Output = W::Output;
    type Future = W::Future;
    fn into_parts(self) -> (W::Future, Attributes) {
        self.0.into_parts()
    }
    fn failure(output: &Self::Output) -> Option<&dyn fmt::Display> {
        output.as_ref().err().map(|error| error as &dyn fmt::Display)
    }
}

impl<F: Future> IntoFuture for Named<F> {
    type Output = F::Output;
    type IntoFuture = F;
    fn into_future(self) -> F {
        self.future
    }
}

/// What can be said about a future before it is spawned.
pub trait FutureExt: Future + Sized {
    /// Names the task that this future will be.
    ///
    /// Any `Display` will do; names need not be unique. Awaited instead of spawned, the future is as before.
    ///
    /// Counterpart: `asyncio.create_task(coro, name=…)`.
    fn named(self, name: impl fmt::Display) -> Named<Self> {
        Named::new(self, name)
    }

    /// Says in which context it runs: spawned or awaited, it sees the variables of `context`, and what it sets stays
    /// there. Without this, a task runs in a copy of its parent's.
    ///
    /// Counterpart: `asyncio.create_task(coro, context=…)`.
    fn in_context(self, context: &Context) -> InContext<Self> {
        InContext::new(self, context)
    }

    /// Has it begin inside the spawn, which polls it once as the new task, before it returns.
    ///
    /// A future that does not wait has ended then, and was never queued; one that does goes on as any other task. Only a
    /// task begins another so: spawned from elsewhere, it begins when a worker comes to it. The one that spawns waits
    /// meanwhile, and lends its stack: not for long first steps, nor for deep recursion.
    ///
    /// Counterpart: `asyncio.create_task(coro, eager_start=True)`, `asyncio.eager_task_factory`.
    fn eager(self) -> Eager<Self> {
        Eager::new(self)
    }
}

impl<F: Future> FutureExt for F {}

/// How far a task has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TaskState {
    /// Neither ended nor asked to end.
    Pending,
    /// Asked to end, and not ended yet.
    Cancelling,
    /// Its future has ended, and a cleanup that it owes has not.
    Finishing,
    /// Ended by cancellation.
    Cancelled,
    /// Ended with a value or a panic.
    Finished,
}

impl TaskState {
    /// The word that dumps and `Debug` use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Cancelling => "cancelling",
            Self::Finishing => "finishing",
            Self::Cancelled => "cancelled",
            Self::Finished => "finished",
        }
    }
}

/// A copy of what is known of a task at one moment.
#[derive(Clone)]
#[non_exhaustive]
pub struct TaskInfo {
    /// Its number.
    pub id: TaskId,
    /// Its name, or `Task-<n>`.
    pub name: Arc<str>,
    /// How far it has come.
    pub state: TaskState,
    /// Where the program spawned it.
    pub spawned_at: &'static Location<'static>,
    /// The task that spawned it.
    pub parent: Option<TaskId>,
    /// What it waits for; `None` while it runs, is due, or waits for a future that does not say.
    pub wait: Option<Wait>,
    /// Which task holds the lock that it waits for, and where that was taken; known in debug mode.
    pub held_by: Option<Held>,
}

impl fmt::Debug for TaskInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "<Task {} name='{}' spawned_at={}",
            self.state.as_str(),
            self.name,
            self.spawned_at
        )?;
        if let Some(wait) = &self.wait {
            write!(f, " waits_for={}", wait.kind.as_str())?;
            if let Some(place) = wait.place {
                write!(f, " at {place}")?;
            }
        }
        if let Some(held) = &self.held_by {
            write!(f, " held_by=Task-{} at {}", held.task, held.place)?;
        }
        f.write_str(">")
    }
}
