//! What can be chosen of a runtime before it is built.

use crate::interrupt::Policy;
use crate::runtime::Runtime;
use crate::threads::ThreadPool;
use kasasagi_blocking::Pool;
use kasasagi_primitive::report::{ExceptionHook, Report};
use kasasagi_scheduler::MAX_SEATS;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

pub(crate) type Hook = Arc<dyn Fn() + Send + Sync>;

/// Chooses how a [`Runtime`] is built.
///
/// # Examples
/// ```
/// use kasasagi::Runtime;
///
/// let runtime = Runtime::builder().workers(2).thread_name("crawler").build()?;
/// let sum = runtime.run(async { 20 + 22 })?;
/// assert_eq!(sum, 42);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Counterpart: the arguments of `asyncio.Runner`.
#[derive(Clone)]
#[must_use = "a builder builds nothing until `build` is called"]
pub struct Builder {
    pub(crate) workers: Option<usize>,
    pub(crate) name: String,
    pub(crate) thread_name: Option<String>,
    pub(crate) max_blocking_threads: Option<usize>,
    pub(crate) blocking_keep_alive: Option<Duration>,
    pub(crate) pool: Option<Pool>,
    pub(crate) shutdown_grace: Duration,
    pub(crate) debug: Option<bool>,
    pub(crate) seed: Option<u64>,
    pub(crate) virtual_time: bool,
    pub(crate) on_thread_start: Option<Hook>,
    pub(crate) on_thread_stop: Option<Hook>,
    pub(crate) exception_hook: Option<ExceptionHook>,
    pub(crate) ctrl_c: Policy,
    /// A thread that cannot be started is done without.
    pub(crate) make_do: bool,
}

impl Builder {
    pub(crate) fn new() -> Self {
        Self {
            workers: None,
            name: "kasasagi".into(),
            thread_name: None,
            max_blocking_threads: None,
            blocking_keep_alive: None,
            pool: None,
            shutdown_grace: Duration::from_secs(10),
            debug: None,
            seed: None,
            virtual_time: false,
            on_thread_start: None,
            on_thread_stop: None,
            exception_hook: None,
            ctrl_c: Policy::Never,
            make_do: false,
        }
    }

    /// How many threads run tasks, the one that calls `run` included: 1 to 32.
    ///
    /// Default: as many as the machine runs at once, 32 at most. A greater number is an error of `build`.
    pub fn workers(mut self, workers: usize) -> Self {
        self.workers = Some(workers);
        self
    }

    /// Runs every task on the thread that calls `run`. The same as one worker.
    ///
    /// While nobody is in `run` and there are tasks, a thread is started for them: they never hang.
    pub fn current_thread(self) -> Self {
        self.workers(1)
    }

    /// The runtime's name, for dumps and errors. Default: `kasasagi`.
    pub fn name(mut self, name: impl fmt::Display) -> Self {
        self.name = name.to_string();
        self
    }

    /// What the worker threads are called, a number behind it. Default: the runtime's name.
    pub fn thread_name(mut self, name: impl fmt::Display) -> Self {
        self.thread_name = Some(name.to_string());
        self
    }

    /// The most threads for blocking work, host name lookup included. Default: 512.
    pub fn max_blocking_threads(mut self, threads: usize) -> Self {
        self.max_blocking_threads = Some(threads);
        self
    }

    /// How long such a thread stays without work. Default: 10 s.
    pub fn blocking_keep_alive(mut self, time: Duration) -> Self {
        self.blocking_keep_alive = Some(time);
        self
    }

    /// Has [`to_thread`](crate::to_thread), and whatever else needs a thread, use `pool` in place of a pool of its own. The
    /// runtime closes it at its end; what two runtimes were given is closed with the first. What else is said of blocking
    /// threads here does not matter then, nor does the limit of its queue.
    ///
    /// Counterpart: `loop.set_default_executor`, which takes nothing but a `ThreadPoolExecutor` either.
    pub fn default_executor(mut self, pool: ThreadPool) -> Self {
        self.pool = Some(pool.into_pool());
        self
    }

    /// How long the end of a runtime waits for tasks that were cancelled: for their cleanups, and for those that
    /// block a worker. What takes longer is cut off, and told. Default: 10 s, the time that most supervisors of
    /// processes grant.
    pub fn shutdown_grace(mut self, time: Duration) -> Self {
        self.shutdown_grace = time;
        self
    }

    /// Whether Ctrl-C cancels main while [`Runtime::run`] runs it, so that cleanups run; the run then gives
    /// [`RunError::Interrupted`](crate::RunError::Interrupted). Pressed again, it gives that at once; pressed a third
    /// time, it ends the process.
    ///
    /// Only if SIGINT is at its default, which it has again afterwards: a program's own handler is left alone. Of
    /// several runtimes that run at once, the first has it. Default: no; [`kasasagi::run`](crate::run) on the main
    /// thread does, and its second Ctrl-C ends the process.
    pub fn handle_ctrl_c(mut self, handle: bool) -> Self {
        self.ctrl_c = if handle { Policy::Always } else { Policy::Never };
        self
    }

