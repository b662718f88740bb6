//! Process pool: jobs in worker processes, each a task here. Feature `process`.

mod builder;
mod job;
mod map;

pub use builder::Builder;
pub use job::Job;
pub use kasasagi_process_pool::{BrokenProcessPool, Bytes, JobError, JobPanic, init};
pub use map::{All, Map};

use crate::run::spawn_at;
use kasasagi_process_pool::Workers;
use kasasagi_task::FutureExt;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt;
use std::panic::Location;

/// Runs functions in other processes, of this same program: what a function does to its process, it does to nobody else.
///
/// For functions that may crash, leak, never end, or do not bear threads. Not for mere speed: threads use the cores as
/// well, and arguments need not be copied to them.
///
/// A worker process is started when a job needs one and none is idle, and is kept for the next. A job that aborts, crashes
/// or is killed gets [`BrokenProcessPool`]; the others and the pool have nothing of it. A job is a function or a closure
/// that captures nothing; its argument and result are [serde](https://serde.rs)'s. In the worker nothing of the program
/// runs but its jobs: `main` is not entered, statics are as they were at the start, the command line is empty.
///
/// A handle, cheap to clone. When the last is dropped, the jobs that were handed in are done and the workers leave;
/// nobody waits for that. [`shutdown`](Self::shutdown) does.
///
/// # Examples
/// ```
/// use kasasagi::ProcessPool;
///
/// fn sum_of_squares(up_to: u64) -> u64 {
///     (0..up_to).map(|n| n * n).sum()
/// }
///
/// kasasagi::run(async {
///     let pool = ProcessPool::new(2);
///     assert_eq!(pool.submit(sum_of_squares, 1_000).await?, 332_833_500);
///     let broken = pool.submit(|code: i32| -> () { std::process::exit(code) }, 3).await;
///     assert!(matches!(broken, Err(error) if error.is_broken()));
///     assert_eq!(pool.map(sum_of_squares, [1, 2, 3]).await?, [0, 1, 5]);
///     pool.shutdown(false).await;
///     Ok::<(), kasasagi::process_pool::JobError>(())
/// })?;
/// # Ok::<(), kasasagi::process_pool::JobError>(())
/// ```
///
/// Counterpart: `concurrent.futures.ProcessPoolExecutor`, `multiprocessing.Pool`.
#[derive(Clone)]
pub struct ProcessPool {
    workers: Workers,
}

impl ProcessPool {
    /// A pool of at most so many worker processes, at least one. None is started yet.
    ///
    /// Counterpart: `ProcessPoolExecutor(max_workers)`.
    pub fn new(max_workers: usize) -> Self {
        Self::builder().max_workers(max_workers).build()
    }

    /// Chooses how a pool is built.
    pub fn builder() -> Builder {
        Builder::default()
    }

    pub(crate) fn from_workers(workers: Workers) -> Self {
        Self { workers }
    }

    /// Has a worker call `function` with `argument`: at once if one is free, else when its turn comes, first come, first
    /// served.
    ///
    /// The argument is encoded by this call, and so need neither be `Send` nor live on. The job is a task by the name of
    /// the function. Dropping it kills the worker that it runs in; [`Job::detach`] lets it run.
    ///
    /// # Errors
    /// The job's: see [`JobError`].
    ///
    /// # Panics
    /// Where no runtime runs.
    ///
    /// # Cancel safety
    /// Not cancel safe: dropped before it is ready, the job is killed, or never begun. Await `&mut job` to keep it.
    ///
    /// # Examples
    /// ```
    /// use kasasagi::{ProcessPool, time};
    /// use std::time::Duration;
    ///
    /// fn never_ends(_: ()) {
    ///     loop {
    ///         std::hint::spin_loop();
    ///     }
    /// }
    ///
    /// kasasagi::run(async {
    ///     let pool = ProcessPool::new(1);
    ///     let late = time::timeout(Duration::from_millis(50), pool.submit(never_ends, ())).await;
    ///     assert!(late.is_err());
    ///     let next = pool.submit(|name: String| name.len(), "kasasagi".to_owned()).await;
    ///     assert_eq!(next.expect("it has a worker of its own"), 8);
    /// });
    /// ```
    ///
    /// A closure that captures something is refused by the compiler: what it holds is here and not there. It cannot refuse
    /// what has no bytes, as a token that says that a library was initialized: do not capture one, since in the worker it was
    /// not. (Tokens of a thread or of a borrow, as pyo3's `Python<'_>`, are refused.)
    /// ```compile_fail,E0080
    /// # kasasagi::run(async {
    /// let offset = 3;
    /// let pool = kasasagi::ProcessPool::new(1);
    /// let job = pool.submit(move |n: u32| n + offset, 4);
    /// # let _ = job.await;
    /// # });
    /// ```
    ///
    /// Counterpart: `ProcessPoolExecutor.submit`, `loop.run_in_executor`.
    #[track_caller]
    pub fn submit<F, A, R>(&self, function: F, argument: A) -> Job<R>
    where
        F: Fn(A) -> R + Copy + Send + Sync + 'static,
        A: Serialize + DeserializeOwned,
        R: Serialize + DeserializeOwned + Send + 'static,
    {
        self.submit_at(Location::caller(), function, &argument)
    }

