//! Why a task gave no output: it was cancelled, it panicked, or it waited for itself.

mod word;

use crate::cell::Ptr;
use crate::meta::TaskId;
use crate::panic_site;
use crate::task_ref::TaskRef;
use kasasagi_primitive::report::panic_message;
use kasasagi_primitive::request::{Cause, Reason};
use kasasagi_primitive::sync::Mutex;
use std::any::Any;
use std::error::Error;
use std::fmt;
use std::panic::Location;
use std::sync::Arc;
use word::{View, Word};

/// Why awaiting a [`Task`](crate::Task) gave no output.
///
/// Counterpart: `asyncio.CancelledError`, or the exception that `await task` raises.
pub struct JoinError(Word);

/// What the word of an error points to, if not to the task itself.
struct Repr {
    id: TaskId,
    name: Option<Arc<str>>,
    kind: Kind,
}

enum Kind {
    Cancelled(Cause),
    // A payload is Send and not Sync; behind a lock the error is both.
    Panicked {
        payload: Mutex<Box<dyn Any + Send>>,
        place: Option<Arc<str>>,
    },
    SelfAwait,
    /// The task is a child of a group, which has what it failed with.
    InGroup {
        panic: Option<Arc<str>>,
    },
}

/// What a task panicked with, and where.
pub(crate) struct Panic<'a> {
    pub(crate) payload: &'a Mutex<Box<dyn Any + Send>>,
    pub(crate) place: Option<Arc<str>>,
}

impl JoinError {
    pub(crate) fn cancelled(id: TaskId, name: Option<Arc<str>>, cause: Cause) -> Self {
        Self::told(id, name, Kind::Cancelled(cause))
    }

    /// A task was cancelled for [`plain_cause`](kasasagi_primitive::task_context::TaskContext::plain_cause), and its block
    /// tells of it: the error is a reference to it, counted by the caller.
    pub(crate) fn cancelled_plainly(task: Ptr) -> Self {
        Self(Word::of_task(task))
    }

    fn told(id: TaskId, name: Option<Arc<str>>, kind: Kind) -> Self {
        Self(Word::of_box(Box::new(Repr { id, name, kind })))
    }

    pub(crate) fn panicked(
        id: TaskId,
        name: Option<Arc<str>>,
        payload: Box<dyn Any + Send>,
        place: Option<Arc<str>>,
    ) -> Self {
        let payload = Mutex::new(payload);
        Self::told(id, name, Kind::Panicked { payload, place })
    }

    pub(crate) fn self_await(id: TaskId, name: Option<Arc<str>>) -> Self {
        Self::told(id, name, Kind::SelfAwait)
    }

    /// A child of a group failed, and the group has the error.
    pub fn failed_in_group(task: &TaskRef) -> Self {
        Self::told(task.id(), Some(task.name()), Kind::InGroup { panic: None })
    }

    /// A child of a group panicked, on this thread: one error for the group, with the payload, and one for whoever
    /// awaits the child.
    pub fn panicked_in_group(task: &TaskRef, payload: Box<dyn Any + Send>) -> (Self, Self) {
        let text = panic_message(&*payload).unwrap_or("with a payload that is no text").into();
        let (id, name) = (task.id(), Some(task.name()));
        let told = Kind::InGroup { panic: Some(text) };
        let error = Self::panicked(id, name.clone(), payload, panic_site::take());
        (error, Self::told(id, name, told))
    }

    /// What there is to tell; `None`: a plain cancellation.
    fn kind(&self) -> Option<&Kind> {
        match self.0.view() {
            View::Boxed(repr) => Some(&repr.kind),
            View::Plain(_) => None,
        }
    }

    /// Whether the task was cancelled.
    pub fn is_cancelled(&self) -> bool {
        matches!(self.kind(), None | Some(Kind::Cancelled(_)))
    }

    /// Whether the task panicked.
    pub fn is_panic(&self) -> bool {
        matches!(self.kind(), Some(Kind::Panicked { .. } | Kind::InGroup { panic: Some(_) }))
    }

