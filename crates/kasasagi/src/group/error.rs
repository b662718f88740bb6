//! Group error: what went wrong in a group, all of it.

use crate::child_error::ChildError;
use std::error::Error;
use std::fmt;

/// The errors and panics of a group's children, in the order of their ends, and of its body, last.
pub struct GroupError<E> {
    errors: Vec<ChildError<E>>,
}

impl<E> GroupError<E> {
    pub(super) fn new(errors: Vec<ChildError<E>>) -> Self {
        Self { errors }
    }

    /// Each error, with the name of its task.
    pub fn errors(&self) -> &[ChildError<E>] {
        &self.errors
    }

    /// The errors themselves.
    pub fn into_errors(self) -> Vec<ChildError<E>> {
        self.errors
    }

    /// Whether nothing failed: the group was ended by [`TaskGroup::cancel`](crate::TaskGroup::cancel) before its body had
    /// a value.
    pub fn is_cancelled(&self) -> bool {
        self.errors.is_empty()
    }
}

impl<E: fmt::Display> fmt::Display for GroupError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.errors[..] {
            [] => f.write_str("the task group was cancelled before its body had a value"),
            [error] => write!(f, "a task group failed: {error}"),
            errors => {
                write!(f, "a task group failed, with {} errors:", errors.len())?;
                for error in errors {
                    // Those of groups inside are a level deeper.
                    write!(f, "\n  {}", error.to_string().replace('\n', "\n  "))?;
                }
                Ok(())
            }
        }
    }
}

impl<E: fmt::Debug> fmt::Debug for GroupError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("GroupError").field(&self.errors).finish()
    }
}

impl<E: Error + 'static> Error for GroupError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.errors.first().and_then(Error::source)
    }
}
