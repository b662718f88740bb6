//! Models of what threads share: the slots, the orphans, and in a worker the two words of its lifeline.
//!
//! A job is one future, and whoever polls or drops it has it alone: its answer and its drop do not race. What races is
//! what comes of either, the slot with or without a worker, with those who wait, come, go, or close.

mod orphans;
mod slots;
mod words;

use kasasagi_primitive::park::Parker;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll};

fn block_on<F: Future>(future: F) -> F::Output {
    let parker = Parker::new();
    let waker = parker.unparker().into_waker();
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        parker.park();
    }
}
