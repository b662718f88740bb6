//! The task cell: one block that holds a header of two cache lines and the future, later its output.
//!
//! The state word (`state.rs`) decides who may touch what: the runner, from the wake that scheduled the task
//! to the end of its poll, everything; the handle, once COMPLETE, the output; the join cell is the handle's
//! while WAITS is clear, and read-only while it is set. Blocks come from the slab and go back to it.
#![allow(
    unsafe_code,
    reason = "one block holds header, future and output; the state word says who may touch what"
)]

mod vtable;

use self::vtable::{VTable, Vt};
use crate::error::JoinError;
use crate::join_cell::JoinCell;
use crate::meta::{Attributes, Spawn, TaskId};
use crate::owner::{Owned, Owner};
use crate::run::Runnable;
use crate::slab::{self, Heap};
use crate::state::{After, BIRTH, State};
use crate::unread;
use crate::waker;
use kasasagi_primitive::cell::UnsafeCell;
use kasasagi_primitive::cold::Cold;
use kasasagi_primitive::request::Cause;
use kasasagi_primitive::sync::Arc;
use kasasagi_primitive::sync::atomic::Ordering;
use kasasagi_primitive::task_context::{self, Parent, TaskContext};
use kasasagi_primitive::vars;
use std::alloc::Layout;
use std::any::Any;
use std::mem::{ManuallyDrop, MaybeUninit};
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::ptr::NonNull;
use std::task::Waker;

/// Where a woken task goes: implemented by a scheduler, or by a pool.
///
/// # Safety
/// A value that was [`Birth::home`] of a task stays alive until that task is complete, whoever drops what: tasks refer
/// to it without a count.
pub unsafe trait Schedule: Sized + Send + Sync + 'static {
    /// Puts a task that became due into a queue.
    ///
    /// Called by whoever wakes, on any thread, at any time until the task completes. `home` is alive until
    /// the task is in a queue, and no longer: the task may run and end at once, and the last of its runtime
    /// with it. Who still needs `home` then takes [`Home::hold`] before the push.
    fn schedule(task: Runnable, home: Home<Self>);
}

/// The scheduler of a task that is due.
#[derive(Debug)]
pub struct Home<S>(NonNull<S>);

impl<S> Home<S> {
    /// The scheduler's address, to be compared.
    #[inline]
    pub fn as_ptr(&self) -> *const S {
        self.0.as_ptr()
    }

    /// A share of the scheduler, which keeps it alive after the push.
    pub fn hold(&self) -> Arc<S> {
        // SAFETY: the pointer came from `Arc::as_ptr` in `spawn`, and the scheduler keeps itself alive while a
        // task of it is incomplete; this one is, until it is pushed.
        unsafe { Arc::increment_strong_count(self.0.as_ptr()) };
        // SAFETY: the count just taken is handed to the returned Arc.
        unsafe { Arc::from_raw(self.0.as_ptr()) }
    }
}

/// No seat: the task may run anywhere.
const NO_PIN: u32 = u32::MAX;

/// What every block of a task begins with.
#[repr(C)]
pub(crate) struct Header {
    // These two are the slab's `BlockHead`.
    pub(crate) state: State,
    /// Belongs to whoever has the task in an intrusive queue; the slab's while the block is free.
    pub(crate) next: UnsafeCell<*mut slab::BlockHead>,
    pub(crate) rest: Rest,
}

/// What a spawn writes: the rest of the hot line, then the cold one.
#[repr(C)]
pub(crate) struct Rest {
    pub(crate) vtable: &'static VTable,
    /// The scheduler; valid while the task is incomplete.
    shared: *const (),
    pub(crate) join: JoinCell,
    pin: u32,
    /// The number that the owner knows the task by; `UNOWNED` if it has none.
    pub(crate) key: u32,
    pub(crate) context: TaskContext,
    pub(crate) spawned_at: &'static Location<'static>,
}

/// No owner.
const UNOWNED: u32 = u32::MAX;

