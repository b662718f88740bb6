//! Context variables: values that belong to a chain of calls across tasks, and need not be passed along.
//!
//! A [`Context`] is a small map, shared by whoever runs in it. Code runs in the context that was entered on its thread
//! during the poll under way ([`Context::run`]); else in its task's, which is in the task's cold part and made at the
//! first need; outside tasks in its thread's. A task that is spawned gets a copy, an `Arc` bump, of what is inherited,
//! and no context at all if that is nothing.

mod variable;

pub use variable::{ContextVar, Token, TokenError};

use crate::sync::Mutex;
use crate::task_context::{self, CURRENT};
use crate::thread_local;
use std::any::Any;
use std::cell::RefCell;
use std::fmt;
use std::mem::ManuallyDrop;
use std::sync::Arc;

type Value = Arc<dyn Any + Send + Sync>;

/// Values by the number of their variable.
type Map = Vec<(u64, Value)>;

#[derive(Clone, Default)]
struct Values {
    /// What children inherit; shared with those that did, until somebody sets a variable.
    inherited: Arc<Map>,
    own: Map,
}

/// The context variables of a task, or of whatever runs in it: cloned, it is the same one.
///
/// # Examples
/// ```
/// use kasasagi_primitive::vars::{Context, ContextVar};
///
/// static USER: ContextVar<&str> = ContextVar::with_default("USER", || "nobody");
///
/// let context = Context::new();
/// context.run(|| USER.set("ada"));
/// assert_eq!(USER.get(), "nobody");
/// assert_eq!(context.run(|| USER.get()), "ada");
/// ```
///
/// Counterpart: `contextvars.Context`.
#[derive(Clone)]
pub struct Context(Arc<Mutex<Values>>);

thread_local! {
    /// Never dropped: a thread that ends may still enter one, and the guards leave nothing behind.
    static ENTERED: ManuallyDrop<RefCell<Option<Over>>> = ManuallyDrop::new(RefCell::new(None))
}

thread_local! {
    /// The context of code outside tasks.
    static OUTSIDE: RefCell<Option<Context>> = RefCell::new(None)
}

/// A context that was entered on this thread, and the task that did; other tasks that are polled meanwhile, by a
/// runtime inside, run in their own.
struct Over {
    task: usize,
    context: Option<Context>,
}

/// A context that is entered on this thread until this is dropped.
pub struct Entered(Option<Over>);

impl Drop for Entered {
    fn drop(&mut self) {
        let before = self.0.take();
        let is_some = before.is_some();
        let mine = ENTERED.with(|entered| entered.replace(before));
        // None too while the thread ends.
        let outside = OUTSIDE.try_with(|outside| outside.borrow().is_some()).unwrap_or(false);
        hint(is_some || outside);
        // After the cell is free again: values are dropped with it.
        drop(mine);
    }
}

impl fmt::Debug for Entered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entered").finish_non_exhaustive()
    }
}

/// Notes whether a spawn on this thread has to look here.
fn hint(look: bool) {
    CURRENT.with(|current| current.vars.set(look));
}

/// Runs in `context`, or in one without any value, until the guard is dropped.
pub fn enter(context: Option<Context>) -> Entered {
    let over = Over { task: task_context::current().addr(), context };
    let before = ENTERED.with(|entered| entered.replace(Some(over)));
    hint(true);
    Entered(before)
}

/// Where the context of the running code is.
enum Place {
    Entered,
    Task,
    Outside,
}

fn place() -> Place {
    let task = task_context::current().addr();
    let entered =
        ENTERED.with(|entered| entered.borrow().as_ref().is_some_and(|over| over.task == task));
    match (entered, task) {
        (true, _) => Place::Entered,
        (false, 0) => Place::Outside,
        (false, _) => Place::Task,
    }
}

/// Shows the context of the running code, if it has one. `f` calls no foreign code.
fn with<R>(f: impl FnOnce(Option<&Context>) -> R) -> R {
    match place() {
        Place::Entered => ENTERED
            .with(|entered| f(entered.borrow().as_ref().and_then(|over| over.context.as_ref()))),
        Place::Outside => OUTSIDE.with(|outside| f(outside.borrow().as_ref())),
        Place::Task => {
            match task_context::with(|task| f(task.cold().and_then(|cold| cold.vars.get()))) {
                Some(result) => result,
                None => unreachable!("a task is polled here, says `place`"),
            }
        }
    }
}

/// What a task that is spawned here, or a callback that is registered here, will run in.
#[inline]
pub fn inherit() -> Option<Context> {
    if task_context::origin().1 {
        with(|context| context.and_then(Context::inheritance))
    } else {
        None
    }
}

impl Context {
    /// A context in which no variable has a value of its own.
    pub fn new() -> Self {
        Self(Arc::default())
    }

    /// The context of the running code, itself: what is set later is seen through it.
    pub fn current() -> Self {
        if let Some(context) = with(|context| context.cloned()) {
            return context;
        }
        let new = Self::new();
        match place() {
            Place::Entered => ENTERED.with(|entered| {
                if let Some(over) = &mut *entered.borrow_mut() {
                    over.context = Some(new.clone());
                }
                new
            }),
            Place::Outside => {
                OUTSIDE.with(|outside| *outside.borrow_mut() = Some(new.clone()));
                hint(true);
                new
            }
            Place::Task => task_context::with(Self::of).unwrap_or(new),
        }
    }

    /// The context of a task, made if it has none.
    pub fn of(task: &task_context::TaskContext) -> Self {
        task.cold_or_new().vars.get_or_init(Self::new).clone()
    }

    /// A copy: what is set in one of them is not seen in the other.
    ///
    /// Counterpart: `contextvars.copy_context`, of the current one.
    #[must_use = "the copy is what is returned"]
    pub fn copy(&self) -> Self {
        let values = self.0.lock().clone();
        Self(Arc::new(Mutex::new(values)))
    }

    /// Runs `f` in this context, on any thread: what it sets stays here.
    ///
    /// Counterpart: `contextvars.Context.run`.
    pub fn run<R>(&self, f: impl FnOnce() -> R) -> R {
        let _entered = enter(Some(self.clone()));
        f()
    }

    /// Whether both are the same one.
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// What children inherit; `None` if it is nothing.
    fn inheritance(&self) -> Option<Self> {
        let inherited = Arc::clone(&self.0.lock().inherited);
        let values = Values { inherited, own: Map::new() };
        (!values.inherited.is_empty()).then(|| Self(Arc::new(Mutex::new(values))))
    }

    fn get(&self, variable: u64, inherited: bool) -> Option<Value> {
        let values = self.0.lock();
        let map = if inherited { &*values.inherited } else { &values.own };
        map.iter().find(|(key, _)| *key == variable).map(|(_, value)| Arc::clone(value))
    }

    /// Puts a value into the map, or takes one out; returns the one before.
    fn put(&self, variable: u64, inherited: bool, value: Option<Value>) -> Option<Value> {
        let mut values = self.0.lock();
        let map = if inherited { Arc::make_mut(&mut values.inherited) } else { &mut values.own };
        let at = map.iter().position(|(key, _)| *key == variable);
        match (at, value) {
            (Some(at), Some(value)) => Some(std::mem::replace(&mut map[at].1, value)),
            (Some(at), None) => Some(map.swap_remove(at).1),
            (None, Some(value)) => {
                map.push((variable, value));
                None
            }
            (None, None) => None,
        }
    }
}

impl Default for Context {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let values = self.0.lock();
        let count = values.inherited.len() + values.own.len();
        f.debug_struct("Context").field("values", &count).finish_non_exhaustive()
    }
}
