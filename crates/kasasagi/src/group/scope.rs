//! Scope: the body of a group and the wait for its children, as one future and one cancel scope.
//!
//! It first polls the body, then waits for the last child. A failure is told to the children and to what is below the body
//! as a cancellation that the scope itself caused, and that ends here; one from outside is kept until all have ended, and
//! then moves on, or comes again if there are errors to be given instead.

use super::roster::{Phase, Roster};
use super::{GroupError, TaskGroup};
use crate::child_error::ChildError;
use crate::child_scope::because;
use kasasagi_primitive::request::Cause;
use kasasagi_primitive::scope::{self, Delivery, Polled, Scope};
use kasasagi_primitive::task_context;
use kasasagi_primitive::wait_site::WaitKind;
use kasasagi_task::{JoinError, Owner, try_current};
use pin_project_lite::pin_project;
use std::any::Any;
use std::fmt;
use std::mem;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

pin_project! {
    /// A group at work; made by [`TaskGroup::scope`].
    #[must_use = "futures do nothing unless awaited"]
    pub struct GroupScope<R, E, F> {
        #[pin]
        body: Option<F>,
        work: Work<R, E>,
    }

    impl<R, E, F> PinnedDrop for GroupScope<R, E, F> {
        fn drop(this: Pin<&mut Self>) {
            this.project().work.roster.abandon();
        }
    }
}

/// What is not the body's.
struct Work<R, E> {
    place: &'static Location<'static>,
    roster: Arc<Roster<E>>,
    owner: Arc<Owner>,
    /// It was polled.
    begun: bool,
    scope: Scope,
    /// A cancellation from outside.
    taken: Option<Delivery>,
    /// How many requests to cancel the task there were at the first poll.
    level: u32,
    /// Children and body know that the group ends.
    told: bool,
    value: Option<R>,
    error: Option<ChildError<E>>,
}

/// What a poll led to.
enum Step<R, E> {
    Returned(Result<R, E>),
    Panicked(Box<dyn Any + Send>),
    Ended(Vec<ChildError<E>>),
}

impl<R, E, F> GroupScope<R, E, F> {
    pub(super) fn new(group: &TaskGroup<E>, body: F, place: &'static Location<'static>) -> Self {
        let work = Work {
            place,
            roster: Arc::clone(&group.roster),
            owner: Arc::clone(&group.owner),
            begun: false,
            scope: Scope::new(),
            taken: None,
            level: 0,
            told: false,
            value: None,
            error: None,
        };
        Self { body: Some(body), work }
    }
}

impl<R, E, F> Future for GroupScope<R, E, F>
where
    F: Future<Output = Result<R, E>>,
{
    type Output = Result<R, GroupError<E>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let work = this.work;
        if !mem::replace(&mut work.begun, true) {
            work.level = scope::requests();
            work.owner.works_for_current();
        }
        let roster = Arc::clone(&work.roster);
        loop {
            // First the waker: what comes after the look below wakes it.
            roster.wait(cx.waker(), this.body.is_none());
            if work.is_to_drop_body(&roster) {
                this.body.set(None);
                continue;
            }
            let step = |cx: &mut Context<'_>| step(this.body.as_mut().as_pin_mut(), &roster, cx);
            match work.scope.poll_with(cx, step) {
                Polled::Pending => {
                    if this.body.is_none() {
                        task_context::waiting(WaitKind::Join, 0, work.place);
                    }
                    return Poll::Pending;
                }
                Polled::Ready(Step::Ended(errors)) => {
                    return work.end(errors);
                }
                Polled::Ready(Step::Returned(Ok(value))) => work.value = Some(value),
                Polled::Ready(Step::Returned(Err(error))) => {
                    work.fail(&roster, ChildError::failed(try_current().as_ref(), error));
                }
                Polled::Ready(Step::Panicked(payload)) => work.panicked(&roster, payload),
                Polled::Cancelled(delivery) => work.cancelled(&roster, delivery),
            }
            this.body.set(None);
        }
    }
}

/// Polls the body; without one, looks whether all children have ended.
fn step<R, E, F>(
    body: Option<Pin<&mut F>>,
    roster: &Roster<E>,
    cx: &mut Context<'_>,
) -> Poll<Step<R, E>>
where
    F: Future<Output = Result<R, E>>,
{
    match body {
        None => roster.close().map_or(Poll::Pending, |errors| Poll::Ready(Step::Ended(errors))),
        Some(body) => match catch_unwind(AssertUnwindSafe(|| body.poll(cx))) {
            Ok(poll) => poll.map(Step::Returned),
            Err(payload) => Poll::Ready(Step::Panicked(payload)),
        },
    }
}

impl<R, E> Work<R, E> {
    /// Tells children and body, once, that the group ends. `true`: nobody in the body takes that, so it is dropped.
    fn is_to_drop_body(&mut self, roster: &Roster<E>) -> bool {
        if self.told {
            // Who was told left without having used it: once more.
            let again = self.scope.take_returned();
            return again.is_some_and(|delivery| !self.scope.deliver(delivery.cause));
        }
        let Phase::Ending { cause, .. } = roster.phase() else { return false };
        self.told = true;
        roster.cancel_children(&cause);
        !self.scope.deliver(cause)
    }

    /// Ends the children.
    fn end_children(&mut self, roster: &Roster<E>, cause: &Cause) {
        self.told = true;
        roster.end(cause);
        roster.cancel_children(cause);
    }

    /// The body failed.
    fn fail(&mut self, roster: &Roster<E>, error: ChildError<E>) {
        self.error = Some(error);
        self.end_children(roster, &because("the body of its group failed", self.place));
    }

    fn panicked(&mut self, roster: &Roster<E>, payload: Box<dyn Any + Send>) {
        match try_current() {
            Some(task) => {
                let (error, _) = JoinError::panicked_in_group(&task, payload);
                self.fail(roster, ChildError::ended(Some(&task), error));
            }
            // No task, no name: it is the caller's.
            None => {
                roster.abandon();
                std::panic::resume_unwind(payload);
            }
        }
    }

    /// A cancellation has reached the scope, and the body is to be dropped.
    fn cancelled(&mut self, roster: &Roster<E>, delivery: Delivery) {
        if self.scope.is_origin_of(&delivery) {
            return;
        }
        self.end_children(roster, &delivery.cause);
        self.taken = Some(delivery);
    }

    /// All have ended.
    fn end(&mut self, mut errors: Vec<ChildError<E>>) -> Poll<Result<R, GroupError<E>>> {
        errors.extend(self.error.take());
        match mem::take(&mut self.taken) {
            Some(delivery) if errors.is_empty() => {
                self.scope.pass(delivery);
                return Poll::Pending;
            }
            Some(_) => self.scope.give_back(),
            None => {
                self.scope.leave();
                if !errors.is_empty() && scope::requests() > self.level {
                    ask_again();
                }
            }
        }
        Poll::Ready(match self.value.take() {
            Some(value) if errors.is_empty() => Ok(value),
            _ => Err(GroupError::new(errors)),
        })
    }
}

/// The body was handling a cancellation from outside when the group ended it: that is not lost, and comes again.
fn ask_again() {
    if let Some(task) = try_current() {
        // The count stays as it was.
        task.uncancel();
        task.cancel();
    }
}

impl<R, E, F> fmt::Debug for GroupScope<R, E, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GroupScope")
            .field("place", &self.work.place)
            .field("roster", &self.work.roster)
            .finish_non_exhaustive()
    }
}