    /// The task's number.
    pub fn id(&self) -> TaskId {
        match self.0.view() {
            View::Boxed(repr) => repr.id,
            View::Plain(task) => task.id(),
        }
    }

    /// Why the task was cancelled, as the one who cancelled it said; `None` for a panic or without a reason.
    pub fn reason(&self) -> Option<&str> {
        match self.kind() {
            Some(Kind::Cancelled(cause)) => cause.reason.as_ref().map(Reason::as_str),
            _ => None,
        }
    }

    /// Where the program asked for the cancellation; `None` for a panic.
    pub fn cancelled_at(&self) -> Option<&'static Location<'static>> {
        self.cause()?.place
    }

    /// The number of the task that asked for the cancellation; `None` if no task did.
    pub fn cancelled_by(&self) -> Option<TaskId> {
        self.cause()?.by.and_then(TaskId::new)
    }

    /// Where the task waited when the cancellation reached it; `None` for a panic, if it had not begun, and if it waited
    /// for a future that does not say.
    pub fn interrupted_at(&self) -> Option<&'static Location<'static>> {
        self.cause()?.interrupted
    }

    fn cause(&self) -> Option<Cause> {
        match self.0.view() {
            View::Plain(task) => Some(task.plain_cause()),
            View::Boxed(Repr { kind: Kind::Cancelled(cause), .. }) => Some(cause.clone()),
            View::Boxed(_) => None,
        }
    }

    /// Where the task panicked, `file:line:column`; `None` if it did not, or if the program's own panic hook
    /// replaced the one that remembers places.
    pub fn panic_place(&self) -> Option<&str> {
        match self.kind() {
            Some(Kind::Panicked { place, .. }) => place.as_deref(),
            _ => None,
        }
    }

    /// The panic, for a report of it.
    pub(crate) fn panic(&self) -> Option<Panic<'_>> {
        let Some(Kind::Panicked { payload, place }) = self.kind() else { return None };
        Some(Panic { payload, place: place.clone() })
    }

    /// The panic's payload, or its text if the task is a child of a group, which has the payload; to be given to
    /// [`std::panic::resume_unwind`].
    ///
    /// # Errors
    /// The error itself, if the task did not panic.
    pub fn into_panic(self) -> Result<Box<dyn Any + Send>, Self> {
        let repr = self.0.into_box().map_err(Self)?;
        match repr.kind {
            Kind::Panicked { payload, .. } => Ok(payload.into_inner()),
            Kind::InGroup { panic: Some(text) } => Ok(Box::new(text.to_string())),
            _ => Err(Self(Word::of_box(repr))),
        }
    }
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let repr = match self.0.view() {
            View::Boxed(repr) => repr,
            View::Plain(task) => return write!(f, "task `{}` was cancelled", task.id()),
        };
        match &repr.name {
            Some(name) => write!(f, "task `{name}`")?,
            None => write!(f, "task `{}`", repr.id)?,
        }
        match &repr.kind {
            Kind::Cancelled(Cause { reason: None, .. }) => write!(f, " was cancelled"),
            Kind::Cancelled(Cause { reason: Some(reason), .. }) => {
                write!(f, " was cancelled: {reason}")
            }
            Kind::Panicked { payload, place } => {
                write!(f, " panicked")?;
                if let Some(place) = place {
                    write!(f, " at {place}")?;
                }
                let payload = payload.lock();
                match panic_message(&**payload) {
                    Some(text) => write!(f, ": {text}"),
                    None => Ok(()),
                }
            }
            Kind::InGroup { panic: None } => write!(f, " failed; its group has the error"),
            Kind::InGroup { panic: Some(text) } => write!(f, " panicked: {text}"),
            Kind::SelfAwait => write!(
                f,
                " cannot await itself: it would wait for ever. Await the handle in another task, or return \
                 the value instead"
            ),
        }
    }
}

impl fmt::Debug for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JoinError({self}")?;
        if let Some(place) = self.cancelled_at() {
            write!(f, ", asked at {place}")?;
        }
        if let Some(place) = self.interrupted_at() {
            write!(f, ", while it waited at {place}")?;
        }
        f.write_str(")")
    }
}

impl Error for JoinError {}
