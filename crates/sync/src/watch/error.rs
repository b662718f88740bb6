//! Why there is no further value.

use std::error::Error;
use std::fmt;

/// The last sender is gone: the value will not change any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecvError;

impl fmt::Display for RecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the last sender is gone: the value will not change any more")
    }
}

impl Error for RecvError {}
