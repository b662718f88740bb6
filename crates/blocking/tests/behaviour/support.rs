//! A way to wait for a future, and for an event with a limit.

use kasasagi_blocking::{Config, Pool, Unblock};
use kasasagi_primitive::park::Parker;
use std::future::Future;
use std::pin::pin;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

/// Far more than any event here takes on a busy machine.
pub(crate) const LIMIT: Duration = Duration::from_secs(20);

pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    let parker = Parker::new();
    let waker = parker.unparker().into_waker();
    let mut future = pin!(future);
    let end = Instant::now() + LIMIT;
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        assert!(Instant::now() < end, "the future is not ready after {LIMIT:?}");
        parker.park_timeout(LIMIT);
    }
}

/// Waits until `reached`.
#[track_caller]
pub(crate) fn eventually(what: &str, mut reached: impl FnMut() -> bool) {
    let end = Instant::now() + LIMIT;
    while !reached() {
        assert!(Instant::now() < end, "not within {LIMIT:?}: {what}");
        std::thread::yield_now();
    }
}

pub(crate) fn pool(change: impl FnOnce(&mut Config)) -> Pool {
    let mut config = Config::default();
    change(&mut config);
    Pool::new(config)
}

/// A job that runs until it is told to go on, and gives whether it was.
pub(crate) fn held(pool: &Pool) -> (Sender<()>, Unblock<bool>) {
    let (go, job, _) = holding(pool);
    (go, job)
}

/// The same, once it has begun.
pub(crate) fn begun(pool: &Pool) -> (Sender<()>, Unblock<bool>) {
    let (go, job, begins) = holding(pool);
    begins.recv_timeout(LIMIT).expect("the job begins");
    (go, job)
}

fn holding(pool: &Pool) -> (Sender<()>, Unblock<bool>, Receiver<()>) {
    let ((go, wait), (begin, begins)) = (channel(), channel());
    let job = pool.unblock(move || {
        // Not each test waits for it.
        let _ = begin.send(());
        wait.recv().is_ok()
    });
    (go, job, begins)
}
