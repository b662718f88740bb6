//! Why a run ended without main's output, and what a shutdown found.

use kasasagi_blocking::JobInfo;
use kasasagi_task::{JoinError, TaskInfo};
use std::error::Error;
use std::fmt;

/// Why [`Runtime::run`](crate::Runtime::run) gave no output.
#[derive(Debug)]
#[non_exhaustive]
pub enum RunError {
    /// It was called inside a task. The future was dropped unpolled.
    Nested,
    /// Ctrl-C was pressed, and main was cancelled for it; see
    /// [`Builder::handle_ctrl_c`](crate::Builder::handle_ctrl_c).
    Interrupted,
    /// The runtime is shut down. The future was dropped unpolled.
    Closed,
    /// Main was cancelled, by itself or another task; the error says by which, where and why.
    Cancelled(JoinError),
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nested => f.write_str(
                "`run` was called inside a task of a running runtime, whose worker it would block: write \
                 `future.await`, or `kasasagi::spawn(future).await` for a task of its own",
            ),
            Self::Closed => f.write_str(
                "`run` was called on a runtime that is shut down: call it before `shutdown`, or build another \
                 runtime",
            ),
            Self::Interrupted => f.write_str("main was interrupted by Ctrl-C"),
            Self::Cancelled(error) => {
                f.write_str("main was cancelled")?;
                match error.cancelled_by() {
                    Some(by) if by == error.id() => f.write_str(" by itself")?,
                    Some(by) => write!(f, " by task `{by}`")?,
                    None => {}
                }
                if let Some(place) = error.cancelled_at() {
                    write!(f, ", at {place}")?;
                }
                match error.reason() {
                    Some(reason) => write!(f, ": {reason}"),
                    None => Ok(()),
                }
            }
        }
    }
}

impl Error for RunError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Cancelled(error) => Some(error),
            _ => None,
        }
    }
}

/// What a shutdown found and left.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct ShutdownReport {
    /// The tasks that had not ended when it began, and were cancelled.
    pub cancelled: Vec<TaskInfo>,
    /// Those of them, and of the cleanups they owed, that were suspended when the grace period was over: their futures
    /// were dropped, and what they had still to do was not done.
    pub cut_off: Vec<TaskInfo>,
    /// Those of them that had not ended when the grace period was over: they block a worker, which was left
    /// to itself.
    pub still_running: Vec<TaskInfo>,
    /// Worker threads that were left to themselves.
    pub threads_left: usize,
    /// Closures on pool threads that were left to themselves.
    pub blocking_left: usize,
    /// What those closures are called.
    pub blocking_jobs: Vec<JobInfo>,
}

impl ShutdownReport {
    /// Whether everything has ended.
    pub fn is_clean(&self) -> bool {
        self.cut_off.is_empty()
            && self.still_running.is_empty()
            && self.threads_left == 0
            && self.blocking_left == 0
    }
}

impl fmt::Display for ShutdownReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} tasks were cancelled at shutdown", self.cancelled.len())?;
        for task in &self.cancelled {
            write!(f, "\n  {task:?}")?;
        }
        if !self.cut_off.is_empty() {
            write!(f, "\n{} tasks were cut off after the grace period", self.cut_off.len())?;
            for task in &self.cut_off {
                write!(f, "\n  {task:?}")?;
            }
        }
        let (tasks, threads) = (self.still_running.len(), self.threads_left);
        if tasks + threads + self.blocking_left > 0 {
            write!(
                f,
                "\n{tasks} tasks, {threads} worker threads and {} blocking closures had not ended after the grace \
                 period",
                self.blocking_left
            )?;
            for task in &self.still_running {
                write!(f, "\n  {task:?}")?;
            }
            for job in &self.blocking_jobs {
                write!(f, "\n  {job}")?;
            }
        }
        Ok(())
    }
}
