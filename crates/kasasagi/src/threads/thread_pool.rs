//! A pool of threads of one's own.

use crate::threads::executor::Executor;
use crate::threads::job::IntoJob;
use crate::threads::lent::Origin;
use crate::threads::map::{Map, MapChunks};
use crate::threads::stay;
use crate::threads::submitted::{Submit, Submitted};
use kasasagi_blocking::{Config, JobInfo, Metrics, Pool, ShutdownReport, Unblock, Work};
use kasasagi_primitive::park::Parker;
use kasasagi_sync::{OwnedPermit, Semaphore};
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

/// Threads of one's own for closures that block or compute: for tasks by [`run_in_executor`](crate::run_in_executor) or
/// [`submit`](Self::submit), for threads by `submit`; with or without a runtime.
///
/// Threads are started when closures wait for one, up to the limit, and leave when they have had nothing to do for a
/// while. Dropped, it runs what was handed in to its end and joins its threads; that blocks, so in a task
/// [`shutdown`](Self::shutdown) it in [`to_thread`](crate::to_thread) if that may take long.
///
/// [Virtual time](crate::time::pause) knows only the runtime's own pool: closures on another one do not hold it.
///
/// # Examples
/// ```
/// use kasasagi::ThreadPool;
///
/// let pool = ThreadPool::new(4);
/// let squares: Result<Vec<u64>, _> = pool.map(1..=3_u64, |n| n * n).collect();
/// assert_eq!(squares?, [1, 4, 9]);
/// # Ok::<(), kasasagi::BlockingError>(())
/// ```
///
/// Counterpart: `concurrent.futures.ThreadPoolExecutor`.
pub struct ThreadPool {
    pool: Pool,
    /// Places in the queue, if they are limited.
    room: Option<SemaphoreArc>,
    joins: bool,
}

/// The `Arc` that owned permits take: loom's in a model.
type SemaphoreArc = kasasagi_primitive::sync::Arc<Semaphore>;

/// Gives a place in the queue back: the closure that had it has a thread, or was taken back.
struct Place(SemaphoreArc);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.add_permits(1);
    }
}

/// The queue was full; here is the closure again.
pub struct PoolFull<J>(pub J);

impl<J> fmt::Debug for PoolFull<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PoolFull(..)")
    }
}

impl<J> fmt::Display for PoolFull<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "the queue of the thread pool is full: wait for room with `submit_when_room(…).await`, or with `submit` on a \
             thread",
        )
    }
}

impl<J> std::error::Error for PoolFull<J> {}

impl ThreadPool {
    /// A pool of at most `max_workers` threads.
    ///
    /// # Panics
    /// When `max_workers` is 0.
    #[track_caller]
    pub fn new(max_workers: usize) -> Self {
        Self::builder().max_workers(max_workers).build()
    }

    /// Chooses how a pool is built.
    pub fn builder() -> ThreadPoolBuilder {
        ThreadPoolBuilder::new()
    }

    /// Hands a closure in; the result is awaited, or waited for.
    ///
    /// It sees the context variables of the caller as they are now, and the caller's runtime, if there is one.
    ///
    /// # Panics
    /// Inside a task, if the queue is [limited](ThreadPoolBuilder::max_queued): a full one would stop the worker. There,
    /// use [`submit_when_room`](Self::submit_when_room).
    ///
    /// # Examples
    /// ```
    /// let pool = kasasagi::ThreadPool::new(2);
    /// let submitted = pool.submit(|| 6 * 7);
    /// assert_eq!(submitted.wait().ok(), Some(42));
    /// kasasagi::run(async {
    ///     assert_eq!(pool.submit(|| 6 * 7).await.ok(), Some(42));
    /// });
    /// ```
    ///
    /// Counterpart: `Executor.submit`.
    #[track_caller]
    pub fn submit<J: IntoJob>(&self, job: J) -> Submitted<J::Output> {
        let room = self.wait_for_room("submit");
        self.start(Location::caller(), job, room)
    }

