//! What differs from one operating system to the next: options that are inherited, and the meaning of error numbers.

#[cfg(not(unix))]
mod other;
#[cfg(unix)]
mod unix;

#[cfg(not(unix))]
pub(crate) use other::{INHERITS_NODELAY, classify, is_in_progress, set_reuse_port};
#[cfg(unix)]
pub(crate) use unix::{INHERITS_NODELAY, classify, is_in_progress, set_reuse_port};

/// What a failed `accept` means for the listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AcceptFault {
    /// The connection died in the queue; the next one may be fine.
    Skip,
    /// The process or the machine has run out of something; it may come back.
    Exhausted,
    /// The listener itself is of no use.
    Fatal,
}
