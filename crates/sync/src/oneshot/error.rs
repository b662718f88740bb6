//! Why there is no value.

use std::error::Error;
use std::fmt;

/// Nothing will come: the sender was dropped before it sent, or the value was received already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecvError;

/// Why [`Receiver::try_recv`](super::Receiver::try_recv) gave nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TryRecvError {
    /// Nothing was sent yet.
    Empty,
    /// Nothing will come: the sender was dropped before it sent, or the value was received already.
    Closed,
}

impl fmt::Display for RecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "nothing will come: the sender was dropped before it sent, or it was received already",
        )
    }
}

impl fmt::Display for TryRecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("nothing was sent yet"),
            Self::Closed => RecvError.fmt(f),
        }
    }
}

impl Error for RecvError {}
impl Error for TryRecvError {}
