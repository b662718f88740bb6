//! `TaskRef` inspects and cancels a task from elsewhere; what both handles ask of a task.
#![allow(
    unsafe_code,
    reason = "a reference goes to other threads; what it may touch, the state word says"
)]

use crate::cell::{self, Ptr};
use crate::meta::{TaskId, TaskInfo, TaskState};
use crate::state::{After, CANCELLED, COMPLETE};
use kasasagi_primitive::cold::Cold;
use kasasagi_primitive::holders;
use kasasagi_primitive::request::{Asked, Cause, Reason, Request};
use kasasagi_primitive::sync::atomic::Ordering;
use kasasagi_primitive::task_context;
use kasasagi_primitive::vars::Context as Vars;
use kasasagi_primitive::wait_site::WaitKind;
use std::fmt;
use std::panic::Location;
use std::sync::Arc;

/// Inspects and cancels a task from elsewhere; does not join.
///
/// It keeps the task's memory, not the task: that ends as if nobody looked.
pub struct TaskRef(pub(crate) Ptr);

// SAFETY: a reference reaches words and names only, never the future or the output.
unsafe impl Send for TaskRef {}
// SAFETY: as above.
unsafe impl Sync for TaskRef {}

impl TaskRef {
    pub(crate) fn of(task: Ptr) -> Self {
        task.state().add_ref();
        Self(task)
    }

    pub(crate) fn ptr(&self) -> Ptr {
        self.0
    }

    /// The context that the task runs in, itself: the one it was given, or its own.
    ///
    /// Counterpart: `asyncio.Task.get_context`.
    pub fn context(&self) -> Vars {
        Vars::of(&self.0.header().rest.context)
    }

    /// A reference to the task in a block that a scan came across, unless it is free or complete.
    pub(crate) fn try_of(task: Ptr) -> Option<Self> {
        // Lazily: a `TaskRef` that is made gives a reference up when it is dropped.
        task.state().try_ref_incomplete().then(|| Self(task))
    }

    /// The task's number.
    pub fn id(&self) -> TaskId {
        self.0.id()
    }

    /// The task's name, or `Task-<n>`.
    pub fn name(&self) -> Arc<str> {
        self.0.name()
    }

    /// Names the task anew.
    pub fn set_name(&self, name: impl fmt::Display) {
        *self.0.cold_or_new().name.lock() = Some(name.to_string().into());
    }

    /// Whether the task has ended.
    pub fn is_finished(&self) -> bool {
        self.0.state().load(Ordering::Acquire).has(COMPLETE)
    }

    /// Whether the task has ended by cancellation.
    pub fn is_cancelled(&self) -> bool {
        self.0.state().load(Ordering::Acquire).has(CANCELLED)
    }

    /// Asks the task to end; see [`Task::cancel`](crate::Task::cancel).
    #[track_caller]
    pub fn cancel(&self) -> bool {
        self.0.cancel(None, Location::caller())
    }

    /// As [`cancel`](Self::cancel), with a reason that the task itself and the one who awaits it can read.
    #[track_caller]
    pub fn cancel_with(&self, reason: impl fmt::Display) -> bool {
        self.0.cancel(Some(told(&reason)), Location::caller())
    }

    /// Asks the task to end since its runtime does: once, however often it is called.
    #[track_caller]
    pub fn shut(&self, reason: &'static str) {
        self.0.shut(reason, Location::caller());
    }

    /// Gives the task up: its future is dropped at its next turn, whatever scopes and shields it has, and what it owes
    /// is not waited for.
    #[track_caller]
    pub fn cut(&self, reason: &'static str) {
        let cause = cause(Some(Reason::Said(reason)), Location::caller());
        let _ = self.0.ask(|request| request.cut(cause));
    }

    /// One more cleanup that has to end before the task is done; `None` if it is done already.
    ///
    /// The cleanup holds what this gives, and drops it at its end. Called from outside the task, it is right only if the
    /// task has called [`may_owe`](Self::may_owe) before.
    pub fn owe(&self) -> Option<Owed> {
        let owed = self.0.cold_or_new().request.lock().owe();
        owed.then(|| Owed(self.clone()))
    }

    /// Says that the task may come to owe something: its end then looks.
    pub fn may_owe(&self) {
        let _ = self.0.cold_or_new();
    }

    /// Takes one request back; see [`Task::uncancel`](crate::Task::uncancel).
    pub fn uncancel(&self) -> usize {
        self.0.uncancel()
    }

    /// How many requests are counted; see [`Task::cancelling`](crate::Task::cancelling).
    pub fn cancelling(&self) -> usize {
        self.0.cancelling()
    }

    /// Asks the task to end for the same cause as its group.
    pub fn cancel_for(&self, cause: &Cause) -> bool {
        self.0.ask_to_end(Cause { interrupted: None, ..cause.clone() })
    }

    /// The seat that the task has to run on, if any.
    pub fn pin(&self) -> Option<u32> {
        self.0.pin()
    }

