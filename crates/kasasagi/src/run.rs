//! `run`, `spawn` and their kin: the functions that a program is made of.

use crate::error::RunError;
use crate::handle::Handle;
use crate::runtime::Runtime;
use kasasagi_task::{Spawn, Task};
use std::panic::Location;

/// Runs `future` to its end on a runtime made for it, with the calling thread as its first worker, then
/// cancels the tasks that are left, waits for them, and returns the output.
///
/// # Panics
/// If the future panics, with its payload; if it is called inside a task; if it was cancelled; if the
/// operating system gives no poller. A worker thread that it does not give is done without, and said once.
///
/// # Examples
/// ```
/// let answer = kasasagi::run(async {
///     let task = kasasagi::spawn(async { 40 });
///     task.await.expect("it ends") + 2
/// });
/// assert_eq!(answer, 42);
/// ```
///
/// Counterpart: `asyncio.run`.
#[track_caller]
pub fn run<F: IntoFuture>(future: F) -> F::Output {
    let place = Location::caller();
    assert!(!kasasagi_scheduler::is_worker(), "{}", RunError::Nested);
    let mut builder = Runtime::builder();
    builder.make_do = true;
    let runtime = match builder.build() {
        Ok(runtime) => runtime,
        Err(error) => panic!("`kasasagi::run` could not build a runtime: {error}"),
    };
    match runtime.run_and_end(place, future.into_future()) {
        Ok(output) => output,
        Err(error) => panic!("`kasasagi::run` has no output: {error}"),
    }
}

/// Spawns a task into the runtime that this code runs in: it runs beside the caller, whether it is awaited
/// or not.
///
/// Tasks that one task spawns begin in that order. The handle gives the output; dropped, it detaches.
///
/// # Panics
/// Where no runtime runs.
///
/// # Examples
/// ```
/// use kasasagi::FutureExt;
///
/// kasasagi::run(async {
///     let task = kasasagi::spawn(async { "done" }.named("worker"));
///     assert_eq!(&*task.name(), "worker");
///     assert_eq!(task.await.expect("it ends"), "done");
/// });
/// ```
///
/// Counterpart: `asyncio.create_task`.
#[track_caller]
#[inline]
pub fn spawn<F>(what: F) -> Task<F::Output>
where
    F: Spawn,
    F::Future: Send + 'static,
    F::Output: Send + 'static,
{
    spawn_at(Location::caller(), what)
}

/// As `spawn`, for who knows better where the program asked for the task.
#[inline]
pub(crate) fn spawn_at<F>(place: &'static Location<'static>, what: F) -> Task<F::Output>
where
    F: Spawn,
    F::Future: Send + 'static,
    F::Output: Send + 'static,
{
    match kasasagi_scheduler::spawn_in_seat(place, what) {
        Ok(task) => task,
        Err(what) => spawn_elsewhere(place, what),
    }
}

/// As `spawn`, from a thread that polls no task: in `block_on`, or in a closure of the pool.
#[cold]
fn spawn_elsewhere<F>(place: &'static Location<'static>, what: F) -> Task<F::Output>
where
    F: Spawn,
    F::Future: Send + 'static,
    F::Output: Send + 'static,
{
    Handle::with_current(|handle| match handle {
        Some(handle) => handle.engines().spawner.spawn(place, what),
        None => no_runtime("spawn", place),
    })
}

/// Spawns a task that stays on this thread, and so need not be `Send`.
///
/// When the thread leaves the runtime (`run` returns), what is left of such tasks is cancelled.
///
/// # Panics
/// Where no runtime runs, and outside tasks.
///
/// # Examples
/// ```
/// use std::rc::Rc;
///
/// kasasagi::run(async {
///     let shared = Rc::new(42);
///     let task = kasasagi::spawn_local({
///         let shared = Rc::clone(&shared);
///         async move { *shared }
///     });
///     assert_eq!(task.await.expect("it ends"), 42);
/// });
/// ```
#[track_caller]
pub fn spawn_local<F>(what: F) -> Task<F::Output>
where
    F: Spawn,
    F::Future: 'static,
    F::Output: 'static,
{
    let place = Location::caller();
    let task = Handle::with_current(|handle| match handle {
        Some(handle) => handle.engines().spawner.spawn_local(place, what),
        None => no_runtime("spawn_local", place),
    });
    match task {
        Some(task) => task,
        None => panic!(
            "`spawn_local` was called on a thread that is no worker, at {place}: call it inside a task, or use \
             `spawn` with a future that is `Send`"
        ),
    }
}

#[cold]
fn no_runtime(what: &str, place: &Location<'_>) -> ! {
    panic!(
        "`kasasagi::{what}` was called where no runtime runs, at {place}: call it inside \
         `kasasagi::run(async {{ … }})`, or use `Handle::spawn` with the handle of a runtime"
    )
}
