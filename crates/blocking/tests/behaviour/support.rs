//! A way to wait for a future, and for an event with a limit.

use kasasagi_blocking::{Config, Pool};
use kasasagi_primitive::park::Parker;
use std::future::Future;
use std::pin::pin;
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
