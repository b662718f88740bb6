//! Other Unix systems: the end of a process is the end of its stream, and a thread of the pool waits for its status.

use rustix::event::PollFlags;
use rustix::fd::OwnedFd;
use std::fs::Metadata;
use std::io;
use std::path::PathBuf;
use std::process::Child;
use std::time::Duration;

/// What the lifeline waits for: `poll` reports a hang-up unasked.
pub(crate) const HANG_UP: PollFlags = PollFlags::empty();

/// There is none.
pub(crate) fn life_of(_: &Child) -> Option<OwnedFd> {
    None
}

/// Never asked: there is no such descriptor.
pub(crate) fn has_ended(_: &OwnedFd) -> io::Result<()> {
    Ok(())
}

/// Nor is it waited for.
pub(crate) fn wait_for_end(_: &OwnedFd, _: Duration) {}

/// Never asked either.
pub(crate) fn kill(_: &OwnedFd) -> io::Result<()> {
    Ok(())
}

/// What to start.
pub(crate) fn executable() -> io::Result<PathBuf> {
    std::env::current_exe()
}

/// The file that has the name of what runs.
pub(crate) fn running() -> io::Result<Metadata> {
    std::env::current_exe().and_then(std::fs::metadata)
}
