//! The future of one who waits to be let in.

use super::{House, Passes, Right};
use crate::semaphore::Want;
use kasasagi_primitive::wait_list::Waiter;
use kasasagi_primitive::wait_site::WaitKind;
use kasasagi_primitive::{coop, task_context};
use pin_project_lite::pin_project;
use std::marker::PhantomData;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

pin_project! {
    pub(crate) struct Enter<H: House, P: Passes> {
        // None once it was let in.
        house: Option<H>,
        place: &'static Location<'static>,
        #[pin]
        waiter: Waiter<Want>,
        passes: PhantomData<fn() -> P>,
    }

    impl<H: House, P: Passes> PinnedDrop for Enter<H, P> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            if let Some(house) = this.house {
                house.gate().semaphore.leave(this.waiter);
            }
        }
    }
}

impl<H: House, P: Passes> Enter<H, P> {
    pub(crate) fn new(house: H, place: &'static Location<'static>) -> Self {
        let waiter = Waiter::new(Want::new(P::COUNT));
        Self { house: Some(house), place, waiter, passes: PhantomData }
    }

    #[inline]
    pub(crate) fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Right<H, P>> {
        ready!(coop::poll_proceed(cx));
        let this = self.project();
        let gate = match this.house {
            Some(house) => house.gate(),
            None => panic!("a future is not polled after it gave its result"),
        };
        let is_in = this.waiter.is_out() && gate.try_enter::<P>()
            || gate.semaphore.poll_take(P::COUNT, this.waiter, cx).is_ready();
        if is_in {
            let house = this.house.take().expect("it was there just now");
            return Poll::Ready(Right::new(house, this.place));
        }
        coop::refund();
        let resource = std::ptr::from_ref(gate).addr();
        task_context::waiting(WaitKind::Lock, resource, this.place);
        Poll::Pending
    }
}
