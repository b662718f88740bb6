//! The future that waits for a condition.

use super::Condition;
use crate::LockGuard;
use crate::gate::Gate;
use crate::guarded::Outside;
use crate::semaphore::Want;
use kasasagi_primitive::wait_list::Waiter;
use kasasagi_primitive::wait_site::WaitKind;
use kasasagi_primitive::{coop, task_context};
use pin_project_lite::pin_project;
use std::fmt;
use std::future::Future;
use std::mem;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

enum State<'a, T: ?Sized> {
    /// It was not polled yet, and holds the lock.
    Inside(LockGuard<'a, T>),
    /// It waits, without the lock.
    Outside(Outside<&'a Gate, T>),
    Done,
}

pin_project! {
    /// Waits to be notified and for the lock; made by [`Condition::wait`].
    ///
    /// # Cancel safety
    /// Cancel safe, but gives up the lock and its place in the line; see [`Condition::wait`].
    #[must_use = "it waits for nothing until it is awaited, and then gives the guard back"]
    pub struct ConditionWait<'a, T: ?Sized> {
        condition: &'a Condition,
        place: &'static Location<'static>,
        state: State<'a, T>,
        #[pin]
        waiter: Waiter<Want>,
    }

    impl<T: ?Sized> PinnedDrop for ConditionWait<'_, T> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            if let State::Outside(outside) = this.state {
                this.condition.leave(outside.house, this.waiter);
            }
        }
    }
}

impl<'a, T: ?Sized> ConditionWait<'a, T> {
    pub(super) fn new(
        condition: &'a Condition,
        guard: LockGuard<'a, T>,
        place: &'static Location<'static>,
    ) -> Self {
        let waiter = Waiter::new(Want::new(Gate::ALONE));
        Self { condition, place, state: State::Inside(guard), waiter }
    }
}

impl<'a, T: ?Sized> Future for ConditionWait<'a, T> {
    type Output = LockGuard<'a, T>;

    /// # Panics
    /// When it is polled after it gave its result.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        match mem::replace(this.state, State::Done) {
            State::Inside(guard) => {
                let waker = cx.waker().clone();
                this.condition.queue(guard.held.house(), this.waiter.as_mut(), waker);
                let (outside, right) = guard.held.split();
                // First, since to release the lock is to wake the next one, whose waker may panic.
                *this.state = State::Outside(outside);
                drop(right);
            }
            State::Outside(outside) => {
                let house = outside.house;
                *this.state = State::Outside(outside);
                ready!(coop::poll_proceed(cx));
                if this.condition.poll_wait(house, this.waiter, cx).is_ready() {
                    if let State::Outside(outside) = mem::replace(this.state, State::Done) {
                        return Poll::Ready(LockGuard::new(outside.enter(this.place)));
                    }
                }
                coop::refund();
            }
            State::Done => panic!("a future is not polled after it gave its result"),
        }
        let resource = std::ptr::from_ref::<Condition>(this.condition).addr();
        task_context::waiting(WaitKind::Condition, resource, this.place);
        Poll::Pending
    }
}

impl<T: ?Sized> fmt::Debug for ConditionWait<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConditionWait").field("condition", self.condition).finish_non_exhaustive()
    }
}
