//! Offers: what was given to a future of a task, and is taken back if the task goes on without looking at it.
//!
//! A task counts its futures that wait in lines, and those of them that it polls. If a poll ends pending, with no wake
//! outstanding, and has polled fewer than wait, the task asks each of its lines that has offers whether one was left to lie.
//! It holds the lines, which are shared with those who wait in them, and so no future has to be where it was: it may have
//! been moved, forgotten or dropped. A future that waits under another waker than its task's has the task woken as well.

mod lines;
mod pair;

pub(crate) use lines::Lines;
pub(crate) use pair::is_same;
pub use pair::waker;

use crate::MODEL;
use crate::task_context::{self, TaskContext};
use crate::wake_batch::drop_payload;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::sync::Arc;
use std::task::Waker;

/// A poll of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct At {
    /// The task's number.
    pub task: u64,
    /// The number of the poll, among those that have polled a future which waits in a line.
    pub poll: u32,
}

impl At {
    /// In no task.
    pub const NOWHERE: Self = Self { task: 0, poll: 0 };
}

/// A line in which offers are made.
pub trait Line: Send + Sync {
    /// Whether there are offers: a look without the lock, which sees those whose wake has come.
    fn has_offers(&self) -> bool;

    /// Takes back, and gives to others, what was offered to the task and not looked at; notes what it did before it wakes
    /// anybody.
    fn take_back(&self, at: At, taken: &mut Taken);
}

/// What [`Line::take_back`] did.
#[derive(Debug, Clone, Copy, Default)]
pub struct Taken {
    /// So many of the task's waiters have missed their turn.
    pub missed: u32,
    /// Others will, if one more poll does not look at them.
    pub is_left: bool,
}

fn address_of<L: ?Sized>(line: &L) -> *const () {
    ptr::from_ref(line).cast()
}

/// A future of the polled task waits in `line` from now on; says where.
#[inline]
pub fn join<L: Line + 'static>(line: &Arc<L>) -> At {
    task_context::with(|context| join_in(context, line)).unwrap_or(At::NOWHERE)
}

#[inline]
fn join_in<L: Line + 'static>(context: &TaskContext, line: &Arc<L>) -> At {
    let lines = context.lines_or_new();
    lines.add(line);
    let poll = lines.touch(context.looks().add());
    At { task: context.id, poll }
}

/// As [`join`], for a future that is polled with this waker: gives back the one to wait under, as [`waker`] does.
#[inline]
pub fn join_under<L: Line + 'static>(line: &Arc<L>, waker: Waker) -> (At, Waker) {
    let joined = task_context::with(|context| {
        (join_in(context, line), task_context::is_own(&waker, context))
    });
    match joined {
        Some((at, true)) => (at, waker),
        Some((at, false)) => (at, pair::beside(waker)),
        None => (At::NOWHERE, waker),
    }
}

/// A future that had joined `line`, and was last polled at `at`, waits on, and is polled; says where.
#[inline]
pub fn look<L: Line + 'static>(line: &Arc<L>, at: At) -> At {
    let looked = task_context::with(|context| {
        if context.id != at.task {
            return None;
        }
        context.with_lines(|lines| {
            let poll = lines.touch(context.looks().is_untouched());
            if poll != at.poll {
                context.looks().see();
            }
            At { task: at.task, poll }
        })
    });
    // It came from another task, or to one.
    looked.flatten().unwrap_or_else(|| join(line))
}

/// A future that had joined `line`, and was last polled at `at`, waits no more. It may be in another task by now, or in
/// none; then the task that it was in remains a little too careful.
#[inline]
pub fn part<L: Line>(line: &Arc<L>, at: At) {
    task_context::with(|context| {
        if context.id == at.task {
            context.with_lines(|lines| {
                lines.subtract(address_of(&**line), 1);
                context.looks().remove(lines.is_current(at.poll), lines.waiters());
            });
        }
    });
}

/// Ends a poll of the polled task that has left some unseen, and has no wake outstanding: takes back what was left to lie.
/// Says whether the task is to be polled once more, to look at it first.
#[cold]
pub fn take_back() -> bool {
    task_context::with(take_back_in).unwrap_or(false)
}

fn take_back_in(context: &TaskContext) -> bool {
    let is_left = context.with_lines(|lines| {
        lines.tidy();
        let at = At { task: context.id, poll: lines.touch(context.looks().is_untouched()) };
        let mut is_left = false;
        let mut next = 0;
        while let Some((i, line)) = lines.next_offering(next) {
            next = i + 1;
            let mut taken = Taken::default();
            take_back_of(&*line, at, &mut taken);
            // Also when all were taken back: whom the line served instead may be of this task, and its wake may not reach it.
            is_left |= taken.is_left || taken.missed > 0;
            lines.subtract(address_of(&*line), taken.missed);
        }
        context.looks().count(lines.waiters());
        is_left
    });
    is_left.unwrap_or(false)
}

fn take_back_of(line: &dyn Line, at: At, taken: &mut Taken) {
    if MODEL {
        // A panic is the model's verdict, and must reach it.
        return line.take_back(at, taken);
    }
    // Wakers of others may panic, which is not this task's.
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| line.take_back(at, taken))) {
        drop_payload(payload);
    }
}
