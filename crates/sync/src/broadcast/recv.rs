//! The future that waits for the next message.

use super::{RecvError, Shared, TryRecvError};
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
    /// Waits for the next message; made by [`Receiver::recv`](super::Receiver::recv).
    ///
    /// # Cancel safety
    /// Cancel safe: dropped before it is ready, it has taken nothing.
    #[must_use = "it receives nothing until it is awaited"]
    pub struct Recv<'a, T> {
        shared: &'a Shared<T>,
        next: &'a mut u64,
        place: &'static Location<'static>,
        #[pin]
        growth: Growth<'a>,
    }
}

impl<'a, T> Recv<'a, T> {
    pub(super) fn new(
        shared: &'a Shared<T>,
        next: &'a mut u64,
        place: &'static Location<'static>,
    ) -> Self {
        Self { shared, next, place, growth: Growth::new(&shared.sent) }
    }
}

impl<T: Clone> Future for Recv<'_, T> {
    type Output = Result<T, RecvError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        ready!(coop::poll_proceed(cx));
        let mut this = self.project();
        loop {
            match this.shared.try_recv(this.next) {
                Ok(message) => return Poll::Ready(Ok(message)),
                Err(TryRecvError::Closed) => return Poll::Ready(Err(RecvError::Closed)),
                Err(TryRecvError::Lagged(missed)) => {
                    return Poll::Ready(Err(RecvError::Lagged(missed)));
                }
                Err(TryRecvError::Empty) => {}
            }
            if this.growth.as_mut().poll_past(**this.next, cx).is_pending() {
                coop::refund();
                let resource = std::ptr::from_ref(*this.shared).addr();
                task_context::waiting(WaitKind::Channel, resource, this.place);
                return Poll::Pending;
            }
        }
    }
}

impl<T> fmt::Debug for Recv<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recv").finish_non_exhaustive()
    }
}
