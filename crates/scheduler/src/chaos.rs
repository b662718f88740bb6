//! Chaos in the queues of a seat: what its promises leave open is decided by dice, see `kasasagi_primitive::chaos`.
//!
//! Every move here is one that some schedule could have made: tasks change places with others that are due,
//! go by another queue than the usual one, or to another seat. No task is lost or kept for good: a choice is
//! among few, and thrown anew each time.

use crate::seat::{Local, Wakes};
use kasasagi_primitive::chaos::{below, delay, one_in};
use kasasagi_primitive::deque::Steal;
use kasasagi_task::Runnable;

/// So many tasks are passed over at most.
const AMONG: u32 = 8;

/// The most tasks of one steal that nobody needed.
const STOLEN: u32 = 16;

/// How often: once in so many turns, wakes, spawns or polls.
const ROTATE: u32 = 4;
const STEAL: u32 = 16;
const DETOUR: u32 = 4;
const INJECT: u32 = 16;
pub(crate) const SPURIOUS: u32 = 16;
pub(crate) const REQUEUE: u32 = 16;
pub(crate) const INSOMNIA: u32 = 16;

impl Local {
    /// Before a turn: queues change their order, and tasks their seat.
    #[cold]
    pub(crate) fn stir(&self) {
        if one_in(ROTATE) {
            for _ in 0..below(AMONG) {
                let Some(task) = self.core.deque.pop() else { break };
                self.core.deque.push(task);
            }
        }
        if one_in(ROTATE) {
            for _ in 0..below(AMONG) {
                let Some(task) = self.pinned.pop() else { break };
                self.pinned.push(task);
            }
        }
        if one_in(STEAL) {
            self.rob();
        }
        delay();
    }

    /// Takes from any other seat, whether there is work here or not, and whatever is held; its slot too.
    fn rob(&self) {
        let seats = &self.shared.seats;
        let victim = below(seats.len() as u32) as usize;
        if victim == self.index {
            return;
        }
        let limit = 1 + below(STOLEN) as usize;
        let stealer = &seats[victim].stealer;
        let task = if one_in(2) {
            seats[victim].slot.take()
        } else {
            match stealer.steal_batch_with_limit_and_pop(&self.core.deque, limit) {
                Steal::Success(task) => Some(task),
                Steal::Retry | Steal::Empty => None,
            }
        };
        if let Some(task) = task {
            self.seat().counters.steals.add(1);
            self.core.deque.push(task);
        }
    }

    /// Queues a newborn task, in any order.
    pub(crate) fn spawned_anywhere(&self, task: Runnable) {
        if !one_in(DETOUR) {
            return self.spawned(task);
        }
        self.seat().counters.spawned.add(1);
        if let Some(task) = self.astray(task) {
            self.push(task);
        }
    }

    /// Queues a task that was woken or spawned on this thread elsewhere than usual, or gives it back.
    #[cold]
    pub(crate) fn astray(&self, task: Runnable) -> Option<Runnable> {
        if one_in(INJECT) {
            // A pinned one goes through this seat's own inbox.
            self.shared.inject(task);
            return None;
        }
        if task.pin().is_some() || self.wakes.get() != Wakes::Task || !one_in(DETOUR) {
            return Some(task);
        }
        if one_in(2) {
            self.push(task);
        } else if let Some(displaced) = self.seat().slot.put(task) {
            self.push(displaced);
        }
        None
    }
}
