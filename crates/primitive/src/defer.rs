//! Calls that are made later, never inside the call that asks for them.
//!
//! Where they are made is the business of whoever runs tasks on the thread: a runtime enters its [`Defer`] on each of
//! its threads. Where nobody did, a call is made before the outermost one that asked for it returns.

use crate::MODEL;
use crate::counter::Counter;
use crate::current::Current;
use crate::report::{Report, ReportKind};
use crate::thread_local;
use crate::vars::{self, Context};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt;
use std::mem::ManuallyDrop;
use std::num::NonZeroU64;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::sync::Arc;

/// A call to be made later.
pub type Job = Box<dyn FnOnce() + Send>;

/// Makes calls later: what a runtime does for its threads.
pub trait Defer: Send + Sync + 'static {
    /// Takes the call, to be made after those that were taken before, and not before this returns. `place` is where
    /// the program asked for it.
    fn defer(&self, place: &'static Location<'static>, job: Job);
}

/// The number of a callback that was registered, to take it back with; unique in the process.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct CallbackId(NonZeroU64);

static NEXT: Counter = Counter::new(1);

impl CallbackId {
    /// The next number.
    #[expect(clippy::new_without_default, reason = "each is another")]
    pub fn new() -> Self {
        Self(NonZeroU64::new(NEXT.take(1)).unwrap_or(NonZeroU64::MAX))
    }
}

/// A callback that was registered: whose call it is, and in which context variables it is made.
pub struct Callback<J> {
    /// To take it back with.
    pub id: CallbackId,
    /// The name of its type, which says where it is written.
    pub name: &'static str,
    to: Option<Arc<dyn Defer>>,
    place: &'static Location<'static>,
    vars: Option<Context>,
    /// What is called.
    pub job: J,
}

impl<J> Callback<J> {
    /// A callback that is registered here and now, at `place`.
    pub fn new(name: &'static str, place: &'static Location<'static>, job: J) -> Self {
        Self { id: CallbackId::new(), name, to: current(), place, vars: vars::inherit(), job }
    }

    /// The same one, with the job that `f` makes of its own.
    pub fn map<K>(self, f: impl FnOnce(J) -> K) -> Callback<K> {
        let Self { id, name, to, place, vars, job } = self;
        Callback { id, name, to, place, vars, job: f(job) }
    }
}

impl Callback<Job> {
    /// Has all of them called later in this order, each whatever the others do.
    pub fn call_later(callbacks: Vec<Self>) {
        let mut callbacks = callbacks.into_iter().peekable();
        while let Some(first) = callbacks.next() {
            let (to, place) = (first.to.clone(), first.place);
            let mut group = vec![first];
            // One call for all that go to the same place: several would be taken by several workers, in any order.
            while let Some(next) = callbacks.next_if(|next| same(next.to.as_ref(), to.as_ref())) {
                group.push(next);
            }
            let job = move || {
                for callback in group {
                    let _entered = vars::enter(callback.vars);
                    call(callback.job);
                }
            };
            defer(to, place, Box::new(job));
        }
    }
}

fn same(one: Option<&Arc<dyn Defer>>, other: Option<&Arc<dyn Defer>>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => std::ptr::addr_eq(Arc::as_ptr(one), Arc::as_ptr(other)),
        (None, None) => true,
        _ => false,
    }
}

impl<J> fmt::Debug for Callback<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<Callback {} registered_at={}>", self.name, self.place)
    }
}

thread_local! {
    static CURRENT: Current<Arc<dyn Defer>> = Current::new()
}

thread_local! {
    /// The calls of a thread on which nobody defers, while the first of them is made. Never dropped: a thread that ends
    /// may still ask for one, and there is nothing in it between calls.
    static OWN: ManuallyDrop<RefCell<Option<VecDeque<Job>>>> = ManuallyDrop::new(RefCell::new(None))
}

/// Who defers on a thread until this is dropped, and whoever did before then.
pub struct Entered(Option<Arc<dyn Defer>>);

impl fmt::Debug for Entered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entered").finish_non_exhaustive()
    }
}

/// Has `to` defer on this thread until the guard is dropped.
pub fn enter(to: Arc<dyn Defer>) -> Entered {
    Entered(CURRENT.with(|current| current.replace(Some(to))))
}

impl Drop for Entered {
    fn drop(&mut self) {
        let mine = CURRENT.with(|current| current.replace(self.0.take()));
        // Dropped after the cell is free again: it may be the last of its runtime.
        drop(mine);
    }
}

/// Who defers on this thread; nobody while it ends.
pub fn current() -> Option<Arc<dyn Defer>> {
    CURRENT.try_with(|current| current.with(|to| to.cloned())).ok().flatten()
}

/// Has `job` called later: by `to`, or else by whoever defers on this thread.
pub fn defer(to: Option<Arc<dyn Defer>>, place: &'static Location<'static>, job: Job) {
    match to.or_else(current) {
        Some(to) => to.defer(place, job),
        None => on_this_thread(job),
    }
}

/// Calls it now, and then what was asked for meanwhile; or leaves it to the call that is under way.
fn on_this_thread(job: Job) {
    let Some(job) = OWN.with(|own| match &mut *own.borrow_mut() {
        Some(queue) => {
            queue.push_back(job);
            None
        }
        none => {
            *none = Some(VecDeque::new());
            Some(job)
        }
    }) else {
        return;
    };
    let mut next = Some(job);
    while let Some(job) = next {
        call(job);
        next = OWN.with(|own| {
            let mut own = own.borrow_mut();
            let next = own.as_mut().and_then(VecDeque::pop_front);
            if next.is_none() {
                *own = None;
            }
            next
        });
    }
}

/// Calls it, and lets its panic end here, with a report: the next has to be called all the same.
pub fn call(job: impl FnOnce()) {
    if MODEL {
        // A panic is the model's verdict, and must reach it.
        return job();
    }
    if let Err(payload) = catch_unwind(AssertUnwindSafe(job)) {
        Report::new(ReportKind::Callback, "a callback panicked").panic(&*payload).send();
        crate::wake_batch::drop_payload(payload);
    }
}
