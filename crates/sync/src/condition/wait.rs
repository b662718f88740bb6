//! The futures that wait for a condition.

use super::Condition;
use crate::gate::{Gate, House};
use crate::guarded::{Exclusive, Outside};
use crate::semaphore::{Want, Wish};
use crate::{Lock, LockGuard, OwnedLockGuard};
use kasasagi_primitive::sync::Arc;
use kasasagi_primitive::wait_list::Waiter;
use kasasagi_primitive::wait_site::WaitKind;
use kasasagi_primitive::{coop, task_context};
use pin_project_lite::pin_project;
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::mem;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

enum State<H: House, T: ?Sized> {
    /// It was not polled yet, and holds the lock.
    Inside(Exclusive<H, T>),
    /// It waits, without the lock.
    Outside(Outside<H, T>),
    Done,
}

pin_project! {
    /// A wait by whoever holds a lock, borrowed or owned.
    struct Wait<'a, H: House, T: ?Sized> {
        condition: &'a Condition,
        place: &'static Location<'static>,
        state: State<H, T>,
        #[pin]
        waiter: Waiter<Wish>,
    }

    impl<H: House, T: ?Sized> PinnedDrop for Wait<'_, H, T> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            if let State::Outside(outside) = this.state {
                this.condition.leave(outside.house.gate(), this.waiter);
            }
        }
    }
}

impl<'a, H: House + Clone, T: ?Sized> Wait<'a, H, T> {
    fn new(
        condition: &'a Condition,
        held: Exclusive<H, T>,
        place: &'static Location<'static>,
    ) -> Self {
        let waiter = Waiter::new(Want::of(Gate::ALONE));
        Self { condition, place, state: State::Inside(held), waiter }
    }

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Exclusive<H, T>> {
        let mut this = self.project();
        match mem::replace(this.state, State::Done) {
            State::Inside(held) => {
                let waker = cx.waker().clone();
                this.condition.queue(held.house().gate(), this.waiter.as_mut(), waker);
                let (outside, right) = held.split();
                // First, since to release the lock is to wake the next one, whose waker may panic.
                *this.state = State::Outside(outside);
                drop(right);
            }
            State::Outside(outside) => {
                // Kept in its place meanwhile: should a waker panic below, it is left by the drop.
                *this.state = State::Outside(outside);
                ready!(coop::poll_proceed(cx));
                let is_over = match &*this.state {
                    State::Outside(outside) => {
                        this.condition.poll_wait(outside.house.gate(), this.waiter, cx).is_ready()
                    }
                    _ => false,
                };
                if is_over {
                    if let State::Outside(outside) = mem::replace(this.state, State::Done) {
                        return Poll::Ready(outside.enter(this.place));
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

pin_project! {
    /// Waits to be notified and for the lock; made by [`Condition::wait`].
    ///
    /// # Cancel safety
    /// Cancel safe, but gives up the lock and its place in the line; see [`Condition::wait`].
    #[must_use = "it waits for nothing until it is awaited, and then gives the guard back"]
    pub struct ConditionWait<'a, T: ?Sized> {
        #[pin]
        wait: Wait<'a, &'a Gate, T>,
        lock: PhantomData<&'a Lock<T>>,
    }
}

impl<'a, T: ?Sized> ConditionWait<'a, T> {
    pub(super) fn new(
        condition: &'a Condition,
        guard: LockGuard<'a, T>,
        place: &'static Location<'static>,
    ) -> Self {
        Self { wait: Wait::new(condition, guard.held, place), lock: PhantomData }
    }
}

impl<'a, T: ?Sized> Future for ConditionWait<'a, T> {
    type Output = LockGuard<'a, T>;

    /// # Panics
    /// When it is polled after it gave its result.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.project().wait.poll(cx).map(LockGuard::new)
    }
}

pin_project! {
    /// Waits to be notified and for a lock that it keeps alive; made by [`Condition::wait_owned`].
    ///
    /// # Cancel safety
    /// Cancel safe, but gives up the lock and its place in the line; see [`Condition::wait`].
    #[must_use = "it waits for nothing until it is awaited, and then gives the guard back"]
    pub struct ConditionWaitOwned<'a, T: ?Sized> {
        #[pin]
        wait: Wait<'a, Arc<Lock<T>>, T>,
    }
}

impl<'a, T: ?Sized> ConditionWaitOwned<'a, T> {
    pub(super) fn new(
        condition: &'a Condition,
        guard: OwnedLockGuard<T>,
        place: &'static Location<'static>,
    ) -> Self {
        Self { wait: Wait::new(condition, guard.held, place) }
    }
}

impl<T: ?Sized> Future for ConditionWaitOwned<'_, T> {
    type Output = OwnedLockGuard<T>;

    /// # Panics
    /// When it is polled after it gave its result.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.project().wait.poll(cx).map(OwnedLockGuard::new)
    }
}

impl<T: ?Sized> fmt::Debug for ConditionWait<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let condition = self.wait.condition;
        f.debug_struct("ConditionWait").field("condition", condition).finish_non_exhaustive()
    }
}

impl<T: ?Sized> fmt::Debug for ConditionWaitOwned<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let condition = self.wait.condition;
        f.debug_struct("ConditionWaitOwned").field("condition", condition).finish_non_exhaustive()
    }
}
