//! What timeouts need: the deadlines around them, and whether a scope was polled below.
//!
//! A timeout is in the tree only once a scope is below it; before that nobody can tell it from a plain future, and it
//! costs one look at a thread-local.

use super::Tree;
use super::tree::Errands;
use super::{Scope, with_tree};
use crate::task_context::{CURRENT, TaskContext};

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

/// The earliest deadline of the timeouts around the calling code, up to a shield; `u64::MAX` if there is none.
pub fn deadline_around() -> u64 {
    deadline()
}

/// Whether something is to be delivered to the polled task at its next poll.
pub fn is_task_asked() -> bool {
    crate::task_context::with(|context: &TaskContext| {
        context.cold().is_some_and(|cold| cold.request.lock().is_pending())
    }) == Some(true)
}

impl Scope {
    /// Enters behind the scopes that were polled below since `before`, if there are any, as if it had been there first.
    pub fn adopt(&mut self, before: u64) {
        if ticks() == before || self.is_entered() {
            return;
        }
        let key = with_tree(|tree, errands, _| adopt(tree, before, errands));
        if let Some(Some(key)) = key {
            self.key = key;
        }
    }
}

fn adopt(tree: &mut Tree, before: u64, errands: &mut Errands) -> Option<super::entry::Key> {
    let below = tree.children_since(tree.current, before);
    if below.is_empty() {
        return None;
    }
    let i = tree.add(errands);
    tree.at(i).polled = before;
    for child in below {
        tree.put_below(child, i, errands);
    }
    Some(tree.key_of(i))
}
