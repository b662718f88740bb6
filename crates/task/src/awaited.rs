//! Awaiting a task as a cancel scope: a cancellation of the one who waits cancels the task, and the wait goes on.
//!
//! If the task answers with a value, that is the value, and the cancellation is used up. If it ends cancelled, or had
//! ended before, or never saw the request, nothing is taken out, and the cancellation moves on.

use crate::cell::Ptr;
use crate::state::{CANCELLED, COMPLETE, WAITS};
use kasasagi_primitive::request::Cause;
use kasasagi_primitive::scope::{self, Awaited};
use kasasagi_primitive::sync::atomic::Ordering;
use std::task::Poll;

/// Whether the wait is an entry of a tree from now on.
pub(crate) type Entered = bool;

impl Ptr {
    fn number(self) -> u64 {
        self.id().as_u64()
    }

    /// A wait that is no entry is polled while something is offered to such. Pending: it has passed on.
    #[cold]
    pub(crate) fn accept(self) -> (Entered, Poll<()>) {
        let now = self.state().load(Ordering::Acquire);
        // Who has not waited yet is no part of the await that was interrupted.
        if !now.has(WAITS) {
            return (false, Poll::Ready(()));
        }
        match scope::accept(self.number()) {
            None => (false, Poll::Ready(())),
            Some(delivery) => (true, self.told(&delivery.cause)),
        }
    }

    /// A wait that is an entry is polled.
    #[cold]
    pub(crate) fn poll_entered(self) -> (Entered, Poll<()>) {
        match scope::poll_wait(self.number()) {
            Awaited::Gone => (false, Poll::Ready(())),
            Awaited::Waiting => (true, Poll::Ready(())),
            Awaited::Passing => (true, Poll::Pending),
            Awaited::Cancelled(delivery) => (true, self.told(&delivery.cause)),
        }
    }

    fn told(self, cause: &Cause) -> Poll<()> {
        if self.ask_to_end(cause.clone()) {
            return Poll::Ready(());
        }
        // It has ended already: what it gave stays where it is.
        self.pass_on()
    }

    /// The task has ended, and the wait is an entry. Pending: what had reached it has moved on.
    #[cold]
    pub(crate) fn answered(self) -> Poll<()> {
        let now = self.state().load(Ordering::Acquire);
        let unseen = || self.header().rest.context.is_asked();
        if now.has(COMPLETE) && (now.has(CANCELLED) || unseen()) {
            return self.pass_on();
        }
        scope::leave_wait(self.number(), true);
        Poll::Ready(())
    }

    fn pass_on(self) -> Poll<()> {
        if scope::pass_wait(self.number()) { Poll::Pending } else { Poll::Ready(()) }
    }
}
