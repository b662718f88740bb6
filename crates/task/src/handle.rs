//! The handle `Task<T>`: waits for an output, cancels, tells.
#![allow(unsafe_code, reason = "a handle is a pointer; what it may touch, the state word says")]

use crate::cell::{self, Ptr};
use crate::error::JoinError;
use crate::meta::TaskId;
use crate::state::{CANCELLED, COMPLETE, Join as Joined, Snapshot, WAITS};
use crate::task_ref::{TaskRef, told};
use crate::unread;
use crate::word::{FLAT, TAKEN, Waited, Word};
use kasasagi_primitive::request::Cause;
use kasasagi_primitive::sync::atomic::Ordering;
use kasasagi_primitive::vars::Context as Vars;
use kasasagi_primitive::wait_site::WaitKind;
use kasasagi_primitive::{scope, task_context};
use std::fmt;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

/// A spawned future: waits for its output, cancels it, tells about it.
///
/// Awaited, it gives `Result<T, JoinError>`; `&mut task` is a future too, for whoever wants to keep the
/// handle. Dropping it detaches: the task runs on, and its output is dropped.
///
/// Counterpart: `asyncio.Task`. There, a task that nobody refers to may vanish; here it may not.
pub struct Task<T> {
    word: Word,
    _output: PhantomData<T>,
}

// SAFETY: the handle moves and drops the output, and nothing else that depends on `T`.
unsafe impl<T: Send> Send for Task<T> {}
// SAFETY: a shared handle reaches words and names only, never the output.
unsafe impl<T: Send> Sync for Task<T> {}

impl<T> Unpin for Task<T> {}

impl<T> Task<T> {
    /// # Safety
    /// `task` comes from `cell::spawn` of a future with output `T`, and carries the handle's reference.
    pub(crate) unsafe fn new(task: Ptr) -> Self {
        Self { word: Word::new(task), _output: PhantomData }
    }

    #[inline]
    fn task(&self) -> Ptr {
        self.word.task()
    }

    /// The task's number.
    pub fn id(&self) -> TaskId {
        self.task().id()
    }

    /// The task's name, or `Task-<n>`.
    pub fn name(&self) -> Arc<str> {
        self.task().name()
    }

    /// Names the task anew.
    pub fn set_name(&self, name: impl fmt::Display) {
        *self.task().cold_or_new().name.lock() = Some(name.to_string().into());
    }

    /// Whether the task has ended.
    pub fn is_finished(&self) -> bool {
        self.task().state().load(Ordering::Acquire).has(COMPLETE)
    }

    /// Whether the task has ended by cancellation.
    pub fn is_cancelled(&self) -> bool {
        self.task().state().load(Ordering::Acquire).has(CANCELLED)
    }

    /// Asks the task to end: at its present suspension point, or at the next, the innermost cancel scope on each of its
    /// branches is told; without a scope its future is dropped.
    ///
    /// `false` if it has ended already. A value that it returns before that wins. Requests are counted, see
    /// [`cancelling`](Self::cancelling); those that are pending together are delivered once.
    ///
    /// Counterpart: `asyncio.Task.cancel`.
    #[track_caller]
    pub fn cancel(&self) -> bool {
        self.task().cancel(None, Location::caller())
    }

    /// As [`cancel`](Self::cancel), with a reason that the task itself and the one who awaits it can read.
    ///
    /// Counterpart: `asyncio.Task.cancel(msg)`.
    #[track_caller]
    pub fn cancel_with(&self, reason: impl fmt::Display) -> bool {
        self.task().cancel(Some(told(&reason)), Location::caller())
    }

    /// Takes one request to cancel the task back, and returns how many are left. At zero, a request that was not
    /// delivered yet is withdrawn.
    ///
    /// Counterpart: `asyncio.Task.uncancel`.
    pub fn uncancel(&self) -> usize {
        self.task().uncancel()
    }

    /// How many requests to cancel the task were made and not taken back. Timeouts and groups do not count.
    ///
    /// Counterpart: `asyncio.Task.cancelling`.
    pub fn cancelling(&self) -> usize {
        self.task().cancelling()
    }

    /// The output, if the task has ended and the output was not taken.
    pub fn try_take(&mut self) -> Option<Result<T, JoinError>> {
        (!self.word.is_taken() && self.is_finished()).then(|| self.take())
    }

    /// The context that the task runs in, itself: the one it was given, or its own.
    ///
    /// Counterpart: `asyncio.Task.get_context`.
    pub fn context(&self) -> Vars {
        Vars::of(&self.task().header().rest.context)
    }

    /// A reference that inspects and cancels, and does not join.
    pub fn handle(&self) -> TaskRef {
        TaskRef::of(self.task())
    }

    fn take(&mut self) -> Result<T, JoinError> {
        let word = self.word;
        self.word = word.with(TAKEN);
        // SAFETY: the callers saw COMPLETE and `taken` unset.
        unsafe { Self::read(word) }
    }

