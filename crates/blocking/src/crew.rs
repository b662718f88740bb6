//! Who works: the queue, the idle stack and the threads of one pool, all under one lock.
//!
//! Kept under the lock: work waits in the queue only when nobody is idle, and only when there is a thread, or one
//! on its way, that will take it. A thread is busy, idle (on the stack), or the *lookout*: the one that, while work
//! waits, does nothing but watch its age, so that a stall is seen even when all others block and nothing is handed
//! in. Only a thread that has just been started becomes the lookout; one that ends a job takes the next.
//!
//! Idle stack and queue share the lock on purpose: where the two are split, a hand-off can meet a thread that has
//! just given up waiting, and the job is stranded.

use crate::clock;
use crate::config::Config;
use crate::error::BlockingError;
use crate::job::{AnyJob, contained};
use crate::slot::{Order, Slot};
use kasasagi_primitive::sync::{Arc, Condvar, Mutex};
use kasasagi_primitive::thread::{self, JoinHandle};
use kasasagi_primitive::thread_local;
use std::cell::Cell;
use std::collections::{HashMap, VecDeque};
use std::io;
use std::mem;
use std::time::Duration;

/// How long a pool that was refused a thread makes do with those it has. A guess: a refused `clone` costs as much as
/// a job, and limits are lifted by people.
const REFUSED: Duration = Duration::from_millis(100);

thread_local! {
    // The crew that this thread belongs to, as an address; 0 elsewhere.
    static CREW: Cell<usize> = Cell::new(0)
}

/// A handle of the crew; each of its threads has one.
#[derive(Clone)]
pub(crate) struct Crew {
    shared: Arc<Shared>,
}

struct Shared {
    config: Config,
    state: Mutex<State>,
    /// Notified when a thread has left, or a start has ended.
    left: Condvar,
}

/// std's `Arc`, since the model's cannot be unsized.
pub(crate) type OnQuiet = std::sync::Arc<dyn Fn() + Send + Sync>;

struct Entry {
    job: AnyJob,
    since: Duration,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Entry>,
    // Jobs that were given to a thread which has not come back from them.
    running: usize,
    // Called when neither queued nor running jobs are left, without the lock.
    on_quiet: Option<OnQuiet>,
    // The last is the warmest, and is taken first.
    idle: Vec<Arc<Slot>>,
    lookout: Option<Arc<Slot>>,
    // All threads, from the decision to start one until it leaves.
    threads: usize,
    // Of those, the ones that have not arrived: while there are any, no more are started.
    starting: usize,
    // Starts whose starter has not put the handle away yet.
    launching: usize,
    closed: bool,
    last_growth: Duration,
    refused: Option<Duration>,
    handles: HashMap<usize, JoinHandle<()>>,
    // Threads that left before their handle was put away.
    early: Vec<usize>,
    // Threads that have left, to be joined by the next who comes by.
    exited: Vec<JoinHandle<()>>,
    next_id: usize,
}

/// What a thread does next.
enum Step {
    Run(AnyJob),
    Rest,
    Watch(Duration),
    Leave,
}

impl State {
    /// Decides to start `n` more threads, as far as the limit allows.
    fn grow(&mut self, n: usize, config: &Config) -> usize {
        let n = n.min(config.max_threads - self.threads);
        self.threads += n;
        self.starting += n;
        self.launching += n;
        n
    }

    /// Work waits: decides whether a thread has to be started for it, the first or a lookout.
    fn grow_for_waiting(&mut self, now: Duration, config: &Config) -> usize {
        let watched = self.lookout.is_some() || self.starting > 0;
        let refused = self.refused.is_some_and(|at| now < at + REFUSED);
        if self.queue.is_empty() || self.threads > 0 && (watched || refused) {
            return 0;
        }
        self.grow(1, config)
    }

    /// How long until the oldest job has stalled; a growth is given the same time to show its effect.
    fn until_stall(&self, now: Duration, stall: Duration) -> Option<Duration> {
        let oldest = self.queue.front()?.since;
        let due = oldest.max(self.last_growth).saturating_add(stall);
        Some(due.saturating_sub(now))
    }

    /// What a thread does that has nothing to do: the next job, or rest; and how many to start for what waits on.
    fn next(&mut self, slot: &Arc<Slot>, config: &Config) -> (Step, usize) {
        if self.closed {
            return (Step::Leave, 0);
        }
        let Some(entry) = self.queue.pop_front() else {
            self.idle.push(Arc::clone(slot));
            return (Step::Rest, 0);
        };
        self.running += 1;
        let starts =
            if self.queue.is_empty() { 0 } else { self.grow_for_waiting(clock::now(), config) };
        (Step::Run(entry.job), starts)
    }

