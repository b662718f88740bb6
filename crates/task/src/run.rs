//! The runner: polls a task once, and ends it.
#![allow(unsafe_code, reason = "the runner has the future and its place, by the state word")]

use crate::cell::{Ptr, guarded};
use crate::error::JoinError;
use crate::meta::TaskId;
use crate::panic_site;
use crate::state::{AfterPending, AfterReady, CANCEL, CANCELLED, COMPLETE, KEPT, Snapshot};
use crate::unread;
use crate::waker;
use kasasagi_primitive::request::Cause;
use kasasagi_primitive::{offers, task_context};
use std::any::Any;
use std::cell::Cell as StdCell;
use std::ptr::NonNull;
use std::task::{Context, Poll, Waker};

/// The right, and duty, to poll a task once; exists while the task is due.
///
/// Dropping it would strand the task: it is either run or pushed.
#[derive(Debug)]
#[must_use = "a task that is due must be run or queued"]
pub struct Runnable(pub(crate) Ptr);

// SAFETY: a Runnable is exclusive by the state word; that its future may be polled on another thread is what
// `spawn` demands by `Send`, and what the caller of `spawn_unchecked` promises by `pin`.
unsafe impl Send for Runnable {}

/// How a run ended.
#[derive(Debug)]
#[must_use]
pub enum Ran {
    /// The task waits; its wakers have it.
    Pending,
    /// The task was woken meanwhile, or yielded: to the end of the queue.
    Requeue(Runnable),
    /// The task is over; whoever awaits it is to be woken.
    Complete(Joiner),
}

/// Whoever awaits a task that is over: woken when this is dropped, on the thread and in the place that the runner
/// chooses.
#[derive(Debug)]
#[must_use = "it says whether somebody awaits the task, and wakes it when it is dropped"]
pub struct Joiner(Option<Waker>);

impl Joiner {
    /// Whether nobody awaits the task.
    #[inline]
    pub fn is_nobody(&self) -> bool {
        self.0.is_none()
    }
}

impl Drop for Joiner {
    #[inline]
    fn drop(&mut self) {
        let Some(waker) = self.0.take() else { return };
        // A foreign waker may panic; the worker must not.
        if let Err(payload) = guarded(|| waker.wake()) {
            unread::swallowed("the waker of a future that awaits a task panicked", None, payload);
        }
    }
}

impl Runnable {
    /// Polls the task once.
    pub fn run(self) -> Ran {
        let task = self.0;
        let header = task.header();
        let start = header.state.start();
        if start.has(CANCEL) || !header.rest.context.is_plain() {
            return self.run_closer(start);
        }
        header.rest.context.begin();
        let gone = StdCell::new(false);
        let (polled, yielded) = self.inside(|| self.poll(&gone));
        match polled {
            Ok(Poll::Pending) => self.end_poll(start, yielded),
            Ok(Poll::Ready(())) if header.rest.context.is_bare() => self.complete_now(COMPLETE),
            Ok(Poll::Ready(())) => self.complete(COMPLETE),
            Err(payload) => self.panicked(payload, gone.get()),
        }
    }

    /// Polls the future; the caller has entered its context.
    #[inline]
    pub(crate) fn poll(&self, gone: &StdCell<bool>) -> Poll<()> {
        let task = self.0;
        let waker = waker::borrowed(task);
        let mut cx = Context::from_waker(&waker);
        // SAFETY: this is the runner, and the task is neither complete nor finishing: the stage holds the future.
        unsafe { (task.header().rest.vtable.poll)(task.0, &mut cx, gone) }
    }

    /// Ends a poll that is pending; `is_due`: and is to be followed by another.
    #[inline(always)]
    pub(crate) fn end_poll(self, start: Snapshot, is_due: bool) -> Ran {
        if !self.0.header().rest.context.end_looks() {
            return self.end_unseen(start, is_due);
        }
        if is_due { Ran::Requeue(self) } else { self.end_pending(start) }
    }

    #[inline]
    pub(crate) fn end_pending(self, start: Snapshot) -> Ran {
        match self.0.state().end_pending(start) {
            AfterPending::Idle => Ran::Pending,
            AfterPending::Requeue => Ran::Requeue(self),
        }
    }

