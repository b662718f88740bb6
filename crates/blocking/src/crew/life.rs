//! A thread's life: it arrives, takes jobs, rests, looks out, leaves.

use super::state::{Left, Step};
use super::{CREW, Crew, NUMBER, join};
use crate::clock;
use crate::job::{caught, contained};
use crate::slot::{Order, Slot};
use kasasagi_primitive::report::panic_message;
use kasasagi_primitive::sync::Arc;
use kasasagi_primitive::wake_batch::wake_caught;

impl Crew {
    /// A thread's life.
    pub(super) fn work(&self, id: usize) {
        CREW.with(|crew| crew.replace(Some(self.clone())));
        NUMBER.with(|number| number.set(id));
        let config = &self.shared.config;
        let slot = Arc::new(Slot::new(id));
        if let Some(hook) = &config.on_thread_start {
            contained(|| hook());
        }
        let is_counted = if self.initialize() {
            self.serve(&slot)
        } else {
            self.shared.state.lock().starting -= 1;
            true
        };
        if let Some(hook) = &config.on_thread_stop {
            contained(|| hook());
        }
        if is_counted {
            let left = self.shared.state.lock().leave(id);
            self.gone(left);
        }
        let mine = CREW.with(|crew| crew.replace(None));
        drop(mine);
    }

    /// Whether the thread can work. If not, nobody's can: the crew is broken.
    fn initialize(&self) -> bool {
        let Some(initializer) = &self.shared.config.initializer else { return true };
        let Err(payload) = caught(|| initializer()) else { return true };
        let text = panic_message(&*payload).unwrap_or("(no text)").into();
        contained(|| drop(payload));
        self.break_down(text);
        false
    }

    /// From the arrival until there is nothing more to do. Says whether the books still count the thread.
    fn serve(&self, slot: &Arc<Slot>) -> bool {
        let mut step = self.arrive(slot);
        loop {
            step = match step {
                Step::Run(job) => {
                    contained(|| job.run());
                    contained(|| drop(job));
                    self.after_job(slot)
                }
                Step::Rest => match slot.wait_for(self.shared.config.keep_alive) {
                    Some(order) => order.into(),
                    None if self.retire(slot) => return false,
                    // Somebody took it off the stack: its order is on the way.
                    None => slot.wait().into(),
                },
                Step::Watch(limit) => match slot.wait_for(limit) {
                    Some(order) => order.into(),
                    None => self.look(slot),
                },
                Step::Leave => return true,
            };
        }
    }

    /// Back from a job: the next step.
    fn after_job(&self, slot: &Arc<Slot>) -> Step {
        let (job, step, starts, on_quiet) = {
            let mut state = self.shared.state.lock();
            let job = state.end(slot);
            let (step, starts) = state.next(slot, &self.shared.config);
            let on_quiet = if state.is_quiet() { state.on_quiet.clone() } else { None };
            (job, step, starts, on_quiet)
        };
        contained(|| drop(job));
        self.start(starts);
        if let Some(on_quiet) = on_quiet {
            contained(|| on_quiet());
        }
        step
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
                Some(limit) if seat_free && busy > 0 => {
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
            let refused = state.is_refused(now);
            let more = if refused { 0 } else { state.grow(double, &self.shared.config) };
            (step, lookout + more)
        };
        self.start(starts);
        step
    }

    /// The keep-alive is over: leaves, unless somebody has taken the thread off the stack meanwhile.
    fn retire(&self, slot: &Arc<Slot>) -> bool {
        let left = {
            let mut state = self.shared.state.lock();
            let Some(at) = state.idle.iter().position(|idle| idle.id == slot.id) else {
                return false;
            };
            state.idle.remove(at);
            // In the same breath: counted as a thread, it would be relied on for the next job.
            state.leave(slot.id)
        };
        self.gone(left);
        true
    }

    fn gone(&self, left: Left) {
        let Left { exited, lookout, wakers } = left;
        if let Some(lookout) = lookout {
            lookout.give(Order::Leave);
        }
        self.shared.left.notify_all();
        wakers.into_iter().for_each(wake_caught);
        join(exited);
    }
}
