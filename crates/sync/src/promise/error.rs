//! Why there is no value.

use std::error::Error;
use std::fmt;

/// Why a [`Pending`](super::Pending) gave no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PromiseError<E> {
    /// It was asked before there was a result; nobody who awaits gets this.
    NotDone,
    /// It was cancelled.
    Cancelled,
    /// The promise was dropped before it was kept.
    Broken,
    /// The promise ended with this error.
    Failed(E),
}

impl<E: fmt::Display> fmt::Display for PromiseError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotDone => {
                f.write_str("the promise is not kept yet: await it, or ask `is_done` first")
            }
            Self::Cancelled => f.write_str("the promise was cancelled"),
            Self::Broken => f.write_str(
                "the promise is broken: its `Promise` was dropped before `set_result` or `set_error` was called",
            ),
            Self::Failed(error) => error.fmt(f),
        }
    }
}

impl<E: fmt::Debug + fmt::Display> Error for PromiseError<E> {}

/// A promise had its result already, or was cancelled: gives back what it did not take.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct InvalidState<T>(pub T);

impl<T> fmt::Display for InvalidState<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "the promise has its result already, or was cancelled: it is kept once; `Promise::is_cancelled` asks \
             whether anybody still wants it",
        )
    }
}

impl<T> fmt::Debug for InvalidState<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InvalidState(..)")
    }
}

impl<T> Error for InvalidState<T> {}