    /// # Safety
    /// As for `Ptr::read_output`.
    #[inline]
    unsafe fn read(word: Word) -> Result<T, JoinError> {
        if word.is_flat() {
            // SAFETY: by `flatten`, the task's output type is a `Result` of this handle's; else the caller's promise.
            return unsafe { word.task().read_output::<Result<T, JoinError>>() }?;
        }
        // SAFETY: `T` is the output by `new`'s contract; else the caller's promise.
        unsafe { word.task().read_output() }
    }

    #[inline]
    fn poll_join(
        &mut self,
        cx: &mut Context<'_>,
        place: &'static Location<'static>,
    ) -> Poll<Result<T, JoinError>> {
        if !self.word.is_common() || scope::is_offering() {
            return self.poll_uncommon(cx, place);
        }
        if !self.is_finished() {
            match self.word.wait(cx, place) {
                Waited::Complete => {}
                Waited::Pending => return Poll::Pending,
                Waited::Itself => return Poll::Ready(Err(self.word.awaits_itself())),
            }
        }
        std::task::ready!(kasasagi_primitive::coop::poll_proceed(cx));
        Poll::Ready(self.take())
    }

    /// The wait is an entry in the tree of whoever waits, or may have to become one; see `awaited.rs`.
    #[cold]
    fn poll_uncommon(
        &mut self,
        cx: &mut Context<'_>,
        place: &'static Location<'static>,
    ) -> Poll<Result<T, JoinError>> {
        assert!(
            !self.word.is_taken(),
            "task `{}` was awaited again after it had given its output: await a task once",
            self.task().name()
        );
        std::task::ready!(self.look_around());
        match self.word.wait(cx, place) {
            Waited::Complete => {}
            Waited::Pending => return Poll::Pending,
            Waited::Itself => return Poll::Ready(Err(self.word.awaits_itself())),
        }
        std::task::ready!(kasasagi_primitive::coop::poll_proceed(cx));
        if self.word.is_entered() {
            std::task::ready!(self.task().answered());
            self.word = self.word.entered(false);
        }
        Poll::Ready(self.take())
    }

    /// Waits for the output at `place`, and is no cancel scope: for combinators, which keep the handle.
    ///
    /// # Panics
    /// If the output was given out before.
    pub fn poll_output(
        &mut self,
        cx: &mut Context<'_>,
        place: &'static Location<'static>,
    ) -> Poll<Result<T, JoinError>> {
        if self.word.is_taken() {
            return Poll::Ready(self.output());
        }
        if self.word.poll_complete(cx).is_pending() {
            if self.is_current() {
                return Poll::Ready(self.output());
            }
            let id = usize::try_from(self.id().as_u64()).unwrap_or(usize::MAX);
            task_context::waiting(WaitKind::Join, id, place);
            return Poll::Pending;
        }
        std::task::ready!(kasasagi_primitive::coop::poll_proceed(cx));
        Poll::Ready(self.take())
    }

    /// The one who waits may have been cancelled; see `awaited.rs`.
    #[cold]
    fn look_around(&mut self) -> Poll<()> {
        let (entered, poll) =
            if self.word.is_entered() { self.task().poll_entered() } else { self.task().accept() };
        self.word = self.word.entered(entered);
        poll
    }
}

/// For whoever waits for many tasks.
impl<T> Task<T> {
    /// Leaves `waker` in place of what the handle left before, to be woken by value at the end of the task.
    ///
    /// # Errors
    /// Gives it back if the task has ended, or is the one that this code runs in: it would wait for itself.
    #[inline]
    pub(crate) fn leave(&self, waker: Waker) -> Result<(), Waker> {
        let state = self.task().state();
        let now = state.load(Ordering::Acquire);
        if now.has(COMPLETE) || self.is_current() {
            return Err(waker);
        }
        if now.has(WAITS) && self.take_back().is_none() {
            return Err(waker);
        }
        let cell = &self.task().header().rest.join;
        cell.put(waker);
        match state.set_waits() {
            Joined::Pending => Ok(()),
            // SAFETY: the completer saw no WAITS and will not look: the waker is ours again.
            Joined::Complete => Err(unsafe { cell.peek().into_waker() }),
        }
    }

    /// Takes back the waker that the handle left, so that it is not woken at the end of the task.
    pub fn forget_waiter(&mut self) {
        if self.task().state().load(Ordering::Acquire).has(WAITS) {
            drop(self.take_back());
        }
    }

    /// Drops the handle, and whatever the task ends with: nobody is told of that, as who drops it knows enough.
    pub fn disregard(self) {
        if !self.is_finished() {
            self.task().cold_or_new().disregarded.store(true, Ordering::Release);
        }
        let mut task = self;
        // If it has ended, it is looked at.
        drop(task.try_take());
    }

    /// The waker in the join cell; `None` if the task has ended, and woken it. WAITS was seen.
    fn take_back(&self) -> Option<Waker> {
        match self.task().state().clear_waits() {
            Joined::Complete => None,
            // SAFETY: WAITS was set, and the exchange that cleared it made the waker ours.
            Joined::Pending => Some(unsafe { self.task().header().rest.join.peek().into_waker() }),
        }
    }

