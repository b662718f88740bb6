//! Futures that are polled by hand, and threads.

use kasasagi_primitive::park::Parker;
use kasasagi_primitive::sync::Arc;
use kasasagi_primitive::sync::atomic::{AtomicUsize, Ordering};
use kasasagi_primitive::thread::{self, JoinHandle};
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

/// Polls it, and drops it when others may have run.
pub(crate) fn leave(future: impl Future) {
    let mut future = pin!(future);
    if once(future.as_mut()).is_pending() {
        thread::yield_now();
    }
}

/// Threads that do the same with the same, each with its number.
pub(crate) fn threads<T: Send + Sync + 'static, O: Send + 'static>(
    count: usize,
    shared: &Arc<T>,
    what: fn(&Arc<T>, usize) -> O,
) -> Vec<JoinHandle<O>> {
    let thread = |number| {
        let shared = Arc::clone(shared);
        thread::spawn(move || what(&shared, number))
    };
    (0..count).map(thread).collect()
}

pub(crate) fn join<O>(threads: Vec<JoinHandle<O>>) -> Vec<O> {
    threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
}

/// One who is alone, where others are counted.
const ALONE: usize = 1 << 16;

/// How many are inside.
#[derive(Default)]
pub(crate) struct Inside(AtomicUsize);

impl Inside {
    /// Inside among others for a while, at most `most` of them.
    pub(crate) fn among(&self, most: usize) {
        let before = self.0.fetch_add(1, Ordering::AcqRel);
        assert!(before < most, "{before} were inside");
        thread::yield_now();
        self.0.fetch_sub(1, Ordering::AcqRel);
    }

    /// Inside alone for a while.
    pub(crate) fn alone(&self) {
        assert_eq!(self.0.swap(ALONE, Ordering::AcqRel), 0, "somebody is inside");
        thread::yield_now();
        assert_eq!(self.0.swap(0, Ordering::AcqRel), ALONE, "somebody came");
    }
}