// A waker is known to be a task's own by it.
const _: [(); task_context::CONTEXT_AT] = [(); std::mem::offset_of!(Header, rest.context)];

/// The future, then its output, both at the beginning.
#[repr(C)]
union Stage<F: Future> {
    future: ManuallyDrop<F>,
    output: ManuallyDrop<Output<F>>,
}

type Output<F> = Result<<F as Future>::Output, JoinError>;

#[repr(C)]
struct Cell<F: Future> {
    header: Header,
    stage: UnsafeCell<Stage<F>>,
}

/// The pointer to a task's header; copies of it are references only where the state word counts them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Ptr(pub(crate) NonNull<Header>);

/// What to make a task of.
#[derive(Debug)]
pub struct Birth<'a, S> {
    /// Where its block comes from.
    pub heap: &'a Heap,
    /// Who queues it.
    pub home: &'a Arc<S>,
    /// Its number.
    pub id: u64,
    /// The seat it has to run on, if any.
    pub pin: Option<u32>,
    /// Where the program spawned it.
    pub place: &'static Location<'static>,
    /// What was said about it.
    pub attributes: Attributes,
}

/// Makes a task, due at once, and the pointer for its handle.
///
/// # Safety
/// If `F` or its output is not `Send`, `pin` names a seat, that seat is run by the calling thread alone until
/// the task is complete, and the handle stays on this thread. If `F` is not `'static`, the task is complete
/// before `F`'s borrows end.
// Into the caller: it is made anew for each future anyway, and there what was not said costs nothing.
#[inline(always)]
pub(crate) unsafe fn spawn<W: Spawn, S: Schedule>(
    birth: Birth<'_, S>,
    mut future: W::Future,
) -> (Runnable, Ptr) {
    // Taken apart, so that what is known where it is made is known here; held back from drops, for a landing pad would keep
    // it in memory. Nothing unwinds before it is used but an error hook of the allocator.
    let Birth { heap, home, id, pin, place, attributes } = birth;
    let Attributes { name, context, eager: _, deaf } = attributes;
    let (name, given) = (ManuallyDrop::new(name), ManuallyDrop::new(context));
    let block = heap.alloc(Layout::new::<Cell<W::Future>>());
    let cell = block.cast::<Cell<W::Future>>().as_ptr();
    let header = block.cast::<Header>();
    // Known when this is compiled, for tasks that nobody owns.
    let (origin, may_inherit) = task_context::origin();
    let (key, parent) = match W::owned(&mut future) {
        Some(Owned { owner, key }) => {
            let owner = std::sync::Arc::into_raw(owner).cast_mut().cast();
            // SAFETY: an Arc's pointer is not null.
            (key, Parent::Owner(unsafe { NonNull::new_unchecked(owner) }))
        }
        None => (UNOWNED, Parent::Task(origin)),
    };
    let rest = Rest {
        vtable: const { &Vt::<W, S>::TABLE },
        shared: Arc::as_ptr(home).cast(),
        join: JoinCell::new(),
        pin: pin.unwrap_or(NO_PIN),
        key,
        context: TaskContext::of(id, parent),
        spawned_at: place,
    };
    let stage = UnsafeCell::new(Stage { future: ManuallyDrop::new(future) });
    let block = cell.cast::<u8>();
    // SAFETY: in bounds: the block is as large as the cell.
    let rest_at = unsafe { block.add(std::mem::offset_of!(Header, rest)) }.cast::<Rest>();
    // SAFETY: as above.
    let stage_at = unsafe { block.add(std::mem::offset_of!(Cell<W::Future>, stage)) };
    // SAFETY: the block is ours alone until its state word is published; `state` and `next` are the slab's
    // and initialised.
    unsafe { rest_at.write(rest) };
    // SAFETY: as above.
    unsafe { stage_at.cast::<UnsafeCell<Stage<W::Future>>>().write(stage) };
    // SAFETY: every field of the header is initialised now.
    let state = unsafe { &header.as_ref().state };
    if let Some(name) = ManuallyDrop::into_inner(name) {
        *Ptr(header).cold_or_new().name.lock() = Some(name);
    }
    if deaf {
        Ptr(header).cold_or_new().request.lock().deafen();
    }
    if given.is_some() || may_inherit {
        Ptr(header).begin_vars(ManuallyDrop::into_inner(given));
    }
    // Release: a scan that takes a reference (Acquire) sees the header.
    state.0.store(BIRTH, Ordering::Release);
    (Runnable(Ptr(header)), Ptr(header))
}

