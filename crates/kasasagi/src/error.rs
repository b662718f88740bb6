//! Why a run ended without main's output, and what a shutdown found.

use kasasagi_task::TaskInfo;
use std::error::Error;
use std::fmt;

/// Why [`Runtime::run`](crate::Runtime::run) gave no output.
#[derive(Debug)]
#[non_exhaustive]
pub enum RunError {
    /// It was called inside a task. The future was dropped unpolled.
    Nested,
    /// The runtime is shut down. The future was dropped unpolled.
    Closed,
    /// Main was cancelled; the text says by whom or why, if it was said.
    Cancelled(Option<String>),
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
            Self::Cancelled(None) => f.write_str("main was cancelled"),
            Self::Cancelled(Some(reason)) => write!(f, "main was cancelled: {reason}"),
        }
    }
}

impl Error for RunError {}

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
        if !self.is_clean() {
            if !self.cut_off.is_empty() {
                write!(f, "\n{} were cut off after the grace period", self.cut_off.len())?;
                for task in &self.cut_off {
                    write!(f, "\n  {task:?}")?;
                }
            }
            write!(
                f,
                "\n{} tasks, {} worker threads and {} blocking closures had not ended after the grace period",
                self.still_running.len(),
                self.threads_left,
                self.blocking_left
            )?;
            for task in &self.still_running {
                write!(f, "\n  {task:?}")?;
            }
        }
        Ok(())
    }
}
