//! The thread that sits in the first seat while nobody else sits anywhere and there are tasks.
//!
//! Started when it is first needed: a runtime with one worker that is spawned into from outside `run`, or
//! whose `run` left tasks behind. It leaves the seat as soon as somebody calls `run`.

use crate::handle::Handle;
use crate::runtime::{Closer, ThreadHooks};
use kasasagi_primitive::sync::{Condvar, Mutex};
use kasasagi_primitive::tell::tell;
use std::sync::Arc;
use std::thread::JoinHandle;

#[derive(Default)]
pub(crate) struct Caretaker {
    state: Mutex<State>,
    called: Condvar,
}

#[derive(Default)]
struct State {
    /// There is work; whoever sleeps here looks after it.
    called: bool,
    started: bool,
    quit: bool,
    thread: Option<JoinHandle<()>>,
    household: Option<Household>,
}

/// What the thread needs; taken away at the end, since it refers to the scheduler, which refers to this.
#[derive(Clone)]
pub(crate) struct Household {
    pub(crate) handle: Handle,
    pub(crate) closer: Arc<Closer>,
    pub(crate) hooks: ThreadHooks,
}

impl Caretaker {
    /// From now on there is a thread for calls, and for the one that came before.
    pub(crate) fn employ(this: &Arc<Self>, household: Household) {
        let mut state = this.state.lock();
        state.household = Some(household);
        let called = std::mem::take(&mut state.called);
        drop(state);
        if called {
            Self::call(this);
        }
    }

    /// Called by the scheduler when there is work and nobody in any seat.
    pub(crate) fn call(this: &Arc<Self>) {
        let mut state = this.state.lock();
        if std::mem::replace(&mut state.called, true) {
            return;
        }
        if state.started {
            drop(state);
            this.called.notify_one();
            return;
        }
        // Nobody is employed while worker threads are about to take their seats.
        let Some(household) = state.household.clone() else { return };
        state.started = true;
        drop(state);
        let me = Arc::clone(this);
        let name = household.hooks.name(0);
        let run = move || household.hooks.clone().around(|| me.serve(household));
        let thread = std::thread::Builder::new().name(name).spawn(run);
        let mut state = this.state.lock();
        match thread {
            Ok(thread) => state.thread = Some(thread),
            Err(error) => {
                state.started = false;
                state.called = false;
                drop(state);
                tell(format_args!(
                    "no thread could be started for the tasks of a runtime that nobody runs ({error}); they wait \
                     until `Runtime::run` is called"
                ));
            }
        }
    }

    fn serve(&self, household: Household) {
        let Household { handle, closer, .. } = household;
        let _entered = handle.enter(Some(0));
        loop {
            let mut state = self.state.lock();
            while !state.called && !state.quit {
                self.called.wait(&mut state);
            }
            state.called = false;
            let quit = state.quit;
            drop(state);
            handle.engines().spawner.caretake();
            if quit {
                break;
            }
        }
        drop(closer);
    }

    /// The runtime ends: the thread, which is returned, leaves once the tasks have ended.
    pub(crate) fn dismiss(&self) -> Option<JoinHandle<()>> {
        let mut state = self.state.lock();
        state.quit = true;
        let household = state.household.take();
        let thread = state.thread.take();
        drop(state);
        self.called.notify_one();
        // Outside the lock: it may be the last that holds the scheduler, which refers to this.
        drop(household);
        thread
    }
}
