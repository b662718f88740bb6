//! A thread's life: it arrives, takes jobs, searches, rests, looks out, leaves.

use super::state::{From, Help, Left, Step};
use super::{CREW, Crew, LEFT, NUMBER};
use crate::clock;
use crate::job::{AnyJob, caught, contained};
use crate::slot::Place;
use crate::spin::Spin;
use kasasagi_primitive::report::panic_message;
use kasasagi_primitive::wake_batch::wake_caught;
use std::time::Duration;

/// What comes after a job that took less is expected to be as short. A call costs more.
const SHORT: Duration = Duration::from_micros(5);

impl Crew {
    /// A thread's life.
    pub(super) fn work(&self, id: usize) {
        CREW.with(|crew| crew.replace(Some(self.clone())));
        NUMBER.with(|number| number.set(id));
        let config = &self.shared.config;
        let place = Place::new(id);
        if let Some(hook) = &config.on_thread_start {
            contained(|| hook());
        }
        if self.initialize() {
            self.serve(&place);
        } else {
            self.shared.state.lock().starting -= 1;
        }
        if let Some(hook) = &config.on_thread_stop {
            contained(|| hook());
        }
        LEFT.with(|left| left.set((self.address(), id)));
        let left = self.shared.state.lock().leave(id);
        self.gone(left);
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

    /// From the arrival until there is nothing more to do.
    fn serve(&self, place: &Place) {
        let before_rest = || {
            if let Some(before_rest) = self.shared.config.before_rest {
                contained(before_rest);
            }
        };
        before_rest();
        let (mut spin, mut told) = (Spin::new(), Vec::new());
        let mut step = self.next(place, From::Start, &mut told);
        loop {
            if matches!(step, Step::Rest | Step::Watch | Step::Leave) {
                before_rest();
            }
            step = match step {
                Step::Run { job, quietly } => {
                    let from = run(job, quietly);
                    self.next(place, from, &mut told)
                }
                Step::Search => {
                    spin.until(|| self.shared.sees_work());
                    self.next(place, From::Search, &mut told)
                }
                Step::Rest => {
                    if !place.wait_for(self.shared.config.keep_alive) {
                        if self.retire(place) {
                            return;
                        }
                        // Somebody took it off the stack, and calls it.
                        place.wait();
                    }
                    self.next(place, From::Call, &mut told)
                }
                Step::Watch => {
                    if place.wait_for(self.shared.config.stall) {
                        self.next(place, From::Call, &mut told)
                    } else {
                        self.look(place, &mut told)
                    }
                }
                Step::Leave => return,
            };
        }
    }

    /// The next step of a thread that has nothing to do. `told` is empty, and keeps its memory.
    fn next(&self, place: &Place, from: From, told: &mut Vec<AnyJob>) -> Step {
        let (job, step, help, on_quiet) = {
            let mut state = self.shared.state.lock();
            let mut job = match from {
                From::Job | From::Quiet => state.end(&place.slot),
                From::Start | From::Call | From::Search => None,
            };
            if from == From::Quiet {
                job.take().into_iter().for_each(|job| state.tell_later(job));
            }
            let (step, help) = state.next(&place.slot, from, &self.shared.config);
            self.shared.show(&state);
            state.take_untold(from, &step, told);
            let on_quiet = if from == From::Job { state.told_when_quiet() } else { None };
            (job, step, help, on_quiet)
        };
        self.tell(told);
        self.bring(help);
        contained(|| drop(job));
        contained(|| on_quiet.inspect(|on_quiet| on_quiet()));
        step
    }

    /// The lookout's look: is there a stall?
    fn look(&self, place: &Place, told: &mut Vec<AnyJob>) -> Step {
        let looked = {
            let mut state = self.shared.state.lock();
            let looked = state.look(&place.slot, &self.shared.config);
            self.shared.show(&state);
            if let Some((step, _)) = &looked {
                state.take_untold(From::Call, step, told);
            }
            looked
        };
        self.tell(told);
        let Some((step, help)) = looked else {
            place.wait();
            return self.next(place, From::Call, told);
        };
        self.bring(help);
        step
    }

    /// Tells those who wait for jobs that have ended.
    fn tell(&self, jobs: &mut Vec<AnyJob>) {
        let n = jobs.len();
        if n == 0 {
            return;
        }
        let mut tell = || {
            for job in jobs.drain(..) {
                contained(|| job.tell());
                contained(|| drop(job));
            }
        };
        match self.shared.config.gather_wakes {
            Some(gather) => gather(&mut tell),
            None => tell(),
        }
        let on_quiet = self.shared.state.lock().end_all(n);
        contained(|| on_quiet.inspect(|on_quiet| on_quiet()));
    }

    /// Calls and starts who is needed.
    pub(super) fn bring(&self, help: Help) {
        for slot in help.called {
            slot.call();
        }
        self.start(help.starts);
    }

    /// The keep-alive is over: leaves, unless somebody has taken the thread off the stack meanwhile.
    fn retire(&self, place: &Place) -> bool {
        let mut state = self.shared.state.lock();
        let Some(at) = state.idle.iter().position(|idle| idle.id == place.slot.id) else {
            return false;
        };
        state.idle.remove(at);
        // In the same breath: counted as a thread, it would be relied on for the next job.
        state.begin_to_stop(place.slot.id);
        true
    }

    fn gone(&self, left: Left) {
        let Left { exited, lookout, wakers } = left;
        if let Some(lookout) = lookout {
            lookout.call();
        }
        self.shared.left.notify_all();
        wakers.into_iter().for_each(wake_caught);
        self.join(exited);
    }
}

/// Runs a job. One that was not short is told at once: so may be the next.
fn run(job: AnyJob, quietly: bool) -> From {
    let start = quietly.then(clock::now);
    contained(|| job.run(quietly));
    let is_short = start.is_some_and(|start| clock::now() - start < SHORT);
    if quietly && !is_short {
        contained(|| job.tell());
    }
    contained(|| drop(job));
    if is_short { From::Quiet } else { From::Job }
}
