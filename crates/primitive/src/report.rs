//! What went wrong and would be lost, and the hook that is told of it.
//!
//! A panic of a task that nobody awaits, an error of a promise that nobody reads: whoever drops it last makes a
//! [`Report`] and sends it. It goes to the hook of the runtime on this thread, which the roof enters, or to one that
//! the sender kept; where there is none, it is a line on stderr. No report is lost silently, and a hook that panics
//! ends there: what it was called with, and what it panicked with, are told on stderr.

use crate::current::Current;
use crate::sync::Mutex;
use crate::tell::tell;
use crate::thread_local;
use std::any::Any;
use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::sync::Arc;

thread_local! {
    static CURRENT: Current<Hook> = Current::new()
}

/// What sort of thing a [`Report`] tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ReportKind {
    /// A task panicked, and nobody awaited it.
    TaskPanic,
    /// A task ended with an error, and nobody read it.
    TaskError,
    /// A promise was given an error, and nobody read it.
    PromiseError,
    /// A callback panicked.
    Callback,
    /// A cleanup panicked, was cut off, or could not run.
    Cleanup,
    /// A destructor or a foreign waker panicked where its panic could not be handed on.
    Drop,
    /// A task was left at the end of its runtime.
    Shutdown,
}

/// The task that a report is about.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Reported {
    /// The task's number.
    pub id: u64,
    /// Its name, or `Task-<n>`.
    pub name: Arc<str>,
    /// Where the program spawned it.
    pub spawned_at: &'static Location<'static>,
}

impl Reported {
    /// The task `id`, called `name`, spawned at `spawned_at`.
    pub fn new(id: u64, name: Arc<str>, spawned_at: &'static Location<'static>) -> Self {
        Self { id, name, spawned_at }
    }
}

/// Something that went wrong, and that nobody else will hear of.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Report {
    /// What sort of thing it is.
    pub kind: ReportKind,
    /// What happened, in words.
    pub message: Cow<'static, str>,
    /// The task it happened in or to.
    pub task: Option<Reported>,
    /// What the error says, or the panic's message.
    pub error: Option<String>,
    /// Where it arose, `file:line:column`: where a task panicked, where a promise was made.
    pub place: Option<Arc<str>>,
    /// The error itself, where it is one that can be kept.
    pub source: Option<Arc<dyn Error + Send + Sync>>,
}

impl Report {
    /// A report of `kind` that says `message`.
    pub fn new(kind: ReportKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, message: message.into(), task: None, error: None, place: None, source: None }
    }

    /// Says which task it is about.
    #[must_use]
    pub fn task(mut self, task: Reported) -> Self {
        self.task = Some(task);
        self
    }

    /// Says what the error says. A `Display` that panics is foreign code's fault and is told as such.
    #[must_use]
    pub fn error(mut self, error: &dyn fmt::Display) -> Self {
        self.error = Some(text_of(error));
        self
    }

    /// Says with which payload code panicked.
    #[must_use]
    pub fn panic(mut self, payload: &(dyn Any + Send)) -> Self {
        self.error = Some(panic_message(payload).unwrap_or("(no text)").to_owned());
        self
    }

    /// Says where it arose.
    #[must_use]
    pub fn place(mut self, place: Option<Arc<str>>) -> Self {
        self.place = place;
        self
    }

    /// Keeps the error itself.
    #[must_use]
    pub fn source(mut self, source: Arc<dyn Error + Send + Sync>) -> Self {
        self.source = Some(source);
        self
    }

    /// Sends it to the hook of the runtime on this thread; where there is none, it is a line on stderr.
    pub fn send(&self) {
        self.send_to(current().as_ref());
    }

    /// Sends it to `hook`, for those who kept one; else as [`send`](Self::send).
    pub fn send_to_kept(&self, hook: Option<Hook>) {
        match hook {
            Some(hook) => hook.call(self),
            None => self.send(),
        }
    }

    fn send_to(&self, hook: Option<&Hook>) {
        match hook {
            Some(hook) => hook.call(self),
            None => self.tell(),
        }
    }

    /// What the default hook does: a line on stderr.
    pub fn tell(&self) {
        tell(self);
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if let Some(task) = &self.task {
            write!(f, ": task `{}`, spawned at {}", task.name, task.spawned_at)?;
        }
        if let Some(place) = &self.place {
            let verb = match self.kind {
                ReportKind::PromiseError => "made",
                ReportKind::TaskError => "failed",
                _ => "panicked",
            };
            write!(f, ", {verb} at {place}")?;
        }
        match &self.error {
            Some(error) => write!(f, ": {error}"),
            None => Ok(()),
        }
    }
}

