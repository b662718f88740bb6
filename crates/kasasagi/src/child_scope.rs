//! Child scope: how a combinator that waits for children takes a cancellation. It asks the children to end, waits until
//! they have, and passes the cancellation on.

use kasasagi_primitive::request::{Cause, Reason};
use kasasagi_primitive::scope::{Delivery, Polled, Scope};
use std::panic::Location;
use std::task::{Context, Poll};

/// The scope, and the cancellation that has reached it.
#[derive(Debug, Default)]
pub(crate) struct ChildScope {
    scope: Scope,
    taken: Option<Delivery>,
}

/// A combinator's own reason to end its children.
pub(crate) fn because(reason: &'static str, place: &'static Location<'static>) -> Cause {
    Cause {
        reason: Some(Reason::Said(reason)),
        place: Some(place),
        by: kasasagi_primitive::task_context::current_id(),
        interrupted: None,
    }
}

impl ChildScope {
    /// Waits by `poll`. At each cancellation `cancel` asks the children to end, and says whether they are to be waited
    /// for; else it moves on at once.
    pub(crate) fn poll<S, T>(
        &mut self,
        cx: &mut Context<'_>,
        state: &mut S,
        mut poll: impl FnMut(&mut S, &mut Context<'_>) -> Poll<T>,
        mut cancel: impl FnMut(&mut S, &Cause) -> bool,
    ) -> Poll<T> {
        loop {
            match self.scope.poll_with(cx, |cx| poll(state, cx)) {
                Polled::Ready(value) => return Poll::Ready(value),
                Polled::Pending => return Poll::Pending,
                Polled::Cancelled(delivery) if cancel(state, &delivery.cause) => {
                    self.taken = Some(delivery);
                }
                Polled::Cancelled(delivery) => {
                    self.scope.pass(delivery);
                    return Poll::Pending;
                }
            }
        }
    }

    /// As [`poll`](Self::poll), for a `poll` that polls nothing inside but only looks at what has ended.
    pub(crate) fn wait<S, T>(
        &mut self,
        cx: &mut Context<'_>,
        state: &mut S,
        mut poll: impl FnMut(&mut S, &mut Context<'_>) -> Poll<T>,
        mut cancel: impl FnMut(&mut S, &Cause) -> bool,
    ) -> Poll<T> {
        while let Some(delivery) = self.scope.attend(cx) {
            if !cancel(state, &delivery.cause) {
                self.scope.pass(delivery);
                break;
            }
            self.taken = Some(delivery);
        }
        if self.scope.is_passing() { Poll::Pending } else { poll(state, cx) }
    }

    /// The children have ended. `true`: a cancellation has reached the combinator, and moves on; it returns `Pending` from
    /// now on.
    #[must_use]
    pub(crate) fn passes(&mut self) -> bool {
        match self.taken.take() {
            Some(delivery) => {
                self.scope.pass(delivery);
                true
            }
            None => {
                self.scope.leave();
                false
            }
        }
    }

    /// The children have ended, and the combinator returns all the same: a cancellation that has reached it comes again.
    pub(crate) fn give_back(&mut self) {
        self.taken = None;
        self.scope.give_back();
    }
}
