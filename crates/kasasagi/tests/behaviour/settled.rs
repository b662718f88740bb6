//! Tasks whose first poll a test can wait for, on any number of workers.

use kasasagi::{Task, yield_now};
use pin_project_lite::pin_project;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

/// Tasks of this process, made by `spawn`, that were neither polled nor dropped yet.
static UNBEGUN: AtomicUsize = AtomicUsize::new(0);

pin_project! {
    struct Begin<F> {
        #[pin]
        future: F,
        unbegun: Option<Unbegun>,
    }
}

struct Unbegun;

impl Drop for Unbegun {
    fn drop(&mut self) {
        UNBEGUN.fetch_sub(1, Ordering::SeqCst);
    }
}

impl<F: Future> Future for Begin<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let output = ready!({
            let poll = this.future.poll(cx);
            *this.unbegun = None;
            poll
        });
        Poll::Ready(output)
    }
}

/// Spawns a task for whose first poll `settle` waits.
#[track_caller]
pub(crate) fn spawn<F>(future: F) -> Task<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    UNBEGUN.fetch_add(1, Ordering::SeqCst);
    kasasagi::spawn(Begin { future, unbegun: Some(Unbegun) })
}

/// Lets tasks run: each that was spawned here has been polled once, and what is due in a short chain behind it.
pub(crate) async fn settle() {
    loop {
        for _ in 0..16 {
            yield_now().await;
        }
        if UNBEGUN.load(Ordering::SeqCst) == 0 {
            return;
        }
    }
}
