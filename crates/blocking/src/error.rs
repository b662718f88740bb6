//! Why a closure gave no result.

use kasasagi_primitive::sync::Mutex;
use std::any::Any;
use std::error::Error;
use std::fmt;
use std::io;

/// Why [`Pool::unblock`](crate::Pool::unblock) gave no result.
#[derive(Debug)]
#[non_exhaustive]
pub enum BlockingError {
    /// The pool was shut down before the closure had started; it never runs.
    Closed,
    /// The closure panicked.
    Panicked(Panic),
    /// The pool has no thread, and the system refused to start one; the closure never runs.
    NoThread(io::Error),
}

/// What a closure panicked with.
pub struct Panic {
    message: Option<String>,
    // Behind a lock only to be Sync, as errors should be; a payload need not be.
    payload: Mutex<Box<dyn Any + Send>>,
}

impl Panic {
    pub(crate) fn new(payload: Box<dyn Any + Send>) -> Self {
        let message = payload
            .downcast_ref::<&str>()
            .map(|text| String::from(*text))
            .or_else(|| payload.downcast_ref::<String>().cloned());
        Self { message, payload: Mutex::new(payload) }
    }

    /// The panic's message; `None` when its payload is no text.
    pub fn message(&self) -> Option<&str> {
        self.message.as_deref()
    }

    /// Gives the payload, to be looked at or handed to [`std::panic::resume_unwind`].
    pub fn into_payload(self) -> Box<dyn Any + Send> {
        self.payload.into_inner()
    }
}

impl fmt::Debug for Panic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Panic").field("message", &self.message).finish_non_exhaustive()
    }
}

impl fmt::Display for BlockingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str(
                "the closure was not run: its pool was shut down first; \
                 submit it before the shutdown, or to another pool",
            ),
            Self::Panicked(panic) => match panic.message() {
                Some(message) => write!(f, "the closure panicked: {message}"),
                None => f.write_str("the closure panicked"),
            },
            Self::NoThread(error) => write!(
                f,
                "the closure was not run: its pool has no thread, and the system refused one: {error}; \
                 raise the limit of threads, or lower what else uses them"
            ),
        }
    }
}

impl Error for BlockingError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::NoThread(error) => Some(error),
            Self::Closed | Self::Panicked(_) => None,
        }
    }
}
