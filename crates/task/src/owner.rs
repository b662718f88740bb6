//! Owner: who has to know when a task is done, beside whoever has its handle. A group owns its children.

use crate::task_ref::TaskRef;
use crate::unread;
use kasasagi_primitive::sync::atomic::{AtomicU64, Ordering};
use kasasagi_primitive::task_context;
use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::Waker;

/// What owns tasks.
pub trait Keeper: Send + Sync {
    /// The task that was spawned under `key` is done, cleanups included. Returns whom to wake for it.
    ///
    /// It is called once for each, on whatever thread the task ended.
    fn ended(&self, key: u32) -> Option<Waker>;

    /// Itself: a task that is polled asks its owner what it is.
    fn as_any(&self) -> &dyn Any;
}

/// An owner, which its tasks share.
pub struct Owner {
    keeper: Arc<dyn Keeper>,
    parent: AtomicU64,
}

impl Owner {
    /// An owner on behalf of the task that this code runs in: that one is the parent of all that it owns.
    pub fn new(keeper: Arc<dyn Keeper>) -> Arc<Self> {
        let parent = AtomicU64::new(task_context::current_id().unwrap_or(0));
        Arc::new(Self { keeper, parent })
    }

    /// The owner of a task, if it has one.
    pub fn of(task: &TaskRef) -> Option<Arc<Self>> {
        task.ptr().owner()
    }

    /// What was given to `new`.
    pub fn keeper(&self) -> &dyn Keeper {
        &*self.keeper
    }

    /// From now on it is on behalf of the task that this code runs in.
    pub fn works_for_current(&self) {
        self.parent.store(task_context::current_id().unwrap_or(0), Ordering::Relaxed);
    }

    pub(crate) fn parent(&self) -> u64 {
        self.parent.load(Ordering::Relaxed)
    }

    /// Tells it; says whom to wake of those who wait for the task.
    pub(crate) fn tell(&self, key: u32, joiner: Option<Waker>) -> Option<Waker> {
        let waiter =
            catch_unwind(AssertUnwindSafe(|| self.keeper.ended(key))).unwrap_or_else(|payload| {
                unread::swallowed("a group could not be told that a child ended", None, payload);
                None
            });
        match (joiner, waiter) {
            (None, waiter) => waiter,
            (joiner, None) => joiner,
            (joiner, Some(waiter)) => {
                kasasagi_primitive::wake_batch::wake_caught(waiter);
                joiner
            }
        }
    }
}

impl fmt::Debug for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Owner").field("parent", &self.parent()).finish_non_exhaustive()
    }
}

/// That a task is owned, by whom, and under what number.
#[derive(Debug, Clone)]
pub struct Owned {
    /// By whom.
    pub owner: Arc<Owner>,
    /// The number that the owner knows it by; not the largest there is.
    pub key: u32,
}
