//! The futures that wait for permits.

use super::{OwnedPermit, Owner, Permit, Semaphore, Wish};
use crate::Closed;
use kasasagi_primitive::wait_list::Waiter;
use kasasagi_primitive::wait_site::WaitKind;
use kasasagi_primitive::{coop, task_context};
use pin_project_lite::pin_project;
use std::fmt;
use std::future::Future;
use std::ops::Deref;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

pin_project! {
    /// A request for permits, borrowed or owned.
    pub(super) struct Request<S: Deref<Target = Semaphore>> {
        // None once the request was answered.
        semaphore: Option<S>,
        permits: usize,
        place: &'static Location<'static>,
        // None unless it had to get in line: most futures never have to.
        #[pin]
        waiter: Option<Waiter<Wish>>,
    }

    impl<S: Deref<Target = Semaphore>> PinnedDrop for Request<S> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            if let (Some(semaphore), Some(waiter)) = (this.semaphore, this.waiter.as_pin_mut()) {
                semaphore.leave(waiter);
            }
        }
    }
}

impl<S: Deref<Target = Semaphore>> Request<S> {
    #[inline]
    pub(super) fn new(semaphore: S, permits: usize, place: &'static Location<'static>) -> Self {
        Self { semaphore: Some(semaphore), permits, place, waiter: None }
    }

    /// Gives back the semaphore together with the permits.
    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(S, usize), Closed>> {
        ready!(coop::poll_proceed(cx));
        let this = self.as_mut().project();
        let permits = *this.permits;
        if this.waiter.is_none() {
            // The common case, small enough to be a part of what awaits it.
            let taken = this.semaphore.take_if(|semaphore| semaphore.take_of_word(permits).is_ok());
            if let Some(semaphore) = taken {
                return Poll::Ready(Ok((semaphore, permits)));
            }
        }
        self.poll_in_line(cx)
    }

    /// There are not as many free, or they were asked for before.
    #[inline(never)]
    fn poll_in_line(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(S, usize), Closed>> {
        let this = self.project();
        let semaphore =
            this.semaphore.as_ref().expect("a future is not polled after it gave its result");
        match semaphore.poll_in_line(*this.permits, this.waiter, cx) {
            Poll::Ready(result) => {
                let semaphore = this.semaphore.take().expect("it was there just now");
                Poll::Ready(result.map(|()| (semaphore, *this.permits)))
            }
            Poll::Pending => {
                coop::refund();
                let resource = std::ptr::from_ref::<Semaphore>(semaphore).addr();
                task_context::waiting(WaitKind::Semaphore, resource, this.place);
                Poll::Pending
            }
        }
    }
}

pin_project! {
    /// Waits for permits; made by [`Semaphore::acquire`] and [`Semaphore::acquire_many`].
    ///
    /// # Cancel safety
    /// Cancel safe, but gives up its place in the line. Permits it was already given go to the next.
    #[must_use = "it takes nothing until it is awaited"]
    pub struct Acquire<'a> {
        #[pin]
        request: Request<&'a Semaphore>,
    }
}

impl<'a> Acquire<'a> {
    #[inline]
    pub(super) fn new(request: Request<&'a Semaphore>) -> Self {
        Self { request }
    }
}

impl<'a> Future for Acquire<'a> {
    type Output = Result<Permit<'a>, Closed>;

    /// # Panics
    /// When it is polled after it gave its result.
    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = ready!(self.project().request.poll(cx));
        Poll::Ready(answer.map(|(semaphore, permits)| Permit::new(semaphore, permits)))
    }
}

pin_project! {
    /// Waits for a permit that owns its semaphore; made by [`Semaphore::acquire_owned`] and
    /// [`BoundedSemaphore::acquire_owned`](crate::BoundedSemaphore::acquire_owned).
    ///
    /// # Cancel safety
    /// Cancel safe, but gives up its place in the line. A permit it was already given goes to the next.
    #[must_use = "it takes nothing until it is awaited"]
    pub struct AcquireOwned {
        #[pin]
        request: Request<Owner>,
    }
}

impl AcquireOwned {
    #[inline]
    pub(crate) fn by(owner: Owner, place: &'static Location<'static>) -> Self {
        Self { request: Request::new(owner, 1, place) }
    }
}

impl Future for AcquireOwned {
    type Output = Result<OwnedPermit, Closed>;

    /// # Panics
    /// When it is polled after it gave its result.
    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = ready!(self.project().request.poll(cx));
        Poll::Ready(answer.map(|(semaphore, permits)| OwnedPermit::new(semaphore, permits)))
    }
}

impl fmt::Debug for Acquire<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Acquire").field("permits", &self.request.permits).finish_non_exhaustive()
    }
}

impl fmt::Debug for AcquireOwned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AcquireOwned").finish_non_exhaustive()
    }
}
