//! The futures that wait for another value.

use super::{RecvError, Ref, Shared};
use crate::growing::Growth;
use kasasagi_primitive::wait_site::WaitKind;
use kasasagi_primitive::{coop, task_context};
use pin_project_lite::pin_project;
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

pin_project! {
    /// Waits until the value has changed; made by [`Receiver::changed`](super::Receiver::changed).
    ///
    /// # Cancel safety
    /// Cancel safe: dropped before it is ready, it has done nothing, and no change counts as seen.
    #[must_use = "it waits for nothing until it is awaited"]
    pub struct Changed<'a, T> {
        shared: &'a Shared<T>,
        seen: &'a mut u64,
        place: &'static Location<'static>,
        #[pin]
        growth: Growth<'a>,
    }
}

impl<'a, T> Changed<'a, T> {
    pub(super) fn new(
        shared: &'a Shared<T>,
        seen: &'a mut u64,
        place: &'static Location<'static>,
    ) -> Self {
        Self { shared, seen, place, growth: Growth::new(&shared.version) }
    }
}

impl<T> Future for Changed<'_, T> {
    type Output = Result<(), RecvError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        ready!(coop::poll_proceed(cx));
        let this = self.project();
        match this.growth.poll_past(**this.seen, cx) {
            Poll::Ready(now) if now.number != **this.seen => {
                **this.seen = now.number;
                Poll::Ready(Ok(()))
            }
            Poll::Ready(_) => Poll::Ready(Err(RecvError)),
            Poll::Pending => {
                waits(*this.shared, this.place);
                Poll::Pending
            }
        }
    }
}

pin_project! {
    /// Waits until the value is as a condition demands; made by [`Receiver::wait_for`](super::Receiver::wait_for).
    ///
    /// # Cancel safety
    /// Cancel safe: dropped before it is ready, it has done nothing; but the values that it looked at count as seen.
    #[must_use = "it waits for nothing until it is awaited"]
    pub struct WaitFor<'a, T, F> {
        shared: &'a Shared<T>,
        seen: &'a mut u64,
        condition: F,
        place: &'static Location<'static>,
        #[pin]
        growth: Growth<'a>,
    }
}

impl<'a, T, F> WaitFor<'a, T, F> {
    pub(super) fn new(
        shared: &'a Shared<T>,
        seen: &'a mut u64,
        condition: F,
        place: &'static Location<'static>,
    ) -> Self {
        Self { shared, seen, condition, place, growth: Growth::new(&shared.version) }
    }
}

impl<'a, T, F: FnMut(&T) -> bool> Future for WaitFor<'a, T, F> {
    type Output = Result<Ref<'a, T>, RecvError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        ready!(coop::poll_proceed(cx));
        let mut this = self.project();
        let shared: &'a Shared<T> = this.shared;
        loop {
            let value = shared.borrow();
            // Under the lock the version is that of the value.
            let now = shared.version.look();
            **this.seen = now.number;
            if (this.condition)(&value) {
                return Poll::Ready(Ok(value));
            }
            drop(value);
            if now.over {
                return Poll::Ready(Err(RecvError));
            }
            if this.growth.as_mut().poll_past(now.number, cx).is_pending() {
                waits(shared, this.place);
                return Poll::Pending;
            }
        }
    }
}

/// It is pending: gives back the unit of the budget, and says what the task waits for.
fn waits<T>(shared: &Shared<T>, place: &'static Location<'static>) {
    coop::refund();
    let resource = std::ptr::from_ref(shared).addr();
    task_context::waiting(WaitKind::Channel, resource, place);
}

impl<T> fmt::Debug for Changed<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Changed").finish_non_exhaustive()
    }
}

impl<T, F> fmt::Debug for WaitFor<'_, T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaitFor").finish_non_exhaustive()
    }
}
