//! Where a task goes that was woken, spawned, or has to run again.
#![allow(
    unsafe_code,
    reason = "a task refers to its scheduler without a count: a promise of the scheduler's"
)]

use crate::seat::{Local, Wakes};
use crate::shared::Shared;
use crate::{current, gather_wakes};
use kasasagi_primitive::chaos::CHAOS;
use kasasagi_primitive::sync::atomic::{Ordering, fence};
use kasasagi_primitive::{scope, task_context};
use kasasagi_task::{Home, Ran, Runnable, Schedule};

// SAFETY: whoever can spawn or run tasks holds a `Keeper`; the last of them leaks a share if a task is left that is not
// complete.
unsafe impl Schedule for Shared {
    #[inline]
    fn schedule(task: Runnable, home: Home<Self>) {
        current::with(|local| match local {
            Some(local) if std::ptr::eq(&*local.shared, home.as_ptr()) => local.woken(task),
            _ => from_outside(task, &home),
        });
    }
}

#[cold]
fn from_outside(task: Runnable, home: &Home<Shared>) {
    // Held before the push: the task may be the last of its runtime.
    let shared = home.hold();
    match task.pin() {
        Some(_) => shared.inject(task),
        None => {
            shared.injector.push(task);
            gather_wakes::call(shared);
        }
    }
}

impl Shared {
    /// Queues a task from a thread without a seat here.
    pub(crate) fn inject(&self, task: Runnable) {
        match task.pin() {
            Some(seat) => self.send(seat as usize, task),
            None => {
                self.injector.push(task);
                self.wake_from_outside();
            }
        }
    }

    fn send(&self, seat: usize, task: Runnable) {
        self.seats[seat].inbox.push(task);
        // The token is left whether the seat sleeps or not, and so needs no fence: see `sleeper.rs`.
        self.unpark(seat);
    }
}

/// So many tasks are worth a look around for another worker: one is the owner's next.
const ENOUGH: usize = 2;

impl Local {
    /// Queues a task that a wake on this thread made due.
    #[inline]
    pub(crate) fn woken(&self, mut task: Runnable) {
        if CHAOS {
            let Some(usual) = self.astray(task) else { return };
            task = usual;
        }
        match task.pin() {
            None => match self.wakes.get() {
                Wakes::Task => {
                    if let Some(displaced) = self.seat().slot.put(task) {
                        self.push(displaced);
                    }
                }
                Wakes::Joiner if self.lifo_left.get() > 0 => {
                    if let Some(earlier) = self.upcoming.replace(Some(task)) {
                        self.push(earlier);
                    }
                }
                Wakes::Due if self.seat().slot.is_empty() => {
                    // The slot is empty and only this thread fills it.
                    let _ = self.seat().slot.put(task);
                }
                Wakes::Joiner | Wakes::LateJoiner | Wakes::Driver | Wakes::Due => {
                    self.core.deque.push(task);
                }
            },
            Some(pin) if pin as usize != self.index => self.shared.send(pin as usize, task),
            Some(_) if self.wakes.get() == Wakes::LateJoiner => self.push_late(task),
            Some(_) => self.pinned.push(task),
        }
    }

    /// Queues a newborn task: in the order of spawns, and in the slot if it is alone.
    #[inline]
    pub(crate) fn spawned(&self, task: Runnable) {
        self.seat().counters.spawned.add(1);
        let slot = &self.seat().slot;
        if slot.is_empty() && self.core.deque.is_empty() && self.wakes.get() == Wakes::Task {
            // The slot is empty and only this thread fills it.
            let _ = slot.put(task);
        } else {
            self.push(task);
        }
    }

    /// Polls a newborn at once, inside the poll of the task that spawned it; where there is none, it is queued.
    ///
    /// Outside a poll the seat may be in the middle of anything: a waker that spawns is called by the driver, too.
    #[cold]
    pub(crate) fn spawned_eagerly(&self, task: Runnable) {
        let counters = &self.seat().counters;
        counters.spawned.add(1);
        if task_context::current().is_null() {
            return self.again(task);
        }
        let pinned = task.pin().is_some();
        counters.polls.add(1);
        match scope::apart(|| task.run()) {
            Ran::Pending => {}
            Ran::Requeue(task) => self.again(task),
            Ran::Complete(joiner) => {
                counters.completed.add(1);
                if pinned {
                    self.pinned_live.set(self.pinned_live.get() - 1);
                }
                drop(joiner);
            }
        }
    }

    /// Queues a task that was polled and has to run again.
    #[inline]
    pub(crate) fn again(&self, task: Runnable) {
        match task.pin() {
            Some(_) => self.push_late(task),
            None => self.core.deque.push(task),
        }
    }

    /// Queues a task behind the others, and wakes another worker when there are enough to share.
    #[inline]
    pub(crate) fn push(&self, task: Runnable) {
        // With the one in the slot.
        let count = self.core.deque.len() + 2;
        self.core.deque.push(task);
        if count == ENOUGH {
            // The push that makes it enough is fenced: this poll may go on for long, and a worker that parks
            // just now must see the push or be seen. Later pushes would only repeat the hint; the end of the
            // turn does it again, after the full barrier of a pop.
            fence(Ordering::SeqCst);
            self.shared.maybe_wake();
        }
    }
}
