//! The poll under way on this thread: whose it is, and what belongs to it.
#![allow(unsafe_code, reason = "the thread-local points into the task that this thread is polling")]

use super::{TaskContext, is_own};
use crate::scope::count_wait;
use crate::thread_local;
use crate::wait_site::WaitKind;
use std::cell::Cell;
use std::panic::Location;
use std::task::Waker;

/// What belongs to the poll under way on this thread; together, so that a poll finds it with one look.
pub(crate) struct Current {
    task: Cell<*const TaskContext>,
    yielded: Cell<bool>,
    pub(crate) budget: Cell<u8>,
    /// How many leaf operations were begun in polls on this thread.
    pub(crate) leaves: Cell<u64>,
    now: Cell<u64>,
    /// Whether the runtime of this thread is in debug mode.
    debug: Cell<bool>,
    /// Whether context variables may be elsewhere than in the task.
    pub(crate) vars: Cell<bool>,
    /// Counts polls of scopes on this thread, so that a timeout sees with one look whether there was one below it.
    pub(crate) ticks: Cell<u64>,
    /// What the count was when a task was last waited for; that counts too.
    pub(crate) waited: Cell<u64>,
    /// The earliest deadline of the timeouts around the code that is polled, up to a shield.
    pub(crate) deadline: Cell<u64>,
    /// The latest moment at which an overdue timeout left the field to one around it.
    pub(crate) left_at: Cell<u64>,
}

thread_local! {
    pub(crate) static CURRENT: Current = Current {
        task: Cell::new(std::ptr::null()),
        yielded: Cell::new(false),
        budget: Cell::new(crate::coop::UNCONSTRAINED),
        leaves: Cell::new(0),
        now: Cell::new(0),
        debug: Cell::new(false),
        vars: Cell::new(false),
        ticks: Cell::new(0),
        waited: Cell::new(0),
        deadline: Cell::new(u64::MAX),
        left_at: Cell::new(0),
    }
}

/// Puts back what belongs to the poll around this one.
#[derive(Debug)]
pub struct Entered {
    previous: *const TaskContext,
    yielded: bool,
    budget: u8,
}

impl Entered {
    /// Ends it, and says whether [`mark_yielded`] was called since it began.
    #[inline]
    pub fn leave(self) -> bool {
        // The drop that follows puts the flag of the poll around this one back.
        CURRENT.with(|current| current.yielded.get())
    }
}

impl Drop for Entered {
    #[inline]
    fn drop(&mut self) {
        CURRENT.with(|current| {
            current.task.set(self.previous);
            current.yielded.set(self.yielded);
            current.budget.set(self.budget);
        });
    }
}

/// Makes `context` the polled task's until the guard is dropped, with a fresh budget; null: no task's.
///
/// # Safety
/// A context that is not null stays valid, and is polled by no other thread, until the guard is dropped. Where
/// kasasagi's tasks run on the thread too, it is the context in a task's header: they find their header from it.
#[inline]
pub unsafe fn enter(context: *const TaskContext) -> Entered {
    CURRENT.with(|current| Entered {
        previous: current.task.replace(context),
        yielded: current.yielded.replace(false),
        budget: current.budget.replace(crate::coop::BUDGET),
    })
}

/// Notes that the poll under way ends by `yield_now`: the task goes to the end of its queue.
#[inline]
pub fn mark_yielded() {
    CURRENT.with(|current| current.yielded.set(true));
}

/// How many leaf operations were begun in polls on this thread, those without a budget left out. Wraps.
pub fn leaves() -> u64 {
    CURRENT.with(|current| current.leaves.get())
}

/// The polled task's context as a pointer; null outside tasks.
#[inline]
pub fn current() -> *const TaskContext {
    CURRENT.with(|current| current.task.get())
}

/// Shows the polled task's context; `None` outside tasks.
#[inline]
pub fn with<R>(f: impl FnOnce(&TaskContext) -> R) -> Option<R> {
    let context = current();
    // SAFETY: `enter`'s caller keeps the context valid while the thread-local points to it.
    unsafe { context.as_ref() }.map(f)
}

/// Says whether the runtime of this thread is in debug mode; returns what was said before.
pub fn set_debug(debug: bool) -> bool {
    CURRENT.with(|current| current.debug.replace(debug))
}

/// The polled task's number, zero outside tasks; and whether this is debug mode.
#[inline]
pub fn who() -> (u64, bool) {
    CURRENT.with(|current| {
        // SAFETY: `enter`'s caller keeps the context valid while the thread-local points to it.
        let task = unsafe { current.task.get().as_ref() };
        (task.map_or(0, |task| task.id), current.debug.get())
    })
}

/// Of the code that spawns here: the number of its task, zero outside tasks, and whether it may have context variables: in
/// the cold part of the task, or where `vars` looks.
#[inline]
pub fn origin() -> (u64, bool) {
    CURRENT.with(|current| {
        // SAFETY: `enter`'s caller keeps the context valid while the thread-local points to it.
        let Some(task) = (unsafe { current.task.get().as_ref() }) else {
            return (0, current.vars.get());
        };
        (task.id, current.vars.get() || task.cold.has_vars())
    })
}

/// The polled task's number; `None` outside tasks.
#[inline]
pub fn current_id() -> Option<u64> {
    with(|context| context.id)
}

/// Says that the polled task is about to wait; outside tasks it does nothing.
///
/// `resource` is an address, for display and comparison; `place` is where the program asked for the leaf.
#[inline]
pub fn waiting(kind: WaitKind, resource: usize, place: &'static Location<'static>) {
    CURRENT.with(|current| {
        // SAFETY: `enter`'s caller keeps the context valid while the thread-local points to it, and this is
        // the thread that polls.
        if let Some(context) = unsafe { current.task.get().as_ref() } {
            context.wait.set(kind, resource, place, current.now.get());
        }
    });
}

/// As [`waiting`], for task `join`; says whether the wait is noted in the context alone, or is to be noted in the tree of
/// scopes. `None` outside tasks.
#[inline]
pub(crate) fn waiting_for(
    join: u64,
    waker: &Waker,
    place: &'static Location<'static>,
) -> Option<bool> {
    CURRENT.with(|current| {
        // SAFETY: as in `waiting`.
        let context = unsafe { current.task.get().as_ref() }?;
        let resource = usize::try_from(join).unwrap_or(usize::MAX);
        context.wait.set(WaitKind::Join, resource, place, current.now.get());
        let plain = context.is_plain() && is_own(waker, context);
        if plain {
            context.note_wait(count_wait(current));
        }
        Some(plain)
    })
}

/// Tells this thread the time that wait sites are stamped with: nanoseconds of the scheduler's clock.
#[inline]
pub fn set_coarse_now(now: u64) {
    CURRENT.with(|current| current.now.set(now));
}

/// The time this thread was last told.
#[inline]
pub fn coarse_now() -> u64 {
    CURRENT.with(|current| current.now.get())
}
