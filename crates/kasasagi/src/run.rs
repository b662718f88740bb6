//! `run`, `spawn` and their kin: the functions that a program is made of.

use crate::builder::Builder;
use crate::error::RunError;
use crate::handle::Handle;
use crate::interrupt::Policy;
use crate::runtime::Runtime;
use kasasagi_task::{Fallible, Spawn, Task};
use std::fmt;
use std::panic::Location;

/// Runs `future` to its end on a runtime made for it, with the calling thread as its first worker, then
/// cancels the tasks that are left, waits for them, and returns the output.
///
/// On the main thread the first Ctrl-C cancels the future, and when the cleanups are done, the process ends by the
/// signal; the second ends it at once. A program that handles SIGINT itself is left alone; one that wants to go on
/// after its cleanup builds a [`Runtime`] with [`Builder::handle_ctrl_c`](crate::Builder::handle_ctrl_c).
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
    let mut builder = Runtime::builder();
    builder.make_do = true;
    builder.ctrl_c = Policy::OnMainThread;
    run_on(builder, "kasasagi::run", future.into_future())
}

/// Runs `future` on what `builder` builds; `call` is what the program wrote.
#[track_caller]
pub(crate) fn run_on<F: Future>(builder: Builder, call: &str, future: F) -> F::Output {
    let place = Location::caller();
    assert!(!kasasagi_scheduler::is_worker(), "{}", RunError::Nested);
    let runtime = match builder.build() {
        Ok(runtime) => runtime,
        Err(error) => panic!("`{call}` could not build a runtime: {error}"),
    };
    match runtime.run_and_end(place, future) {
        Ok(output) => output,
        // SIGINT is what it was before: whoever waits for the process sees how it ended.
        Err(RunError::Interrupted) => kasasagi_signal::interrupt_process(),
        Err(RunError::Cancelled(error)) => panic!(
            "`{call}` has no output: {}. Await what may be cancelled in a task of its own or in `catch_cancel`, \
             or use `Runtime::run`, which returns this as an error",
            RunError::Cancelled(error)
        ),
        Err(error) => panic!("`{call}` has no output: {error}"),
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
#[must_use = "dropping a `Task` detaches it: write `drop(task)` to say so, or `.await` it"]
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

/// Spawns a task whose error must not go unseen: dropped unread, an `Err` is reported through the exception hook, as
/// a panic is of every task.
///
/// Awaiting the handle, or taking the output otherwise, is looking at it. The report is made by whoever drops the
/// output: the worker if there is no handle any more, or the handle's drop.
///
/// # Panics
/// Where no runtime runs.
///
/// # Examples
/// ```
/// kasasagi::run(async {
///     // `kasasagi: a task failed and nobody looked at its error: … no such magpie` on stderr.
///     drop(kasasagi::spawn_fallible(async { Err::<(), _>("no such magpie") }));
///     let looked_at = kasasagi::spawn_fallible(async { Err::<(), _>("no such bridge") });
///     assert_eq!(looked_at.await.expect("it ends"), Err("no such bridge"));
/// });
/// ```
///
/// Counterpart: every task of asyncio, whose "exception was never retrieved" comes when it is garbage.
#[track_caller]
pub fn spawn_fallible<F, T, E>(what: F) -> Task<Result<T, E>>
where
    F: Spawn<Output = Result<T, E>>,
    F::Future: Send + 'static,
    T: Send + 'static,
    E: fmt::Display + Send + 'static,
{
    spawn(Fallible::new(what))
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

/// A task that is cancelled already, for the reason given: `what` is dropped unpolled.
#[cold]
pub(crate) fn refuse_at<F>(
    place: &'static Location<'static>,
    what: F,
    reason: &str,
) -> Task<F::Output>
where
    F: Spawn,
    F::Future: Send + 'static,
    F::Output: Send + 'static,
{
    Handle::with_current(|handle| match handle {
        Some(handle) => handle.engines().spawner.refuse(place, what, reason),
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
#[must_use = "dropping a `Task` detaches it: write `drop(task)` to say so, or `.await` it"]
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
pub(crate) fn no_runtime(what: &str, place: &Location<'_>) -> ! {
    panic!(
        "`kasasagi::{what}` was called where no runtime runs, at {place}: call it inside \
         `kasasagi::run(async {{ … }})`, or use `Handle::spawn` with the handle of a runtime"
    )
}
