//! Offers: what was given to a future of a task, and is taken back if the task goes on without looking at it.
//!
//! A task knows the lines in which futures wait that it has polled. At the end of a poll that is pending, and has no wake
//! outstanding, it asks each of them that has offers whether one was left to lie. It holds the lines, which are shared with
//! those who wait in them, and so no future has to be where it was: it may have been moved, forgotten or dropped.

use crate::MODEL;
use crate::task_context::{self, TaskContext};
use crate::wake_batch::drop_payload;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::sync::Arc;

/// A poll of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct At {
    /// The task's number.
    pub task: u64,
    /// The number of the poll, counted while the task waits in lines.
    pub poll: u32,
}

impl At {
    /// In no task.
    pub const NOWHERE: Self = Self { task: 0, poll: 0 };

    /// The poll under way on this thread.
    #[inline]
    pub fn here() -> Self {
        let here = task_context::with(|context| {
            let has_lines = task_context::has_lines(context);
            let poll =
                if has_lines { task_context::with_lines(context, |lines| lines.poll) } else { 0 };
            Self { task: context.id, poll }
        });
        here.unwrap_or(Self::NOWHERE)
    }
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

/// The lines in which a task waits.
#[derive(Default)]
pub(crate) struct Lines {
    poll: u32,
    /// How many of those below have waiters.
    busy: u32,
    // One that has none is kept for the next time.
    first: Option<Known>,
    others: Vec<Known>,
}

struct Known {
    line: Arc<dyn Line>,
    waiters: u32,
}

/// A future of the polled task waits in `line` from now on; says where.
pub fn join<L: Line + 'static>(line: &Arc<L>) -> At {
    let joined = task_context::with(|context| {
        task_context::with_lines(context, |lines| {
            lines.add(line);
            At { task: context.id, poll: lines.poll }
        })
    });
    joined.unwrap_or(At::NOWHERE)
}

/// A future that had joined `line`, in the poll `at` or before, waits no more. It may be in another task by now, or in
/// none; then the task that it was in remains a little too careful.
pub fn part<L: Line>(line: &Arc<L>, at: At) {
    task_context::with(|context| {
        if context.id == at.task {
            task_context::with_lines(context, |lines| lines.subtract(line_address(&**line), 1));
        }
    });
}

fn line_address<L: ?Sized>(line: &L) -> *const () {
    ptr::from_ref(line).cast()
}

impl Lines {
    fn known(&mut self) -> impl Iterator<Item = &mut Known> {
        self.first.iter_mut().chain(&mut self.others)
    }

    #[inline]
    fn find(&mut self, address: *const ()) -> Option<&mut Known> {
        match &mut self.first {
            Some(first) if line_address(&*first.line) == address => self.first.as_mut(),
            _ => self.others.iter_mut().find(|known| line_address(&*known.line) == address),
        }
    }

    #[inline]
    fn add<L: Line + 'static>(&mut self, line: &Arc<L>) {
        let Some(known) = self.find(line_address(&**line)) else {
            return self.add_new(Arc::<L>::clone(line));
        };
        known.waiters += 1;
        let begins = known.waiters == 1;
        self.busy += u32::from(begins);
    }

    #[cold]
    fn add_new(&mut self, line: Arc<dyn Line>) {
        // A future that went to another task left its line behind. Looked for as often as the room would double.
        if self.others.len() == self.others.capacity() {
            self.forget_dead();
        }
        self.busy += 1;
        let new = Known { line, waiters: 1 };
        if let Some(idle) = self.known().find(|known| known.waiters == 0) {
            *idle = new;
        } else if self.first.is_none() {
            self.first = Some(new);
        } else {
            self.others.push(new);
        }
    }

    #[inline]
    fn subtract(&mut self, address: *const (), waiters: u32) {
        // Not there, or none: a future came back that was in another task meanwhile.
        if let Some(known) = self.find(address).filter(|known| known.waiters > 0) {
            known.waiters = known.waiters.saturating_sub(waiters);
            let ends = known.waiters == 0;
            self.busy -= u32::from(ends);
        }
    }

    fn forget_dead(&mut self) {
        let mut dead = 0;
        for known in self.known().filter(|known| known.waiters > 0) {
            if Arc::strong_count(&known.line) == 1 {
                known.waiters = 0;
                dead += 1;
            }
        }
        self.busy -= dead;
    }

    /// Whether the task waits in some line.
    pub(crate) fn is_busy(&self) -> bool {
        self.busy > 0
    }
}

/// Begins a poll of the polled task, which waits in lines.
#[inline]
pub fn begin(context: &TaskContext) {
    task_context::with_lines(context, |lines| lines.poll = lines.poll.wrapping_add(1));
}

/// Ends a poll of the polled task that is pending, and has no wake outstanding: takes back what was left to lie. Says
/// whether the task is to be polled once more, to look at it first.
pub fn end() -> bool {
    task_context::with(|context| {
        let has_offers = |lines: &mut Lines| lines.known().any(|known| known.may_be_left());
        task_context::with_lines(context, has_offers) && look_through(context)
    })
    .unwrap_or(false)
}

impl Known {
    fn may_be_left(&self) -> bool {
        self.waiters > 0 && self.line.has_offers()
    }
}

#[cold]
fn look_through(context: &TaskContext) -> bool {
    let mut is_left = false;
    let mut i = 0;
    loop {
        let found = task_context::with_lines(context, |lines| {
            // Nobody is left who could wait in it: the futures were forgotten.
            lines.forget_dead();
            let at = At { task: context.id, poll: lines.poll };
            let found = lines.known().enumerate().skip(i).find(|(_, known)| known.may_be_left());
            found.map(|(i, known)| (i, Arc::clone(&known.line), at))
        });
        let Some((at, line, poll)) = found else { return is_left };
        i = at + 1;
        let mut taken = Taken::default();
        take_back(&*line, poll, &mut taken);
        is_left |= taken.is_left;
        let address = line_address(&*line);
        task_context::with_lines(context, |lines| lines.subtract(address, taken.missed));
    }
}

fn take_back(line: &dyn Line, at: At, taken: &mut Taken) {
    if MODEL {
        // A panic is the model's verdict, and must reach it.
        return line.take_back(at, taken);
    }
    // Wakers of others may panic, which is not this task's.
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| line.take_back(at, taken))) {
        drop_payload(payload);
    }
}
