//! The runtime: starts the threads, enters the engines, ends everything in order.

use crate::builder::{Builder, Hook};
use crate::caretaker::{Caretaker, Household};
use crate::error::{RunError, ShutdownReport};
use crate::glue::IoDriver;
use crate::handle::{Engines, Handle};
use crate::interrupt::{Interrupt, Policy};
use crate::virtual_time;
use kasasagi_blocking::Pool;
use kasasagi_primitive::report::{self, Report, ReportKind};
use kasasagi_primitive::sync::{Condvar, Mutex};
use kasasagi_primitive::tell::tell;
use kasasagi_reactor::{Clock, Reactor};
use kasasagi_scheduler::{Config, FrontSeat, Worker};
use kasasagi_task::{Attributes, JoinError, TaskInfo, panic_site};
use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

/// A scheduler with its threads, a reactor with its timers, and a pool: what [`run`](crate::run) builds,
/// uses and ends.
///
/// Between two calls of [`run`](Self::run) the worker threads go on with the tasks there are; a runtime with
/// one worker starts a thread for them when it is first needed. Dropped, it is shut down; dropped inside a
/// task, it is closed and waits for nobody.
///
/// # Examples
/// ```
/// let runtime = kasasagi::Runtime::new()?;
/// let task = runtime.handle().spawn(async { 40 });
/// let sum = runtime.run(async { task.await.expect("it ends") + 2 })?;
/// assert_eq!(sum, 42);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Counterpart: `asyncio.Runner`.
pub struct Runtime {
    handle: Handle,
    grace: Duration,
    ctrl_c: Policy,
    threads: Vec<JoinHandle<()>>,
    running: Arc<Running>,
    caretaker: Arc<Caretaker>,
    closer: Option<Arc<Closer>>,
}

/// How many worker threads have not ended.
#[derive(Default)]
pub(crate) struct Running {
    count: Mutex<usize>,
    ended: Condvar,
}

/// Ends reactor and pool when the last who needs them is gone.
pub(crate) struct Closer {
    reactor: Reactor,
    pool: Pool,
}

impl Drop for Closer {
    fn drop(&mut self) {
        self.reactor.close();
        let _ = self.pool.shutdown(Duration::ZERO);
    }
}

/// What threads are called, and what is called on them.
#[derive(Clone)]
pub(crate) struct ThreadHooks {
    prefix: String,
    start: Option<Hook>,
    stop: Option<Hook>,
    reports: report::Hook,
}

impl ThreadHooks {
    pub(crate) fn name(&self, seat: usize) -> String {
        format!("{}-{seat}", self.prefix)
    }

    pub(crate) fn around(self, run: impl FnOnce()) {
        // Outside the runtime: what is spawned there is refused, but reports have their way.
        let _reports = self.reports.enter();
        call("the hook `on_thread_start` panicked", self.start);
        run();
        call("the hook `on_thread_stop` panicked", self.stop);
    }
}

/// Calls a hook. A panic of it is reported and ends here: a thread that ended would be missed by its tasks and waited
/// for by the shutdown.
fn call(what: &'static str, hook: Option<Hook>) {
    let Some(hook) = hook else { return };
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| hook())) {
        Report::new(ReportKind::Callback, what).panic(&*payload).send();
        // Its drop is foreign code as well.
        if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            std::mem::forget(second);
        }
    }
}

/// How long tasks that are cut off may take to drop their futures. A task that is in a poll for that long is left alone.
const CUT: Duration = Duration::from_millis(50);

impl Runtime {
    /// A runtime with the defaults.
    ///
    /// # Errors
    /// As [`Builder::build`].
    pub fn new() -> io::Result<Self> {
        Self::builder().build()
    }

    /// Chooses how a runtime is built.
    pub fn builder() -> Builder {
        Builder::new()
    }

