//! A closure on its way to whoever runs it: what is handed to executors.

use crate::error::BlockingError;
use crate::job::{AnyJob, Job, JobInfo, contained};
use crate::unblock::Unblock;
use std::fmt;
use std::sync::Arc;

/// A closure that is to be run once, by whoever has it; made by [`lend`].
///
/// Dropped, it ends with [`BlockingError::Dropped`], and never runs. It never panics: that of the closure goes to who
/// waits for the result.
///
/// Counterpart: the work item of `concurrent.futures`.
#[must_use = "the closure runs when `run` is called"]
pub struct Work(Option<AnyJob>);

/// Makes of a closure what can be run anywhere, and the future of its result.
///
/// # Examples
/// ```
/// use kasasagi_blocking::{JobInfo, lend};
/// let info = JobInfo::new(std::panic::Location::caller());
/// let (result, work) = lend(info, || 6 * 7);
/// std::thread::spawn(move || work.run());
/// assert_eq!(result.wait().ok(), Some(42));
/// ```
pub fn lend<F, T>(info: JobInfo, f: F) -> (Unblock<T>, Work)
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    let place = info.place;
    let job = Arc::new(Job::new(info, f));
    (Unblock::new(job.clone(), place, None), Work(Some(job)))
}

impl Work {
    /// Runs the closure on this thread, unless it was taken back meanwhile.
    pub fn run(mut self) {
        if let Some(job) = self.0.take() {
            contained(|| job.run(false));
            contained(|| drop(job));
        }
    }

    /// What it is called.
    pub fn info(&self) -> JobInfo {
        match &self.0 {
            Some(job) => job.info().clone(),
            None => unreachable!("`run` takes it, and itself"),
        }
    }

    /// The job, for a queue.
    pub(crate) fn into_job(mut self) -> AnyJob {
        match self.0.take() {
            Some(job) => job,
            None => unreachable!("`run` takes it, and itself"),
        }
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        if let Some(job) = self.0.take() {
            contained(|| job.cancel(BlockingError::Dropped));
            contained(|| drop(job));
        }
    }
}

impl fmt::Debug for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let info = self.0.as_ref().map(|job| job.info());
        f.debug_struct("Work").field("info", &info).finish()
    }
}
