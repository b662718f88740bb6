//! Who works: the queue, the idle stack and the threads of one pool, all under one lock.
//!
//! A thread is at a job, or *comes* (is awake or called, and will look into the queue), or is the *lookout*, who watches
//! how fast the queue is served, or rests on the stack. What is kept true whenever the lock is released: while work waits,
//! somebody comes, or the lookout watches, or a thread is on its way, or all that there can be are at a job.
//!
//! Idle stack and queue share the lock on purpose: where the two are split, a call can meet a thread that has just given
//! up waiting, and the job is stranded.

mod life;
mod state;

use crate::clock;
use crate::config::Config;
use crate::error::BlockingError;
use crate::job::{AnyJob, JobInfo, contained};
use kasasagi_primitive::current::Current;
use kasasagi_primitive::sync::atomic::{AtomicBool, Ordering};
use kasasagi_primitive::sync::{Arc, Condvar, Mutex};
use kasasagi_primitive::thread::{self, JoinHandle};
use kasasagi_primitive::wake_batch::wake_caught;
use kasasagi_primitive::{CachePadded, MODEL, thread_local};
use state::{Exited, Help, State};
use std::cell::Cell;
use std::collections::VecDeque;
use std::io;
use std::mem;
use std::task::{Context, Poll};
use std::time::Duration;

thread_local! {
    // The crew that this thread belongs to.
    static CREW: Current<Crew> = Current::new()
}

thread_local! {
    // Which of its threads this is; none is 0.
    static NUMBER: Cell<usize> = Cell::new(0)
}

thread_local! {
    // The crew, as an address, and the number of a thread that has left it and is about to end.
    static LEFT: Cell<(usize, usize)> = Cell::new((0, 0))
}

/// A handle of the crew; each of its threads has one.
#[derive(Clone)]
pub(crate) struct Crew {
    shared: Arc<Shared>,
}

struct Shared {
    config: Config,
    state: CachePadded<Mutex<State>>,
    /// Whether work waits, as of a moment ago: for those who search. What counts is under the lock.
    work: CachePadded<AtomicBool>,
    /// Notified when a thread has left, or a start has ended.
    left: Condvar,
}

impl Shared {
    /// Shows to those who search whether work waits.
    fn show(&self, state: &State) {
        let waits = !state.queue.is_empty();
        // Written when it changes: those who search read it all the time.
        if !MODEL && self.work.load(Ordering::Relaxed) != waits {
            self.work.store(waits, Ordering::Relaxed);
        }
    }

    fn sees_work(&self) -> bool {
        !MODEL && self.work.load(Ordering::Relaxed)
    }
}

/// std's `Arc`, since the model's cannot be unsized.
pub(crate) type OnQuiet = std::sync::Arc<dyn Fn() + Send + Sync>;

/// A job of a crew's thread waits for another until this is dropped.
pub(crate) struct Waiting {
    crew: Crew,
    job: AnyJob,
}

impl Crew {
    pub(crate) fn new(config: Config) -> Self {
        let state = CachePadded::new(Mutex::new(State::default()));
        let work = CachePadded::new(AtomicBool::new(false));
        Self { shared: Arc::new(Shared { config, state, work, left: Condvar::new() }) }
    }

    pub(crate) fn config(&self) -> &Config {
        &self.shared.config
    }

    /// Threads, idle ones, waiting jobs.
    pub(crate) fn counts(&self) -> (usize, usize, usize) {
        self.shared.state.lock().counts()
    }

    /// What runs.
    pub(crate) fn running(&self) -> Vec<JobInfo> {
        self.shared.state.lock().running(0)
    }

    /// Queues a job, and calls somebody for it if nobody will come by; or cancels it, when the crew is closed.
    pub(crate) fn submit(&self, job: AnyJob) {
        let (help, unwanted) = {
            let mut state = self.shared.state.lock();
            if let Some(error) = state.refusal() {
                drop(state);
                job.cancel(error);
                return;
            }
            let unwanted = state.push(job);
            self.shared.show(&state);
            (state.help_for_new(&self.shared.config), unwanted)
        };
        self.bring(help);
        drop(unwanted);
    }

