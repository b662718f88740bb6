//! Group: tasks that do not outlive the scope they were spawned in. The first failure ends them all.

mod child;
mod error;
mod roster;
mod scope;

pub use child::ChildOutput;
pub use error::GroupError;
pub use scope::GroupScope;

use crate::run::{refuse_at, spawn_at};
use child::Child;
use kasasagi_task::{Owned, Owner, Spawn, Task};
use roster::{Entry, Roster};
use std::fmt;
use std::panic::Location;
use std::sync::Arc;

/// The handle of a group of tasks: spawns children, limits, and cancels.
///
/// [`TaskGroup::scope`] makes one and hands it to its body. It can be cloned, kept, and given to children, which may
/// spawn more; once the group is over, it spawns nothing any more.
pub struct TaskGroup<E> {
    roster: Arc<Roster<E>>,
    owner: Arc<Owner>,
}

impl<E: Send + 'static> TaskGroup<E> {
    /// Calls `body`, runs the future that it gives, waits for all children that were spawned into the group, and gives what it
    /// returned.
    ///
    /// The first child or body that fails ends the rest: the body is dropped where it waits, the children are cancelled,
    /// and when all have ended, clean-up included, the scope gives every error with the name of its task. A child that
    /// is cancelled by somebody else is no failure. When the scope itself is cancelled, the children are, and it waits for
    /// them. Once it has returned none of them runs.
    ///
    /// # Errors
    /// [`GroupError`], with the errors and panics of the children in the order of their ends, and that of the body last;
    /// also if [`cancel`](Self::cancel) ended the body before it had a value.
    ///
    /// # Cancel safety
    /// Not cancel safe. Cancelled, it waits for its children; dropped by a foreign combinator, it can only ask them to
    /// end.
    ///
    /// # Examples
    /// ```
    /// use kasasagi::TaskGroup;
    ///
    /// kasasagi::run(async {
    ///     let sum = TaskGroup::scope(|tg| async move {
    ///         let a = tg.spawn(async { Ok(40) });
    ///         let b = tg.spawn(async { "two".parse::<i32>() });
    ///         Ok(a.await.unwrap_or(0) + b.await.unwrap_or(0))
    ///     })
    ///     .await;
    ///     let error = sum.expect_err("`two` is not written in digits");
    ///     assert_eq!(error.errors().len(), 1);
    /// });
    /// ```
    ///
    /// Children are tasks, and borrow nothing from the one that spawned them:
    /// ```compile_fail,E0373
    /// # kasasagi::run(async {
    /// let words = vec!["a", "b"];
    /// let _ = kasasagi::TaskGroup::<()>::scope(|tg| async move {
    ///     tg.spawn(async { drop(words.len()) });
    ///     Ok(words.len())
    /// }).await;
    /// # });
    /// ```
    ///
    /// And they return `()` or a `Result` whose error is the group's:
    /// ```compile_fail,E0277
    /// # kasasagi::run(async {
    /// let _ = kasasagi::TaskGroup::<String>::scope(|tg| async move {
    ///     tg.spawn(async { 5 });
    ///     Ok(())
    /// }).await;
    /// # });
    /// ```
    ///
    /// Counterpart: `async with asyncio.TaskGroup() as tg`.
    #[track_caller]
    pub fn scope<R, B, F>(body: B) -> GroupScope<R, E, F>
    where
        B: FnOnce(Self) -> F,
        F: Future<Output = Result<R, E>>,
    {
        let place = Location::caller();
        let group = Self::new(place);
        let body = body(group.clone());
        GroupScope::new(&group, body, place)
    }

    fn new(place: &'static Location<'static>) -> Self {
        let roster = Arc::new(Roster::new(place));
        let keeper: Arc<Roster<E>> = Arc::clone(&roster);
        let owner = Owner::new(keeper);
        Self { roster, owner }
    }

    /// Spawns a child, whose failure is the group's.
    ///
    /// Awaited, it gives the value of its `Result`. If the group is ending or over, the future is dropped unpolled, and
    /// the task is cancelled already, with a reason.
    ///
    /// # Panics
    /// Where no runtime runs.
    ///
    /// Counterpart: `asyncio.TaskGroup.create_task`.
    #[track_caller]
    pub fn spawn<S>(&self, what: S) -> Task<<S::Output as ChildOutput<E>>::Value>
    where
        S: Spawn,
        S::Future: Send + 'static,
        S::Output: ChildOutput<E>,
        <S::Output as ChildOutput<E>>::Value: Send + 'static,
    {
        let place = Location::caller();
        let (future, attributes) = what.into_parts();
        let entry = self.roster.enter();
        let (key, turn) = match entry {
            Entry::Open { key, turn } => (key, turn),
            Entry::Closed(reason) => {
                let child = Child::new(future, None, None, attributes);
                return refuse_at(place, child, reason).flatten();
            }
        };
        let owned = Some(Owned { owner: Arc::clone(&self.owner), key });
        let child = Child::new(future, turn, owned, attributes);
        let task = spawn_at(place, child);
        if let Some(cause) = self.roster.began(key, &task) {
            task.cancel_for(&cause);
        }
        task.flatten()
    }

    /// Lets no more than `limit` of the children that are spawned from now on run at a time; the others wait for their
    /// turn, first come, first served. A limit of zero is one.
    pub fn limit(&self, limit: usize) -> &Self {
        self.roster.limit(limit.max(1));
        self
    }

    /// Ends the group without an error: the children are cancelled, and the body, if it still waits.
    ///
    /// A body that returns its value without waiting any more gives it; one that is ended before it has a value makes the
    /// scope an error that says so ([`GroupError::is_cancelled`]). Later calls do nothing.
    ///
    /// Counterpart: `asyncio.TaskGroup.cancel`.
    #[track_caller]
    pub fn cancel(&self) {
        self.roster.cancel(Location::caller());
    }

    /// How many children have not ended.
    pub fn len(&self) -> usize {
        self.roster.live()
    }

    /// Whether all children have ended.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<E> Clone for TaskGroup<E> {
    fn clone(&self) -> Self {
        Self { roster: Arc::clone(&self.roster), owner: Arc::clone(&self.owner) }
    }
}

impl<E> fmt::Debug for TaskGroup<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskGroup").field("roster", &self.roster).finish_non_exhaustive()
    }
}
