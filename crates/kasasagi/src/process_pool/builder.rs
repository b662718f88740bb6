//! What can be chosen of a process pool.

use crate::process_pool::ProcessPool;
use kasasagi_process_pool::{Config, Request, Workers};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::path::PathBuf;
use std::time::Duration;

/// Chooses how a [`ProcessPool`] is built.
///
/// # Examples
/// ```
/// use kasasagi::ProcessPool;
///
/// let pool = ProcessPool::builder().max_workers(4).max_tasks_per_child(1_000).build();
/// assert_eq!(pool.processes(), 0);
/// ```
///
/// Counterpart: the arguments of `ProcessPoolExecutor`.
#[derive(Debug, Clone, Default)]
#[must_use = "a builder builds nothing until `build` is called"]
pub struct Builder {
    config: Config,
}

impl Builder {
    /// The most worker processes; 0 counts as 1. Default: as many as the machine runs threads at once.
    pub fn max_workers(mut self, workers: usize) -> Self {
        self.config.max_workers = workers;
        self
    }

    /// After how many jobs a worker leaves and is replaced, for functions that leak; 0 counts as 1. Default: never.
    pub fn max_tasks_per_child(mut self, jobs: u32) -> Self {
        self.config.max_tasks_per_child = Some(jobs);
        self
    }

    /// The longest argument and the longest result, in bytes of their encoding. Default: 1 GiB; 4 GiB is the most.
    ///
    /// What is longer is an error for its job, before it is sent.
    pub fn max_message(mut self, bytes: usize) -> Self {
        self.config.max_message = bytes;
        self
    }

    /// How long a process may take from its start until it is a worker; the initializer does not count. Default: 30 s.
    ///
    /// One that takes longer is ended, and the job that it was started for gets
    /// [`JobError::Start`](crate::process_pool::JobError::Start).
    pub fn start_timeout(mut self, limit: Duration) -> Self {
        self.config.start_timeout = limit;
        self
    }

    /// Has each worker call `function` with `argument` before its first job: to load what all jobs need.
    ///
    /// If it fails, the job that the worker was started for gets
    /// [`JobError::Initializer`](crate::process_pool::JobError::Initializer), and the next job tries again. If it never
    /// ends, neither does that job, until it is dropped.
    ///
    /// # Examples
    /// ```
    /// use kasasagi::ProcessPool;
    /// use std::sync::OnceLock;
    ///
    /// static MODEL: OnceLock<String> = OnceLock::new();
    /// let load = |path: String| MODEL.set(path).expect("it is called once a process");
    ///
    /// let pool = ProcessPool::builder().initializer(load, "model.bin".to_owned()).build();
    /// kasasagi::run(async {
    ///     let model = pool.submit(|()| MODEL.get().cloned(), ()).await;
    ///     assert_eq!(model.expect("it ends"), Some("model.bin".to_owned()));
    /// });
    /// ```
    ///
    /// Counterpart: `initializer` and `initargs`.
    pub fn initializer<F, A>(mut self, function: F, argument: A) -> Self
    where
        F: Fn(A) + Copy + Send + Sync + 'static,
        A: Serialize + DeserializeOwned,
    {
        self.config.initializer = Some(Request::of(function, &argument));
        self
    }

    /// What to start instead of the running program. It must be the same build: another is refused, as an error of each
    /// job. Default: the program, whatever became of its file since on Linux; the file of its name elsewhere.
    pub fn executable(mut self, path: impl Into<PathBuf>) -> Self {
        self.config.executable = Some(path.into());
        self
    }

    /// Builds the pool. It starts no process.
    pub fn build(self) -> ProcessPool {
        ProcessPool::from_workers(Workers::new(self.config))
    }
}
