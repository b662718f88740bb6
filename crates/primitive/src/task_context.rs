//! The polled task's context, for leaves that know no tasks.
//!
//! The task cell points a thread-local here for each poll and back afterwards; elsewhere it is null. Leaves
//! of the reactor and of sync say through it what the task waits for.
#![allow(unsafe_code, reason = "the thread-local points into the task that this thread is polling")]

use crate::MODEL;
use crate::cold::Cold;
use crate::cold_word::{ColdWord, View};
use crate::offers::Lines;
use crate::request::Cause;
use crate::scope::{Tree, count_wait};
use crate::sync::atomic::{AtomicU8, AtomicU32, Ordering};
use crate::thread_local;
use crate::wait_site::{WaitKind, WaitSite};
use std::cell::Cell;
use std::fmt;
use std::panic::Location;
use std::ptr::NonNull;
use std::task::Waker;

/// Whom a task comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parent {
    /// The task of this number spawned it; zero: none did.
    Task(u64),
    /// Its owner; what that is, the task cell knows.
    Owner(NonNull<()>),
}

/// The same in one word.
union ParentWord {
    task: u64,
    owner: NonNull<()>,
}

/// Of `attention`: the task has scopes, or owes cleanups.
const CLOSER: u8 = 1;
/// Of `attention`: futures of the task wait in lines where what they are given may be taken back.
const IN_LINE: u8 = 2;

/// What leaves may see of the task they run in. Lives in the task's cold line.
#[repr(C)]
pub struct TaskContext {
    /// The task's number: unique in the process, never zero.
    pub id: u64,
    /// What the task waits for.
    pub wait: WaitSite,
    cold: ColdWord,
    /// Bits, written by the thread that polls: what is not zero makes the runner look closer.
    attention: AtomicU8,
    is_owned: bool,
    /// When the poll first waited for a task, by the task's own waker and in no scope: the thread's count of scope polls;
    /// zero: it did not.
    first_wait: AtomicU32,
    parent: ParentWord,
}

// SAFETY: what is not atomic is only read, and the owner's pointer is an address here.
unsafe impl Send for TaskContext {}
// SAFETY: as above.
unsafe impl Sync for TaskContext {}

impl TaskContext {
    /// The context of task `id`, which comes from nobody.
    #[inline]
    pub fn new(id: u64) -> Self {
        Self::of(id, Parent::Task(0))
    }

    /// The context of task `id`.
    #[inline]
    pub fn of(id: u64, parent: Parent) -> Self {
        let (is_owned, parent) = match parent {
            Parent::Task(task) => (false, ParentWord { task }),
            Parent::Owner(owner) => (true, ParentWord { owner }),
        };
        Self {
            id,
            wait: WaitSite::new(),
            cold: ColdWord::new(),
            attention: AtomicU8::new(0),
            is_owned,
            first_wait: AtomicU32::new(0),
            parent,
        }
    }

    /// Whom the task comes from.
    #[inline]
    pub fn parent(&self) -> Parent {
        if self.is_owned {
            // SAFETY: `of` wrote an owner, says the flag, and nobody writes after it.
            Parent::Owner(unsafe { self.parent.owner })
        } else {
            // SAFETY: `of` wrote a number, says the flag.
            Parent::Task(unsafe { self.parent.task })
        }
    }

    /// The number of the task that spawned it; zero if none did, or it has an owner.
    fn parent_task(&self) -> u64 {
        match self.parent() {
            Parent::Task(task) => task,
            Parent::Owner(_) => 0,
        }
    }

    /// Whether nothing was asked of the task, and it has no cold part.
    #[inline]
    pub fn is_bare(&self) -> bool {
        self.cold.is_bare()
    }

    /// The cold part, if there is one.
    #[inline]
    pub fn cold(&self) -> Option<&Cold> {
        self.cold.get()
    }