    /// Debug mode: what was left at the end is reported on stderr, with names and places. A task that waits for a
    /// [`Lock`](crate::sync::Lock) which it holds itself panics, instead of waiting for ever; and who holds what others
    /// wait for stands in [`TaskInfo`](crate::TaskInfo).
    ///
    /// Default: whether the environment says `KASASAGI_DEBUG=1`.
    pub fn debug(mut self, debug: bool) -> Self {
        self.debug = Some(debug);
        self
    }

    /// Seeds the order in which workers look into each other's queues. Default: fixed.
    ///
    /// One worker throws no dice: with [`virtual_time`](Self::virtual_time) its runs are the same each time, whatever the
    /// seed, as far as no thread, socket or closure on the pool has a say. Several workers are threads, and no seed
    /// makes those the same.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Time moves only when nobody can run, and then by jumps: a test of an hour ends in milliseconds. For tests.
    ///
    /// The clock starts at the real time and stands still, as after [`time::pause`](crate::time::pause), which says
    /// what holds it and when it jumps. Default: time goes by.
    ///
    /// # Examples
    /// ```
    /// use kasasagi::{Runtime, time};
    /// use std::time::Duration;
    ///
    /// let runtime = Runtime::builder().virtual_time().build()?;
    /// runtime.run(async {
    ///     let start = time::now();
    ///     time::sleep(Duration::from_secs(3600)).await;
    ///     assert_eq!(time::now() - start, Duration::from_secs(3600));
    /// })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// Counterpart: a test loop whose `loop.time()` is set by hand.
    pub fn virtual_time(mut self) -> Self {
        self.virtual_time = true;
        self
    }

    /// Called on each worker thread when it starts; not on the thread that calls `run`. A panic in it ends there.
    pub fn on_thread_start(mut self, hook: impl Fn() + Send + Sync + 'static) -> Self {
        self.on_thread_start = Some(Arc::new(hook));
        self
    }

    /// Called on each worker thread before it ends. A panic in it ends there.
    pub fn on_thread_stop(mut self, hook: impl Fn() + Send + Sync + 'static) -> Self {
        self.on_thread_stop = Some(Arc::new(hook));
        self
    }

    /// Called with a [`Report`] of each panic and error that nobody looked at: a task that panicked and whose handle
    /// was dropped, an error of [`spawn_fallible`](crate::spawn_fallible) that was not read, a callback that
    /// panicked. Each is reported once.
    ///
    /// It runs on whatever thread found out, on several at once, and inside the task that the report is about. A
    /// panic in it ends there, and is told on stderr with the report. Default: a line on stderr
    /// ([`Report::tell`]). [`Handle::set_exception_hook`](crate::Handle::set_exception_hook) changes it later.
    ///
    /// # Examples
    /// ```
    /// use std::sync::mpsc::channel;
    ///
    /// let (reports, reported) = channel();
    /// let hook = move |report: &kasasagi::Report| reports.send(report.to_string()).expect("it is read");
    /// let runtime = kasasagi::Runtime::builder().exception_hook(hook).build()?;
    /// runtime.run(async { drop(kasasagi::spawn(async { panic!("out of magpies") })) })?;
    /// assert!(reported.recv()?.contains("out of magpies"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// Counterpart: `loop.set_exception_handler`.
    pub fn exception_hook(mut self, hook: impl Fn(&Report) + Send + Sync + 'static) -> Self {
        self.exception_hook = Some(Arc::new(hook));
        self
    }

    pub(crate) fn pool(&self) -> Pool {
        self.pool.clone().unwrap_or_else(|| Pool::new(self.pool_config()))
    }

    fn pool_config(&self) -> kasasagi_blocking::Config {
        let mut config = kasasagi_blocking::Config::default();
        config.before_rest = Some(crate::threads::leave);
        config.gather_wakes = Some(kasasagi_scheduler::gather_wakes);
        if let Some(threads) = self.max_blocking_threads {
            config.max_threads = threads;
        }
        if let Some(time) = self.blocking_keep_alive {
            config.keep_alive = time;
        }
        config
    }

    /// Builds the runtime and starts its threads: one less than there are workers.
    ///
    /// # Errors
    /// If the number of workers is not 1 to 32, if the operating system gives no poller, or if it denies a
    /// thread; those that were started have ended then.
    pub fn build(self) -> io::Result<Runtime> {
        let workers = self.workers.unwrap_or_else(default_workers);
        if !(1..=MAX_SEATS).contains(&workers) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!(
                    "`Builder::workers({workers})`: a runtime has 1 to {MAX_SEATS} workers. For more \
                     processors build several runtimes"
                ),
            ));
        }
        Runtime::build(self, workers)
    }
}

fn default_workers() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from).min(MAX_SEATS)
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("workers", &self.workers)
            .field("name", &self.name)
            .field("shutdown_grace", &self.shutdown_grace)
            .finish_non_exhaustive()
    }
}
