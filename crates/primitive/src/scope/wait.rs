//! The wait for a task, which is a scope without room for one: a delivery cancels that task, and the wait goes on.
//!
//! With the task's own waker it is no entry: the scope around it notes that there is one, and a delivery is offered to
//! whoever is polled next and had waited before. It becomes an entry when it accepts, or under a foreign waker.

use super::entry::{DEAF, Delivery, FOREIGN, JOINS};
use super::tree::ROOT;
use super::{with_tree, with_tree_or_new};
use crate::task_context;
use std::task::Waker;

/// What a wait for a task that is an entry finds.
#[derive(Debug)]
pub enum Awaited {
    /// No delivery has reached it.
    Quiet,
    /// One has: the task is to be cancelled, once more.
    Cancelled(Delivery),
    /// It has been told before, and waits.
    Waiting,
}

/// A wait for task `join` is pending. `true`: it is an entry, under a foreign waker.
#[inline]
pub fn note_wait(join: u64, waker: &Waker) -> bool {
    let plain = task_context::with(|context| {
        let plain = context.is_plain() && task_context::is_own(waker, context);
        if plain {
            context.note_join();
        }
        plain
    });
    match plain {
        Some(false) => note_in_tree(join, waker),
        _ => false,
    }
}

#[cold]
fn note_in_tree(join: u64, waker: &Waker) -> bool {
    let own = task_context::with(|context| task_context::is_own(waker, context)) == Some(true);
    if own {
        let noted = with_tree(|tree, _, context| {
            if tree.current == ROOT {
                context.note_join();
            } else {
                let current = tree.current;
                tree.at(current).set(JOINS, true);
            }
        });
        if noted.is_none() {
            task_context::with(task_context::TaskContext::note_join);
        }
        return false;
    }
    let mut mine = Some(waker.clone());
    with_tree_or_new(|tree, errands, _| {
        let i = tree.find_join(join).unwrap_or_else(|| tree.add_join(join, errands));
        tree.register();
        tree.put_below(i, tree.current, errands);
        let now = tree.tick();
        let entry = tree.at(i);
        entry.polled = now;
        entry.set(FOREIGN, true);
        entry.set(DEAF, false);
        errands.drop.extend(std::mem::replace(&mut entry.waker, mine.take()));
    });
    true
}

/// A wait for `join`, which was pending before, is polled: accepts what was offered to it. It is an entry then.
#[inline]
pub fn accept(join: u64) -> Option<Delivery> {
    if task_context::with(task_context::TaskContext::is_plain) != Some(false) {
        return None;
    }
    with_tree(|tree, errands, _| tree.accept(join, errands))?
}

/// A wait that is an entry is polled.
pub fn poll_wait(join: u64) -> Awaited {
    let found = with_tree(|tree, errands, _| {
        let i = tree.find_join(join)?;
        tree.put_below(i, tree.current, errands);
        let now = tree.tick();
        let entry = tree.at(i);
        entry.polled = now;
        let Some(news) = entry.news.as_deref_mut() else { return Some(Awaited::Quiet) };
        let found = match news.mark.take() {
            Some(mark) => {
                news.held = Some(mark.clone());
                Awaited::Cancelled(mark)
            }
            None if news.held.is_some() => Awaited::Waiting,
            None => Awaited::Quiet,
        };
        tree.refresh(i, errands);
        Some(found)
    });
    found.flatten().unwrap_or(Awaited::Quiet)
}

/// The wait is over. `used`: the task has answered with a value, and what had reached the wait is used up.
pub fn leave_wait(join: u64, used: bool) {
    with_tree(|tree, errands, _| {
        if let Some(i) = tree.find_join(join) {
            tree.leave(i, used, errands);
        }
    });
}

/// The wait is over, and what had reached it moves on to the scope around it. `false`: nothing had.
pub fn pass_wait(join: u64) -> bool {
    with_tree(|tree, errands, _| {
        let i = tree.find_join(join)?;
        let parent = tree.get(i).parent;
        let news = tree.at(i).news.as_deref_mut()?;
        let delivery = news.mark.take().or_else(|| news.held.take())?;
        news.held = None;
        tree.leave(i, true, errands);
        tree.arrive(parent, delivery, errands);
        Some(())
    })
    .flatten()
    .is_some()
}
