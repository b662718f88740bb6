//! The wait for a task, which is a scope without room for one: a delivery cancels that task, and the wait goes on.
//!
//! With the task's own waker it is no entry: the scope around it notes that there is one, and a delivery is offered to
//! whoever is polled next and had waited before. It becomes an entry when it accepts, or under a foreign waker.

use super::entry::{DEAF, Delivery, FOREIGN, PASSING};
use super::tree::ROOT;
use super::{timed, with_tree, with_tree_or_new};
use crate::task_context;
use std::panic::Location;
use std::task::Waker;

/// What a wait for a task that is an entry finds.
#[derive(Debug)]
pub enum Awaited {
    /// It is an entry no more: it was not polled when it was time to, and what it had been told has moved on.
    Gone,
    /// Nothing new has reached it.
    Waiting,
    /// A delivery has: the task is to be cancelled, once more.
    Cancelled(Delivery),
    /// It has passed on, and waits to be dropped.
    Passing,
}

/// Whether something may have been offered to the waits that are polled now.
#[inline]
pub fn is_offering() -> bool {
    task_context::with(task_context::TaskContext::is_plain) == Some(false)
}

/// The polled task waits at `place` for task `join`; `entered`: the wait is an entry. Says whether it is one from now on:
/// under a foreign waker it becomes one.
#[inline]
pub fn wait_for(
    join: u64,
    waker: &Waker,
    place: &'static Location<'static>,
    entered: bool,
) -> bool {
    let plain = task_context::waiting_for(join, waker, place);
    plain == Some(false) && note_in_tree(join, waker, entered)
}

#[cold]
fn note_in_tree(join: u64, waker: &Waker, entered: bool) -> bool {
    let own = task_context::with(|context| task_context::is_own(waker, context)) == Some(true);
    if own && entered {
        // It is told as an entry, and not as one of those that are noted.
        return true;
    }
    if own {
        let tick = timed::wait();
        let noted = with_tree(|tree, _, context| {
            if tree.current == ROOT {
                context.note_wait(tick);
            } else {
                let current = tree.current;
                let entry = tree.at(current);
                if entry.first_wait == 0 {
                    entry.first_wait = tick;
                }
            }
        });
        if noted.is_none() {
            task_context::with(|context| context.note_wait(tick));
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
pub fn accept(join: u64) -> Option<Delivery> {
    with_tree(|tree, errands, _| tree.accept(join, errands))?
}

/// A wait that is an entry is polled.
pub fn poll_wait(join: u64) -> Awaited {
    let found = with_tree(|tree, errands, _| {
        let i = tree.find_join(join)?;
        if tree.get(i).is(PASSING) && !tree.has_passed_to(i) {
            // Whom it had passed to has dropped that await: this is another one.
            tree.leave(i, true, errands);
            return None;
        }
        tree.put_below(i, tree.current, errands);
        let now = tree.tick();
        let entry = tree.at(i);
        entry.polled = now;
        if entry.is(PASSING) {
            return Some(Awaited::Passing);
        }
        let Some(news) = entry.news.as_deref_mut() else { return Some(Awaited::Waiting) };
        let Some(mark) = news.mark.take() else { return Some(Awaited::Waiting) };
        news.held = Some(mark.clone());
        tree.refresh(i, errands);
        Some(Awaited::Cancelled(mark))
    });
    found.flatten().unwrap_or(Awaited::Gone)
}

/// The wait is over. `used`: the task has answered with a value, and what had reached the wait is used up.
pub fn leave_wait(join: u64, used: bool) {
    with_tree(|tree, errands, _| {
        if let Some(i) = tree.find_join(join) {
            tree.leave(i, used, errands);
        }
    });
}

/// What had reached the wait moves on to the scope around it, and the wait is pending until it is dropped. `false`: nothing
/// had, and the wait is over.
pub fn pass_wait(join: u64) -> bool {
    with_tree(|tree, errands, _| {
        let i = tree.find_join(join)?;
        let parent = tree.get(i).parent;
        let to = tree.key_of(parent);
        let told = tree.at(i).news.as_deref_mut();
        let delivery = told.and_then(|news| news.mark.take().or_else(|| news.held.take()));
        let Some(delivery) = delivery else {
            tree.leave(i, true, errands);
            return None;
        };
        let entry = tree.at(i);
        entry.set(PASSING, true);
        let news = entry.news();
        news.held = None;
        news.passed_to = Some(to);
        tree.refresh(i, errands);
        tree.arrive(parent, delivery, errands);
        Some(())
    })
    .flatten()
    .is_some()
}
