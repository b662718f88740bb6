//! The future that waits at a barrier.

use super::{Barrier, Broken, Fate, Ticket};
use kasasagi_primitive::wait_list::Waiter;
use kasasagi_primitive::wait_site::WaitKind;
use kasasagi_primitive::{coop, task_context};
use pin_project_lite::pin_project;
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

pin_project! {
    /// Waits for the others; made by [`Barrier::wait`].
    ///
    /// # Cancel safety
    /// Cancel safe, but no longer counts as one who has come; see [`Barrier::wait`].
    #[must_use = "it does not count as one who has come until it is awaited"]
    pub struct BarrierWait<'a> {
        barrier: &'a Barrier,
        place: &'static Location<'static>,
        is_over: bool,
        #[pin]
        waiter: Waiter<Ticket>,
    }

    impl PinnedDrop for BarrierWait<'_> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            this.barrier.leave(this.waiter);
        }
    }
}

impl<'a> BarrierWait<'a> {
    pub(super) fn new(barrier: &'a Barrier, place: &'static Location<'static>) -> Self {
        let waiter = Waiter::new(Ticket { fate: Fate::Refused, epoch: 0 });
        Self { barrier, place, is_over: false, waiter }
    }
}

impl Future for BarrierWait<'_> {
    type Output = Result<usize, Broken>;

    /// # Panics
    /// When it is polled after it gave its result.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        ready!(coop::poll_proceed(cx));
        let this = self.project();
        assert!(!*this.is_over, "a future is not polled after it gave its result");
        if let Poll::Ready(answer) = this.barrier.poll_wait(this.waiter, cx) {
            *this.is_over = true;
            return Poll::Ready(answer);
        }
        coop::refund();
        let resource = std::ptr::from_ref::<Barrier>(this.barrier).addr();
        task_context::waiting(WaitKind::Barrier, resource, this.place);
        Poll::Pending
    }
}

impl fmt::Debug for BarrierWait<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BarrierWait").field("barrier", self.barrier).finish_non_exhaustive()
    }
}