    /// Ends a poll that did not look at all that waits in lines: takes back what was offered and left, or has the task
    /// polled once more before.
    #[cold]
    fn end_unseen(self, start: Snapshot, is_due: bool) -> Ran {
        let context = &self.0.header().rest.context;
        // What has a turn, or a wake, to come is not over.
        let is_over = !is_due && self.0.state().is_unwoken(start);
        let is_left = is_over && self.inside(offers::take_back).0.unwrap_or(false);
        context.renew_looks();
        if is_due || is_left { Ran::Requeue(self) } else { self.end_pending(start) }
    }

    /// Runs code of the future as its task; says too whether the task yielded.
    ///
    /// Whatever it sets is the task's alone and put back afterwards: the code may run another task inside, by a
    /// runtime of its own, and that one's end must not be taken for ours, nor ours for that one's.
    #[inline]
    pub(crate) fn inside<R>(
        &self,
        f: impl FnOnce() -> R,
    ) -> (Result<R, Box<dyn Any + Send>>, bool) {
        // SAFETY: the runner's reference keeps the context alive; only this thread polls the task.
        let entered = unsafe { task_context::enter(self.0.context()) };
        let result = guarded(f);
        (result, entered.leave())
    }

    /// Drops the future as its task.
    fn drop_future(&self) -> Result<(), Box<dyn Any + Send>> {
        let task = self.0;
        // SAFETY: the callers are the runner, with the future in its place.
        self.inside(|| unsafe { (task.header().rest.vtable.drop_future)(task.0) }).0
    }

    /// Ends the task by a cancellation: its future is dropped where it is suspended.
    #[cold]
    pub(crate) fn cancelled(self, cause: Cause) -> Ran {
        let dropped = self.drop_future();
        self.end_cancelled(dropped, cause)
    }

    fn end_cancelled(self, dropped: Result<(), Box<dyn Any + Send>>, cause: Cause) -> Ran {
        let task = self.0;
        let (how, error) = match dropped {
            Ok(()) => {
                let error = JoinError::cancelled(task.id(), task.given_name(), cause);
                (COMPLETE | CANCELLED, error)
            }
            Err(payload) => (COMPLETE, self.error_of(payload)),
        };
        // SAFETY: this is the runner, and the future is gone.
        unsafe { (task.header().rest.vtable.write_error)(task.0, error) };
        self.complete(how)
    }

    /// As above, for a request that stands in the task's context, where the error finds it as long as nothing was added.
    #[cold]
    pub(crate) fn cancelled_plainly(self) -> Ran {
        let task = self.0;
        let context = &task.header().rest.context;
        let interrupted = context.wait.get();
        let dropped = self.drop_future();
        let is_plain = task.header().rest.vtable.is_small && !task.has_owner();
        if !is_plain || dropped.is_err() || task.cold().is_some() {
            let place = interrupted.and_then(|wait| wait.place);
            let cause = Cause { interrupted: place, ..task.plain_cause() };
            return self.end_cancelled(dropped, cause);
        }
        context.wait.restore(interrupted);
        // Counted by KEPT.
        let error = JoinError::cancelled_plainly(task);
        // SAFETY: this is the runner, and the future is gone.
        unsafe { (task.header().rest.vtable.write_error)(task.0, error) };
        // A cold part that somebody makes meanwhile has no say: nothing was owed.
        self.complete_now(COMPLETE | CANCELLED | KEPT)
    }

    #[cold]
    fn error_of(&self, payload: Box<dyn Any + Send>) -> JoinError {
        unread::keep_hook(self.0);
        JoinError::panicked(self.0.id(), self.0.given_name(), payload, panic_site::take())
    }

    /// Ends a task whose poll panicked. What is left of the future is dropped.
    #[cold]
    pub(crate) fn panicked(self, payload: Box<dyn Any + Send>, gone: bool) -> Ran {
        let task = self.0;
        let error = self.error_of(payload);
        // A ready future that panicked in its drop is gone already, as far as it can go.
        if !gone {
            if let Err(second) = self.drop_future() {
                unread::swallowed(
                    "a drop panicked while a panicked task was dropped",
                    Some(task),
                    second,
                );
            }
        }
        // SAFETY: this is the runner, and the future is gone.
        unsafe { (task.header().rest.vtable.write_error)(task.0, error) };
        self.complete(COMPLETE)
    }

