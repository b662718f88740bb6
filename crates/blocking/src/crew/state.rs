//! The books of a crew: what waits, who is idle, who runs what. All of it is under the crew's lock.
//!
//! What decides is here; nothing here wakes, starts, runs or drops anything of somebody else's.

mod next;
mod untold;

use super::OnQuiet;
use crate::clock;
use crate::config::Config;
use crate::error::BlockingError;
use crate::job::{AnyJob, JobInfo};
use crate::slot::Slot;
use kasasagi_primitive::sync::Arc;
use kasasagi_primitive::thread::JoinHandle;
pub(super) use next::{From, Help, Step};
use std::collections::{HashMap, VecDeque};
use std::mem;
use std::task::Waker;
use std::time::Duration;

/// How long a pool that was refused a thread makes do with those it has. A guess: a refused `clone` costs as much as
/// a job, and limits are lifted by people.
const REFUSED: Duration = Duration::from_millis(100);

/// A thread that has not arrived after so many stalls is not waited for. A guess: a start takes half a stall.
const OVERDUE: u32 = 10;

/// A queue that is longer is looked through for jobs whose futures were dropped: rarely enough to cost nothing, and
/// often enough that those who give up on a pool that hangs do not fill the memory.
const LONG: usize = 4096;

pub(super) struct State {
    pub(super) queue: VecDeque<AnyJob>,
    // From which length on the queue is looked through.
    sweep_at: usize,
    // Jobs that were taken by a thread which has not come back from them, with its number.
    running: Vec<(usize, AnyJob)>,
    // Jobs that were taken out of the queue to be cancelled, and have not been; or have ended, and nobody was told.
    ending: usize,
    // The latter, unless somebody is about to tell.
    untold: Vec<AnyJob>,
    // Jobs that threads of this crew wait for inside a job of their own.
    pub(super) waits: Vec<AnyJob>,
    // Called when neither queued nor running jobs are left, without the lock.
    pub(super) on_quiet: Option<OnQuiet>,
    // The last is the warmest, and is called first.
    pub(super) idle: Vec<Arc<Slot>>,
    pub(super) lookout: Option<Arc<Slot>>,
    // Threads that are awake, or called, and have nothing to do: each looks into the queue before it rests.
    pub(super) coming: usize,
    // Those of them who are awake, and look again and again whether there is work.
    searching: usize,
    // All threads, from the decision to start one until it leaves.
    pub(super) threads: usize,
    // Of those, the ones that have not arrived: while there are any that are not overdue, no more are started.
    pub(super) starting: usize,
    // When it was decided to start one last.
    grown: Duration,
    // Starts whose starter has not put the handle away yet.
    pub(super) launching: usize,
    // Jobs that were taken by threads which were awake already: how fast the queue is served.
    served: u64,
    // What `served` was when somebody was called or started last, and at the lookout's last look.
    served_at_call: u64,
    served_at_look: u64,
    // The lookout has left what waits to threads on their way.
    has_waited: bool,
    // Threads, by number, that are counted no more and have not ended: the keep-alive is over, and a hook may run.
    pub(super) stopping: Vec<usize>,
    // Threads of this crew that wait in a job for all others to leave, and how often that was reached.
    pub(super) joining: usize,
    pub(super) joined: u64,
    pub(super) closed: bool,
    // Why it is closed, if its initializer panicked.
    pub(super) broken: Option<std::sync::Arc<str>>,
    pub(super) refused: Option<Duration>,
    pub(super) handles: HashMap<usize, JoinHandle<()>>,
    // Threads that left before their handle was put away.
    pub(super) early: Vec<usize>,
    // Threads that have left, to be joined by the next who comes by.
    pub(super) exited: Vec<Exited>,
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
            ending: 0,
            untold: Vec::new(),
            waits: Vec::new(),
            on_quiet: None,
            idle: Vec::new(),
            lookout: None,
            coming: 0,
            searching: 0,
            threads: 0,
            starting: 0,
            grown: Duration::ZERO,
            launching: 0,
            served: 0,
            served_at_call: 0,
            served_at_look: 0,
            has_waited: false,
            stopping: Vec::new(),
            joining: 0,
            joined: 0,
            closed: false,
            broken: None,
            refused: None,
            handles: HashMap::new(),
            early: Vec::new(),
            exited: Vec::new(),
            leaving: Vec::new(),
            next_id: 0,
        }
    }
}

/// A thread that has left.
pub(super) struct Exited {
    pub(super) id: usize,
    pub(super) thread: JoinHandle<()>,
}

/// Who has left, and whom the one who leaves has to tell.
pub(super) struct Left {
    pub(super) exited: Vec<Exited>,
    pub(super) lookout: Option<Arc<Slot>>,
    pub(super) wakers: Vec<Waker>,
}

