//! `defer`: a cleanup that begins when a guard is dropped.

use super::owed::{Cleanup, Owner, hand_over};
use std::fmt;
use std::panic::Location;

/// Runs `cleanup` as a task of its own once what this returns is dropped; the running task is not done before it is.
///
/// The drop does not wait for it. [`Deferred::defuse`] gives the cleanup up.
///
/// # Examples
/// ```
/// use kasasagi::{defer, spawn, yield_now};
/// use std::sync::atomic::{AtomicBool, Ordering};
/// use std::sync::Arc;
///
/// kasasagi::run(async {
///     let closed = Arc::new(AtomicBool::new(false));
///     let ours = Arc::clone(&closed);
///     let task = spawn(async move {
///         let _deferred = defer(async move {
///             yield_now().await;
///             ours.store(true, Ordering::Relaxed);
///         });
///     });
///     task.await.expect("it ends");
///     assert!(closed.load(Ordering::Relaxed), "a task is done only when what it owes is");
/// });
/// ```
///
/// Counterpart: `AsyncExitStack.push_async_callback`.
#[track_caller]
pub fn defer<C>(cleanup: C) -> Deferred
where
    C: IntoFuture<Output = ()>,
    C::IntoFuture: Send + 'static,
{
    let cleanup: Cleanup = Box::pin(cleanup.into_future());
    Deferred { cleanup: Some(cleanup), owner: Owner::current(), place: Location::caller() }
}

/// A cleanup that begins when this is dropped; made by [`defer`].
#[must_use = "the cleanup begins when this is dropped: bind it, `let _deferred = …`"]
pub struct Deferred {
    cleanup: Option<Cleanup>,
    owner: Option<Owner>,
    place: &'static Location<'static>,
}

impl Deferred {
    /// Gives the cleanup up: it is dropped, and does not run.
    pub fn defuse(mut self) {
        self.cleanup = None;
    }
}

impl Drop for Deferred {
    fn drop(&mut self) {
        if let Some(cleanup) = self.cleanup.take() {
            // Who drops it owes it; where no task does, it is the one that made it.
            Owner::renew(&mut self.owner);
            hand_over(cleanup, self.owner.take(), self.place);
        }
    }
}

impl fmt::Debug for Deferred {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deferred").field("place", &self.place).finish_non_exhaustive()
    }
}
