//! Child: a future in a group. What it fails with goes to the group, its value to whoever awaits it.

use super::roster::Roster;
use crate::child_error::ChildError;
use kasasagi_sync::{AcquireOwned, OwnedPermit};
use kasasagi_task::{Attributes, JoinError, Owned, Owner, Spawn, TaskRef, try_current};
use pin_project_lite::pin_project;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

/// What a child of a group returns: a `Result` with the group's error, or nothing.
#[diagnostic::on_unimplemented(
    message = "a child of this group returns `()` or a `Result<_, {E}>`, not `{Self}`",
    label = "it returns `{Self}`",
    note = "end the child with `Ok(value)`"
)]
pub trait ChildOutput<E>: Send + 'static {
    /// What awaiting the child gives.
    type Value;
    /// The value, or what the group gets.
    ///
    /// # Errors
    /// The child's own.
    fn into_result(self) -> Result<Self::Value, E>;
}

impl<T: Send + 'static, E: Send + 'static> ChildOutput<E> for Result<T, E> {
    type Value = T;
    fn into_result(self) -> Self {
        self
    }
}

impl<E> ChildOutput<E> for () {
    type Value = ();
    fn into_result(self) -> Result<(), E> {
        Ok(self)
    }
}

/// `!`, by the only name that it has on stable: the output of a child that loops until it is cancelled.
type Never = <fn() -> ! as Returns>::Output;

/// What a function returns.
#[doc(hidden)]
pub trait Returns {
    /// It.
    type Output;
}

impl<T> Returns for fn() -> T {
    type Output = T;
}

impl<E> ChildOutput<E> for Never {
    type Value = Self;
    fn into_result(self) -> Result<Self, E> {
        self
    }
}

/// A child's turn, in a group with a limit.
pub(super) enum Turn {
    Waits(Pin<Box<AcquireOwned>>),
    Has(#[expect(dead_code, reason = "it is held, and given back by its drop")] OwnedPermit),
}

pin_project! {
    /// What is spawned.
    pub(super) struct ChildFuture<F, E> {
        #[pin]
        future: F,
        turn: Option<Turn>,
        // Until it is spawned.
        owned: Option<Owned>,
        error: PhantomData<fn(E)>,
    }
}

/// Tells the group of the polled child that this failed.
fn tell<E: Send + 'static>(child: &TaskRef, error: ChildError<E>) {
    let owner = Owner::of(child);
    let roster = owner.as_ref().and_then(|owner| owner.keeper().as_any().downcast_ref());
    let roster: &Roster<E> = roster.expect("a child of a group is owned by its roster");
    roster.fail(error);
}

/// A child that is about to be spawned.
pub(super) struct Child<F, E> {
    future: ChildFuture<F, E>,
    attributes: Attributes,
}

impl<F, E> Child<F, E> {
    pub(super) fn new(
        future: F,
        turn: Option<Turn>,
        owned: Option<Owned>,
        attributes: Attributes,
    ) -> Self {
        Self { future: ChildFuture { future, turn, owned, error: PhantomData }, attributes }
    }
}

impl<F, E> Spawn for Child<F, E>
where
    F: Future<Output: ChildOutput<E>>,
    E: Send + 'static,
{
    type Output = <ChildFuture<F, E> as Future>::Output;
    type Future = ChildFuture<F, E>;
    #[inline]
    fn into_parts(self) -> (ChildFuture<F, E>, Attributes) {
        (self.future, self.attributes)
    }
    #[inline]
    fn owned(future: &mut ChildFuture<F, E>) -> Option<Owned> {
        future.owned.take()
    }
}

impl<F, E> Future for ChildFuture<F, E>
where
    F: Future<Output: ChildOutput<E>>,
    E: Send + 'static,
{
    type Output = Result<<F::Output as ChildOutput<E>>::Value, JoinError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if let Some(Turn::Waits(turn)) = this.turn {
            // The semaphore is the group's own, and never closed.
            if let Ok(permit) = std::task::ready!(turn.as_mut().poll(cx)) {
                *this.turn = Some(Turn::Has(permit));
            }
        }
        // Caught here: the group gets the payload, which the task's own output would keep for itself.
        let output = match catch_unwind(AssertUnwindSafe(|| this.future.poll(cx))) {
            Ok(poll) => std::task::ready!(poll).into_result(),
            Err(payload) => {
                let task = try_current().expect("a child is polled as a task");
                let (error, told) = JoinError::panicked_in_group(&task, payload);
                tell::<E>(&task, ChildError::ended(Some(&task), error));
                return Poll::Ready(Err(told));
            }
        };
        Poll::Ready(output.map_err(|error| {
            let task = try_current().expect("a child is polled as a task");
            let told = JoinError::failed_in_group(&task);
            tell(&task, ChildError::failed(Some(&task), error));
            told
        }))
    }
}
