//! The polled task's context, for leaves that know no tasks.
//!
//! The task cell points a thread-local here for each poll and back afterwards; elsewhere it is null. Leaves
//! of the reactor and of sync say through it what the task waits for.
#![allow(unsafe_code, reason = "the thread-local points into the task that this thread is polling")]

use crate::sync::atomic::AtomicPtr;
use crate::thread_local;
use crate::wait_site::{WaitKind, WaitSite};
use std::cell::Cell;
use std::panic::Location;

/// What leaves may see of the task they run in. Lives in the task's cold line.
#[derive(Debug)]
#[repr(C)]
pub struct TaskContext {
    /// The task's number: unique in the process, never zero.
    pub id: u64,
    /// What the task waits for.
    pub wait: WaitSite,
    /// The tree of live cancel scopes, made at the first need. Reserved; null until then.
    pub scopes: AtomicPtr<()>,
}

impl TaskContext {
    /// The context of task `id`.
    pub fn new(id: u64) -> Self {
        Self { id, wait: WaitSite::new(), scopes: AtomicPtr::new(std::ptr::null_mut()) }
    }
}

/// What belongs to the poll under way on this thread; together, so that a poll finds it with one look.
pub(crate) struct Current {
    task: Cell<*const TaskContext>,
    yielded: Cell<bool>,
    pub(crate) budget: Cell<u8>,
    now: Cell<u64>,
}

thread_local! {
    pub(crate) static CURRENT: Current = Current {
        task: Cell::new(std::ptr::null()),
        yielded: Cell::new(false),
        budget: Cell::new(crate::coop::UNCONSTRAINED),
        now: Cell::new(0),
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

/// The polled task's context as a pointer; null outside tasks.
#[inline]
pub fn current() -> *const TaskContext {
    CURRENT.with(|current| current.task.get())
}

/// The polled task's number; `None` outside tasks.
#[inline]
pub fn current_id() -> Option<u64> {
    let context = current();
    // SAFETY: `enter`'s caller keeps the context valid while the thread-local points to it.
    unsafe { context.as_ref() }.map(|context| context.id)
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
