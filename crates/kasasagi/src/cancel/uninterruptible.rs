//! `uninterruptible`: a stretch that no cancellation interrupts.

use kasasagi_primitive::scope::{Polled, Scope};
use pin_project_lite::pin_project;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Runs `future` to its end; a cancellation from outside that comes meanwhile waits for that.
///
/// It is delivered at the next suspension after. Cancellations from inside, such as of a timeout in `future`, are not held
/// off. Nor is a drop, by a `select!` or the like.
///
/// # Cancel safety
/// Cancel safe if `future` is.
///
/// Counterpart: `asyncio.shield`, awaited to its end.
pub fn uninterruptible<F: IntoFuture>(future: F) -> Uninterruptible<F::IntoFuture> {
    Uninterruptible { future: Some(future.into_future()), scope: Scope::shield() }
}

pin_project! {
    /// A future that no cancellation interrupts; made by [`uninterruptible`].
    #[must_use = "a future does nothing until it is awaited"]
    pub struct Uninterruptible<F> {
        #[pin]
        future: Option<F>,
        scope: Scope,
    }
}

impl<F: Future> Future for Uninterruptible<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let mut this = self.project();
        let Some(future) = this.future.as_mut().as_pin_mut() else {
            // It has passed on what came from inside; it may have been moved since.
            let _ = this.scope.attend(cx);
            return Poll::Pending;
        };
        match this.scope.poll(future, cx) {
            Polled::Pending => Poll::Pending,
            Polled::Ready(value) => {
                this.scope.leave();
                Poll::Ready(value)
            }
            Polled::Cancelled(delivery) => {
                this.future.set(None);
                this.scope.pass(delivery);
                Poll::Pending
            }
        }
    }
}

impl<F> fmt::Debug for Uninterruptible<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Uninterruptible").finish_non_exhaustive()
    }
}
