//! `to_thread`, `run_in_executor`, and who can be asked to run closures.

use crate::handle::Handle;
use crate::run::no_runtime;
use crate::threads::job::IntoJob;
use crate::threads::lent::lend_task;
use kasasagi_blocking::Work;
use kasasagi_task::Task;
use std::panic::Location;
use std::sync::Arc;

/// Runs closures on threads of its own: a [`ThreadPool`](crate::ThreadPool), rayon, or whatever a program has.
///
/// # Examples
/// ```
/// use kasasagi::{Executor, Work, run_in_executor};
///
/// /// A thread for each closure.
/// struct Threads;
///
/// impl Executor for Threads {
///     fn execute(&self, work: Work) {
///         std::thread::spawn(move || work.run());
///     }
/// }
///
/// kasasagi::run(async {
///     assert_eq!(run_in_executor(&Threads, || 6 * 7).await.expect("it ends"), 42);
/// });
/// ```
///
/// Counterpart: `concurrent.futures.Executor`.
pub trait Executor: Send + Sync {
    /// Runs `work`, now or later, on a thread that is no worker. One that is dropped instead ends its task as cancelled.
    fn execute(&self, work: Work);

    /// How many it runs at once, for whoever splits work. As many as the machine runs at once, if it does not say.
    fn parallelism(&self) -> usize {
        std::thread::available_parallelism().map_or(1, usize::from)
    }
}

impl<E: Executor + ?Sized> Executor for &E {
    fn execute(&self, work: Work) {
        (**self).execute(work);
    }

    fn parallelism(&self) -> usize {
        (**self).parallelism()
    }
}

impl<E: Executor + ?Sized> Executor for Arc<E> {
    fn execute(&self, work: Work) {
        (**self).execute(work);
    }

    fn parallelism(&self) -> usize {
        (**self).parallelism()
    }
}

/// Runs a closure that blocks, or computes for long, on a thread of the runtime's pool; the task gives its result.
///
/// It is handed in by this call, whether the task is awaited or not. It sees the context variables of the caller as they
/// are now, and the runtime: it may [`spawn`](crate::spawn()), and wait with [`Handle::block_on`]. Cancelled, the task
/// ends at once: a closure that has not started never runs, one that runs does so to its end, and its result is dropped.
///
/// # Panics
/// Where no runtime runs. A panic of the closure is the task's.
///
/// # Examples
/// ```
/// use std::net::ToSocketAddrs;
///
/// kasasagi::run(async {
///     let found = kasasagi::to_thread(|| ("127.0.0.1", 80).to_socket_addrs()).await.expect("it ends");
///     assert!(found.is_ok());
/// });
/// ```
///
/// Counterpart: `asyncio.to_thread`; that one does not start before it is awaited.
#[must_use = "dropping a `Task` detaches it: write `drop(task)` to say so, or `.await` it"]
#[track_caller]
pub fn to_thread<J: IntoJob>(job: J) -> Task<J::Output> {
    let place = Location::caller();
    match Handle::try_current() {
        Ok(handle) => handle.to_thread_at(place, job),
        Err(_) => no_runtime("to_thread", place),
    }
}

/// As [`to_thread`], on a thread of `executor`.
///
/// # Panics
/// Where no runtime runs. A panic of the closure is the task's.
///
/// # Examples
/// ```
/// use kasasagi::{ThreadPool, run_in_executor};
///
/// let pool = ThreadPool::new(2);
/// kasasagi::run(async {
///     assert_eq!(run_in_executor(&pool, || 6 * 7).await.expect("it ends"), 42);
/// });
/// ```
///
/// Counterpart: `loop.run_in_executor`.
#[must_use = "dropping a `Task` detaches it: write `drop(task)` to say so, or `.await` it"]
#[track_caller]
pub fn run_in_executor<E, J>(executor: &E, job: J) -> Task<J::Output>
where
    E: Executor + ?Sized,
    J: IntoJob,
{
    let place = Location::caller();
    match Handle::try_current() {
        Ok(handle) => lend_task(&handle, place, job, |work| executor.execute(work)),
        Err(_) => no_runtime("run_in_executor", place),
    }
}

impl Handle {
    /// Runs a closure on a thread of this runtime's pool; see [`to_thread`]. From any thread.
    #[must_use = "dropping a `Task` detaches it: write `drop(task)` to say so, or `.await` it"]
    #[track_caller]
    pub fn to_thread<J: IntoJob>(&self, job: J) -> Task<J::Output> {
        self.to_thread_at(Location::caller(), job)
    }

    fn to_thread_at<J: IntoJob>(
        &self,
        place: &'static Location<'static>,
        job: J,
    ) -> Task<J::Output> {
        lend_task(self, place, job, |work| self.engines().pool.hand_in(work))
    }

    /// Runs a closure on a thread of `executor`; see [`run_in_executor`]. From any thread.
    ///
    /// Counterpart: `loop.run_in_executor`.
    #[must_use = "dropping a `Task` detaches it: write `drop(task)` to say so, or `.await` it"]
    #[track_caller]
    pub fn run_in_executor<E, J>(&self, executor: &E, job: J) -> Task<J::Output>
    where
        E: Executor + ?Sized,
        J: IntoJob,
    {
        lend_task(self, Location::caller(), job, |work| executor.execute(work))
    }
}