    pub(crate) fn build(builder: Builder, seats: usize) -> io::Result<Self> {
        crate::enter_worker();
        panic_site::remember();
        let clock = if builder.virtual_time { Clock::paused() } else { Clock::pausable() };
        let reactor = Reactor::with_clock(seats, clock)?;
        let pool = builder.pool();
        let caretaker = Arc::new(Caretaker::default());
        let mut config = Config::with_seats(seats);
        if let Some(seed) = builder.seed {
            config.seed = seed;
        }
        let on_vacant = Arc::clone(&caretaker);
        config.on_vacant = Some(Arc::new(move || Caretaker::call(&on_vacant)));
        let (registry, timers) = (reactor.registry(), reactor.timers());
        let (spawner, workers) = kasasagi_scheduler::new(
            config,
            Box::new(IoDriver { reactor: reactor.clone(), pool: pool.clone() }),
        );
        for seat in 0..seats {
            timers.bind(seat, spawner.waker_of(seat));
        }
        let closer = Arc::new(Closer { reactor, pool: pool.clone() });
        let debug = builder.debug.unwrap_or_else(|| {
            std::env::var_os("KASASAGI_DEBUG")
                .is_some_and(|value| value != "0" && !value.is_empty())
        });
        let name = builder.name.clone().into_boxed_str();
        if builder.virtual_time {
            virtual_time::watch_pool(&spawner, &pool);
        }
        let calls = Arc::default();
        let handle = Handle::new(Engines {
            spawner,
            registry,
            timers,
            pool,
            calls,
            name,
            debug,
            hook: report::Hook::new(builder.exception_hook),
        });
        let hooks = ThreadHooks {
            prefix: builder.thread_name.unwrap_or(builder.name),
            start: builder.on_thread_start,
            stop: builder.on_thread_stop,
            reports: handle.engines().hook.clone(),
        };
        let household =
            Household { handle: handle.clone(), closer: Arc::clone(&closer), hooks: hooks.clone() };
        let mut runtime = Self {
            handle,
            grace: builder.shutdown_grace,
            ctrl_c: builder.ctrl_c,
            threads: Vec::new(),
            running: Arc::default(),
            caretaker,
            closer: Some(closer),
        };
        runtime.start(workers, &hooks, builder.make_do)?;
        if runtime.threads.is_empty() {
            // One worker, or no thread to be had: nobody sits anywhere between two runs.
            Caretaker::employ(&runtime.caretaker, household);
        }
        Ok(runtime)
    }

    fn start(
        &mut self,
        workers: Vec<Worker>,
        hooks: &ThreadHooks,
        make_do: bool,
    ) -> io::Result<()> {
        let wanted = workers.len();
        for worker in workers {
            let thread = self.start_one(worker, hooks);
            match thread {
                Ok(thread) => self.threads.push(thread),
                Err(error) if make_do => {
                    let workers = self.threads.len() + 1;
                    tell(format_args!(
                        "a worker thread could not be started ({error}); going on with {workers} of {} workers",
                        wanted + 1
                    ));
                    break;
                }
                // Dropping the runtime ends the threads that were started.
                Err(error) => {
                    return Err(io::Error::new(
                        error.kind(),
                        format!(
                            "worker thread {} of {wanted} could not be started: {error}. Ask for fewer with \
                             `Builder::workers`, or raise the limit of threads",
                            self.threads.len() + 1
                        ),
                    ));
                }
            }
        }
        Ok(())
    }

    fn start_one(&self, worker: Worker, hooks: &ThreadHooks) -> io::Result<JoinHandle<()>> {
        let seat = worker.index();
        let name = hooks.name(seat);
        let hooks = hooks.clone();
        let handle = self.handle.clone();
        let running = Arc::clone(&self.running);
        let closer = self.closer.clone();
        *running.count.lock() += 1;
        let count = Arc::clone(&running);
        let run = move || {
            hooks.around(|| {
                let _entered = handle.enter(Some(seat));
                worker.run();
            });
            drop(handle);
            drop(closer);
            running.one_ended();
        };
        let thread = std::thread::Builder::new().name(name).spawn(run);
        if thread.is_err() {
            count.one_ended();
        }
        thread
    }