/// What is called with each report: by any thread, by several at once.
pub type ExceptionHook = Arc<dyn Fn(&Report) + Send + Sync>;

/// Where the reports of one runtime go; cloned, it is the same one.
#[derive(Clone)]
pub struct Hook(Arc<Mutex<Option<ExceptionHook>>>);

impl Hook {
    /// Reports go to `hook`; `None`: a line on stderr for each.
    pub fn new(hook: Option<ExceptionHook>) -> Self {
        Self(Arc::new(Mutex::new(hook)))
    }

    /// Where reports go from now on; returns where they went before.
    pub fn set(&self, hook: Option<ExceptionHook>) -> Option<ExceptionHook> {
        std::mem::replace(&mut *self.0.lock(), hook)
    }

    /// Where reports go; `None`: a line on stderr for each.
    pub fn get(&self) -> Option<ExceptionHook> {
        self.0.lock().clone()
    }

    /// Tells the hook of `report`. A panic of the hook ends here.
    pub fn call(&self, report: &Report) {
        // Called without the lock: it may set another hook, or cause reports itself.
        let Some(hook) = self.get() else { return report.tell() };
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| hook(report))) {
            let text = panic_message(&*payload).unwrap_or("(no text)").to_owned();
            tell(format_args!("the exception hook panicked: {text}; it was called with: {report}"));
            drop_quietly(payload);
        }
        // The last share of a hook may be this one, if it was replaced meanwhile; its drop is foreign code too.
        drop_quietly(hook);
    }

    /// Makes this the hook of the thread until the guard is dropped.
    pub fn enter(&self) -> Entered {
        Entered(CURRENT.with(|current| current.replace(Some(self.clone()))))
    }
}

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hook").field("set", &self.get().is_some()).finish()
    }
}

/// The hook of a thread until this is dropped, and the one before it then.
#[derive(Debug)]
pub struct Entered(Option<Hook>);

impl Drop for Entered {
    fn drop(&mut self) {
        let previous = self.0.take();
        // Nowhere to put it back to if the thread is about to end.
        let mine = CURRENT.try_with(|current| current.replace(previous));
        drop(mine);
    }
}

/// The hook of the runtime on this thread, for who will send a report later and maybe from elsewhere.
pub fn current() -> Option<Hook> {
    CURRENT.try_with(|current| current.with(|hook| hook.cloned())).ok().flatten()
}

/// What a panic's payload says, if it is text.
pub fn panic_message(payload: &(dyn Any + Send)) -> Option<&str> {
    payload
        .downcast_ref::<&'static str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
}

fn text_of(error: &dyn fmt::Display) -> String {
    match catch_unwind(AssertUnwindSafe(|| error.to_string())) {
        Ok(text) => text,
        Err(payload) => {
            let text = panic_message(&*payload).unwrap_or("(no text)");
            let text = format!("(its `Display` panicked: {text})");
            drop_quietly(payload);
            text
        }
    }
}

/// Drops a foreign value; what panics in its drop, twice over, is leaked.
fn drop_quietly<T>(value: T) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(value))) {
        if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            std::mem::forget(second);
        }
    }
}

#[cfg(test)]
mod tests;