    fn submit_at<F, A, R>(
        &self,
        place: &'static Location<'static>,
        function: F,
        argument: &A,
    ) -> Job<R>
    where
        F: Fn(A) -> R + Copy + Send + Sync + 'static,
        A: Serialize + DeserializeOwned,
        R: Serialize + DeserializeOwned + Send + 'static,
    {
        match self.workers.request(function, argument) {
            Ok(request) => {
                let name = request.name();
                let call = self.workers.call_at(request, place);
                // Eager: what can be sent at once is sent by this call.
                Job::new(spawn_at(place, call.eager().named(name)), place)
            }
            Err(error) => Job::refused(error, place),
        }
    }

    /// Has the workers call `function` with each of `arguments`; gives the results in that order.
    ///
    /// All are submitted by this call. Awaited, it gives all results or the first error; as a stream it gives each when it
    /// and those before it are there. Dropped, it kills what still runs.
    ///
    /// # Errors
    /// Each job's: see [`JobError`].
    ///
    /// # Panics
    /// Where no runtime runs.
    ///
    /// # Cancel safety
    /// Not cancel safe: dropped before it is ready, the jobs that are left are killed, or never begun.
    ///
    /// Counterpart: `ProcessPoolExecutor.map`, `multiprocessing.Pool.map` and `imap`.
    #[track_caller]
    pub fn map<F, A, R>(&self, function: F, arguments: impl IntoIterator<Item = A>) -> Map<R>
    where
        F: Fn(A) -> R + Copy + Send + Sync + 'static,
        A: Serialize + DeserializeOwned,
        R: Serialize + DeserializeOwned + Send + 'static,
    {
        let place = Location::caller();
        let jobs = arguments.into_iter().map(|argument| self.submit_at(place, function, &argument));
        Map::new(jobs.collect())
    }

    /// Takes no further jobs, and waits until those that run have ended and every worker process is gone.
    ///
    /// Jobs that wait for a worker are done first, or get [`JobError::Closed`] if `cancel_pending`.
    ///
    /// # Cancel safety
    /// Cancel safe: dropped before it is ready, the pool is closed all the same, and it may be called again.
    ///
    /// Counterpart: `Executor.shutdown(wait=True, cancel_futures=cancel_pending)`.
    pub async fn shutdown(&self, cancel_pending: bool) {
        self.workers.shutdown(cancel_pending).await;
    }

    /// Takes no further jobs, and waits for nothing; else as [`shutdown`](Self::shutdown).
    ///
    /// Counterpart: `Executor.shutdown(wait=False, cancel_futures=cancel_pending)`.
    pub fn close(&self, cancel_pending: bool) {
        self.workers.close(cancel_pending);
    }

    /// How many worker processes there are, those on their way included.
    pub fn processes(&self) -> usize {
        self.workers.processes()
    }
}

impl fmt::Debug for ProcessPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProcessPool").field("workers", &self.workers).finish()
    }
}
