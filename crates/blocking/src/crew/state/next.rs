//! Who does what next, and who is called or started for what waits.
//!
//! While work waits, somebody *comes* (is awake or called, and will look into the queue), or the *lookout* watches how
//! fast it is served, or every thread that there can be is at a job. A queue that is served well needs nobody else.

use super::State;
use crate::config::Config;
use crate::job::AnyJob;
use crate::slot::Slot;
use kasasagi_primitive::MODEL;
use kasasagi_primitive::sync::Arc;
use std::mem;

/// Who was called, and finds that so many jobs were taken meanwhile by those who work, is not needed. A call takes some
/// 10 to 20 µs: they end within 5 µs each.
const SERVED_SINCE_CALL: u64 = if MODEL { 1 } else { 4 };

/// The same between two looks of the lookout, for each who works.
const SERVED_SINCE_LOOK: u64 = if MODEL { 1 } else { 20 };

/// Fewer than these between two looks, for each who works: they wait rather than compute, and more threads than
/// processors are of use.
const BLOCKED: u64 = 2;

/// What a thread does next.
pub(in super::super) enum Step {
    Run {
        job: AnyJob,
        /// It may end quietly, and is told with others.
        quietly: bool,
    },
    /// Keeps awake for a while, in case something comes.
    Search,
    Rest,
    Watch,
    Leave,
}

/// Where a thread comes from that looks what to do.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum From {
    Start,
    Call,
    Search,
    Job,
    /// From a job that was short, and ended quietly.
    Quiet,
}

/// Threads that are needed: called ones, and how many are to be started.
#[derive(Default)]
#[must_use]
pub(in super::super) struct Help {
    pub(in super::super) called: Vec<Arc<Slot>>,
    pub(in super::super) starts: usize,
}

impl State {
    /// A job was queued: who is needed for it.
    pub(in super::super) fn help_for_new(&mut self, config: &Config) -> Help {
        let works = !self.running.is_empty() || self.searching > 0;
        let watched = self.lookout.is_some() && works;
        // Who is called is put on a processor of its own only by somebody who does not work on it: as many as there are
        // processors are called from here, and the others by those.
        let enough = if works { 1 } else { self.queue.len().min(config.processors) };
        if self.coming >= enough || watched { Help::default() } else { self.send_for(1, config) }
    }

    /// What a thread does that has nothing to do, and who is needed for what waits on.
    pub(in super::super) fn next(
        &mut self,
        slot: &Arc<Slot>,
        from: From,
        config: &Config,
    ) -> (Step, Help) {
        match from {
            From::Start => self.starting -= 1,
            From::Call => self.coming -= 1,
            From::Search => {
                self.coming -= 1;
                self.searching -= 1;
            }
            From::Job | From::Quiet => {}
        }
        let was_awake = matches!(from, From::Job | From::Quiet | From::Search);
        if self.queue.is_empty() {
            return (self.without_work(slot, from), Help::default());
        }
        if was_awake {
            self.served += 1;
        } else if self.is_served() {
            return (self.watch(slot), Help::default());
        }
        // Who came for the queue and finds it waiting still has seen a stall: as many as work are not enough.
        let most = if was_awake { 1 } else { self.running.len() + 1 };
        self.take(slot, most, config)
    }

    /// Whether who was called may leave the queue to those who work.
    fn is_served(&self) -> bool {
        self.lookout.is_none()
            && !self.running.is_empty()
            && self.served - self.served_at_call >= SERVED_SINCE_CALL
    }

    /// Takes the first job; `most` others are needed if work waits on unseen.
    fn take(&mut self, slot: &Arc<Slot>, most: usize, config: &Config) -> (Step, Help) {
        let Some(job) = self.queue.pop_front() else { return (self.rest(slot), Help::default()) };
        self.begin(slot, &job);
        let unseen = !self.queue.is_empty() && self.coming == 0 && self.lookout.is_none();
        let help = if unseen { self.send_for(most, config) } else { Help::default() };
        (Step::Run { job, quietly: self.may_tell_later() }, help)
    }

    fn without_work(&mut self, slot: &Arc<Slot>, from: From) -> Step {
        if self.closed {
            return Step::Leave;
        }
        if from != From::Search {
            if self.coming == 0 {
                self.coming += 1;
                self.searching += 1;
                return Step::Search;
            }
            // One who searches is enough, and one who watches.
            if self.lookout.is_none() {
                return self.watch(slot);
            }
        }
        self.rest(slot)
    }

    fn rest(&mut self, slot: &Arc<Slot>) -> Step {
        self.idle.push(Arc::clone(slot));
        Step::Rest
    }

    fn watch(&mut self, slot: &Arc<Slot>) -> Step {
        self.lookout = Some(Arc::clone(slot));
        self.served_at_look = self.served;
        self.has_waited = false;
        Step::Watch
    }

    /// The lookout's look: is there a stall? `None` if it was called meanwhile.
    pub(in super::super) fn look(
        &mut self,
        slot: &Arc<Slot>,
        config: &Config,
    ) -> Option<(Step, Help)> {
        self.lookout.as_ref().filter(|lookout| lookout.id == slot.id)?;
        let served = self.served - self.served_at_look;
        self.served_at_look = self.served;
        if self.queue.is_empty() {
            if served > 0 && !self.closed {
                return Some((Step::Watch, Help::default()));
            }
            self.lookout = None;
            let step = if self.closed { Step::Leave } else { self.rest(slot) };
            return Some((step, Help::default()));
        }
        let busy = self.running.len();
        let well = served >= SERVED_SINCE_LOOK * busy.max(1) as u64;
        let computing = served >= BLOCKED * busy as u64 && busy >= config.processors;
        // Threads that are on their way have not had their chance yet.
        let early = self.starting > 0 && self.idle.is_empty();
        // Once: they may be long in their hooks.
        let early = early && !mem::replace(&mut self.has_waited, true);
        if well || computing || early {
            return Some((Step::Watch, Help::default()));
        }
        self.lookout = None;
        Some(self.take(slot, busy + 1, config))
    }

    /// Calls `n` who rest, or starts as many as are missing: not more than jobs that wait.
    fn send_for(&mut self, n: usize, config: &Config) -> Help {
        let n = n.min(self.queue.len());
        let mut help = Help::default();
        while help.called.len() < n {
            let Some(slot) = self.idle.pop() else { break };
            self.coming += 1;
            help.called.push(slot);
        }
        if help.called.is_empty() && self.running.is_empty() {
            // Nobody works whom it could watch.
            help.called.extend(self.call_lookout());
        }
        let missing = n - help.called.len();
        let is_free = self.starting == 0 || self.is_overdue(config);
        if missing > 0 && is_free && (self.threads == 0 || !self.is_refused()) {
            help.starts = self.grow(missing, config);
        }
        if !help.called.is_empty() || help.starts > 0 {
            self.served_at_call = self.served;
        }
        help
    }

    /// Takes the lookout out of its seat; it is to be called.
    pub(in super::super) fn call_lookout(&mut self) -> Option<Arc<Slot>> {
        let lookout = self.lookout.take()?;
        self.coming += 1;
        Some(lookout)
    }
}