    /// What is known of the task now.
    pub fn info(&self) -> TaskInfo {
        self.0.info()
    }
}

/// A cleanup that a task owes, until it is dropped.
#[derive(Debug)]
#[must_use = "the task waits until it is dropped"]
pub struct Owed(TaskRef);

impl Drop for Owed {
    fn drop(&mut self) {
        let task = self.0.0;
        let Some(cold) = task.cold() else { return };
        let is_last = cold.request.lock().pay();
        if is_last {
            // It counts no reference of its own: the one that `self` holds is given up after.
            task.follow(task.state().wake_by_ref());
        }
    }
}

impl Clone for TaskRef {
    fn clone(&self) -> Self {
        Self::of(self.0)
    }
}

impl Drop for TaskRef {
    fn drop(&mut self) {
        let after: After = self.0.state().drop_ref();
        self.0.follow(after);
    }
}

impl PartialEq for TaskRef {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Eq for TaskRef {}

impl fmt::Debug for TaskRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.info(), f)
    }
}

/// The task that this code runs in; `None` outside tasks.
///
/// Counterpart: `asyncio.current_task`.
pub fn try_current() -> Option<TaskRef> {
    cell::current().map(TaskRef::of)
}

fn cause(reason: Option<Reason>, place: &'static Location<'static>) -> Cause {
    Cause { reason, place: Some(place), by: task_context::current_id(), interrupted: None }
}

pub(crate) fn told(reason: &dyn fmt::Display) -> Reason {
    Reason::Told(reason.to_string().into())
}

impl Ptr {
    pub(crate) fn name(self) -> Arc<str> {
        self.given_name().unwrap_or_else(|| self.id().to_string().into())
    }

    pub(crate) fn cancel(self, reason: Option<Reason>, place: &'static Location<'static>) -> bool {
        // In the moment between the last look at the request and the end, it is too late, and not over.
        self.ask_to_end(cause(reason, place)) || !self.state().load(Ordering::Acquire).has(COMPLETE)
    }

    /// Passes a cancellation on to the task; `false` if it has ended.
    pub(crate) fn ask_to_end(self, cause: Cause) -> bool {
        if self.state().load(Ordering::Acquire).has(COMPLETE) {
            return false;
        }
        if self.header().rest.context.ask_plainly(&cause) {
            return self.show_plain();
        }
        self.ask(|request| request.cancel(cause)) != Asked::Done
    }

    /// Shows a plain request, which is in its place: whoever takes it may have done so already.
    fn show_plain(self) -> bool {
        match self.state().cancel() {
            Some(after) => {
                self.follow(after);
                true
            }
            // It had ended; by this request, if the runner came across it.
            None => self.header().rest.context.void_plain(),
        }
    }

    fn shut(self, reason: &'static str, place: &'static Location<'static>) {
        let reason = Some(Reason::Said(reason));
        let cause = cause(reason, place);
        let _ = self.ask(|request| request.shut(cause));
    }

    /// Asks under the lock, and wakes outside it.
    fn ask(self, ask: impl FnOnce(&mut Request) -> Asked) -> Asked {
        let mut request = self.cold_or_new().request.lock();
        let was_pending = request.is_pending();
        let asked = ask(&mut request);
        // Under the lock: what is pending shows in the state word before anybody can take it.
        let after = match asked {
            Asked::Pending => self.state().cancel(),
            _ => return asked,
        };
        let Some(after) = after else {
            // It had ended before there was anything to ask; or before a plain request came here, which is unseen.
            if was_pending {
                request.void_but_unseen();
            } else {
                request.void();
            }
            return Asked::Done;
        };
        drop(request);
        self.follow(after);
        asked
    }

    pub(crate) fn uncancel(self) -> usize {
        self.header().rest.context.uncancel()
    }

    pub(crate) fn cancelling(self) -> usize {
        self.header().rest.context.requests()
    }

    fn incomplete(self) -> TaskState {
        let is_finishing = |cold: &Cold| cold.request.lock().finishing().is_some();
        if self.cold().is_some_and(is_finishing) {
            TaskState::Finishing
        } else if self.cancelling() > 0 {
            TaskState::Cancelling
        } else {
            TaskState::Pending
        }
    }

    pub(crate) fn info(self) -> TaskInfo {
        let now = self.state().load(Ordering::Acquire);
        let state = if now.has(CANCELLED) {
            TaskState::Cancelled
        } else if now.has(COMPLETE) {
            TaskState::Finished
        } else {
            self.incomplete()
        };
        let header = self.header();
        let wait = if now.is_idle() { header.rest.context.wait.get() } else { None };
        let lock = wait.filter(|wait| wait.kind == WaitKind::Lock);
        TaskInfo {
            id: self.id(),
            name: self.name(),
            state,
            spawned_at: header.rest.spawned_at,
            parent: TaskId::new(self.parent()),
            wait,
            held_by: lock.and_then(|wait| holders::of(wait.resource)),
        }
    }
}
