//! A thread's life: it arrives, takes jobs, searches, rests, looks out, leaves.

use super::state::{From, Help, Left, Step};
use super::{CREW, Crew, LEFT, NUMBER};
use crate::job::{caught, contained};
use crate::slot::Place;
use crate::spin::Spin;
use kasasagi_primitive::report::panic_message;
use kasasagi_primitive::wake_batch::wake_caught;

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
        let mut spin = Spin::new();
        let mut step = self.next(place, From::Start);
        loop {
            if matches!(step, Step::Rest | Step::Watch | Step::Leave) {
                before_rest();
            }
            step = match step {
                Step::Run(job) => {
                    contained(|| job.run());
                    contained(|| drop(job));
                    self.next(place, From::Job)
                }
                Step::Search => {
                    spin.until(|| self.shared.sees_work());
                    self.next(place, From::Search)
                }
                Step::Rest => {
                    if !place.wait_for(self.shared.config.keep_alive) {
                        if self.retire(place) {
                            return;
                        }
                        // Somebody took it off the stack, and calls it.
                        place.wait();
                    }
                    self.next(place, From::Call)
                }
                Step::Watch => {
                    if place.wait_for(self.shared.config.stall) {
                        self.next(place, From::Call)
                    } else {
                        self.look(place)
                    }
                }
                Step::Leave => return,
            };
        }
    }

    /// The next step of a thread that has nothing to do.
    fn next(&self, place: &Place, from: From) -> Step {
        let (job, step, help, on_quiet) = {
            let mut state = self.shared.state.lock();
            let job = if from == From::Job { state.end(&place.slot) } else { None };
            let (step, help) = state.next(&place.slot, from, &self.shared.config);
            self.shared.show(&state);
            let on_quiet = if from == From::Job { state.told_when_quiet() } else { None };
            (job, step, help, on_quiet)
        };
        self.bring(help);
        contained(|| drop(job));
        contained(|| on_quiet.inspect(|on_quiet| on_quiet()));
        step
    }

    /// The lookout's look: is there a stall?
    fn look(&self, place: &Place) -> Step {
        let looked = {
            let mut state = self.shared.state.lock();
            let looked = state.look(&place.slot, &self.shared.config);
            self.shared.show(&state);
            looked
        };
        let Some((step, help)) = looked else {
            place.wait();
            return self.next(place, From::Call);
        };
        self.bring(help);
        step
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
