//! The end of the runtime's own pool, before that of the runtime.

use crate::handle::Handle;
use kasasagi_blocking::{Deserted, Pool, ShutdownReport};
use kasasagi_primitive::report::{Report, ReportKind};
use kasasagi_reactor::time::{Timeout, timeout};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

impl Handle {
    /// Closes the runtime's pool, and waits until what was handed in before has ended, `limit` at most: the report says
    /// what has not, and so does the [exception hook](crate::Builder::exception_hook).
    ///
    /// From the first poll on, what is handed in ends as cancelled, host name lookup included. The runtime goes on.
    ///
    /// # Cancel safety
    /// Cancel safe: the pool is closed, and nobody waits for it.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    ///
    /// kasasagi::run(async {
    ///     let task = kasasagi::to_thread(|| 6 * 7);
    ///     let handle = kasasagi::Handle::current();
    ///     let report = handle.shutdown_default_executor(Duration::from_secs(10)).await;
    ///     assert_eq!(report.still_running, 0);
    ///     assert_eq!(task.await.expect("it was handed in before"), 42);
    /// });
    /// ```
    ///
    /// Counterpart: `loop.shutdown_default_executor(timeout)`.
    pub fn shutdown_default_executor(&self, limit: Duration) -> ShutdownDefaultExecutor {
        let pool = self.engines().pool.clone();
        let deserted = Box::pin(timeout(limit, pool.deserted()));
        ShutdownDefaultExecutor { pool, deserted, limit, begun: false }
    }
}

/// Waits for the end of a runtime's pool; made by [`Handle::shutdown_default_executor`].
#[must_use = "futures do nothing unless awaited"]
pub struct ShutdownDefaultExecutor {
    pool: Pool,
    deserted: Pin<Box<Timeout<Deserted>>>,
    limit: Duration,
    begun: bool,
}

impl Future for ShutdownDefaultExecutor {
    type Output = ShutdownReport;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<ShutdownReport> {
        if !std::mem::replace(&mut self.begun, true) {
            self.pool.drain();
        }
        let in_time = ready!(self.deserted.as_mut().poll(cx)).is_ok();
        let report = self.pool.join(Duration::ZERO);
        if !in_time && report.still_running > 0 {
            let jobs: Vec<_> = report.jobs.iter().map(ToString::to_string).collect();
            let message = format!(
                "the default executor did not end within {:?}; still running: {}",
                self.limit,
                jobs.join("; ")
            );
            Report::new(ReportKind::Shutdown, message).send();
        }
        Poll::Ready(report)
    }
}

impl fmt::Debug for ShutdownDefaultExecutor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ShutdownDefaultExecutor")
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}
