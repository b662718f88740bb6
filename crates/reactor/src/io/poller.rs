//! The operating system's poller: what the reactor asks of it, and which one this platform has.
//!
//! Two halves: a [`Registrar`] that every thread may use, and a [`Harvester`] for the one that waits. The
//! platforms differ in one place, below; the portable one is built everywhere, so that it is tested
//! everywhere.

use rustix::fd::BorrowedFd;
use std::io;
use std::time::Duration;

#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) mod epoll;
pub(crate) mod portable;
pub(crate) mod ready;

#[cfg(any(target_os = "linux", target_os = "android"))]
use epoll as sys;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
use portable as sys;

/// What the poller said of one source.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Event {
    /// As given to `add`.
    pub(crate) key: u64,
    /// A union of `READ`, `WRITE`, `READ_HELD` and `WRITE_HELD`.
    pub(crate) bits: u32,
}

/// Reading may be tried.
pub(crate) const READ: u32 = 1;
/// Writing may be tried.
pub(crate) const WRITE: u32 = 2;
/// Reading may be tried, and a short count does not mean that the source is drained.
pub(crate) const READ_HELD: u32 = 4;
/// Writing may be tried, and will go on to fail: the other side is gone.
pub(crate) const WRITE_HELD: u32 = 8;

/// How long a harvest may take.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Patience {
    /// It does not wait.
    Look,
    /// It waits so long at most.
    For(Duration),
    /// It waits for an event or a notification.
    Forever,
}

/// What the reactor may rely on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Traits {
    /// Events tell when the peer has closed or sent urgent data, so that a short read proves a stream drained.
    pub(crate) hangups: bool,
    /// An event disarms its source: interest is declared at every wait.
    pub(crate) oneshot: bool,
}

/// Tells the poller which sources there are; for every thread.
pub(crate) trait Registrar: Send + Sync {
    /// Makes a source known. The caller deletes it before it closes `fd`.
    fn add(&self, fd: BorrowedFd<'_>, key: u64) -> io::Result<()>;
    /// Declares interest, where an event disarms.
    fn arm(&self, fd: BorrowedFd<'_>, key: u64, read: bool, write: bool) -> io::Result<()>;
    /// Makes a source unknown.
    fn delete(&self, fd: BorrowedFd<'_>) -> io::Result<()>;
    /// Ends the wait under way, or else the next.
    fn notify(&self) -> io::Result<()>;
    /// What kind of poller it is.
    fn traits(&self) -> Traits;
}

/// Waits for events; for one thread at a time.
pub(crate) trait Harvester: Send {
    /// Appends what has happened. An interruption by a signal is not an error.
    fn wait(&mut self, patience: Patience, max: usize, out: &mut Vec<Event>) -> io::Result<()>;
}

/// Both halves of one poller.
pub(crate) type Poller = (Box<dyn Registrar>, Box<dyn Harvester>);

/// The platform's best poller.
pub(crate) fn open() -> io::Result<Poller> {
    sys::open()
}
