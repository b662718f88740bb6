//! What models share.

use kasasagi_primitive::cell::UnsafeCell;
use kasasagi_primitive::park::Parker;
use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
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

/// Polls it once, with a waker that nobody hears.
pub(crate) fn once<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// What loom watches: who touches it has to be alone.
pub(crate) struct Data(UnsafeCell<u32>);

#[expect(unsafe_code, reason = "the model checks that accesses are kept apart")]
// SAFETY: `touch` and `look` are called by whoever may.
unsafe impl Sync for Data {}

impl Data {
    pub(crate) fn new() -> Self {
        Self(UnsafeCell::new(0))
    }

    pub(crate) fn touch(&self) {
        self.0.with_mut(|_| ());
    }

    pub(crate) fn look(&self) {
        self.0.with(|_| ());
    }
}
