//! Why a job in another process gave no result.

use std::error::Error;
use std::fmt;
use std::io;
use std::process::ExitStatus;

/// Why a job gave no result. Each concerns its own job and no other.
#[derive(Debug)]
#[non_exhaustive]
pub enum JobError {
    /// The worker process ended before it answered.
    Broken(BrokenProcessPool),
    /// The function panicked. The worker has survived it.
    Panicked(JobPanic),
    /// No worker could be started.
    Start(io::Error),
    /// The initializer failed in the worker that was started for this job.
    Initializer(Box<JobError>),
    /// The argument could not be encoded or decoded, or is longer than a message may be.
    Argument(String),
    /// The result could not be encoded or decoded, or is longer than a message may be.
    Output(String),
    /// The pool was shut down before the job began.
    Closed,
    /// The job was cancelled.
    Cancelled,
}

impl JobError {
    /// Whether the worker process ended before it answered.
    pub fn is_broken(&self) -> bool {
        matches!(self, Self::Broken(_))
    }

    /// Whether the function panicked.
    pub fn is_panic(&self) -> bool {
        matches!(self, Self::Panicked(_))
    }
}

impl fmt::Display for JobError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Broken(broken) => broken.fmt(f),
            Self::Panicked(panic) => panic.fmt(f),
            Self::Start(error) => write!(f, "no worker process could be started: {error}"),
            Self::Initializer(error) => write!(f, "the pool's initializer failed: {error}"),
            Self::Argument(why) => write!(f, "the argument did not reach the function: {why}"),
            Self::Output(why) => write!(f, "the result did not come back: {why}"),
            Self::Closed => f.write_str(
                "the process pool is shut down: submit before `shutdown`, or make another pool",
            ),
            Self::Cancelled => f.write_str("the job was cancelled"),
        }
    }
}

impl Error for JobError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Broken(broken) => Some(broken),
            Self::Panicked(panic) => Some(panic),
            Self::Start(error) => Some(error),
            Self::Initializer(error) => Some(error),
            _ => None,
        }
    }
}

/// A worker process ended in the middle of a job: aborted, crashed, was killed, or exited.
///
/// It concerns one job. The pool goes on, with a new worker in the place of this one.
///
/// Counterpart: `concurrent.futures.process.BrokenProcessPool`, which there ends the pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokenProcessPool {
    pub(crate) job: &'static str,
    pub(crate) pid: u32,
    pub(crate) status: Option<ExitStatus>,
    pub(crate) noticed: Option<String>,
}

impl BrokenProcessPool {
    /// The function that was running, as the compiler names it.
    pub fn job(&self) -> &'static str {
        self.job
    }

    /// Which process it was. It is gone, and the number may be another's by now.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// How it ended; `None` if something else in this program has waited for it.
    pub fn status(&self) -> Option<ExitStatus> {
        self.status
    }

    /// The signal that ended it: 6 is an abort, 9 a kill, 11 a segmentation fault.
    pub fn signal(&self) -> Option<i32> {
        use std::os::unix::process::ExitStatusExt;
        self.status.and_then(|status| status.signal())
    }

    /// Its exit code, if it exited.
    pub fn code(&self) -> Option<i32> {
        self.status.and_then(|status| status.code())
    }
}

impl fmt::Display for BrokenProcessPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the worker process {} ended in the middle of `{}`", self.pid, self.job)?;
        match (&self.noticed, self.status) {
            (Some(noticed), _) => write!(f, ", for its message was not one: {noticed}"),
            (None, Some(status)) => write!(f, ": {status}"),
            (None, None) => f.write_str("; how, something else in this program has asked for"),
        }
    }
}

impl Error for BrokenProcessPool {}

/// A panic of a function in a worker process.
///
/// The payload stays there; what comes back is its text, if it had one, and the place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobPanic {
    pub(crate) message: String,
    pub(crate) place: Option<String>,
}

impl JobPanic {
    /// What it said.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Where it was, as `file:line:column`; `None` if the function set a panic hook of its own.
    pub fn place(&self) -> Option<&str> {
        self.place.as_deref()
    }
}

impl fmt::Display for JobPanic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the function panicked in its worker process: {}", self.message)?;
        self.place.as_ref().map_or(Ok(()), |place| write!(f, ", at {place}"))
    }
}

impl Error for JobPanic {}