impl State {
    /// Threads, those of them that run nothing, waiting jobs.
    pub(super) fn counts(&self) -> (usize, usize, usize) {
        let idle = self.threads.saturating_sub(self.starting + self.running.len());
        (self.threads, idle, self.queue.len())
    }

    /// Decides to start `n` more threads, as far as the limit allows.
    fn grow(&mut self, n: usize, config: &Config) -> usize {
        let n = n.min(config.max_threads - self.threads);
        self.threads += n;
        self.starting += n;
        self.launching += n;
        self.grown = clock::now();
        n
    }

    /// Whether the threads on their way are so late that they are not waited for: somebody's hook may hang.
    fn is_overdue(&self, config: &Config) -> bool {
        clock::now().saturating_sub(self.grown) > config.stall.saturating_mul(OVERDUE)
    }

    /// Whether the system refused a thread a short while ago.
    fn is_refused(&self) -> bool {
        self.refused.is_some_and(|at| clock::now() < at + REFUSED)
    }

    /// Notes that a thread has taken a job.
    fn begin(&mut self, slot: &Slot, job: &AnyJob) {
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

    /// Whether no job is queued, running or being cancelled. One that runs does so until all whom it woke have been woken.
    pub(super) fn is_quiet(&self) -> bool {
        self.running.is_empty() && self.queue.is_empty() && self.ending == 0
    }

    /// Whom to tell that the crew is quiet, if it is. Of a closed one nobody is told again.
    pub(super) fn told_when_quiet(&mut self) -> Option<OnQuiet> {
        match self.is_quiet() {
            true if self.closed => self.on_quiet.take(),
            true => self.on_quiet.clone(),
            false => None,
        }
    }

    /// Takes all that waits, to be cancelled; what [`end_all`](Self::end_all) is told of then.
    pub(super) fn strand(&mut self) -> VecDeque<AnyJob> {
        let all = mem::take(&mut self.queue);
        self.ending += all.len();
        all
    }

    /// Notes that so many have been cancelled, or told.
    pub(super) fn end_all(&mut self, n: usize) -> Option<OnQuiet> {
        self.ending -= n;
        self.told_when_quiet()
    }

    /// Queues a job. Now and then those that nobody wants any more are taken out of a long queue, and given out.
    pub(super) fn push(&mut self, job: AnyJob) -> Vec<AnyJob> {
        let mut unwanted = Vec::new();
        if self.queue.len() >= self.sweep_at {
            let all = mem::take(&mut self.queue);
            for job in all {
                if job.is_over() {
                    unwanted.push(job);
                } else {
                    self.queue.push_back(job);
                }
            }
            self.sweep_at = LONG.max(self.queue.len() * 2);
        }
        self.queue.push_back(job);
        unwanted
    }

    /// Whether every thread that there can be waits for a job of this very crew, which no thread is left for.
    ///
    /// A wait whose job is over does not count, though its thread may not know it yet.
    pub(super) fn is_deadlocked(&self, config: &Config) -> bool {
        let most = if self.is_refused() { self.threads } else { config.max_threads };
        let stuck = self.waits.iter().filter(|job| !job.is_over()).count();
        stuck >= most && self.starting == 0
    }

    /// The keep-alive of a thread is over: it works no more, and has not left.
    pub(super) fn begin_to_stop(&mut self, id: usize) {
        self.threads -= 1;
        self.stopping.push(id);
    }

    /// Takes a leaving thread out of the books.
    pub(super) fn leave(&mut self, id: usize) -> Left {
        match self.stopping.iter().position(|stopping| *stopping == id) {
            Some(at) => drop(self.stopping.swap_remove(at)),
            None => self.threads -= 1,
        }
        let exited = mem::take(&mut self.exited);
        match self.handles.remove(&id) {
            Some(thread) => self.exited.push(Exited { id, thread }),
            None => self.early.push(id),
        }
        // Nothing to look out for any more; while there is, somebody works and will come by here.
        let lookout = if self.closed && self.queue.is_empty() { self.call_lookout() } else { None };
        Left { exited, lookout, wakers: self.wakers_at_the_end() }
    }

    /// Calls everybody who rests, and the lookout unless work that waits has to be watched on.
    pub(super) fn call_all(&mut self) -> Vec<Arc<Slot>> {
        let mut called = mem::take(&mut self.idle);
        self.coming += called.len();
        if self.queue.is_empty() {
            called.extend(self.call_lookout());
        }
        called
    }

    /// All threads that have not left, whether they work or not.
    pub(super) fn present(&self) -> usize {
        self.threads + self.stopping.len()
    }

    /// Whether all threads have left, and none is being started.
    pub(super) fn is_deserted(&self) -> bool {
        self.present() == 0 && self.launching == 0
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
    fn why_closed(&self) -> BlockingError {
        match &self.broken {
            Some(text) => BlockingError::Broken(std::sync::Arc::clone(text)),
            None => BlockingError::Closed,
        }
    }
}