/// Runs foreign code that must not unwind into a runner: a poll, a drop.
pub(crate) fn guarded<R>(f: impl FnOnce() -> R) -> Result<R, Box<dyn Any + Send>> {
    catch_unwind(AssertUnwindSafe(f))
}

impl Ptr {
    /// Gives a newborn task its context variables.
    #[cold]
    fn begin_vars(self, given: Option<vars::Context>) {
        if let Some(context) = given.or_else(vars::inherit) {
            // Nobody has seen the task: there is no other context yet.
            let _ = self.cold_or_new().vars.set(context);
        }
    }

    /// The header. The caller holds a reference, or is the runner.
    #[inline]
    pub(crate) fn header<'a>(self) -> &'a Header {
        // SAFETY: a `Ptr` is only used by who holds a reference, the runner's included; blocks are freed when
        // the last is gone.
        unsafe { self.0.as_ref() }
    }

    #[inline]
    pub(crate) fn pin(self) -> Option<u32> {
        let pin = self.header().rest.pin;
        (pin != NO_PIN).then_some(pin)
    }

    /// What the caller named it.
    pub(crate) fn given_name(self) -> Option<std::sync::Arc<str>> {
        self.cold().and_then(|cold| cold.name.lock().clone())
    }

    /// The state word, and no more: a scan looks at it while the rest of the block may be free, or about to be
    /// written by a spawn, where a reference to the whole header would be one to nothing.
    #[inline]
    pub(crate) fn state<'a>(self) -> &'a State {
        // SAFETY: in bounds of the block, which every holder of a `Ptr`, scans included, keeps mapped.
        let state = unsafe { &raw const (*self.0.as_ptr()).state };
        // SAFETY: the slab initialised it before it first handed the block out; only ever used atomically.
        unsafe { &*state }
    }

    /// The context, for leaves; `current` comes back to the whole block from it, so it is not reached through
    /// a reference to the header alone.
    #[inline]
    pub(crate) fn context(self) -> *const TaskContext {
        // SAFETY: in bounds of the block.
        unsafe { &raw const (*self.0.as_ptr()).rest.context }
    }

    pub(crate) fn id(self) -> TaskId {
        TaskId::new(self.header().rest.context.id).expect("a live task has a number above zero")
    }

    #[inline(never)]
    fn drop_owner(self) {
        if let Parent::Owner(owner) = self.header().rest.context.parent() {
            // SAFETY: `spawn` took the share over, and it is used for the last time.
            drop(unsafe { std::sync::Arc::from_raw(owner.as_ptr().cast::<Owner>()) });
        }
    }

    #[inline]
    pub(crate) fn has_owner(self) -> bool {
        self.header().rest.key != UNOWNED
    }

    /// Why a task ends, or has ended, that was asked plainly.
    pub(crate) fn plain_cause(self) -> Cause {
        self.header().rest.context.plain_cause()
    }

    /// A share of the owner, if there is one.
    pub(crate) fn owner(self) -> Option<std::sync::Arc<Owner>> {
        let Parent::Owner(owner) = self.header().rest.context.parent() else { return None };
        let owner = owner.as_ptr().cast_const().cast::<Owner>();
        // SAFETY: `spawn` took a share over, which stays until the block is freed.
        unsafe { std::sync::Arc::increment_strong_count(owner) };
        // SAFETY: the share just counted.
        Some(unsafe { std::sync::Arc::from_raw(owner) })
    }