    /// Whether no job is queued or running. One that runs does so until all whom it woke have been woken.
    fn is_quiet(&self) -> bool {
        self.running == 0 && self.queue.is_empty()
    }

    /// Takes a leaving thread out of the books, and gives the handles of those that left before it.
    fn leave(&mut self, id: usize) -> Vec<JoinHandle<()>> {
        self.threads -= 1;
        let exited = mem::take(&mut self.exited);
        match self.handles.remove(&id) {
            Some(handle) => self.exited.push(handle),
            None => self.early.push(id),
        }
        exited
    }
}

impl Crew {
    pub(crate) fn new(config: Config) -> Self {
        let state = Mutex::new(State::default());
        Self { shared: Arc::new(Shared { config, state, left: Condvar::new() }) }
    }

    /// Threads, idle ones, waiting jobs.
    pub(crate) fn counts(&self) -> (usize, usize, usize) {
        let state = self.shared.state.lock();
        (state.threads, state.idle.len(), state.queue.len())
    }

    /// Hands a job to an idle thread, or queues it; or cancels it, when the crew is closed.
    pub(crate) fn submit(&self, job: AnyJob) {
        let starts = {
            let mut state = self.shared.state.lock();
            if state.closed {
                drop(state);
                job.cancel(BlockingError::Closed);
                return;
            }
            if let Some(slot) = state.idle.pop() {
                state.running += 1;
                drop(state);
                slot.give(Order::Run(job));
                return;
            }
            let now = clock::now();
            state.queue.push_back(Entry { job, since: now });
            state.grow_for_waiting(now, &self.shared.config)
        };
        self.start(starts);
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
                        state.exited.push(handle);
                    } else {
                        state.handles.insert(id, handle);
                    }
                    drop(state);
                    self.shared.left.notify_all();
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

    /// `n` threads will not come. Those there are do the work; without any, nobody will.
    fn refused(&self, n: usize, error: &io::Error) {
        let stranded = {
            let mut state = self.shared.state.lock();
            state.threads -= n;
            state.starting -= n;
            state.launching -= n;
            state.refused = Some(clock::now());
            if state.threads == 0 { mem::take(&mut state.queue) } else { VecDeque::new() }
        };
        self.shared.left.notify_all();
        for entry in stranded {
            contained(|| entry.job.cancel(BlockingError::NoThread(copy(error))));
        }
    }

    /// A thread's life.
    fn work(&self, id: usize) {
        CREW.with(|crew| crew.set(self.address()));
        let slot = Arc::new(Slot::new(id));
        let mut step = self.arrive(&slot);
        loop {
            step = match step {
                Step::Run(job) => {
                    contained(|| job.run());
                    contained(|| drop(job));
                    self.after_job(&slot)
                }
                Step::Rest => match slot.wait_for(self.shared.config.keep_alive) {
                    Some(order) => order.into(),
                    None if self.retire(&slot) => return,
                    // Somebody took it off the stack: its order is on the way.
                    None => slot.wait().into(),
                },
                Step::Watch(limit) => match slot.wait_for(limit) {
                    Some(order) => order.into(),
                    None => self.look(&slot),
                },
                Step::Leave => {
                    let exited = self.shared.state.lock().leave(id);
                    self.gone(exited);
                    return;
                }
            };
        }
    }

    /// Back from a job: the next step.
    fn after_job(&self, slot: &Arc<Slot>) -> Step {
        let (step, starts, on_quiet) = {
            let mut state = self.shared.state.lock();
            state.running -= 1;
            let (step, starts) = state.next(slot, &self.shared.config);
            let on_quiet = if state.is_quiet() { state.on_quiet.clone() } else { None };
            (step, starts, on_quiet)
        };
        self.start(starts);
        if let Some(on_quiet) = on_quiet {
            contained(|| on_quiet());
        }
        step
    }

    pub(crate) fn is_quiet(&self) -> bool {
        self.shared.state.lock().is_quiet()
    }

    /// Has `f` called whenever the last job has ended, until the crew is closed.
    pub(crate) fn on_quiet(&self, f: OnQuiet) {
        let mut state = self.shared.state.lock();
        let old = if state.closed { Some(f) } else { state.on_quiet.replace(f) };
        drop(state);
        drop(old);
    }

