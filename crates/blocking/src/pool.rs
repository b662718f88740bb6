//! The handle of a pool.

use crate::config::Config;
use crate::crew::Crew;
use crate::error::BlockingError;
use crate::job::{Job, JobInfo};
use crate::unblock::Unblock;
use crate::work::Work;
use kasasagi_primitive::current::Current;
use kasasagi_primitive::sync::Arc;
use kasasagi_primitive::thread_local;
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

thread_local! {
    static CURRENT: Current<Pool> = Current::new()
}

/// Threads lent to closures that block; a handle, cheap to clone.
///
/// When the last handle is dropped the pool closes, unless it was [drained](Self::drain) before: closures that wait are
/// cancelled, running ones run to their end, and nobody waits for them. [`shutdown`](Self::shutdown) waits.
///
/// Not for computations that should share the cores among them: it starts more threads than there are cores.
///
/// Counterpart: `concurrent.futures.ThreadPoolExecutor`.
#[derive(Clone)]
pub struct Pool {
    owner: Arc<Owner>,
}

/// What the handles share; the threads hold the crew alone, so that the last handle is noticed.
struct Owner {
    crew: Crew,
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.crew.close_if_open();
    }
}

/// What a pool consists of at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metrics {
    /// Threads, those on their way included.
    pub threads: usize,
    /// Threads that wait for work.
    pub idle: usize,
    /// Closures that wait for a thread; those whose future was dropped meanwhile included.
    pub queued: usize,
}

/// What was left when a shutdown returned.
#[derive(Debug, Clone)]
#[must_use = "closures may still be running; see `still_running`"]
#[non_exhaustive]
pub struct ShutdownReport {
    /// Threads whose closure had not returned within the limit. They are left to themselves.
    pub still_running: usize,
    /// What those closures are called.
    pub jobs: Vec<JobInfo>,
}

impl Pool {
    /// A pool without threads; the first closure starts one.
    ///
    /// # Panics
    /// When `max_threads` is 0, or `thread_name` has a NUL in it.
    #[track_caller]
    pub fn new(config: Config) -> Self {
        assert!(
            !config.thread_name.contains('\0'),
            "`Config::thread_name` has a NUL in it, which no thread's name can have: take it out"
        );
        assert!(config.max_threads > 0, "a pool needs `Config::max_threads` to be at least 1");
        Self { owner: Arc::new(Owner { crew: Crew::new(config) }) }
    }

