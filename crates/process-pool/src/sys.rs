//! What differs from one system to the next: how the end of a process is seen, and small change.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(not(target_os = "linux"))]
mod other;

#[cfg(target_os = "linux")]
pub(crate) use linux::{HANG_UP, executable, has_ended, kill, life_of, running, wait_for_end};
#[cfg(not(target_os = "linux"))]
pub(crate) use other::{HANG_UP, executable, has_ended, kill, life_of, running, wait_for_end};

use crate::frame::mix;
use rustix::net::SendFlags;
use std::os::unix::fs::MetadataExt;

/// A write to a socket that nobody reads is an error and not a signal. On Apple's systems std sets that on the socket.
#[cfg(not(target_vendor = "apple"))]
pub(crate) const NO_SIGNAL: SendFlags = SendFlags::NOSIGNAL;
#[cfg(target_vendor = "apple")]
pub(crate) const NO_SIGNAL: SendFlags = SendFlags::empty();

/// Which file this program is of, for builds without notes; `None` if the system does not say.
pub(crate) fn file_identity() -> Option<u64> {
    let file = running().ok()?;
    let parts = [file.dev(), file.ino(), file.size(), file.mtime() as u64];
    Some(parts.into_iter().fold(1, |sum, part| mix(sum ^ part)))
}
