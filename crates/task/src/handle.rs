//! The handles: `Task<T>` waits for an output, `TaskRef` inspects and cancels.
#![allow(unsafe_code, reason = "a handle is a pointer; what it may touch, the state word says")]

use crate::cell::{self, Header, Ptr};
use crate::error::JoinError;
use crate::meta::{TaskId, TaskInfo, TaskState};
use crate::state::{After, CANCELLED, COMPLETE, Join as Joined, Snapshot, WAITS};
use crate::unread;
use kasasagi_primitive::request::{Asked, Cause, Reason, Request};
use kasasagi_primitive::sync::atomic::Ordering;
use kasasagi_primitive::vars::Context as Vars;
use kasasagi_primitive::wait_site::WaitKind;
use kasasagi_primitive::{scope, task_context};
use std::fmt;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::panic::Location;
use std::pin::Pin;
use std::ptr::NonNull;
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

/// The pointer to the task, with bits at its lower end. One word, since programs keep many handles.
#[derive(Clone, Copy)]
struct Word(NonNull<u8>);

/// The output was given out; what is left is a reference.
const TAKEN: usize = 1;
/// The wait for the task is an entry in the tree of whoever waits.
const ENTERED: usize = 2;
/// The future's output is a `Result` already, and given out as it is.
const FLAT: usize = 4;
const BITS: usize = TAKEN | ENTERED | FLAT;

impl Word {
    fn new(task: Ptr) -> Self {
        const { assert!(align_of::<Header>() > BITS) };
        Self(task.0.cast())
    }

    #[inline]
    fn task(self) -> Ptr {
        let header = self.0.as_ptr().map_addr(|address| address & !BITS);
        // SAFETY: a header's address has more bits than the lowest three, so it is not null without them.
        Ptr(unsafe { NonNull::new_unchecked(header) }.cast())
    }

    #[inline]
    fn is_taken(self) -> bool {
        self.0.addr().get() & TAKEN != 0
    }

    #[inline]
    fn with(self, bit: usize) -> Self {
        Self(self.0.map_addr(|address| address | bit))
    }

    #[inline]
    fn is_flat(self) -> bool {
        self.0.addr().get() & FLAT != 0
    }

    #[inline]
    fn is_entered(self) -> bool {
        self.0.addr().get() & ENTERED != 0
    }

    /// Whether the output is there to be waited for, and the wait is no entry.
    #[inline]
    fn is_common(self) -> bool {
        self.0.addr().get() & (TAKEN | ENTERED) == 0
    }

    /// Whether the output was given out, and nothing is left but a reference.
    #[inline]
    fn is_spent(self) -> bool {
        self.0.addr().get() & (TAKEN | ENTERED) == TAKEN
    }

    fn entered(self, entered: bool) -> Self {
        let bit = if entered { ENTERED } else { 0 };
        // Not zero: an address without its lowest bits is none.
        Self(self.0.map_addr(|address| {
            std::num::NonZeroUsize::new(address.get() & !ENTERED | bit).unwrap_or(address)
        }))
    }
}

/// What a wait for a task's output led to.
enum Waited {
    /// The task has ended.
    Complete,
    /// The waker is in the join cell.
    Pending,
    /// The task is the one that this code runs in.
    Itself,
}

impl Word {
    /// Waits at `place`, as the program sees it.
    #[inline(never)]
    fn wait(&mut self, cx: &mut Context<'_>, place: &'static Location<'static>) -> Waited {
        let task = self.task();
        if self.poll_complete(cx).is_ready() {
            return Waited::Complete;
        }
        if cell::current() == Some(task) {
            return Waited::Itself;
        }
        let entered = self.is_entered();
        if scope::wait_for(task.header().rest.context.id, cx.waker(), place, entered) != entered {
            *self = self.entered(true);
        }
        Waited::Pending
    }

    #[cold]
    fn awaits_itself(self) -> JoinError {
        JoinError::self_await(self.task().id(), self.task().given_name())
    }

