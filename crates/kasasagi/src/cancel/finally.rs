//! `finally`: a cleanup that runs whatever becomes of the future before it.

use super::owed::{Cleanup, Owner, hand_over};
use kasasagi_primitive::scope::{Delivery, Polled, Scope};
use pin_project_lite::pin_project;
use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

/// Runs `future`, and then `cleanup`, whatever becomes of `future`: it returns, it panics, it is cancelled, it is dropped.
///
/// The cleanup runs in place where it can, and no cancellation interrupts it there; what comes meanwhile is delivered
/// after it. If a combinator drops the whole once it was polled, what is left of the cleanup becomes a task of its own,
/// and the task that polled it last is not done before that is: hence it must be `Send`, and borrow nothing. At the end of
/// a runtime the grace period limits it.
///
/// A panic goes on after the cleanup. A cancellation that the cleanup rethrows replaces the value.
///
/// # Cancel safety
/// Cancel safe if `future` is: the cleanup runs to its end in any case.
///
/// # Examples
/// ```
/// use kasasagi::{finally, spawn, yield_now};
/// use std::future::pending;
/// use std::sync::atomic::{AtomicBool, Ordering};
/// use std::sync::Arc;
///
/// kasasagi::run(async {
///     let closed = Arc::new(AtomicBool::new(false));
///     let ours = Arc::clone(&closed);
///     let task = spawn(finally(pending::<()>(), async move {
///         yield_now().await; // say goodbye over the network
///         ours.store(true, Ordering::Relaxed);
///     }));
///     yield_now().await;
///     task.cancel();
///     let _ = task.await;
///     assert!(closed.load(Ordering::Relaxed));
/// });
/// ```
///
/// Counterpart: `try: … finally: await cleanup()`.
#[track_caller]
pub fn finally<F, C>(future: F, cleanup: C) -> Finally<F::IntoFuture>
where
    F: IntoFuture,
    C: IntoFuture<Output = ()>,
    C::IntoFuture: Send + 'static,
{
    Finally {
        future: Some(future.into_future()),
        cleanup: Some(Box::pin(cleanup.into_future())),
        outcome: None,
        scope: Scope::new(),
        owner: None,
        is_begun: false,
        place: Location::caller(),
    }
}

pin_project! {
    /// A future with a cleanup; made by [`finally`].
    #[must_use = "a future does nothing until it is awaited"]
    pub struct Finally<F: Future> {
        #[pin]
        future: Option<F>,
        cleanup: Option<Cleanup>,
        outcome: Option<Outcome<F::Output>>,
        scope: Scope,
        owner: Option<Owner>,
        is_begun: bool,
        place: &'static Location<'static>,
    }

    impl<F: Future> PinnedDrop for Finally<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if !*this.is_begun {
                return;
            }
            // Locals first, and the cleanup in any case.
            let dropped = caught(|| this.future.set(None));
            if let Some(cleanup) = this.cleanup.take() {
                Owner::renew(this.owner);
                hand_over(cleanup, this.owner.take(), this.place);
            }
            if let (Err(payload), false) = (dropped, std::thread::panicking()) {
                resume_unwind(payload);
            }
        }
    }
}

enum Outcome<T> {
    Value(T),
    Cancelled(Delivery),
    Panicked(Box<dyn Any + Send>),
}

fn caught<R>(f: impl FnOnce() -> R) -> Result<R, Box<dyn Any + Send>> {
    catch_unwind(AssertUnwindSafe(f))
}

impl<F: Future> Future for Finally<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let mut this = self.project();
        *this.is_begun = true;
        Owner::renew(this.owner);
        if this.outcome.is_none() {
            let Some(future) = this.future.as_mut().as_pin_mut() else {
                // It has passed on; it may have been moved since.
                let _ = this.scope.attend(cx);
                return Poll::Pending;
            };
            let polled = caught(|| this.scope.poll(future, cx));
            let outcome = match polled {
                Ok(Polled::Pending) => return Poll::Pending,
                Ok(Polled::Ready(value)) => Outcome::Value(value),
                Ok(Polled::Cancelled(delivery)) => Outcome::Cancelled(delivery),
                Err(payload) => Outcome::Panicked(payload),
            };
            let outcome = match caught(|| this.future.set(None)) {
                Ok(()) => outcome,
                Err(payload) => Outcome::Panicked(payload),
            };
            *this.outcome = Some(outcome);
            this.scope.set_shield(true);
        }
        if let Some(cleanup) = this.cleanup.as_mut() {
            match caught(|| this.scope.poll(cleanup.as_mut(), cx)) {
                Ok(Polled::Pending) => return Poll::Pending,
                Ok(Polled::Ready(())) => {}
                Ok(Polled::Cancelled(delivery)) => {
                    *this.outcome = Some(Outcome::Cancelled(delivery))
                }
                Err(payload) => *this.outcome = Some(Outcome::Panicked(payload)),
            }
            *this.cleanup = None;
        }
        match this.outcome.take() {
            Some(Outcome::Value(value)) => {
                // What the shield has kept goes back, and comes at the next suspension.
                this.scope.leave();
                Poll::Ready(value)
            }
            Some(Outcome::Cancelled(delivery)) => {
                this.scope.pass(delivery);
                Poll::Pending
            }
            Some(Outcome::Panicked(payload)) => {
                this.scope.leave();
                resume_unwind(payload)
            }
            None => Poll::Pending,
        }
    }
}

impl<F: Future> fmt::Debug for Finally<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Finally").field("place", &self.place).finish_non_exhaustive()
    }
}
