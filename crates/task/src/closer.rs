//! The runner's closer look: at a task that has scopes, was asked to end, or waits for the cleanups it owes.
//!
//! Most tasks never come here. Delivery and completion cannot race: both happen in the poll.

use crate::run::{Ran, Runnable};
use crate::state::{CANCEL, CANCELLED, COMPLETE, Snapshot};
use kasasagi_primitive::cold::Cold;
use kasasagi_primitive::request::Cause;
use kasasagi_primitive::scope::{self, Begun, Ended};
use std::cell::Cell;
use std::task::Poll;

/// What a poll under a closer look led to.
enum Look {
    Ready,
    Pending(Ended),
    Cancelled(Cause),
    CancelledPlainly,
}

impl Runnable {
    #[cold]
    pub(crate) fn run_closer(self, start: Snapshot) -> Ran {
        let task = self.0;
        if let Some(cold) = task.cold() {
            let finishing = cold.request.lock().finishing();
            if let Some(cancelled) = finishing {
                return self.finish(cold, cancelled, start);
            }
        }
        // Taken out first: a request from now on is a new one, and shows at the end.
        let start = if start.has(CANCEL) { task.state().take_cancel() } else { start };
        let context = &task.header().rest.context;
        let gone = Cell::new(false);
        let (look, yielded) = self.inside(|| match scope::begin(context) {
            Begun::Cancelled(cause) => Look::Cancelled(cause),
            Begun::CancelledPlainly => Look::CancelledPlainly,
            Begun::Poll => match self.poll(&gone) {
                Poll::Ready(()) => Look::Ready,
                Poll::Pending => Look::Pending(scope::end(context, task.state().is_unwoken(start))),
            },
        });
        match look {
            Ok(Look::Ready) => self.complete(COMPLETE),
            Ok(Look::Cancelled(cause) | Look::Pending(Ended::Cancelled(cause))) => {
                self.cancelled(cause)
            }
            Ok(Look::CancelledPlainly) => self.cancelled_plainly(),
            Ok(Look::Pending(ended)) => {
                self.end_poll(start, yielded || matches!(ended, Ended::Again))
            }
            Err(payload) => self.panicked(payload, gone.get()),
        }
    }

    /// Woken while it waits for its cleanups.
    fn finish(self, cold: &Cold, cancelled: bool, start: Snapshot) -> Ran {
        // Taken out first: the wakes in the word are those of payments that are seen below.
        let start = if start.has(CANCEL) { self.0.state().take_cancel() } else { start };
        let done = cold.request.lock().finish(cancelled);
        if done {
            self.complete_now(if cancelled { COMPLETE | CANCELLED } else { COMPLETE })
        } else {
            self.end_pending(start)
        }
    }

    /// The output is in its place: the task is done, or waits for the cleanups it owes.
    pub(crate) fn complete_or_owe(self, cold: &Cold, how: u64) -> Ran {
        let context = &self.0.header().rest.context;
        let _ = self.inside(|| scope::close(context));
        let done = cold.request.lock().finish(how & CANCELLED != 0);
        if done {
            return self.complete_now(how);
        }
        self.0.header().rest.context.look_closer();
        // To the end of the queue: who pays the last meanwhile wakes it too, and that may be over already.
        Ran::Requeue(self)
    }
}
