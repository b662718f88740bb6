//! The future that waits for an event.

use super::Event;
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
    /// Waits until an event is set; made by [`Event::wait`].
    ///
    /// # Cancel safety
    /// Cancel safe, but gives up its place in the line.
    #[must_use = "it waits for nothing until it is awaited"]
    pub struct EventWait<'a> {
        event: &'a Event,
        place: &'static Location<'static>,
        // Some once it has had to wait.
        #[pin]
        waiter: Option<Waiter<usize>>,
    }

    impl PinnedDrop for EventWait<'_> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            if let Some(waiter) = this.waiter.as_pin_mut() {
                this.event.leave(waiter);
            }
        }
    }
}

impl<'a> EventWait<'a> {
    #[inline]
    pub(super) fn new(event: &'a Event, place: &'static Location<'static>) -> Self {
        Self { event, place, waiter: None }
    }
}

impl Future for EventWait<'_> {
    type Output = ();

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        ready!(coop::poll_proceed(cx));
        let this = self.project();
        if this.waiter.is_none() && this.event.is_set() {
            return Poll::Ready(());
        }
        if this.event.poll_wait(this.waiter, cx).is_ready() {
            return Poll::Ready(());
        }
        coop::refund();
        let resource = std::ptr::from_ref::<Event>(this.event).addr();
        task_context::waiting(WaitKind::Event, resource, this.place);
        Poll::Pending
    }
}

impl fmt::Debug for EventWait<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventWait").field("event", self.event).finish_non_exhaustive()
    }
}
