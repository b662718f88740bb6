//! The books of a crew: what waits, who is idle, who runs what. All of it is under the crew's lock.
//!
//! What decides is here; nothing here wakes, starts, runs or drops anything of somebody else's.

use super::OnQuiet;
use crate::clock;
use crate::config::Config;
use crate::error::BlockingError;
use crate::job::{AnyJob, JobInfo};
use crate::slot::{Order, Slot};
use kasasagi_primitive::sync::Arc;
use kasasagi_primitive::thread::JoinHandle;
use std::collections::{HashMap, VecDeque};
use std::mem;
use std::task::Waker;
use std::time::Duration;

/// How long a pool that was refused a thread makes do with those it has. A guess: a refused `clone` costs as much as
/// a job, and limits are lifted by people.
pub(super) const REFUSED: Duration = Duration::from_millis(100);

/// A queue that is longer is looked through for jobs whose futures were dropped: rarely enough to cost nothing, and
/// often enough that those who give up on a pool that hangs do not fill the memory.
pub(super) const LONG: usize = 4096;

pub(super) struct Entry {
    pub(super) job: AnyJob,
    pub(super) since: Duration,
}

pub(super) struct State {
    pub(super) queue: VecDeque<Entry>,
    // From which length on the queue is looked through.
    sweep_at: usize,
    // Jobs that were given to a thread which has not come back from them, with its number.
    running: Vec<(usize, AnyJob)>,
    // Jobs that threads of this crew wait for inside a job of their own.
    pub(super) waits: Vec<AnyJob>,
    // Called when neither queued nor running jobs are left, without the lock.
    pub(super) on_quiet: Option<OnQuiet>,
    // The last is the warmest, and is taken first.
    pub(super) idle: Vec<Arc<Slot>>,
    pub(super) lookout: Option<Arc<Slot>>,
    // All threads, from the decision to start one until it leaves.
    pub(super) threads: usize,
    // Of those, the ones that have not arrived: while there are any, no more are started.
    pub(super) starting: usize,
    // Starts whose starter has not put the handle away yet.
    pub(super) launching: usize,
    pub(super) closed: bool,
    // Why it is closed, if its initializer panicked.
    pub(super) broken: Option<std::sync::Arc<str>>,
    pub(super) last_growth: Duration,
    pub(super) refused: Option<Duration>,
    pub(super) handles: HashMap<usize, JoinHandle<()>>,
    // Threads that left before their handle was put away.
    pub(super) early: Vec<usize>,
    // Threads that have left, to be joined by the next who comes by.
    pub(super) exited: Vec<JoinHandle<()>>,
    // Who waits for the last thread to leave, in tasks.
    pub(super) leaving: Vec<Waker>,
    pub(super) next_id: usize,
}

impl Default for State {
    fn default() -> Self {
        Self {
            queue: VecDeque::new(),
            sweep_at: LONG,
            running: Vec::new(),
            waits: Vec::new(),
            on_quiet: None,
            idle: Vec::new(),
            lookout: None,
            threads: 0,
            starting: 0,
            launching: 0,
            closed: false,
            broken: None,
            last_growth: Duration::ZERO,
            refused: None,
            handles: HashMap::new(),
            early: Vec::new(),
            exited: Vec::new(),
            leaving: Vec::new(),
            next_id: 0,
        }
    }
}

/// What a thread does next.
pub(super) enum Step {
    Run(AnyJob),
    Rest,
    Watch(Duration),
    Leave,
}

impl From<Order> for Step {
    fn from(order: Order) -> Self {
        match order {
            Order::Run(job) => Self::Run(job),
            Order::Leave => Self::Leave,
        }
    }
}

/// Who has left, and whom the one who leaves has to tell.
pub(super) struct Left {
    pub(super) exited: Vec<JoinHandle<()>>,
    pub(super) lookout: Option<Arc<Slot>>,
    pub(super) wakers: Vec<Waker>,
}

impl State {
    /// Decides to start `n` more threads, as far as the limit allows.
    pub(super) fn grow(&mut self, n: usize, config: &Config) -> usize {
        let n = n.min(config.max_threads - self.threads);
        self.threads += n;
        self.starting += n;
        self.launching += n;
        n
    }

    /// Work waits: decides whether a thread has to be started for it, the first or a lookout.
    pub(super) fn grow_for_waiting(&mut self, now: Duration, config: &Config) -> usize {
        let watched = self.lookout.is_some() || self.starting > 0;
        if self.queue.is_empty() || self.threads > 0 && (watched || self.is_refused(now)) {
            return 0;
        }
        self.grow(1, config)
    }