    /// The cold part, made if there is none.
    pub fn cold_or_new(&self) -> &Cold {
        self.cold.get_or_new(self.parent_task())
    }

    /// Puts a request here that is plain, if nothing was asked or is known of the task yet; `false`: it is for the cold
    /// part.
    pub fn ask_plainly(&self, cause: &Cause) -> bool {
        let Cause { reason: None, place: Some(place), by, interrupted: None } = cause else {
            return false;
        };
        let parent = self.parent_task();
        let by_parent = by.is_some();
        if by_parent && *by != Some(parent) {
            return false;
        }
        self.cold.ask(place, by_parent)
    }

    /// The task turned out to be done when a plain request was put here: nobody will take it. Says whether somebody did.
    pub fn void_plain(&self) -> bool {
        if self.cold.withdraw() {
            return false;
        }
        match self.cold.look() {
            View::Bare => false,
            View::Plain(_) => true,
            // A cold part was made of it. What is pending there may be another's by now, and is left as it is.
            View::Cold(cold) => !cold.request.lock().is_pending(),
        }
    }

    /// Whether there is a plain request.
    pub(crate) fn is_asked_plainly(&self) -> bool {
        self.cold.plain().is_some()
    }

    /// Takes a plain request, to end the task for it; `false` if there is none. For the runner.
    pub fn take_plain(&self) -> bool {
        self.cold.take()
    }

    /// What ends the task, whose plain request was taken.
    pub fn plain_cause(&self) -> Cause {
        let cause = match self.cold.look() {
            View::Plain(plain) => plain.cause(self.parent_task()),
            // A cold part was made of it since.
            View::Cold(cold) => cold.request.lock().cause().clone(),
            View::Bare => Cause::default(),
        };
        Cause { interrupted: self.wait.get().and_then(|wait| wait.place), ..cause }
    }

    /// How many requests to cancel the task were counted and not taken back.
    pub fn requests(&self) -> usize {
        match self.cold.look() {
            View::Bare => 0,
            View::Plain(_) => 1,
            View::Cold(cold) => cold.request.lock().requests() as usize,
        }
    }

    /// Whether something is to be delivered; once the task is done: whether it never saw what was asked of it.
    pub fn is_asked(&self) -> bool {
        match self.cold.look() {
            View::Bare => false,
            View::Plain(plain) => !plain.is_taken,
            View::Cold(cold) => cold.request.lock().is_pending(),
        }
    }

    /// Takes one request back; see [`Request::uncancel`](crate::request::Request::uncancel).
    pub fn uncancel(&self) -> usize {
        if self.cold.withdraw() || self.cold.is_bare() {
            return 0;
        }
        self.cold_or_new().request.lock().uncancel()
    }

    /// Whether nothing asks the runner to look closer.
    #[inline]
    pub fn is_plain(&self) -> bool {
        self.attention.load(Ordering::Relaxed) == 0
    }

    /// Whether the runner has to look closer at nothing but the lines in which the task waits.
    #[inline]
    pub fn is_in_line_only(&self) -> bool {
        self.attention.load(Ordering::Relaxed) == IN_LINE
    }

    /// Whether the task waits in lines.
    #[inline]
    pub fn is_in_line(&self) -> bool {
        self.attention.load(Ordering::Relaxed) & IN_LINE != 0
    }

    /// Whether it has no scopes and owes no cleanups.
    #[inline]
    pub(crate) fn has_no_scopes(&self) -> bool {
        self.attention.load(Ordering::Relaxed) & CLOSER == 0
    }

    /// Makes the runner look closer from the next poll on; only the thread that polls the task may call it.
    pub fn look_closer(&self) {
        let attention = self.attention.load(Ordering::Relaxed);
        self.attention.store(attention | CLOSER, Ordering::Relaxed);
    }

    fn set_in_line(&self, in_line: bool) {
        let attention = self.attention.load(Ordering::Relaxed);
        let now = if in_line { attention | IN_LINE } else { attention & !IN_LINE };
        self.attention.store(now, Ordering::Relaxed);
    }

