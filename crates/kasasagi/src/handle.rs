//! All engines of one runtime together, cloned everywhere: what "this runtime" means to code inside it.

use crate::callback::Calls;
use kasasagi_blocking::Pool;
use kasasagi_primitive::current::Current;
use kasasagi_primitive::defer;
use kasasagi_primitive::report::{self, ExceptionHook, Hook};
use kasasagi_primitive::task_context;
use kasasagi_primitive::thread_local;
use kasasagi_reactor::{Registry, Timers};
use kasasagi_scheduler::{Metrics, Spawner};
use kasasagi_task::{Fallible, Spawn, Task, TaskInfo};
use std::error::Error;
use std::fmt;
use std::panic::Location;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};

thread_local! {
    static CURRENT: Current<Handle> = Current::new()
}

/// A runtime's handle: spawns into it from anywhere, and tells what it does.
///
/// It does not keep the runtime running: when the [`Runtime`](crate::Runtime) is shut down, what is spawned
/// through a handle is cancelled already.
///
/// Counterpart: the loop that `asyncio.get_running_loop` returns.
#[derive(Clone)]
pub struct Handle(Arc<Engines>);

pub(crate) struct Engines {
    pub(crate) spawner: Spawner,
    pub(crate) registry: Registry,
    pub(crate) timers: Timers,
    pub(crate) pool: Pool,
    pub(crate) calls: Arc<Calls>,
    pub(crate) name: Box<str>,
    pub(crate) debug: bool,
    pub(crate) hook: Hook,
}

/// There is no runtime on this thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoRuntime(());

impl fmt::Display for NoRuntime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "no runtime runs on this thread: call this inside `kasasagi::run(async { … })`, or keep a `Handle` \
             and use it",
        )
    }
}

impl Error for NoRuntime {}

impl Handle {
    pub(crate) fn new(engines: Engines) -> Self {
        Self(Arc::new(engines))
    }

    pub(crate) fn engines(&self) -> &Engines {
        &self.0
    }

    /// The handle of the runtime that this code runs in.
    ///
    /// # Panics
    /// Where no runtime runs; [`try_current`](Self::try_current) asks first.
    #[track_caller]
    pub fn current() -> Self {
        match Self::try_current() {
            Ok(handle) => handle,
            Err(error) => panic!("`Handle::current` failed: {error}"),
        }
    }

    /// The handle of the runtime that this code runs in.
    ///
    /// # Errors
    /// [`NoRuntime`] where none runs.
    ///
    /// Counterpart: `asyncio.get_running_loop`.
    pub fn try_current() -> Result<Self, NoRuntime> {
        CURRENT.with(|current| current.with(|handle| handle.cloned().ok_or(NoRuntime(()))))
    }

    pub(crate) fn with_current<R>(f: impl FnOnce(Option<&Self>) -> R) -> R {
        CURRENT.with(|current| current.with(f))
    }

    /// Spawns a task; see [`kasasagi::spawn`](crate::spawn).
    ///
    /// It may be called from any thread, also while nobody runs the runtime.
    #[must_use = "dropping a `Task` detaches it: write `drop(task)` to say so, or `.await` it"]
    #[track_caller]
    pub fn spawn<F>(&self, what: F) -> Task<F::Output>
    where
        F: Spawn,
        F::Future: Send + 'static,
        F::Output: Send + 'static,
    {
        self.0.spawner.spawn(Location::caller(), what)
    }

    /// Spawns a task whose error is reported if nobody looks at it; see
    /// [`kasasagi::spawn_fallible`](crate::spawn_fallible).
    #[track_caller]
    pub fn spawn_fallible<F, T, E>(&self, what: F) -> Task<Result<T, E>>
    where
        F: Spawn<Output = Result<T, E>>,
        F::Future: Send + 'static,
        T: Send + 'static,
        E: fmt::Display + Send + 'static,
    {
        self.0.spawner.spawn(Location::caller(), Fallible::new(what))
    }