    /// The number of the task that spawned this one, or that its owner works for; zero: none.
    pub(crate) fn parent(self) -> u64 {
        match self.header().rest.context.parent() {
            Parent::Task(task) => task,
            Parent::Owner(_) => self.owner().map_or(0, |owner| owner.parent()),
        }
    }

    /// The cold part, if there is one.
    pub(crate) fn cold<'a>(self) -> Option<&'a Cold> {
        self.header().rest.context.cold()
    }

    /// The cold part, made if there is none.
    pub(crate) fn cold_or_new<'a>(self) -> &'a Cold {
        self.header().rest.context.cold_or_new()
    }

    /// Does what a change of the word asks for.
    #[inline]
    pub(crate) fn follow(self, after: After) {
        match after {
            After::Nothing => {}
            After::Schedule => self.schedule(),
            After::Free => self.free(),
        }
    }

    /// Queues the task; the caller moved WAKES away from zero.
    #[inline]
    fn schedule(self) {
        // SAFETY: the vtable and the header were made together.
        unsafe { (self.header().rest.vtable.schedule)(self.0) }
    }

    /// Gives the block back; the caller dropped the last reference.
    pub(crate) fn free(self) {
        self.header().rest.join.end();
        if self.has_owner() {
            self.drop_owner();
        }
        // SAFETY: nobody else has the task any more, and the block is written anew before it is used again.
        unsafe { self.context().cast_mut().drop_in_place() };
        // SAFETY: the block came from the slab, and the last reference is gone.
        unsafe { slab::free(self.0.cast()) }
    }

    /// Drops an output that nobody looked at: a panic or an error is reported. Keeps a panic of the drop from
    /// whoever calls.
    pub(crate) fn drop_output(self) {
        // SAFETY: the caller is the one to whom the word gives the output, and it is there.
        if let Err(payload) = guarded(|| unsafe { (self.header().rest.vtable.drop_output)(self.0) })
        {
            unread::swallowed("the drop of a task's output panicked", Some(self), payload);
        }
    }

    /// Runs `f`, which is about the task, as if inside it. The caller holds a reference, and nobody polls the task.
    pub(crate) fn inside<R>(self, f: impl FnOnce() -> R) -> R {
        // SAFETY: the reference keeps the context alive, and the task is complete, or the caller is its runner.
        let _entered = unsafe { task_context::enter(self.context()) };
        f()
    }

    /// Takes the output.
    ///
    /// # Safety
    /// `T` is the task's output type; COMPLETE was seen, and the handle takes it for the first time.
    #[inline]
    pub(crate) unsafe fn read_output<T>(self) -> Result<T, JoinError> {
        let mut output = MaybeUninit::<Result<T, JoinError>>::uninit();
        // SAFETY: the caller's promise.
        unsafe { (self.header().rest.vtable.read_output)(self.0, output.as_mut_ptr().cast()) };
        // SAFETY: `read_output` wrote it.
        unsafe { output.assume_init() }
    }
}

/// The task that this thread polls; it is alive for as long as the caller, who runs inside it, does not
/// return.
pub(crate) fn current() -> Option<Ptr> {
    let context = task_context::current();
    if context.is_null() {
        return None;
    }
    let offset = std::mem::offset_of!(Header, rest.context);
    // SAFETY: only `Runnable::run` enters contexts, and they are fields of headers.
    let header = unsafe { context.cast::<u8>().sub(offset) };
    NonNull::new(header.cast_mut().cast::<Header>()).map(Ptr)
}

/// Marks the poll under way as ended by `yield_now`, if `waker` is the polled task's own.
pub(crate) fn mark_yielded(waker: &Waker) -> bool {
    let own = current().is_some_and(|task| waker::is_of(waker, task));
    if own {
        task_context::mark_yielded();
    }
    own
}