    /// Hands a closure in, if there is room in the queue.
    ///
    /// # Errors
    /// Gives it back if there is none.
    #[track_caller]
    pub fn try_submit<J: IntoJob>(&self, job: J) -> Result<Submitted<J::Output>, PoolFull<J>> {
        let place = Location::caller();
        let Some(room) = &self.room else { return Ok(self.start(place, job, None)) };
        match room.try_acquire() {
            Ok(permit) => {
                permit.forget();
                Ok(self.start(place, job, Some(Place(room.clone()))))
            }
            Err(_) => Err(PoolFull(job)),
        }
    }

    /// Waits for room in the queue, first come first served, and hands a closure in: so who has much to hand in goes as
    /// fast as the pool does.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, the closure was not handed in, and never runs.
    ///
    /// # Examples
    /// ```
    /// let pool = kasasagi::ThreadPool::builder().max_workers(2).max_queued(4).build();
    /// kasasagi::run(async {
    ///     let mut submitted = Vec::new();
    ///     for n in 0..100_u64 {
    ///         submitted.push(pool.submit_when_room(move || n * n).await);
    ///     }
    ///     for (n, square) in (0..).zip(submitted) {
    ///         assert_eq!(square.await.ok(), Some(n * n));
    ///     }
    /// });
    /// ```
    #[track_caller]
    pub fn submit_when_room<J: IntoJob>(&self, job: J) -> Submit<'_, J> {
        let acquire = |room: &SemaphoreArc| Box::pin(Semaphore::acquire_owned(room.clone()));
        let room = self.room.as_ref().map(acquire);
        Submit { pool: self, room, job: Some(job), place: Location::caller() }
    }

    /// Calls `f` with each item, and gives the results in the order of the items. All are handed in by this call.
    ///
    /// On a thread it is an iterator, which waits; in a task [`into_stream`](Map::into_stream) makes a stream of it.
    /// Dropped, it takes back what has not started.
    ///
    /// # Panics
    /// As [`submit`](Self::submit).
    ///
    /// # Examples
    /// ```
    /// let pool = kasasagi::ThreadPool::new(2);
    /// let lengths: Result<Vec<usize>, _> = pool.map(["a", "bc"], str::len).collect();
    /// assert_eq!(lengths?, [1, 2]);
    /// # Ok::<(), kasasagi::BlockingError>(())
    /// ```
    ///
    /// Counterpart: `Executor.map`.
    #[track_caller]
    pub fn map<I, F, U>(&self, items: I, f: F) -> Map<U>
    where
        I: IntoIterator,
        I::Item: Send + 'static,
        F: Fn(I::Item) -> U + Send + Sync + 'static,
        U: Send + 'static,
    {
        let place = Location::caller();
        let f = Arc::new(f);
        let hand_in = |item| {
            let room = self.wait_for_room("map");
            let f = Arc::clone(&f);
            self.lend(place, move || f(item), room)
        };
        Map::new(items.into_iter().map(hand_in).collect())
    }

    /// As [`map`](Self::map), `size` items at a time: for items that are cheap beside the handing in, some 1 µs.
    ///
    /// A panic ends the items of its chunk: the iterator gives it once, in the place of the first of them.
    ///
    /// # Panics
    /// As [`submit`](Self::submit). When `size` is 0.
    ///
    /// Counterpart: `Executor.map(chunksize=…)`.
    #[track_caller]
    pub fn map_chunks<I, F, U>(&self, size: usize, items: I, f: F) -> MapChunks<U>
    where
        I: IntoIterator,
        I::Item: Send + 'static,
        F: Fn(I::Item) -> U + Send + Sync + 'static,
        U: Send + 'static,
    {
        assert!(size > 0, "`map_chunks` needs chunks of at least one item");
        let place = Location::caller();
        let f = Arc::new(f);
        let mut items = items.into_iter();
        let chunks = std::iter::from_fn(|| {
            let chunk: Vec<_> = items.by_ref().take(size).collect();
            (!chunk.is_empty()).then_some(chunk)
        });
        let hand_in = |chunk: Vec<I::Item>| {
            let room = self.wait_for_room("map_chunks");
            let f = Arc::clone(&f);
            self.lend(place, move || chunk.into_iter().map(&*f).collect(), room)
        };
        MapChunks::new(chunks.map(hand_in).collect())
    }

    /// Closes the pool: what is handed in from now on ends with [`BlockingError::Closed`](crate::BlockingError::Closed).
    ///
    /// `cancel_pending`: so does what has not started; else it is run. `wait`: blocks until all threads have ended; the
    /// report says what is left, if it does not wait. On a thread of this very pool it waits for the others only. May be
    /// called again.
    ///
    /// # Panics
    /// Inside a task, if it is to wait: write `to_thread(move || pool.shutdown(…)).await`.
    ///
    /// Counterpart: `Executor.shutdown(wait, cancel_futures)`.
    #[track_caller]
    pub fn shutdown(&self, wait: bool, cancel_pending: bool) -> ShutdownReport {
        assert!(
            !wait || !kasasagi_scheduler::is_worker(),
            "`ThreadPool::shutdown` was called inside a task, and would stop its worker while it waits: call it in \
             `to_thread`, or do not let it wait"
        );
        if cancel_pending {
            self.pool.close();
        } else {
            self.pool.drain();
        }
        self.pool.join(if wait { Duration::MAX } else { Duration::ZERO })
    }

    /// Counts threads and closures.
    pub fn metrics(&self) -> Metrics {
        self.pool.metrics()
    }

    /// What runs at the moment, by name and place.
    pub fn running(&self) -> Vec<JobInfo> {
        self.pool.running()
    }

    /// The most threads that it may have.
    pub fn max_workers(&self) -> usize {
        self.pool.max_threads()
    }

    /// The pool without the promise to join.
    pub(crate) fn into_pool(mut self) -> Pool {
        self.joins = false;
        self.pool.clone()
    }

    fn start<J: IntoJob>(
        &self,
        place: &'static Location<'static>,
        job: J,
        room: Option<Place>,
    ) -> Submitted<J::Output> {
        let (f, name) = job.into_job();
        Submitted::new(self.lend_as(JobInfo::new(place).named(name), f, room))
    }

    /// As `start`, for who has waited for room.
    pub(super) fn hand_in<J: IntoJob>(
        &self,
        place: &'static Location<'static>,
        job: J,
        permit: Option<OwnedPermit>,
    ) -> Submitted<J::Output> {
        let room = permit.zip(self.room.as_ref()).map(|(permit, room)| {
            permit.forget();
            Place(room.clone())
        });
        self.start(place, job, room)
    }

    fn lend<F, T>(&self, place: &'static Location<'static>, f: F, room: Option<Place>) -> Unblock<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.lend_as(JobInfo::new(place), f, room)
    }

    fn lend_as<F, T>(&self, info: JobInfo, f: F, room: Option<Place>) -> Unblock<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let origin = Origin::here();
        self.pool.unblock_as(info, move || {
            drop(room);
            origin.run(f)
        })
    }

    /// A place in the queue, if they are limited, and this thread may wait for one.
    #[track_caller]
    fn wait_for_room(&self, called: &str) -> Option<Place> {
        let room = self.room.as_ref()?;
        assert!(
            !kasasagi_scheduler::is_worker(),
            "`ThreadPool::{called}` was called inside a task on a pool whose queue is limited, and would stop the worker \
             while the queue is full: write `submit_when_room(…).await`"
        );
        let parker = Parker::new();
        let waker = parker.unparker().into_waker();
        let mut acquire = pin!(Semaphore::acquire_owned(room.clone()));
        let permit = loop {
            match acquire.as_mut().poll(&mut Context::from_waker(&waker)) {
                Poll::Ready(permit) => break permit,
                Poll::Pending => parker.park(),
            }
        };
        // The semaphore is the pool's own, and never closed.
        permit.ok()?.forget();
        Some(Place(room.clone()))
    }
}