    /// Runs `f` on a thread of the pool; the future gives its result.
    ///
    /// The closure is handed in by this call, not by the first poll. Closures start in the order of the calls.
    ///
    /// # Errors
    /// [`BlockingError::Closed`] when the pool was shut down before the closure had started,
    /// [`BlockingError::Panicked`] when it panicked, [`BlockingError::NoThread`] when there was no thread to run it.
    ///
    /// # Cancel safety
    /// Dropped before the closure has started, the closure never runs. Dropped later, the closure runs to its end
    /// and its result is dropped.
    ///
    /// # Examples
    /// ```no_run
    /// # async fn example(pool: kasasagi_blocking::Pool) -> Result<(), kasasagi_blocking::BlockingError> {
    /// use std::net::ToSocketAddrs;
    /// let addresses = pool.unblock(|| ("localhost", 80).to_socket_addrs()).await?;
    /// # drop(addresses); Ok(())
    /// # }
    /// ```
    ///
    /// Counterpart: `loop.run_in_executor`.
    #[track_caller]
    pub fn unblock<F, T>(&self, f: F) -> Unblock<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.unblock_as(JobInfo::new(Location::caller()), f)
    }

    /// As [`unblock`](Self::unblock), and says what the closure is called.
    pub fn unblock_as<F, T>(&self, info: JobInfo, f: F) -> Unblock<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let crew = &self.owner.crew;
        let place = info.place;
        let job = std::sync::Arc::new(Job::new(info, f));
        let future = Unblock::new(job.clone(), place, Some(crew.address()));
        crew.submit(job);
        future
    }

    /// Runs `work` on a thread of the pool.
    pub fn hand_in(&self, work: Work) {
        self.owner.crew.submit(work.into_job());
    }

    /// Makes this the pool of the calling thread until the guard is dropped.
    pub fn enter(&self) -> Entered {
        let previous = CURRENT.with(|current| current.replace(Some(self.clone())));
        Entered { previous, _not_send: std::marker::PhantomData }
    }

    /// The pool of the calling thread; `None` when none was entered.
    pub fn current() -> Option<Self> {
        CURRENT.with(|current| current.with(|pool| pool.cloned()))
    }

    /// Counts threads and closures.
    pub fn metrics(&self) -> Metrics {
        let (threads, idle, queued) = self.owner.crew.counts();
        Metrics { threads, idle, queued }
    }

    /// What runs at the moment.
    pub fn running(&self) -> Vec<JobInfo> {
        self.owner.crew.running()
    }

    /// The most threads there can be.
    pub fn max_threads(&self) -> usize {
        self.owner.crew.config().max_threads
    }

    /// Whether the calling thread is one of the pool's.
    pub fn is_own_thread(&self) -> bool {
        self.owner.crew.is_own_thread()
    }

    /// Whether no closure waits for a thread and none runs.
    ///
    /// A closure runs, in this sense, until the future that waits for its result has been woken. One whose future was
    /// dropped before it had started waits until its turn comes.
    pub fn is_quiet(&self) -> bool {
        self.owner.crew.is_quiet()
    }

    /// Has `f` called, on a thread of the pool, each time the last closure has ended and none waits.
    ///
    /// There is one such function: another one takes its place. It is dropped once the pool is closed and quiet, and must not hand
    /// the pool a closure itself.
    pub fn on_quiet(&self, f: impl Fn() + Send + Sync + 'static) {
        self.owner.crew.on_quiet(std::sync::Arc::new(f));
    }

    /// Closes the pool, and waits for running closures, `limit` at most.
    ///
    /// Closures that have not started are cancelled with [`BlockingError::Closed`], and so are those handed in from
    /// now on. Threads that end within the limit are joined. Blocks the calling thread. Called by a closure of this
    /// very pool, it waits for all others. May be called again.
    ///
    /// # Examples
    /// ```
    /// use kasasagi_blocking::{Config, Pool};
    /// use std::time::Duration;
    /// let pool = Pool::new(Config::default());
    /// assert_eq!(pool.shutdown(Duration::from_secs(1)).still_running, 0);
    /// ```
    ///
    /// Counterpart: `loop.shutdown_default_executor(timeout)`.
    pub fn shutdown(&self, limit: Duration) -> ShutdownReport {
        self.close();
        self.join(limit)
    }

    /// Closes the pool at once, and waits for nobody: closures that have not started end with
    /// [`BlockingError::Closed`].
    pub fn close(&self) {
        self.owner.crew.close();
    }

    /// Closes the pool, and has what was handed in before run to its end; waits for nobody.
    ///
    /// Counterpart: `ThreadPoolExecutor.shutdown(wait=False)`.
    pub fn drain(&self) {
        self.owner.crew.drain();
    }

    /// Waits, on this thread, until all threads of a pool that is closed have left, `limit` at most.
    ///
    /// On a thread of the pool itself, it waits for all others.
    pub fn join(&self, limit: Duration) -> ShutdownReport {
        let (still_running, jobs) = self.owner.crew.wait(limit);
        ShutdownReport { still_running, jobs }
    }

    /// Waits, in a task, until all threads of a pool that is closed have left.
    ///
    /// # Cancel safety
    /// Cancel safe: it only waits.
    pub fn deserted(&self) -> Deserted {
        Deserted { crew: self.owner.crew.clone() }
    }
}

/// Waits until all threads of a pool have left; made by [`Pool::deserted`].
#[must_use = "a future does nothing until it is awaited"]
pub struct Deserted {
    crew: Crew,
}

impl Future for Deserted {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.crew.poll_deserted(cx)
    }
}

impl fmt::Debug for Deserted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deserted").finish_non_exhaustive()
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("metrics", &self.metrics()).finish_non_exhaustive()
    }
}

/// Puts back the pool that was this thread's before.
#[must_use = "the pool is the thread's only while the guard lives"]
pub struct Entered {
    previous: Option<Pool>,
    // The thread's pool is put back on the thread that it was taken from.
    _not_send: std::marker::PhantomData<*const ()>,
}

impl Drop for Entered {
    fn drop(&mut self) {
        let left = CURRENT.with(|current| current.replace(self.previous.take()));
        drop(left);
    }
}

impl fmt::Debug for Entered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entered").finish_non_exhaustive()
    }
}

const _: () = {
    const fn shared<T: Send + Sync>() {}
    shared::<Pool>();
    shared::<BlockingError>();
    shared::<Unblock<u8>>();
};
