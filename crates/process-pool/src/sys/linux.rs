//! Linux: the end of a process is an event of its pidfd, and the running file can be started whatever became of it.

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fd::{AsFd, OwnedFd};
use rustix::process::{Pid, PidfdFlags, Signal, WaitId, WaitIdOptions};
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::Child;
use std::time::Duration;

/// What the kernel holds open for as long as it runs.
const HELD: &str = "/proc/self/exe";

/// What the lifeline waits for.
pub(crate) const HANG_UP: PollFlags = PollFlags::RDHUP;

/// The descriptor that becomes readable when the process ends; `None` from kernels before 5.3.
pub(crate) fn life_of(child: &Child) -> Option<OwnedFd> {
    rustix::process::pidfd_open(Pid::from_child(child), PidfdFlags::empty()).ok()
}

/// `WouldBlock` while it runs. Its status is left for `Child` to take.
pub(crate) fn has_ended(life: &OwnedFd) -> io::Result<()> {
    let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    match rustix::process::waitid(WaitId::PidFd(life.as_fd()), look) {
        Ok(None) => Err(io::ErrorKind::WouldBlock.into()),
        // An error: somebody else has its status, so it has ended.
        Ok(Some(_)) | Err(_) => Ok(()),
    }
}

/// Waits for its end, about so long at most, or until a signal comes.
pub(crate) fn wait_for_end(life: &OwnedFd, at_most: Duration) {
    let at_most = Timespec {
        tv_sec: at_most.as_secs() as i64,
        // Not for so short a time that the last of it is spent on looking.
        tv_nsec: at_most.subsec_nanos().max(1_000_000).into(),
    };
    let _ = rustix::event::poll(&mut [PollFd::new(life, PollFlags::IN)], Some(&at_most));
}

/// Ends the process of that descriptor, and no other.
pub(crate) fn kill(life: &OwnedFd) -> io::Result<()> {
    Ok(rustix::process::pidfd_send_signal(life, Signal::KILL)?)
}

/// What to start: the program by its name if that still is what runs, else by what the kernel holds open.
pub(crate) fn executable() -> io::Result<PathBuf> {
    let Ok(running) = running() else { return std::env::current_exe() };
    let identity = |file: &Metadata| (file.dev(), file.ino());
    let by_name = std::env::current_exe().ok();
    let is_it = |path: &PathBuf| {
        std::fs::metadata(path).is_ok_and(|file| identity(&file) == identity(&running))
    };
    Ok(by_name.filter(is_it).unwrap_or_else(|| HELD.into()))
}

/// The file that runs, whatever became of its name.
pub(crate) fn running() -> io::Result<Metadata> {
    std::fs::metadata(HELD)
}