impl Executor for ThreadPool {
    fn execute(&self, work: Work) {
        self.pool.hand_in(work);
    }

    fn parallelism(&self) -> usize {
        self.pool.max_threads()
    }
}

impl Drop for ThreadPool {
    fn drop(&mut self) {
        if self.joins {
            self.pool.drain();
            let _ = self.pool.join(Duration::MAX);
        }
    }
}

impl fmt::Debug for ThreadPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThreadPool")
            .field("max_workers", &self.max_workers())
            .field("metrics", &self.metrics())
            .finish_non_exhaustive()
    }
}

/// Chooses how a [`ThreadPool`] is built.
///
/// # Examples
/// ```
/// use kasasagi::ThreadPool;
///
/// let pool = ThreadPool::builder().max_workers(2).thread_name("resize").build();
/// let name = pool.submit(|| std::thread::current().name().map(String::from));
/// assert_eq!(name.wait().ok().flatten().as_deref(), Some("resize"));
/// ```
#[derive(Clone)]
#[must_use = "a builder builds nothing until `build` is called"]
pub struct ThreadPoolBuilder {
    config: Config,
    max_queued: Option<usize>,
}

impl ThreadPoolBuilder {
    fn new() -> Self {
        let mut config = Config::default();
        config.max_threads = std::thread::available_parallelism().map_or(1, usize::from) + 4;
        config.max_threads = config.max_threads.min(32);
        config.thread_name = String::from("kasasagi-lent");
        config.before_rest = Some(stay::leave);
        config.gather_wakes = Some(kasasagi_scheduler::gather_wakes);
        Self { config, max_queued: None }
    }