    /// A handle, to spawn into the runtime from anywhere.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Runs `future` to its end on this thread, which is a worker meanwhile, and returns its output.
    ///
    /// The future need not be `Send` nor `'static`. Tasks that it leaves behind go on. Called by two threads
    /// at once, the second waits with its future like a [`Handle::block_on`].
    ///
    /// # Errors
    /// [`RunError::Nested`] inside a task, [`RunError::Closed`] after the end, [`RunError::Cancelled`] if
    /// something cancelled the future, [`RunError::Interrupted`] if Ctrl-C did; see
    /// [`Builder::handle_ctrl_c`].
    ///
    /// # Panics
    /// If the future panics, with its payload.
    ///
    /// Counterpart: `asyncio.Runner.run`.
    #[track_caller]
    pub fn run<F: IntoFuture>(&self, future: F) -> Result<F::Output, RunError> {
        if kasasagi_scheduler::is_worker() {
            return Err(RunError::Nested);
        }
        let spawner = &self.handle.engines().spawner;
        if spawner.is_closed() {
            return Err(RunError::Closed);
        }
        let place = Location::caller();
        let Ok(seat) = spawner.enter() else {
            return Ok(self.handle.block_on(future));
        };
        let _entered = self.handle.enter(Some(0));
        let output = self.run_main(&seat, place, future.into_future());
        drop(seat);
        output.map_err(MainError::into_run_error)
    }

    /// Runs main in the seat, and watches Ctrl-C meanwhile.
    ///
    /// Not longer: what is pressed while the tasks that are left clean up does what it did before.
    fn run_main<F: Future>(
        &self,
        seat: &FrontSeat,
        place: &'static Location<'static>,
        future: F,
    ) -> Result<F::Output, MainError> {
        let interrupt = Interrupt::watch(self.ctrl_c, self.handle.debug());
        let born = |main| interrupt.is_for(main);
        let output = seat.run_watched(place, Attributes::default(), future, born);
        output.map_err(|error| MainError { error, interrupted: interrupt.ended_main() })
    }

    /// As `run`, and the tasks that are left end before the thread leaves its seat.
    pub(crate) fn run_and_end<F: Future>(
        mut self,
        place: &'static Location<'static>,
        future: F,
    ) -> Result<F::Output, RunError> {
        let (clock, mut until) = (Clock::system(), None);
        let output = {
            let spawner = &self.handle.engines().spawner;
            let Ok(seat) = spawner.enter() else { return Err(RunError::Closed) };
            let _entered = self.handle.enter(Some(0));
            let output = self.run_main(&seat, place, future);
            // Leftovers are told of before they are cancelled, in debug mode; see `end`.
            if !self.handle.debug() {
                until = clock.now().checked_add(self.grace);
                spawner.close();
                seat.drain(|| until.is_some_and(|until| clock.now() >= until));
            }
            drop(seat);
            output
        };
        // What was drained above had its share of the grace period.
        let left = until.map(|until| until.saturating_duration_since(clock.now()));
        let _ = self.end(left.unwrap_or(self.grace), false);
        output.map_err(MainError::into_run_error)
    }

    /// Ends the runtime: cancels its tasks, waits for them and the threads, `grace` at most, and tells what
    /// was left.
    ///
    /// # Panics
    /// Inside a task: it would wait for itself. Dropping the runtime there closes it without waiting.
    ///
    /// Counterpart: `asyncio.Runner.close`.
    #[track_caller]
    pub fn shutdown(mut self, grace: Duration) -> ShutdownReport {
        assert!(
            !kasasagi_scheduler::is_worker(),
            "`Runtime::shutdown` was called inside a task, and would wait for that task: call it outside `run`"
        );
        self.end(grace, true)
    }