    /// Starts `n` threads that `grow` has decided on.
    fn start(&self, n: usize) {
        for done in 0..n {
            let id = {
                let mut state = self.shared.state.lock();
                state.next_id += 1;
                state.next_id
            };
            match self.spawn(id) {
                Ok(handle) => {
                    let mut state = self.shared.state.lock();
                    state.launching -= 1;
                    if let Some(at) = state.early.iter().position(|early| *early == id) {
                        state.early.swap_remove(at);
                        state.exited.push(Exited { id, thread: handle });
                    } else {
                        state.handles.insert(id, handle);
                    }
                    let wakers = state.wakers_at_the_end();
                    drop(state);
                    self.shared.left.notify_all();
                    wakers.into_iter().for_each(wake_caught);
                }
                Err(error) => {
                    self.refused(n - done, &error);
                    return;
                }
            }
        }
    }

    fn spawn(&self, id: usize) -> io::Result<JoinHandle<()>> {
        if let Some(before) = &self.shared.config.before_thread {
            before()?;
        }
        let mut builder = thread::Builder::new().name(self.shared.config.thread_name.clone());
        if let Some(size) = self.shared.config.stack_size {
            builder = builder.stack_size(size);
        }
        let crew = self.clone();
        builder.spawn(move || crew.work(id))
    }

    /// `n` threads will not come. Those there are do the work; without any that does not wait for it, nobody will.
    fn refused(&self, n: usize, error: &io::Error) {
        let (stranded, wakers) = {
            let mut state = self.shared.state.lock();
            state.threads -= n;
            state.starting -= n;
            state.launching -= n;
            state.refused = Some(clock::now());
            let nobody = state.threads == 0 || state.is_deadlocked(&self.shared.config);
            let stranded = if nobody { state.strand() } else { VecDeque::new() };
            self.shared.show(&state);
            (stranded, state.wakers_at_the_end())
        };
        self.shared.left.notify_all();
        wakers.into_iter().for_each(wake_caught);
        self.cancel_all(stranded, || BlockingError::NoThread(copy(error)));
    }

    /// Ends jobs that will not run. The crew is not quiet before whoever waits for them has been woken.
    fn cancel_all(&self, jobs: VecDeque<AnyJob>, why: impl Fn() -> BlockingError) {
        let n = jobs.len();
        if n == 0 {
            return;
        }
        for job in jobs {
            contained(|| job.cancel(why()));
            contained(|| drop(job));
        }
        let on_quiet = self.shared.state.lock().end_all(n);
        contained(|| on_quiet.inspect(|on_quiet| on_quiet()));
    }

    pub(crate) fn is_quiet(&self) -> bool {
        self.shared.state.lock().is_quiet()
    }

    /// Has `f` called whenever the last job has ended, until the crew is closed and quiet.
    pub(crate) fn on_quiet(&self, f: OnQuiet) {
        let mut state = self.shared.state.lock();
        let old = if state.closed { Some(f) } else { state.on_quiet.replace(f) };
        drop(state);
        drop(old);
    }

    /// Takes no more jobs, and sends idle threads away. What waits in the queue is run first.
    pub(crate) fn drain(&self) {
        let (called, on_quiet) = {
            let mut state = self.shared.state.lock();
            state.closed = true;
            // Who finds no work left sends the lookout away.
            (state.call_all(), state.told_when_quiet())
        };
        drop(on_quiet);
        called.iter().for_each(|slot| slot.call());
    }

    /// The last handle is gone: closes, unless that was done, in one way or the other.
    pub(crate) fn close_if_open(&self) {
        let is_open = !self.shared.state.lock().closed;
        if is_open {
            self.close();
        }
    }

    /// Takes no more jobs, cancels those that wait, sends idle threads away.
    pub(crate) fn close(&self) {
        self.close_for(None);
    }

    /// The initializer panicked: no thread of this crew can work.
    fn break_down(&self, text: std::sync::Arc<str>) {
        self.close_for(Some(text));
    }

    fn close_for(&self, broken: Option<std::sync::Arc<str>>) {
        let (called, on_quiet, stranded, why) = {
            let mut state = self.shared.state.lock();
            state.closed = true;
            if broken.is_some() && state.broken.is_none() {
                state.broken = broken;
            }
            // Nobody is told of a crew that was quiet before.
            let on_quiet = state.told_when_quiet();
            let stranded = state.strand();
            self.shared.show(&state);
            (state.call_all(), on_quiet, stranded, state.broken.clone())
        };
        drop(on_quiet);
        called.iter().for_each(|slot| slot.call());
        self.cancel_all(stranded, || BlockingError::closed(why.clone()));
    }

