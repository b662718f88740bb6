//! Why there is no message.

use std::error::Error;
use std::fmt;

/// Why [`Receiver::recv`](super::Receiver::recv) gave no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecvError {
    /// The last sender is gone, and all messages are received.
    Closed,
    /// The receiver was too slow, and so many messages were overwritten; the next call gives the oldest that is there.
    Lagged(u64),
}

/// Why [`Receiver::try_recv`](super::Receiver::try_recv) gave no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TryRecvError {
    /// There is none yet.
    Empty,
    /// The last sender is gone, and all messages are received.
    Closed,
    /// The receiver was too slow, and so many messages were overwritten; the next call gives the oldest that is there.
    Lagged(u64),
}

impl fmt::Display for RecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("the last sender is gone, and all messages are received"),
            Self::Lagged(missed) => write!(
                f,
                "the receiver was too slow and missed {missed} messages: receive faster, or give the channel a larger \
                 capacity"
            ),
        }
    }
}

impl fmt::Display for TryRecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("there is no message yet"),
            Self::Closed => RecvError::Closed.fmt(f),
            Self::Lagged(missed) => RecvError::Lagged(*missed).fmt(f),
        }
    }
}

impl Error for RecvError {}
impl Error for TryRecvError {}
