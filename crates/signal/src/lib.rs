//! Ctrl-C: taken over while a runtime runs its main, and given back afterwards.
//!
//! A [`CtrlC`] exists at most once a process, and only where SIGINT was at its default: a program that handles the
//! signal itself is left alone. What the handler does is all that a handler may: it counts, writes a byte into a pipe,
//! and puts the default action back once it has been called as often as was asked for, so that whoever presses once
//! more ends the process, whatever the program is busy with. The pipe's other end is a descriptor that any poller can
//! watch.
//!
//! Nothing here knows tasks, runtimes or pollers.

use std::error::Error;
use std::fmt;
use std::io;

#[cfg(not(unix))]
#[path = "other.rs"]
mod sys;
#[cfg(unix)]
#[path = "unix.rs"]
mod sys;

pub use sys::{CtrlC, Descriptor, interrupt_process, is_main_thread, take};

/// Why Ctrl-C is not watched.
#[derive(Debug)]
#[non_exhaustive]
pub enum NotWatched {
    /// The program, or who started it, has chosen what SIGINT does: a handler of its own, or to ignore it.
    Chosen,
    /// It is watched already, by another runtime of this process.
    Watched,
    /// The operating system has no SIGINT.
    Unsupported,
    /// The operating system gave no pipe or took no handler.
    System(io::Error),
}

impl fmt::Display for NotWatched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ctrl-C is not watched: ")?;
        match self {
            Self::Chosen => {
                f.write_str("SIGINT is not at its default, and whoever chose that keeps it")
            }
            Self::Watched => f.write_str("another runtime of this process watches it"),
            Self::Unsupported => f.write_str("this system has no SIGINT"),
            Self::System(error) => write!(f, "the system refused: {error}"),
        }
    }
}

impl Error for NotWatched {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::System(error) => Some(error),
            _ => None,
        }
    }
}
