//! What timeouts need: the deadlines around them, and whether a scope was polled below.
//!
//! A timeout is in the tree only once a scope is below it; before that nobody can tell it from a plain future, and it
//! costs one look at a thread-local.

use super::Tree;
use super::tree::{Errands, ROOT};
use super::{Scope, with_tree, with_tree_or_new};
use crate::task_context::{CURRENT, Current, TaskContext};

/// How often a scope was polled on this thread.
#[inline]
pub fn ticks() -> u64 {
    CURRENT.with(|current| current.ticks.get())
}

pub(super) fn tick(clock: u64) -> u64 {
    CURRENT.with(|current| {
        let now = current.ticks.get().max(clock) + 1;
        current.ticks.set(now);
        now
    })
}

pub(super) fn deadline() -> u64 {
    CURRENT.with(|current| current.deadline.get())
}

pub(super) fn set_deadline(deadline: u64) {
    CURRENT.with(|current| current.deadline.set(deadline));
}

/// A timeout's deadline, told to what is polled inside until it is dropped.
#[derive(Debug)]
pub struct Due {
    around: u64,
}

/// Tells what is polled inside that it is due at `deadline`.
pub fn due_around(deadline: u64) -> Due {
    let around = self::deadline();
    set_deadline(around.min(deadline));
    Due { around }
}

impl Due {
    /// The earliest deadline of the timeouts around this one, up to a shield.
    pub fn around(&self) -> u64 {
        self.around
    }
}

impl Drop for Due {
    fn drop(&mut self) {
        set_deadline(self.around);
    }
}

/// Runs `f`, which polls another task, as if no timeout were around it.
pub fn apart<R>(f: impl FnOnce() -> R) -> R {
    let _due = Due { around: deadline() };
    set_deadline(u64::MAX);
    f()
}

/// An overdue timeout leaves the field to one around it that is due too at `now`.
pub fn leave_to_around(now: u64) {
    CURRENT.with(|current| current.left_at.set(now.max(current.left_at.get())));
}

/// The latest moment at which a timeout on this thread left the field: whoever was due then is overdue.
pub fn left_at() -> u64 {
    CURRENT.with(|current| current.left_at.get())
}

/// Whether something is to be delivered to the polled task at its next poll.
pub fn is_task_asked() -> bool {
    crate::task_context::with(TaskContext::is_asked) == Some(true)
}

/// Counts a wait for a task: the count, which is not zero, in short.
#[inline]
pub(super) fn wait() -> u32 {
    CURRENT.with(count_wait)
}

#[inline]
pub(crate) fn count_wait(current: &Current) -> u32 {
    let now = current.ticks.get() + 1;
    current.ticks.set(now);
    current.waited.set(now);
    short(now)
}

#[inline]
fn short(tick: u64) -> u32 {
    // The low half, but for zero, which says that there was none: counts that are compared are of one poll.
    (tick as u32).max(1)
}

/// A scope behind those that were polled since `before`, and the waits for tasks, as if it had been around them; none if
/// there are none.
#[inline]
pub fn adopt(before: u64) -> Option<Scope> {
    if ticks() == before { None } else { adopt_since(before) }
}

#[cold]
fn adopt_since(before: u64) -> Option<Scope> {
    let waited = CURRENT.with(|current| current.waited.get()) > before;
    let adopted = |tree: &mut Tree, errands: &mut Errands, context: &TaskContext| {
        let around = tree.current;
        let below = tree.children_since(around, before);
        if below.is_empty() && !waited {
            return None;
        }
        let is_alone = below.is_empty();
        let i = tree.add(errands);
        tree.at(i).polled = before;
        for child in below {
            tree.put_below(child, i, errands);
        }
        // A wait in a scope below is that one's. Where others waited before, and cannot be told from it, the next poll shows.
        if waited && (tree.take_wait_since(around, short(before), context) || is_alone) {
            tree.at(i).first_wait = short(before + 1);
        }
        Some(tree.key_of(i))
    };
    let key = if waited { with_tree_or_new(adopted)? } else { with_tree(adopted)? }?;
    Some(Scope::of(key))
}

impl Tree {
    /// Takes the note of waits at `i`, if all came after `before`.
    fn take_wait_since(&mut self, i: u32, before: u32, context: &TaskContext) -> bool {
        let first = if i == ROOT { context.first_wait() } else { self.get(i).first_wait };
        let since = first.wrapping_sub(before);
        // The upper half: it came before.
        if first == 0 || since == 0 || since > u32::MAX / 2 {
            return false;
        }
        if i == ROOT {
            context.set_first_wait(0);
        } else {
            self.at(i).first_wait = 0;
        }
        true
    }
}
