//! What is called when a task is done: registered by anybody, called once, after the end.
//!
//! The list lies in the cold part, and CALLS in the state word says that there is one. Who registers puts the callback
//! into the list first and sets the bit then; the runner that finds the bit ends the task without it and looks into
//! the list after that. So the callback is found by the runner, or its owner finds the task complete.

use crate::cell::Ptr;
use crate::handle::Task;
use crate::run::Runnable;
use crate::task_ref::TaskRef;
use kasasagi_primitive::defer::{Callback, CallbackId, Job};
use std::mem;
use std::panic::Location;
use std::task::Waker;

impl<T> Task<T> {
    /// Has `f` called when the task is done; at once, but not in here, if it is.
    ///
    /// Callbacks are called in the order in which they were registered, after the end, in a copy of the context of this
    /// place: on the runtime of this thread, as a task of its own; where none runs, on the one that ends the task. If
    /// that runtime is shut down first, they are dropped uncalled. A panic of one keeps no other from being called.
    ///
    /// Counterpart: `asyncio.Task.add_done_callback`.
    #[track_caller]
    pub fn on_done<F: FnOnce(TaskRef) + Send + 'static>(&self, f: F) -> CallbackId {
        self.handle().on_done(f)
    }

    /// Takes a callback back; says whether it was registered and not yet called for.
    ///
    /// Counterpart: `asyncio.Task.remove_done_callback`.
    pub fn remove_on_done(&self, id: CallbackId) -> bool {
        self.handle().remove_on_done(id)
    }
}

impl TaskRef {
    /// Has `f` called when the task is done; see [`Task::on_done`].
    #[track_caller]
    pub fn on_done<F: FnOnce(Self) + Send + 'static>(&self, f: F) -> CallbackId {
        let name = std::any::type_name::<F>();
        let task = self.clone();
        let job: Job = Box::new(move || f(task));
        let callback = Callback::new(name, Location::caller(), job);
        let id = callback.id;
        let task = self.ptr();
        let list = &task.cold_or_new().callbacks;
        list.lock().push(callback);
        if task.state().set_calls() {
            // Complete: the runner may have looked already.
            let mut list = list.lock();
            let own = list.iter().position(|callback| callback.id == id).map(|at| list.remove(at));
            drop(list);
            Callback::call_later(own.into_iter().collect());
        }
        id
    }

    /// Takes a callback back; see [`Task::remove_on_done`].
    pub fn remove_on_done(&self, id: CallbackId) -> bool {
        let Some(cold) = self.ptr().cold() else { return false };
        let mut list = cold.callbacks.lock();
        let own = list.iter().position(|callback| callback.id == id).map(|at| list.remove(at));
        drop(list);
        own.is_some()
    }
}

impl Runnable {
    /// Ends a task that has callbacks, and has them called.
    #[cold]
    pub(crate) fn settle_and_call(self, task: Ptr, how: u64) -> Option<Waker> {
        // After the end the block is kept by this alone.
        let kept = TaskRef::of(task);
        task.state().clear_calls();
        let joiner = self.settle(how);
        let list = task.cold().map(|cold| mem::take(&mut *cold.callbacks.lock()));
        Callback::call_later(list.unwrap_or_default());
        drop(kept);
        joiner
    }
}