    /// Waits for COMPLETE; the waker is in the join cell if it is pending.
    fn poll_complete(self, cx: &mut Context<'_>) -> Poll<()> {
        let state = self.task().state();
        let now = state.load(Ordering::Acquire);
        if now.has(COMPLETE) {
            return Poll::Ready(());
        }
        let cell = &self.task().header().rest.join;
        if now.has(WAITS) {
            if cell.is(cx.waker()) {
                return Poll::Pending;
            }
            match state.clear_waits() {
                Joined::Complete => return Poll::Ready(()),
                // SAFETY: WAITS was set, and the exchange that cleared it made the waker ours.
                Joined::Pending => drop(unsafe { cell.peek().into_waker() }),
            }
        }
        cell.put(cx.waker().clone());
        match state.set_waits() {
            Joined::Pending => Poll::Pending,
            Joined::Complete => {
                // SAFETY: the completer saw no WAITS and will not look: the waker is ours again.
                drop(unsafe { cell.peek().into_waker() });
                Poll::Ready(())
            }
        }
    }
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

/// Inspects and cancels a task from elsewhere; does not join.
///
/// It keeps the task's memory, not the task: that ends as if nobody looked.
pub struct TaskRef(Ptr);

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

    /// Asks the task to end; see [`Task::cancel`].
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

    /// Takes one request back; see [`Task::uncancel`].
    pub fn uncancel(&self) -> usize {
        self.0.uncancel()
    }

    /// How many requests are counted; see [`Task::cancelling`].
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

fn told(reason: &dyn fmt::Display) -> Reason {
    Reason::Told(reason.to_string().into())
}

impl Ptr {
    pub(crate) fn name(self) -> Arc<str> {
        self.given_name().unwrap_or_else(|| self.id().to_string().into())
    }

    fn cancel(self, reason: Option<Reason>, place: &'static Location<'static>) -> bool {
        // In the moment between the last look at the request and the end, it is too late, and not over.
        self.ask_to_end(cause(reason, place)) || !self.state().load(Ordering::Acquire).has(COMPLETE)
    }

    /// Passes a cancellation on to the task; `false` if it has ended.
    pub(crate) fn ask_to_end(self, cause: Cause) -> bool {
        if self.state().load(Ordering::Acquire).has(COMPLETE) {
            return false;
        }
        self.ask(|request| request.cancel(cause)) != Asked::Done
    }

    fn shut(self, reason: &'static str, place: &'static Location<'static>) {
        let reason = Some(Reason::Said(reason));
        let cause = cause(reason, place);
        let _ = self.ask(|request| request.shut(cause));
    }

    /// Asks under the lock, and wakes outside it.
    fn ask(self, ask: impl FnOnce(&mut Request) -> Asked) -> Asked {
        let mut request = self.cold_or_new().request.lock();
        let asked = ask(&mut request);
        // Under the lock: what is pending shows in the state word before anybody can take it.
        let after = match asked {
            Asked::Pending => self.state().cancel(),
            _ => return asked,
        };
        let Some(after) = after else {
            // It had ended before there was anything to ask.
            request.void();
            return Asked::Done;
        };
        drop(request);
        self.follow(after);
        asked
    }

    fn uncancel(self) -> usize {
        self.cold().map_or(0, |cold| cold.request.lock().uncancel())
    }

    fn cancelling(self) -> usize {
        self.cold().map_or(0, |cold| cold.request.lock().requests() as usize)
    }

    fn incomplete(self) -> TaskState {
        let Some(cold) = self.cold() else { return TaskState::Pending };
        let request = cold.request.lock();
        if request.finishing().is_some() {
            TaskState::Finishing
        } else if request.requests() > 0 {
            TaskState::Cancelling
        } else {
            TaskState::Pending
        }
    }

    fn info(self) -> TaskInfo {
        let now = self.state().load(Ordering::Acquire);
        let state = if now.has(CANCELLED) {
            TaskState::Cancelled
        } else if now.has(COMPLETE) {
            TaskState::Finished
        } else {
            self.incomplete()
        };
        let header = self.header();
        TaskInfo {
            id: self.id(),
            name: self.name(),
            state,
            spawned_at: header.rest.spawned_at,
            parent: TaskId::new(self.parent()),
            wait: if now.is_idle() { header.rest.context.wait.get() } else { None },
        }
    }
}
