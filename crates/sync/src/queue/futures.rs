//! The futures that wait at a queue: for room, for an item, and until all is done.

use super::shared::Shared;
use super::{ItemGuard, PutError, Queue};
use crate::Closed;
use kasasagi_primitive::wait_list::Waiter;
use kasasagi_primitive::wait_site::WaitKind;
use kasasagi_primitive::{coop, task_context};
use pin_project_lite::pin_project;
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// It has to wait: the budget's unit is given back, and the task says what for.
fn pending<T, R>(shared: &Shared<T>, place: &'static Location<'static>) -> Poll<R> {
    coop::refund();
    task_context::waiting(WaitKind::Queue, std::ptr::from_ref(shared).addr(), place);
    Poll::Pending
}

pin_project! {
    /// Puts an item; made by [`Queue::put`].
    ///
    /// # Cancel safety
    /// Cancel safe, but gives up its place in the line. Dropped before it is ready, it has put nothing, and its item
    /// is dropped with it; room that was kept for it is kept for the next.
    #[must_use = "it puts nothing until it is awaited"]
    pub struct Put<'a, T> {
        shared: &'a Shared<T>,
        // None once the answer was given.
        item: Option<T>,
        place: &'static Location<'static>,
        // Some once it has had to wait.
        #[pin]
        waiter: Option<Waiter<()>>,
    }

    impl<T> PinnedDrop for Put<'_, T> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            if let Some(waiter) = this.waiter.as_pin_mut() {
                this.shared.leave_putters(waiter);
            }
        }
    }
}

impl<'a, T> Put<'a, T> {
    #[inline]
    pub(super) fn new(shared: &'a Shared<T>, item: T, place: &'static Location<'static>) -> Self {
        Self { shared, item: Some(item), place, waiter: None }
    }
}

impl<T> Future for Put<'_, T> {
    type Output = Result<(), PutError<T>>;

    /// # Panics
    /// When it is polled after it gave its result.
    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        ready!(coop::poll_proceed(cx));
        let this = self.project();
        match this.shared.poll_put(this.item, this.waiter, cx) {
            Poll::Pending => pending(this.shared, this.place),
            answer => answer,
        }
    }
}

pin_project! {
    /// Takes an item; made by [`Queue::get`].
    ///
    /// # Cancel safety
    /// Cancel safe, but gives up its place in the line. An item that it was woken for stays where it is in the queue,
    /// and the next in line is woken.
    #[must_use = "it takes nothing until it is awaited"]
    pub struct Get<'a, T> {
        // None once the answer was given.
        shared: Option<&'a Shared<T>>,
        place: &'static Location<'static>,
        // Some once it has had to wait.
        #[pin]
        waiter: Option<Waiter<()>>,
    }

    impl<T> PinnedDrop for Get<'_, T> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            if let (Some(shared), Some(waiter)) = (this.shared, this.waiter.as_pin_mut()) {
                shared.leave_getters(waiter);
            }
        }
    }
}

impl<'a, T> Get<'a, T> {
    #[inline]
    pub(super) fn new(shared: &'a Shared<T>, place: &'static Location<'static>) -> Self {
        Self { shared: Some(shared), place, waiter: None }
    }
}

impl<T> Future for Get<'_, T> {
    type Output = Result<T, Closed>;

    /// # Panics
    /// When it is polled after it gave its result.
    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        ready!(coop::poll_proceed(cx));
        let this = self.project();
        let shared = this.shared.expect("a future is not polled after it gave its result");
        match shared.poll_get(this.waiter, cx) {
            Poll::Pending => pending(shared, this.place),
            answer => {
                *this.shared = None;
                answer
            }
        }
    }
}

pin_project! {
    /// Takes an item that is done when its guard is dropped; made by [`Queue::get_guarded`].
    ///
    /// # Cancel safety
    /// Cancel safe, but gives up its place in the line. An item that it was woken for stays where it is in the queue,
    /// and the next in line is woken.
    #[must_use = "it takes nothing until it is awaited"]
    pub struct GetGuarded<'a, T> {
        queue: &'a Queue<T>,
        #[pin]
        get: Get<'a, T>,
    }
}

impl<'a, T> GetGuarded<'a, T> {
    #[inline]
    pub(super) fn new(queue: &'a Queue<T>, get: Get<'a, T>) -> Self {
        Self { queue, get }
    }
}

impl<'a, T> Future for GetGuarded<'a, T> {
    type Output = Result<ItemGuard<'a, T>, Closed>;

    /// # Panics
    /// When it is polled after it gave its result.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let answer = ready!(this.get.poll(cx));
        Poll::Ready(answer.map(|item| ItemGuard::new(this.queue, item)))
    }
}

pin_project! {
    /// Waits until every item is done; made by [`Queue::join`].
    ///
    /// # Cancel safety
    /// Cancel safe: dropped before it is ready, it has done nothing.
    #[must_use = "it waits for nothing until it is awaited"]
    pub struct Join<'a, T> {
        shared: &'a Shared<T>,
        place: &'static Location<'static>,
        // Some once it has had to wait.
        #[pin]
        waiter: Option<Waiter<u64>>,
    }

    impl<T> PinnedDrop for Join<'_, T> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            if let Some(waiter) = this.waiter.as_pin_mut() {
                this.shared.leave_joiners(waiter);
            }
        }
    }
}

impl<'a, T> Join<'a, T> {
    #[inline]
    pub(super) fn new(shared: &'a Shared<T>, place: &'static Location<'static>) -> Self {
        Self { shared, place, waiter: None }
    }
}

impl<T> Future for Join<'_, T> {
    type Output = ();

    /// # Panics
    /// When it is polled after it gave its result, if it had to wait.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        ready!(coop::poll_proceed(cx));
        let this = self.project();
        match this.shared.poll_join(this.waiter, cx) {
            Poll::Pending => pending(this.shared, this.place),
            Poll::Ready(()) => Poll::Ready(()),
        }
    }
}

impl<T> fmt::Debug for Put<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Put").finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Get<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Get").finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for GetGuarded<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GetGuarded").finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Join<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Join").finish_non_exhaustive()
    }
}
