//! `yield_now`: the end of the queue, without a wake.

use crate::cell;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Lets other tasks run: the task goes to the end of its worker's queue.
///
/// It touches no driver and costs no wake; a task alone on its worker comes back at once.
///
/// # Cancel safety
/// Cancel safe: it has no effect but the yield.
///
/// Counterpart: `await asyncio.sleep(0)`.
pub fn yield_now() -> YieldNow {
    YieldNow { yielded: false }
}

/// The future of [`yield_now`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct YieldNow {
    yielded: bool,
}

impl Future for YieldNow {
    type Output = ();

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.yielded {
            return Poll::Ready(());
        }
        self.yielded = true;
        // A combinator's waker is woken: it polls only children whose own waker fired.
        if !cell::mark_yielded(cx.waker()) {
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }
}