    /// The most threads at a time, at least 1. Default: four more than the machine runs at once, 32 at most, as Python's:
    /// for closures that wait now and then. For what only computes, as many as the machine runs at once.
    pub fn max_workers(mut self, threads: usize) -> Self {
        self.config.max_threads = threads;
        self
    }

    /// The most closures that may wait for a thread, at least 1: who hands in more has to wait for room. Default: as many
    /// as the memory holds.
    ///
    /// What [`run_in_executor`](crate::run_in_executor) hands in is not counted: it has a task that waits.
    pub fn max_queued(mut self, closures: usize) -> Self {
        self.max_queued = Some(closures);
        self
    }

    /// How long a thread stays without work. Default: 10 s.
    pub fn keep_alive(mut self, time: Duration) -> Self {
        self.config.keep_alive = time;
        self
    }

    /// What the threads are called. Default: `kasasagi-lent`.
    pub fn thread_name(mut self, name: impl fmt::Display) -> Self {
        self.config.thread_name = name.to_string();
        self
    }

    /// Each thread's stack in bytes. Default: the platform's, 2 MiB with std.
    pub fn stack_size(mut self, bytes: usize) -> Self {
        self.config.stack_size = Some(bytes);
        self
    }

    /// Called on each thread before its first closure. If it panics, the pool is broken: whatever waits in it, or is
    /// handed in, ends with [`BlockingError::Broken`](crate::BlockingError::Broken).
    pub fn initializer(mut self, f: impl Fn() + Send + Sync + 'static) -> Self {
        self.config.initializer = Some(Arc::new(f));
        self
    }

    /// Called on each thread when it starts, before the initializer. A panic in it ends there.
    pub fn on_thread_start(mut self, hook: impl Fn() + Send + Sync + 'static) -> Self {
        self.config.on_thread_start = Some(Arc::new(hook));
        self
    }

    /// Called on each thread before it ends. A panic in it ends there.
    pub fn on_thread_stop(mut self, hook: impl Fn() + Send + Sync + 'static) -> Self {
        self.config.on_thread_stop = Some(Arc::new(hook));
        self
    }

    /// Builds the pool. Threads are started when they are needed.
    ///
    /// # Panics
    /// When `max_workers` or `max_queued` is 0, or `thread_name` has a NUL in it.
    #[track_caller]
    pub fn build(self) -> ThreadPool {
        assert!(self.config.max_threads > 0, "a thread pool needs `max_workers` to be at least 1");
        let room = self.max_queued.map(|closures| {
            assert!(closures > 0, "a thread pool needs `max_queued` to be at least 1");
            SemaphoreArc::new(Semaphore::new(closures.min(Semaphore::MAX_PERMITS)))
        });
        ThreadPool { pool: Pool::new(self.config), room, joins: true }
    }
}

impl fmt::Debug for ThreadPoolBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThreadPoolBuilder")
            .field("config", &self.config)
            .field("max_queued", &self.max_queued)
            .finish()
    }
}