    /// Runs `future` to its end on this thread, which must not be a worker, while the runtime's workers run
    /// its tasks.
    ///
    /// # Panics
    /// Inside a task: it would block the worker that has to wake it.
    ///
    /// # Examples
    /// ```
    /// let runtime = kasasagi::Runtime::new()?;
    /// let handle = runtime.handle();
    /// let sum = std::thread::spawn(move || {
    ///     handle.block_on(async { handle.spawn(async { 20 + 22 }).await })
    /// });
    /// assert_eq!(sum.join().expect("no panic").expect("it ends"), 42);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// Counterpart: `asyncio.run_coroutine_threadsafe(…).result()`.
    #[track_caller]
    pub fn block_on<F: IntoFuture>(&self, future: F) -> F::Output {
        assert!(
            !kasasagi_scheduler::is_worker(),
            "`Handle::block_on` was called inside a task, whose worker it would block: write `future.await`"
        );
        // Entered first, and so left after the future is dropped.
        let _entered = self.enter(None);
        let mut future = pin!(future.into_future());
        let mut guest = self.0.spawner.guest();
        let waker = guest.waker();
        let mut cx = Context::from_waker(&waker);
        loop {
            if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
                return output;
            }
            guest.wait();
        }
    }

    /// What is known of every task that has not ended; any thread may ask.
    ///
    /// Counterpart: `asyncio.all_tasks`.
    pub fn tasks(&self) -> Vec<TaskInfo> {
        let mut tasks: Vec<_> = self.0.spawner.tasks().iter().map(|task| task.info()).collect();
        tasks.sort_by_key(|task| task.id);
        tasks
    }

    /// A copy of the scheduler's counters.
    pub fn metrics(&self) -> Metrics {
        self.0.spawner.metrics()
    }

    /// The runtime's name.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Whether the runtime is in debug mode.
    pub fn debug(&self) -> bool {
        self.0.debug
    }

    /// What is called with the reports of this runtime; `None` is the default, a line on stderr for each.
    ///
    /// Counterpart: `loop.get_exception_handler`.
    pub fn exception_hook(&self) -> Option<ExceptionHook> {
        self.0.hook.get()
    }

    /// Has reports go to `hook` from now on, `None`: to stderr; see
    /// [`Builder::exception_hook`](crate::Builder::exception_hook). Returns the one before.
    ///
    /// Counterpart: `loop.set_exception_handler`.
    pub fn set_exception_hook(&self, hook: Option<ExceptionHook>) -> Option<ExceptionHook> {
        self.0.hook.set(hook)
    }

    /// Whether both are of one runtime.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Makes this the runtime of the thread, in `seat` if it sits in one.
    pub(crate) fn enter(&self, seat: Option<usize>) -> Entered {
        let engines = &*self.0;
        Entered {
            previous: CURRENT.with(|current| current.replace(Some(self.clone()))),
            was_debug: task_context::set_debug(engines.debug),
            _defer: defer::enter(Arc::clone(&self.0) as Arc<dyn defer::Defer>),
            _hook: engines.hook.enter(),
            _registry: engines.registry.enter(),
            _timers: engines.timers.enter(seat),
            _pool: engines.pool.enter(),
        }
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").field("name", &self.0.name).finish_non_exhaustive()
    }
}

/// The runtime of a thread until this is dropped, and the one before it then.
pub(crate) struct Entered {
    previous: Option<Handle>,
    was_debug: bool,
    _defer: defer::Entered,
    _hook: report::Entered,
    _registry: kasasagi_reactor::RegistryGuard,
    _timers: kasasagi_reactor::TimersGuard,
    _pool: kasasagi_blocking::Entered,
}

impl Drop for Entered {
    fn drop(&mut self) {
        task_context::set_debug(self.was_debug);
        let mine = CURRENT.with(|current| current.replace(self.previous.take()));
        // Dropped after the cell is free again: the last handle may end a runtime.
        drop(mine);
    }
}