    /// Waits until all threads have left but the caller's own, and those that wait so themselves, `limit` at most; says how
    /// many have not, and what they run.
    pub(crate) fn wait(&self, limit: Duration) -> (usize, Vec<JobInfo>) {
        let number = if self.is_own_thread() { NUMBER.with(Cell::get) } else { 0 };
        let own = usize::from(number > 0);
        let start = clock::now();
        let mut state = self.shared.state.lock();
        let joined = state.joined;
        state.joining += own;
        if state.joining > own {
            self.shared.left.notify_all();
        }
        let remaining = loop {
            let remaining = state.present() - own * state.joining;
            // Those who wait with it have been told so, and need not be there any more.
            if own > 0 && state.joined > joined {
                break 0;
            }
            if remaining == 0 && state.launching == 0 {
                state.joined += own as u64;
                break 0;
            }
            let spent = clock::now().saturating_sub(start);
            let Some(rest) = limit.checked_sub(spent).filter(|rest| !rest.is_zero()) else {
                break remaining;
            };
            self.shared.left.wait_for(&mut state, rest);
        };
        state.joining -= own;
        let (jobs, exited) = (state.running(number), mem::take(&mut state.exited));
        drop(state);
        self.join(exited);
        (remaining, jobs)
    }

    /// Waits until all threads have left, in a task.
    pub(crate) fn poll_deserted(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.shared.state.lock();
        if !state.is_deserted() {
            if !state.leaving.iter().any(|waker| waker.will_wake(cx.waker())) {
                // Cloned without the lock: it is foreign code.
                drop(state);
                let waker = cx.waker().clone();
                state = self.shared.state.lock();
                state.leaving.push(waker);
            }
            if !state.is_deserted() {
                return Poll::Pending;
            }
        }
        let exited = mem::take(&mut state.exited);
        drop(state);
        self.join(exited);
        Poll::Ready(())
    }

    /// Joins threads that have nothing left to do but to end.
    fn join(&self, exited: Vec<Exited>) {
        let me = LEFT.try_with(Cell::get).ok().filter(|(crew, _)| *crew == self.address());
        for Exited { id, thread } in exited {
            // Nobody joins itself, as a thread would whose thread-locals end the pool.
            if me.is_none_or(|(_, me)| me != id) {
                // A job's panic is contained; one of the crew's own has been reported by the panic hook.
                drop(thread.join());
            }
        }
    }

    /// Whether the calling thread is one of this crew's.
    pub(crate) fn is_own_thread(&self) -> bool {
        CREW.with(|crew| crew.with(|crew| crew.is_some_and(|crew| crew.is(self))))
    }

    /// The crew that the calling thread belongs to.
    pub(crate) fn of_this_thread() -> Option<Self> {
        CREW.with(|crew| crew.with(|crew| crew.cloned()))
    }

    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }

    /// Which crew it is, to be compared.
    pub(crate) fn address(&self) -> usize {
        std::ptr::from_ref::<Shared>(&self.shared).addr()
    }

    /// A job on a thread of this crew waits for another of its jobs.
    ///
    /// # Errors
    /// If nobody is left who could run it.
    pub(crate) fn wait_for(&self, job: AnyJob) -> Result<Waiting, BlockingError> {
        let mut state = self.shared.state.lock();
        // In its last hook, it is none of those who could run it.
        let is_stopping = state.stopping.contains(&NUMBER.with(Cell::get));
        if !is_stopping {
            state.waits.push(AnyJob::clone(&job));
        }
        if !is_stopping && state.is_deadlocked(&self.shared.config) {
            let mine = state.waits.pop();
            let threads = state.threads;
            drop(state);
            drop(mine);
            return Err(BlockingError::Deadlock { threads });
        }
        // A thread that was refused may be granted by now, and nobody else may come to ask.
        let help = if state.queue.is_empty() {
            Help::default()
        } else {
            state.help_for_new(&self.shared.config)
        };
        drop(state);
        let waiting = Waiting { crew: self.clone(), job };
        self.bring(help);
        Ok(waiting)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut state = self.crew.shared.state.lock();
        let at = state.waits.iter().position(|job| AnyJob::ptr_eq(job, &self.job));
        let mine = at.map(|at| state.waits.swap_remove(at));
        drop(state);
        drop(mine);
    }
}

fn copy(error: &io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(code) => io::Error::from_raw_os_error(code),
        None => io::Error::new(error.kind(), error.to_string()),
    }
}