    /// Ends the task, whose output is in its place; later, if it owes cleanups.
    #[cold]
    pub(crate) fn complete(self, how: u64) -> Ran {
        match self.0.cold() {
            None => self.complete_now(how),
            Some(cold) => self.complete_or_owe(cold, how),
        }
    }

    #[inline(always)]
    pub(crate) fn complete_now(self, how: u64) -> Ran {
        if self.0.has_owner() {
            return self.complete_owned(how);
        }
        Ran::Complete(Joiner(self.settle(how)))
    }

    #[inline(never)]
    fn complete_owned(self, how: u64) -> Ran {
        let key = self.0.header().rest.key;
        // A share of its own: the block may be gone when it is told.
        let owner = self.0.owner();
        let joiner = self.settle(how);
        Ran::Complete(Joiner(match owner {
            None => joiner,
            Some(owner) => owner.tell(key, joiner),
        }))
    }

    /// Publishes the output; says whom to wake for it.
    #[inline(always)]
    pub(crate) fn settle(self, how: u64) -> Option<Waker> {
        let task = self.0;
        match task.state().complete_awaited(how, || task.header().rest.join.peek()) {
            // SAFETY: WAITS was set from the copy to the exchange, which made the waker ours.
            Some(words) => Some(unsafe { words.into_waker() }),
            None if task.state().complete_detached(how) => Self::end_unread(task),
            None => self.settle_uncommon(how),
        }
    }

    /// Nobody reads the output of the task, which is complete.
    fn end_unread(task: Ptr) -> Option<Waker> {
        task.drop_output();
        task.follow(task.state().drop_ref_of_complete());
        None
    }

    #[inline(never)]
    fn settle_uncommon(self, how: u64) -> Option<Waker> {
        let task = self.0;
        let peek = || task.header().rest.join.peek();
        match task.state().complete(how, peek) {
            AfterReady::Done => None,
            AfterReady::Calls => self.settle_and_call(task, how),
            // SAFETY: WAITS was set from the copy to the exchange, which made the waker ours.
            AfterReady::WakeJoiner(words) => Some(unsafe { words.into_waker() }),
            AfterReady::WakeRenewed => {
                // SAFETY: the exchange showed WAITS, so the waker is ours, and nobody writes any more.
                let joiner = unsafe { peek().into_waker() };
                task.follow(task.state().drop_ref_of_complete());
                Some(joiner)
            }
            AfterReady::DropOutput => Self::end_unread(task),
        }
    }

    /// The seat this task has to run on, if any.
    #[inline]
    pub fn pin(&self) -> Option<u32> {
        self.0.pin()
    }

    /// The task's number.
    pub fn id(&self) -> TaskId {
        self.0.id()
    }

    /// A waker of the task, such as its future sees.
    pub fn waker(&self) -> Waker {
        Waker::clone(&waker::borrowed(self.0))
    }

    /// The pointer, for a slot or an intrusive queue.
    #[inline]
    pub fn into_raw(self) -> NonNull<()> {
        self.0.0.cast()
    }

    /// The task again.
    ///
    /// # Safety
    /// `raw` came from `into_raw`, and is given back once.
    #[inline]
    pub unsafe fn from_raw(raw: NonNull<()>) -> Self {
        Self(Ptr(raw.cast()))
    }

    /// Reads the word that belongs to the queue which holds the task.
    ///
    /// # Safety
    /// `raw` is in an intrusive queue of the caller's.
    #[inline]
    pub unsafe fn next_of(raw: NonNull<()>) -> *mut () {
        // SAFETY: a task that is queued is alive, and its queue alone uses `next`.
        Ptr(raw.cast()).header().next.with(|next| unsafe { *next }).cast()
    }

    /// Writes the word that belongs to the queue which holds the task.
    ///
    /// # Safety
    /// As for `next_of`.
    #[inline]
    pub unsafe fn set_next_of(raw: NonNull<()>, to: *mut ()) {
        // SAFETY: as in `next_of`.
        Ptr(raw.cast()).header().next.with_mut(|next| unsafe { *next = to.cast() });
    }
}