    /// Whether the system refused a thread a short while ago.
    pub(super) fn is_refused(&self, now: Duration) -> bool {
        self.refused.is_some_and(|at| now < at + REFUSED)
    }

    /// How long until the oldest job has stalled; a growth is given the same time to show its effect.
    pub(super) fn until_stall(&self, now: Duration, stall: Duration) -> Option<Duration> {
        let oldest = self.queue.front()?.since;
        let due = oldest.max(self.last_growth).saturating_add(stall);
        Some(due.saturating_sub(now))
    }

    /// What a thread does that has nothing to do: the next job, or rest; and how many to start for what waits on.
    pub(super) fn next(&mut self, slot: &Arc<Slot>, config: &Config) -> (Step, usize) {
        let Some(entry) = self.queue.pop_front() else {
            if self.closed {
                return (Step::Leave, 0);
            }
            self.idle.push(Arc::clone(slot));
            return (Step::Rest, 0);
        };
        self.begin(slot, &entry.job);
        let starts =
            if self.queue.is_empty() { 0 } else { self.grow_for_waiting(clock::now(), config) };
        (Step::Run(entry.job), starts)
    }

    /// Notes that a job is given to a thread.
    pub(super) fn begin(&mut self, slot: &Slot, job: &AnyJob) {
        self.running.push((slot.id, AnyJob::clone(job)));
    }

    /// Notes that a thread is back from its job, which is given out, since its last share may be this one.
    pub(super) fn end(&mut self, slot: &Slot) -> Option<AnyJob> {
        let at = self.running.iter().position(|(id, _)| *id == slot.id)?;
        Some(self.running.swap_remove(at).1)
    }

    /// What runs on all threads but one.
    pub(super) fn running(&self, but: usize) -> Vec<JobInfo> {
        let others = self.running.iter().filter(|(id, _)| *id != but);
        others.map(|(_, job)| job.info().clone()).collect()
    }

    /// Whether no job is queued or running. One that runs does so until all whom it woke have been woken.
    pub(super) fn is_quiet(&self) -> bool {
        self.running.is_empty() && self.queue.is_empty()
    }

    /// Queues a job. Now and then those that nobody wants any more are taken out of a long queue, and given out.
    pub(super) fn push(&mut self, entry: Entry) -> Vec<Entry> {
        let mut unwanted = Vec::new();
        if self.queue.len() >= self.sweep_at {
            let all = mem::take(&mut self.queue);
            for entry in all {
                if entry.job.is_over() {
                    unwanted.push(entry);
                } else {
                    self.queue.push_back(entry);
                }
            }
            self.sweep_at = LONG.max(self.queue.len() * 2);
        }
        self.queue.push_back(entry);
        unwanted
    }

    /// Whether every thread that there can be waits for a job of this very crew, which no thread is left for.
    ///
    /// A wait whose job is over does not count, though its thread may not know it yet.
    pub(super) fn is_deadlocked(&self, now: Duration, config: &Config) -> bool {
        let most = if self.is_refused(now) { self.threads } else { config.max_threads };
        let stuck = self.waits.iter().filter(|job| !job.is_over()).count();
        stuck >= most && self.starting == 0
    }

    /// Takes a leaving thread out of the books.
    pub(super) fn leave(&mut self, id: usize) -> Left {
        self.threads -= 1;
        let exited = mem::take(&mut self.exited);
        match self.handles.remove(&id) {
            Some(handle) => self.exited.push(handle),
            None => self.early.push(id),
        }
        // Nothing to look out for any more; while there is, somebody works and will come by here.
        let lookout = if self.closed && self.queue.is_empty() { self.lookout.take() } else { None };
        Left { exited, lookout, wakers: self.wakers_at_the_end() }
    }

    /// Whether all threads have left, and none is being started.
    pub(super) fn is_deserted(&self) -> bool {
        self.threads == 0 && self.launching == 0
    }

    /// Whom to tell that all have left, if they have.
    pub(super) fn wakers_at_the_end(&mut self) -> Vec<Waker> {
        if self.is_deserted() { mem::take(&mut self.leaving) } else { Vec::new() }
    }

    /// Why a job that is handed in now is not run; `None` if it is.
    pub(super) fn refusal(&self) -> Option<BlockingError> {
        self.closed.then(|| self.why_closed())
    }

    /// Why a job ends that was not run.
    pub(super) fn why_closed(&self) -> BlockingError {
        match &self.broken {
            Some(text) => BlockingError::Broken(std::sync::Arc::clone(text)),
            None => BlockingError::Closed,
        }
    }
}
