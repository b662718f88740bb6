//! The polled task's context, for leaves that know no tasks.
//!
//! The task cell points a thread-local here for each poll and back afterwards; elsewhere it is null. Leaves
//! of the reactor and of sync say through it what the task waits for.
#![allow(
    unsafe_code,
    reason = "one word is a number or an address, and the tree belongs to who polls the task"
)]

mod current;
mod looks;
mod own;

pub(crate) use current::{CURRENT, Current, waiting_for};
pub use current::{
    Entered, coarse_now, current, current_id, enter, leaves, mark_yielded, origin, set_coarse_now,
    set_debug, waiting, who, with,
};
pub use own::{MakeWaker, set_make_waker};
pub(crate) use own::{is_own, make_waker};

use crate::cold::Cold;
use crate::cold_word::{ColdWord, View};
use crate::offers::Lines;
use crate::request::Cause;
use crate::scope::Tree;
use crate::sync::atomic::{AtomicU8, AtomicU32, Ordering};
use crate::wait_site::WaitSite;
use looks::Looks;
use std::fmt;
use std::ptr::NonNull;

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
/// Of `attention`: the parent is an owner; never changes.
const OWNED: u8 = 2;
/// What leaves may see of the task they run in. Lives in the task's cold line.
#[repr(C)]
pub struct TaskContext {
    /// The task's number: unique in the process, never zero.
    pub id: u64,
    /// What the task waits for.
    pub wait: WaitSite,
    cold: ColdWord,
    /// Bits, written by the thread that polls.
    attention: AtomicU8,
    looks: Looks,
    /// When the poll first waited for a task, by the task's own waker and in no scope: the thread's count of scope polls;
    /// zero: it did not.
    first_wait: AtomicU32,
    parent: ParentWord,
}

// SAFETY: what is not atomic is only read, and the owner's pointer is an address here. The exceptions are the lines and the
// tree of scopes, which may move between threads: only this crate reaches them, through the context that `with` gives, and
// so on the thread that polls the task.
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
        let (attention, parent) = match parent {
            Parent::Task(task) => (0, ParentWord { task }),
            Parent::Owner(owner) => (OWNED, ParentWord { owner }),
        };
        Self {
            id,
            wait: WaitSite::new(),
            cold: ColdWord::new(),
            attention: AtomicU8::new(attention),
            looks: Looks::new(),
            first_wait: AtomicU32::new(0),
            parent,
        }
    }

    /// Whom the task comes from.
    #[inline]
    pub fn parent(&self) -> Parent {
        if self.attention.load(Ordering::Relaxed) & OWNED != 0 {
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

    /// Whether nothing asks the runner to look closer: it has no scopes, and owes no cleanups.
    #[inline]
    pub fn is_plain(&self) -> bool {
        self.attention.load(Ordering::Relaxed) & CLOSER == 0
    }

    /// Makes the runner look closer from the next poll on; only the thread that polls the task may call it.
    pub fn look_closer(&self) {
        let attention = self.attention.load(Ordering::Relaxed);
        self.attention.store(attention | CLOSER, Ordering::Relaxed);
    }

    /// Ends a poll, and says whether it has looked at all futures of the task that wait in lines. If not, what it left is
    /// to be looked through, if need be, and [`renew_looks`](Self::renew_looks) called.
    #[inline]
    pub fn end_looks(&self) -> bool {
        self.looks.end()
    }

    /// The next poll has looked at nothing yet.
    pub fn renew_looks(&self) {
        self.looks.renew();
    }

    #[inline]
    pub(crate) fn looks(&self) -> &Looks {
        &self.looks
    }

    /// Shows the lines in which futures of the task have waited; only the thread that polls the task may call it.
    #[inline]
    pub(crate) fn with_lines<R>(&self, f: impl FnOnce(&Lines) -> R) -> Option<R> {
        debug_assert!(std::ptr::eq(self, current()), "lines are touched by who polls the task");
        self.cold.with_lines(f)
    }

    #[inline]
    pub(crate) fn lines_or_new(&self) -> &Lines {
        debug_assert!(std::ptr::eq(self, current()), "lines are touched by who polls the task");
        self.cold.lines_or_new()
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

/// How far behind the beginning of a task's header its context stands: so a waker is known to be the task's own. The
/// task cell sees to it.
pub const CONTEXT_AT: usize = crate::imp::CONTEXT_AT;

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