    fn end(&mut self, grace: Duration, is_heard: bool) -> ShutdownReport {
        let mut report = ShutdownReport::default();
        let Some(closer) = self.closer.take() else { return report };
        let clock = Clock::system();
        let until = clock.now().checked_add(grace);
        let left =
            || until.map_or(Duration::MAX, |until| until.saturating_duration_since(clock.now()));
        let spawner = &self.handle.engines().spawner;
        report.cancelled = self.handle.tasks();
        // Seated before the close, which else would call a caretaker to see to the end.
        let seat = spawner.enter_within(left);
        spawner.close();
        let kept = seat.is_err();
        let cut_by = |left: Duration| left.saturating_add(CUT);
        if let Ok(seat) = seat {
            let _entered = self.handle.enter(Some(0));
            seat.drain(|| left().is_zero());
            report.cut_off = cut_off(spawner);
            let until = clock.now().checked_add(CUT);
            seat.drain(|| until.is_some_and(|until| clock.now() >= until));
            drop(seat);
        } else if self.running.wait(left()) > 0 {
            report.cut_off = cut_off(spawner);
        }
        // A caretaker that did not leave is one of them.
        report.threads_left = self.running.wait(cut_by(left())) + usize::from(kept);
        if spawner.live() > 0 {
            // Not the list alone: a spawn that is being refused stands in it for a moment.
            report.still_running = self.handle.tasks();
        }
        let left_alone: Vec<_> = report.still_running.iter().map(|task| task.id).collect();
        report.cut_off.retain(|task| !left_alone.contains(&task.id));
        let caretaker = self.caretaker.dismiss();
        if report.still_running.is_empty() {
            // Nothing to look after: it leaves at once.
            let _ = caretaker.map(JoinHandle::join);
        }
        if report.threads_left == 0 {
            for thread in self.threads.drain(..) {
                // It has ended, or is about to: it counted itself out as its last act.
                let _ = thread.join();
            }
        }
        let pool = closer.pool.shutdown(left());
        (report.blocking_left, report.blocking_jobs) = (pool.still_running, pool.jobs);
        closer.reactor.close();
        // Whatever was given up is told in any case, if nobody else hears of it.
        let is_told = self.handle.debug() && !report.cancelled.is_empty()
            || !report.is_clean() && (self.handle.debug() || !is_heard);
        if is_told {
            tell(format_args!("runtime `{}`: {report}", self.handle.name()));
        }
        report
    }
}

/// Ends what the grace period was too short for, and tells what that was.
fn cut_off(spawner: &kasasagi_scheduler::Spawner) -> Vec<TaskInfo> {
    if spawner.live() == 0 {
        // All have ended in time. What stands in the list is a spawn that is being refused.
        return Vec::new();
    }
    let tasks = spawner.tasks();
    let mut cut: Vec<_> = tasks.iter().map(|task| task.info()).collect();
    tasks.iter().for_each(|task| task.cut("the grace period of the shutdown was over"));
    cut.sort_by_key(|task| task.id);
    cut
}

/// Why main ended without an output.
struct MainError {
    error: JoinError,
    interrupted: bool,
}

impl MainError {
    /// What `run` returns; called when all is cleaned up, since a panic of main goes on from here.
    fn into_run_error(self) -> RunError {
        let interrupted = self.interrupted;
        match self.error.into_panic() {
            Ok(payload) => std::panic::resume_unwind(payload),
            Err(_) if interrupted => RunError::Interrupted,
            Err(error) => RunError::Cancelled(error),
        }
    }
}

impl Running {
    fn one_ended(&self) {
        *self.count.lock() -= 1;
        self.ended.notify_all();
    }

    /// Waits until all have ended, `limit` at most; returns how many have not.
    fn wait(&self, limit: Duration) -> usize {
        let clock = Clock::system();
        let until = clock.now().checked_add(limit);
        let mut count = self.count.lock();
        while *count > 0 {
            let left = until.map_or(Duration::from_secs(3600), |until| {
                until.saturating_duration_since(clock.now())
            });
            if left.is_zero() {
                break;
            }
            let _ = self.ended.wait_for(&mut count, left);
        }
        *count
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        if self.closer.is_none() {
            return;
        }
        if kasasagi_scheduler::is_worker() {
            // The thread may be one of ours: whoever leaves last ends the rest.
            self.handle.engines().spawner.close();
            drop(self.caretaker.dismiss());
            return;
        }
        let _ = self.end(self.grace, false);
    }
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runtime").field("name", &self.handle.name()).finish_non_exhaustive()
    }
}

/// The tasks of the runtime on this thread.
pub(crate) fn tasks() -> Vec<TaskInfo> {
    Handle::with_current(|handle| handle.map(Handle::tasks)).unwrap_or_default()
}
