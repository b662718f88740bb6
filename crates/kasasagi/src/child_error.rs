//! How a child failed, and which: its own error, a panic, or that it was cancelled.

use kasasagi_task::{JoinError, Task, TaskId, TaskRef};
use std::error::Error;
use std::fmt;
use std::sync::Arc;

/// Why a child of a gather or a group gave no value, with the child's name.
///
/// The child's own error is inside unchanged.
pub struct ChildError<E> {
    id: Option<TaskId>,
    name: Arc<str>,
    cause: Cause<E>,
}

enum Cause<E> {
    Failed(E),
    Ended(JoinError),
}

impl<E> ChildError<E> {
    /// The value of a task that has ended, or how it failed.
    pub(crate) fn split<T>(task: &mut Task<Result<T, E>>) -> Result<T, Self> {
        let cause = match task.output() {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(error)) => Cause::Failed(error),
            Err(error) => Cause::Ended(error),
        };
        Err(Self { id: Some(task.id()), name: task.name(), cause })
    }

    pub(crate) fn failed(task: Option<&TaskRef>, error: E) -> Self {
        Self::of(task, Cause::Failed(error))
    }

    pub(crate) fn ended(task: Option<&TaskRef>, error: JoinError) -> Self {
        Self::of(task, Cause::Ended(error))
    }

    fn of(task: Option<&TaskRef>, cause: Cause<E>) -> Self {
        let name = task.map_or_else(|| "main".into(), TaskRef::name);
        Self { id: task.map(TaskRef::id), name, cause }
    }

    /// The child's name, or `Task-<n>`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The child's number.
    pub fn id(&self) -> Option<TaskId> {
        self.id
    }

    /// The error that the child returned; `None` if it panicked or was cancelled.
    pub fn error(&self) -> Option<&E> {
        match &self.cause {
            Cause::Failed(error) => Some(error),
            Cause::Ended(_) => None,
        }
    }

    /// Whether the child panicked.
    pub fn is_panic(&self) -> bool {
        matches!(&self.cause, Cause::Ended(error) if error.is_panic())
    }

    /// Whether the child was cancelled, by somebody else than its gather or group.
    pub fn is_cancelled(&self) -> bool {
        matches!(&self.cause, Cause::Ended(error) if error.is_cancelled())
    }

    /// The error that the child returned.
    ///
    /// # Errors
    /// That it panicked, with the payload, or was cancelled.
    pub fn into_error(self) -> Result<E, JoinError> {
        match self.cause {
            Cause::Failed(error) => Ok(error),
            Cause::Ended(error) => Err(error),
        }
    }
}

impl<E: fmt::Display> fmt::Display for ChildError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.cause {
            Cause::Failed(error) => write!(f, "task `{}` failed: {error}", self.name),
            Cause::Ended(error) => fmt::Display::fmt(error, f),
        }
    }
}

impl<E: fmt::Debug> fmt::Debug for ChildError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.cause {
            Cause::Failed(error) => write!(f, "ChildError(task `{}` failed: {error:?})", self.name),
            Cause::Ended(error) => write!(f, "ChildError({error})"),
        }
    }
}

impl<E: Error + 'static> Error for ChildError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.cause {
            Cause::Failed(error) => Some(error),
            Cause::Ended(_) => None,
        }
    }
}