    /// Asks the task to end for the same cause as whoever waits for it.
    pub fn cancel_for(&self, cause: &Cause) -> bool {
        let cause = Cause { interrupted: None, ..cause.clone() };
        self.task().ask_to_end(cause)
    }

    /// Whether the task has ended with an output of which `f` says so; the output stays where it is.
    fn has_ended_with(&mut self, f: impl FnOnce(&Result<T, JoinError>) -> bool) -> bool {
        if self.word.is_taken() || !self.is_finished() {
            return false;
        }
        // SAFETY: COMPLETE was seen and `taken` is unset. What is read is a copy, which is looked at while the original
        // is not, and then forgotten: the output is still to be taken.
        let copy = ManuallyDrop::new(unsafe { Self::read(self.word) });
        f(&copy)
    }

    /// Whether the task has ended by a panic, and its output was not taken.
    pub fn has_panicked(&mut self) -> bool {
        self.has_ended_with(|output| output.as_ref().is_err_and(JoinError::is_panic))
    }

    fn is_current(&self) -> bool {
        cell::current() == Some(self.task())
    }

    /// The output of a task whose end was told by [`Ends`](crate::Ends).
    ///
    /// # Errors
    /// If the task was cancelled or panicked; if it is the one that this code runs in.
    ///
    /// # Panics
    /// If the output was given out before, or the task has not ended.
    #[track_caller]
    pub fn output(&mut self) -> Result<T, JoinError> {
        match self.try_take() {
            Some(output) => output,
            None if self.is_current() => {
                Err(JoinError::self_await(self.id(), self.task().given_name()))
            }
            None => panic!(
                "task `{}` was awaited again after it had given its output: await a task once",
                self.name()
            ),
        }
    }
}

impl<T> Task<Result<T, JoinError>> {
    /// The same task, with a handle that gives the `Result` that its future returns, and no other around it.
    pub fn flatten(self) -> Task<T> {
        // One level only: what is flat already stays as it is, in a handle of its own type.
        assert!(!self.word.is_flat(), "a task's output is flattened once");
        let word = ManuallyDrop::new(self).word.with(FLAT);
        Task { word, _output: PhantomData }
    }
}

impl<T, E> Task<Result<T, E>> {
    /// Whether the task has ended by a panic or with an error of its own, and its output was not taken.
    pub fn has_failed(&mut self) -> bool {
        self.has_ended_with(|output| match output {
            Ok(output) => output.is_err(),
            Err(error) => error.is_panic(),
        })
    }
}

impl<T> Drop for Task<T> {
    #[inline]
    fn drop(&mut self) {
        let task = self.task();
        if self.word.is_spent() {
            task.follow(task.state().drop_ref_of_complete());
        } else if self.word.is_entered() || !task.state().try_drop_unawaited() {
            self.let_go();
        }
    }
}

impl<T> Task<T> {
    #[inline(never)]
    fn let_go(&mut self) {
        if self.word.is_entered() {
            scope::leave_wait(self.id().as_u64(), false);
        }
        let state = self.task().state();
        let mut now = state.load(Ordering::Acquire);
        while !now.has(COMPLETE) {
            match self.detach(now) {
                Ok(()) => return,
                Err(changed) => now = changed,
            }
        }
        if !self.word.is_taken() {
            self.task().drop_output();
        }
        self.task().follow(state.drop_ref_of_complete());
    }

    fn detach(&self, now: Snapshot) -> Result<(), Snapshot> {
        // The waker's bits are copied before the exchange, since after it the block may be gone; they become
        // a waker only if the exchange shows that the completer has not taken it.
        let words = now.has(WAITS).then(|| self.task().header().rest.join.peek());
        self.task().state().try_drop_join(now)?;
        if let Some(words) = words {
            // SAFETY: WAITS was set, and the exchange that cleared it made the waker ours.
            let waker = unsafe { words.into_waker() };
            // A foreign waker's drop may panic; handles are dropped while unwinding, too.
            unread::drop_of(None, waker);
        }
        Ok(())
    }
}

impl<T> Future for &mut Task<T> {
    type Output = Result<T, JoinError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let place = self.task().header().rest.spawned_at;
        self.poll_join(cx, place)
    }
}

impl<T> IntoFuture for Task<T> {
    type Output = Result<T, JoinError>;
    type IntoFuture = Join<T>;

    #[track_caller]
    fn into_future(self) -> Join<T> {
        Join { task: self, place: Location::caller() }
    }
}

/// Waits for a task's output; what `.await` makes of a [`Task`].
///
/// # Cancel safety
/// Not cancel safe: dropped, it drops the handle and detaches the task. Await `&mut task` to keep it.
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Join<T> {
    task: Task<T>,
    place: &'static Location<'static>,
}

impl<T> Future for Join<T> {
    type Output = Result<T, JoinError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let place = self.place;
        self.task.poll_join(cx, place)
    }
}

impl<T> fmt::Debug for Task<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.task().info(), f)
    }
}
