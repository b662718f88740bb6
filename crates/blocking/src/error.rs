//! Why a closure gave no result.

use kasasagi_primitive::report::panic_message;
use kasasagi_primitive::sync::Mutex;
use std::any::Any;
use std::error::Error;
use std::fmt;
use std::io;
use std::sync::Arc;

/// Why a closure that was handed to a pool gave no result.
#[derive(Debug)]
#[non_exhaustive]
pub enum BlockingError {
    /// The pool was shut down before the closure had started; it never runs.
    Closed,
    /// The closure panicked.
    Panicked(Panic),
    /// The pool has no thread, and the system refused to start one; the closure never runs.
    NoThread(io::Error),
    /// The pool's initializer panicked, with this text; no closure runs there any more.
    Broken(Arc<str>),
    /// It was taken back before it had started; it never runs.
    Cancelled,
    /// A closure waits for another one of its own pool, and all threads that the pool may have do so already: none is
    /// left to run it. It was taken back, if it had not started.
    Deadlock {
        /// How many threads there are, all of them waiting.
        threads: usize,
    },
    /// It was handed to an executor that dropped it; it never runs.
    Dropped,
}

/// What a closure panicked with.
pub struct Panic {
    message: Option<String>,
    // Behind a lock only to be Sync, as errors should be; a payload need not be.
    payload: Mutex<Box<dyn Any + Send>>,
}

impl Panic {
    pub(crate) fn new(payload: Box<dyn Any + Send>) -> Self {
        let message = panic_message(&*payload).map(String::from);
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

impl BlockingError {
    pub(crate) fn closed(broken: Option<Arc<str>>) -> Self {
        broken.map_or(Self::Closed, Self::Broken)
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
            Self::Broken(text) => write!(
                f,
                "the closure was not run: its pool is broken, as the initializer of its threads panicked: {text}"
            ),
            Self::Cancelled => f.write_str("the closure was not run: it was taken back first"),
            Self::Deadlock { threads } => write!(
                f,
                "a closure waits for another one of its own pool, and would wait for ever: all {threads} threads that \
                 the pool may have wait so. Raise its limit of threads, wait in a task instead, or use a pool for each \
                 of the two"
            ),
            Self::Dropped => f.write_str(
                "the closure was not run: the executor that it was handed to dropped it",
            ),
        }
    }
}

impl Error for BlockingError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::NoThread(error) => Some(error),
            _ => None,
        }
    }
}
