//! What combinators take: futures, which are spawned, and tasks.
//!
//! A combinator keeps handles. Mostly they are its own; a [`TaskMut`] is somebody else's, lent to it.

use crate::handle::Task;
use crate::meta::Spawn;
use std::fmt;

/// Spawns for a combinator, as whoever called it would.
pub trait Spawner {
    /// Spawns a task.
    fn spawn<F>(&mut self, what: F) -> Task<F::Output>
    where
        F: Spawn,
        F::Future: Send + 'static,
        F::Output: Send + 'static;
}

/// A future, which is spawned; or a task, which passes through.
///
/// Combinators take any mixture of one type: futures, futures with names, [`Task`]s, or tasks that are only lent
/// ([`Task::by_ref`]).
#[diagnostic::on_unimplemented(
    message = "`{Self}` is neither a future that can be spawned nor a `Task`",
    label = "a future that is `Send` and `'static`, a `Task`, or `task.by_ref()` is wanted here",
    note = "a `&mut Task` is lent by `task.by_ref()`"
)]
pub trait IntoTask {
    /// What awaiting the task gives.
    type Output;
    /// The handle that comes of it.
    type Handle: TaskHandle<Output = Self::Output>;
    /// The task, spawned if it is not one yet.
    fn into_task(self, spawner: &mut impl Spawner) -> Self::Handle;
}

/// A handle in the hands of a combinator.
pub trait TaskHandle {
    /// What awaiting the task gives.
    type Output;
    /// Whether it is only lent: dropping it detaches nothing, and who lent it cancels.
    const LENT: bool;
    /// The task.
    fn task(&mut self) -> &mut Task<Self::Output>;
    /// The combinator has given its answer, and nobody will ask for this task's: see [`Task::disregard`].
    fn disregard(self);
}

impl<F> IntoTask for F
where
    F: Spawn,
    F::Future: Send + 'static,
    F::Output: Send + 'static,
{
    type Output = F::Output;
    type Handle = Task<F::Output>;
    #[inline]
    fn into_task(self, spawner: &mut impl Spawner) -> Task<F::Output> {
        spawner.spawn(self)
    }
}

impl<T> IntoTask for Task<T> {
    type Output = T;
    type Handle = Self;
    #[inline]
    fn into_task(self, _: &mut impl Spawner) -> Self {
        self
    }
}

impl<T> TaskHandle for Task<T> {
    type Output = T;
    const LENT: bool = false;
    #[inline]
    fn task(&mut self) -> &mut Self {
        self
    }
    fn disregard(self) {
        Self::disregard(self);
    }
}

/// A task that is lent to a combinator: made by [`Task::by_ref`].
pub struct TaskMut<'a, T>(&'a mut Task<T>);

impl<T> Task<T> {
    /// Lends the task to a combinator, which then loses no handle when it is cancelled, and cancels nothing.
    ///
    /// `&mut task` would not do: it is a future itself, and futures are spawned.
    pub fn by_ref(&mut self) -> TaskMut<'_, T> {
        TaskMut(self)
    }
}

impl<T> IntoTask for TaskMut<'_, T> {
    type Output = T;
    type Handle = Self;
    fn into_task(self, _: &mut impl Spawner) -> Self {
        self
    }
}

impl<T> TaskHandle for TaskMut<'_, T> {
    type Output = T;
    const LENT: bool = true;
    fn task(&mut self) -> &mut Task<T> {
        self.0
    }
    // Who lent it may ask.
    fn disregard(self) {}
}

impl<T> Drop for TaskMut<'_, T> {
    fn drop(&mut self) {
        self.0.forget_waiter();
    }
}

impl<T> std::ops::Deref for TaskMut<'_, T> {
    type Target = Task<T>;
    fn deref(&self) -> &Task<T> {
        self.0
    }
}

impl<T> std::ops::DerefMut for TaskMut<'_, T> {
    fn deref_mut(&mut self) -> &mut Task<T> {
        self.0
    }
}

impl<T> fmt::Debug for TaskMut<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}
