//! By hand: futures polled in turn on one thread, woken by nobody; what a runtime's work is added to.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

/// Boxed futures in a queue.
pub type Queue = VecDeque<Pin<Box<dyn Future<Output = ()>>>>;

/// Polls them in turn until all have ended.
pub fn run(mut queue: Queue) {
    let mut cx = Context::from_waker(Waker::noop());
    while let Some(mut future) = queue.pop_front() {
        if future.as_mut().poll(&mut cx).is_pending() {
            queue.push_back(future);
        }
    }
}

/// Polls one until it has ended.
pub fn run_one<F: Future>(future: F) -> F::Output {
    let mut future = std::pin::pin!(future);
    let mut cx = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return output;
        }
    }
}

/// Pending once.
pub fn yield_now() -> impl Future<Output = ()> {
    let mut turned = false;
    poll_fn(move |_| match std::mem::replace(&mut turned, true) {
        true => Poll::Ready(()),
        false => Poll::Pending,
    })
}
