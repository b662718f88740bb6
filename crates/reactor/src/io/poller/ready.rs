//! One question about one source, asked without the poller: would an operation do something now?

use crate::io::source::Direction;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::AsFd;
use std::io;

/// Asks the system whether an operation would do something; `WouldBlock` if not.
pub(crate) fn is_ready(io: &impl AsFd, direction: Direction) -> io::Result<()> {
    let interest = match direction {
        Direction::Read => PollFlags::IN,
        Direction::Write => PollFlags::OUT,
    };
    let mut fds = [PollFd::new(io, interest)];
    match poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }))? {
        0 => Err(io::ErrorKind::WouldBlock.into()),
        _ => Ok(()),
    }
}