    /// A new thread's first step: the lookout's seat if work waits there unwatched, else as the others.
    fn arrive(&self, slot: &Arc<Slot>) -> Step {
        let (step, starts) = {
            let mut state = self.shared.state.lock();
            state.starting -= 1;
            let others = state.threads - 1 - state.starting;
            let busy = others - state.idle.len() - usize::from(state.lookout.is_some());
            let seat_free =
                state.lookout.is_none() && state.threads < self.shared.config.max_threads;
            match state.until_stall(clock::now(), self.shared.config.stall) {
                Some(limit) if seat_free && busy > 0 && !state.closed => {
                    state.lookout = Some(Arc::clone(slot));
                    (Step::Watch(limit), 0)
                }
                _ => state.next(slot, &self.shared.config),
            }
        };
        self.start(starts);
        step
    }

    /// The lookout's look: is there a stall?
    fn look(&self, slot: &Arc<Slot>) -> Step {
        let (step, starts) = {
            let mut state = self.shared.state.lock();
            if state.lookout.as_ref().is_none_or(|lookout| lookout.id != slot.id) {
                drop(state);
                return slot.wait().into();
            }
            let now = clock::now();
            match state.until_stall(now, self.shared.config.stall) {
                Some(limit) if !limit.is_zero() => return Step::Watch(limit),
                // Threads are on their way: they have not had their chance yet.
                Some(_) if state.starting > 0 && !self.shared.config.stall.is_zero() => {
                    return Step::Watch(self.shared.config.stall);
                }
                _ => {}
            }
            state.lookout = None;
            let (step, lookout) = state.next(slot, &self.shared.config);
            // `next` has decided on a new lookout, if work still waits; together they double the crew.
            let double = (state.threads - lookout).min(state.queue.len()).saturating_sub(lookout);
            state.last_growth = now;
            let refused = state.refused.is_some_and(|at| now < at + REFUSED);
            let more = if refused { 0 } else { state.grow(double, &self.shared.config) };
            (step, lookout + more)
        };
        self.start(starts);
        step
    }

    /// The keep-alive is over: leaves, unless somebody has taken the thread off the stack meanwhile.
    fn retire(&self, slot: &Arc<Slot>) -> bool {
        let exited = {
            let mut state = self.shared.state.lock();
            let Some(at) = state.idle.iter().position(|idle| idle.id == slot.id) else {
                return false;
            };
            state.idle.remove(at);
            // In the same breath: counted as a thread, it would be relied on for the next job.
            state.leave(slot.id)
        };
        self.gone(exited);
        true
    }

    fn gone(&self, exited: Vec<JoinHandle<()>>) {
        self.shared.left.notify_all();
        join(exited);
    }

    /// Takes no more jobs, cancels those that wait, sends idle threads away.
    pub(crate) fn close(&self) {
        let (queue, idle, lookout, on_quiet) = {
            let mut state = self.shared.state.lock();
            state.closed = true;
            let (queue, idle) = (mem::take(&mut state.queue), mem::take(&mut state.idle));
            (queue, idle, state.lookout.take(), state.on_quiet.take())
        };
        drop(on_quiet);
        for slot in idle.iter().chain(&lookout) {
            slot.give(Order::Leave);
        }
        for entry in queue {
            contained(|| entry.job.cancel(BlockingError::Closed));
        }
    }

    /// Waits until all threads but the caller's own have left, `limit` at most; says how many have not.
    pub(crate) fn wait(&self, limit: Duration) -> usize {
        let own = usize::from(CREW.with(Cell::get) == self.address());
        let start = clock::now();
        let (remaining, exited) = {
            let mut state = self.shared.state.lock();
            while state.threads > own || state.launching > 0 {
                let spent = clock::now().saturating_sub(start);
                let Some(rest) = limit.checked_sub(spent).filter(|rest| !rest.is_zero()) else {
                    break;
                };
                self.shared.left.wait_for(&mut state, rest);
            }
            (state.threads - own, mem::take(&mut state.exited))
        };
        join(exited);
        remaining
    }

    fn address(&self) -> usize {
        std::ptr::from_ref::<Shared>(&self.shared).addr()
    }
}

impl From<Order> for Step {
    fn from(order: Order) -> Self {
        match order {
            Order::Run(job) => Self::Run(job),
            Order::Leave => Self::Leave,
        }
    }
}

/// Joins threads that have nothing left to do but to end.
fn join(threads: Vec<JoinHandle<()>>) {
    for thread in threads {
        // A job's panic is contained; one of the crew's own has been reported by the panic hook.
        drop(thread.join());
    }
}

fn copy(error: &io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(code) => io::Error::from_raw_os_error(code),
        None => io::Error::new(error.kind(), error.to_string()),
    }
}