    /// Begins a poll: the task waits for nothing. Only the thread that polls the task may call it.
    #[inline]
    pub fn begin(&self) {
        self.wait.clear();
        self.first_wait.store(0, Ordering::Relaxed);
    }

    /// Notes that the poll under way waits for a task, at `tick`.
    #[inline]
    pub(crate) fn note_wait(&self, tick: u32) {
        if self.first_wait.load(Ordering::Relaxed) == 0 {
            self.set_first_wait(tick);
        }
    }

    pub(crate) fn set_first_wait(&self, tick: u32) {
        self.first_wait.store(tick, Ordering::Relaxed);
    }

    /// When the last poll first waited for a task, in no scope; zero: it did not.
    pub(crate) fn first_wait(&self) -> u32 {
        self.first_wait.load(Ordering::Relaxed)
    }
}

impl fmt::Debug for TaskContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskContext")
            .field("id", &self.id)
            .field("wait", &self.wait)
            .field("cold", &self.cold)
            .finish_non_exhaustive()
    }
}

/// What belongs to the poll under way on this thread; together, so that a poll finds it with one look.
pub(crate) struct Current {
    task: Cell<*const TaskContext>,
    yielded: Cell<bool>,
    pub(crate) budget: Cell<u8>,
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

/// How far behind the beginning of a task's header its context stands: so a waker is known to be the task's own. The
/// task cell sees to it.
pub const CONTEXT_AT: usize = crate::imp::CONTEXT_AT;

/// Whether `waker` is the own one of the task with this context, and not a combinator's.
#[inline]
pub(crate) fn is_own(waker: &Waker, context: &TaskContext) -> bool {
    // Nobody else's waker points to the header: its address is given out in the task's own alone.
    let before = std::ptr::from_ref(context).addr().wrapping_sub(waker.data().addr());
    // In a model atomics are larger; no other block lies so near.
    before == CONTEXT_AT || (MODEL && before < 1024)
}

/// Shows the place of the polled task's tree; `None` if there is no tree, and none is to be made.
///
/// `f` calls no foreign code, and so does not come back here: a panic otherwise.
pub(crate) fn with_scopes<R>(
    context: &TaskContext,
    make: bool,
    f: impl FnOnce(&mut Option<Box<Tree>>) -> R,
) -> Option<R> {
    debug_assert!(std::ptr::eq(context, current()), "trees are touched by who polls the task");
    let cold = if make { context.cold_or_new() } else { context.cold()? };
    cold.scopes.0.with_mut(|slot| {
        // SAFETY: `with` gave the context, so this thread polls its task, and no other touches the tree.
        let slot = unsafe { &*slot };
        let mut slot = slot.borrow_mut();
        if slot.is_none() {
            if !make {
                return None;
            }
            context.look_closer();
        }
        Some(f(&mut slot))
    })
}

/// Shows the lines of the polled task to `f`, which calls no foreign code, and so does not come back here: a panic
/// otherwise. The runner looks at them from the next poll on, if the task waits in one.
#[inline]
pub(crate) fn with_lines<R>(context: &TaskContext, f: impl FnOnce(&mut Lines) -> R) -> R {
    debug_assert!(std::ptr::eq(context, current()), "lines are touched by who polls the task");
    let mut lines = context.cold.lines_or_new().borrow_mut();
    let result = f(&mut lines);
    context.set_in_line(lines.is_busy());
    result
}

/// Whether the polled task has waited in a line.
#[inline]
pub(crate) fn has_lines(context: &TaskContext) -> bool {
    context.cold.has_lines()
}

/// Whether [`mark_yielded`] was called in the poll under way.
#[inline]
pub fn has_yielded() -> bool {
    CURRENT.with(|current| current.yielded.get())
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
        let plain = context.has_no_scopes() && is_own(waker, context);
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
