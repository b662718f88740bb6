//! What a timeout does besides waiting: as a cancel scope, it drops what is inside, lets scopes inside clean up first, and
//! tells its own cancellation from those that come from outside.

use crate::NEVER;
use crate::time::sleep::Sleep;
use crate::time::timeout::Elapsed;
use kasasagi_primitive::request::{Cause, Reason};
use kasasagi_primitive::scope::{self, Polled, Scope};
use std::pin::Pin;
use std::task::{Context, Poll};

/// The scope of one timeout. It is in the tree only while another scope is inside.
pub(super) struct Limit {
    scope: Option<Box<Scope>>,
    /// How often the task had been asked to end when the timeout began to wait: a request above that is from outside.
    level: u32,
    begun: bool,
    /// The next poll looks at the time: the first one did, or there is none to wait for.
    pub(super) armed: bool,
    /// It has cancelled what is inside.
    pub(super) fired: bool,
    /// It was overdue, and left the field to a timeout around it or to a request.
    pub(super) left: bool,
}

impl Limit {
    #[inline]
    pub(super) const fn new(armed: bool) -> Self {
        Self { scope: None, level: 0, begun: false, armed, fired: false, left: false }
    }

    /// The future inside was polled for the first time, and is pending; `before`: what `scope::ticks` was then.
    pub(super) fn begin(&mut self, before: u64) {
        self.enter();
        self.armed = true;
        self.scope = scope::adopt(before).map(Box::new);
    }

    fn enter(&mut self) {
        if !std::mem::replace(&mut self.begun, true) {
            self.level = scope::requests();
        }
    }

    /// The timeout returns what is inside, and leaves.
    #[inline]
    pub(super) fn end(&mut self) {
        if let Some(mut scope) = self.scope.take() {
            scope.leave();
        }
    }

    /// Polls what is inside, and looks at the time; `on_time` is called once it is overdue, before what is inside learns of
    /// it. The future is gone once it is not `Ok`.
    pub(super) fn poll<F: Future>(
        &mut self,
        mut future: Pin<&mut Option<F>>,
        mut sleep: Pin<&mut Sleep>,
        cx: &mut Context<'_>,
        on_time: impl Fn(),
    ) -> Poll<Result<F::Output, Elapsed>> {
        self.enter();
        loop {
            let Some(inside) = future.as_mut().as_pin_mut() else {
                // It has passed on; it may have been moved since.
                let _ = self.scope.as_mut().and_then(|scope| scope.attend(cx));
                return Poll::Pending;
            };
            let deadline = if self.fired { NEVER } else { sleep.due() };
            let due = scope::due_around(deadline);
            let polled = self.poll_inside(inside, cx);
            let around = due.around();
            drop(due);
            match polled {
                Polled::Ready(value) => {
                    self.end();
                    return Poll::Ready(Ok(value));
                }
                Polled::Cancelled(delivery) => {
                    future.set(None);
                    let Some(scope) = self.scope.as_mut() else { return Poll::Pending };
                    if scope.is_origin_of(&delivery) && scope::requests() <= self.level {
                        self.end();
                        return Poll::Ready(Err(Elapsed::new()));
                    }
                    scope.pass(delivery);
                    return Poll::Pending;
                }
                Polled::Pending => {}
            }
            let again = self.scope.as_mut().is_some_and(|scope| scope.take_returned().is_some());
            if !again && !self.is_time(sleep.as_mut(), around, cx) {
                if self.left {
                    on_time();
                }
                return Poll::Pending;
            }
            self.fired = true;
            on_time();
            let cause = Cause {
                reason: Some(Reason::Said("the time of a timeout had passed")),
                place: Some(sleep.place()),
                by: None,
                interrupted: None,
            };
            if !self.scope.as_mut().is_some_and(|scope| scope.deliver(cause)) {
                future.set(None);
                self.end();
                return Poll::Ready(Err(Elapsed::new()));
            }
        }
    }

    fn poll_inside<F: Future>(
        &mut self,
        inside: Pin<&mut F>,
        cx: &mut Context<'_>,
    ) -> Polled<F::Output> {
        if let Some(scope) = self.scope.as_mut() {
            return scope.poll(inside, cx);
        }
        let before = scope::ticks();
        match inside.poll(cx) {
            Poll::Ready(value) => Polled::Ready(value),
            Poll::Pending => {
                self.scope = scope::adopt(before).map(Box::new);
                Polled::Pending
            }
        }
    }

    /// Whether it is time to cancel what is inside. Timers of two seats never fire at the same instant: who is overdue
    /// looks with one reading of the clock who else is.
    fn is_time(&mut self, mut sleep: Pin<&mut Sleep>, around: u64, cx: &mut Context<'_>) -> bool {
        if self.fired {
            return false;
        }
        // Without a budget: a future that spends it all at each poll must not outlive its time for that.
        let fired = sleep.as_mut().poll_elapsed(cx, true).is_ready();
        if !fired && sleep.due() > scope::left_at() {
            return false;
        }
        if self.left {
            return true;
        }
        if around != NEVER {
            let now = sleep.now();
            if around <= now {
                scope::leave_to_around(now);
                return self.leave(cx);
            }
        }
        if scope::is_task_asked() {
            return self.leave(cx);
        }
        true
    }

    /// Once: where nobody takes the field, it is this one's turn at the next poll.
    fn leave(&mut self, cx: &mut Context<'_>) -> bool {
        self.left = true;
        cx.waker().wake_by_ref();
        false
    }
}
