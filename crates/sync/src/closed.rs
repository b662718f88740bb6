//! The error of what was closed.

use std::error::Error;
use std::fmt;

/// It was closed, and there is nothing to wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Closed;

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("it was closed: nothing more is given, and nobody waits any longer")
    }
}

impl Error for Closed {}
