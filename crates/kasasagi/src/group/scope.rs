//! Scope: the body of a group and the wait for its children, as one future and one cancel scope.
//!
//! It first polls the body, then waits for the last child. A failure is told to the children and to what is below the body
//! as a cancellation that the scope itself caused, and that ends here; one from outside is kept until all have ended, and
//! then moves on, or comes again if there are errors to be given instead.

use super::roster::{Found, Roster};
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
            let work = this.project().work;
            if !work.over {
                work.roster.abandon();
            }
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
    /// All have ended.
    over: bool,
    value: Option<R>,
    error: Option<ChildError<E>>,
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
            over: false,
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
        let mut clone = None;
        if !mem::replace(&mut work.begun, true) {
            work.level = scope::requests();
            work.owner.works_for_current();
            clone = Some(cx.waker().clone());
        }
        let roster = Arc::clone(&work.roster);
        loop {
            let Some(body) = this.body.as_mut().as_pin_mut() else {
                return work.poll_end(&roster, cx);
            };
            // First the waker: what comes after this look wakes it.
            let found = roster.attend(cx.waker(), clone.take(), false);
            if work.is_to_drop_body(&roster, found) {
                this.body.set(None);
                continue;
            }
            match work.scope.poll_with(cx, |cx| poll_body(body, cx)) {
                Polled::Pending => return Poll::Pending,
                Polled::Ready(Ok(Ok(value))) => work.value = Some(value),
                Polled::Ready(Ok(Err(error))) => {
                    work.fail(&roster, ChildError::failed(try_current().as_ref(), error));
                }
                Polled::Ready(Err(payload)) => work.panicked(&roster, payload),
                Polled::Cancelled(delivery) => work.cancelled(&roster, delivery),
            }
            this.body.set(None);
        }
    }
}

/// Polls the body, or says with what it panicked.
fn poll_body<F: Future>(
    body: Pin<&mut F>,
    cx: &mut Context<'_>,
) -> Poll<Result<F::Output, Box<dyn Any + Send>>> {
    match catch_unwind(AssertUnwindSafe(|| body.poll(cx))) {
        Ok(poll) => poll.map(Ok),
        Err(payload) => Poll::Ready(Err(payload)),
    }
}

impl<R, E> Work<R, E> {
    /// Without a body: waits for the last child.
    fn poll_end(
        &mut self,
        roster: &Roster<E>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<R, GroupError<E>>> {
        // Nothing is polled below: what reaches the scope is for itself, and one that has passed on only waits for its drop.
        while let Some(delivery) = self.scope.attend(cx) {
            self.cancelled(roster, delivery);
        }
        if self.scope.is_passing() {
            return Poll::Pending;
        }
        match roster.attend(cx.waker(), None, true) {
            Found::Ended(errors) => return self.end(errors),
            Found::Ending(cause) if !mem::replace(&mut self.told, true) => {
                roster.cancel_children(&cause);
            }
            Found::Ending(_) | Found::Open => {}
        }
        task_context::waiting(WaitKind::Join, 0, self.place);
        Poll::Pending
    }

    /// Tells children and body, once, that the group ends. `true`: nobody in the body takes that, so it is dropped.
    fn is_to_drop_body(&mut self, roster: &Roster<E>, found: Found<E>) -> bool {
        if self.told {
            // Who was told left without having used it: once more.
            let again = self.scope.take_returned();
            return again.is_some_and(|delivery| !self.scope.deliver(delivery.cause));
        }
        let Found::Ending(cause) = found else { return false };
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
        self.over = true;
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
