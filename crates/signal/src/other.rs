//! Systems without SIGINT: nothing is watched, and a run goes on without.

use crate::NotWatched;
use std::io;

/// What would be watched.
#[cfg(windows)]
pub type Descriptor = std::os::windows::io::OwnedSocket;
/// What would be watched.
#[cfg(not(windows))]
pub type Descriptor = std::os::fd::OwnedFd;

/// Ctrl-C, watched until this is dropped; never made on this system.
#[derive(Debug)]
pub struct CtrlC(std::convert::Infallible);

impl CtrlC {
    /// Takes SIGINT over.
    ///
    /// # Errors
    /// Always: this system has none.
    pub fn watch(_times: u32) -> Result<Self, NotWatched> {
        Err(NotWatched::Unsupported)
    }

    /// Never called: there is no value of this type.
    pub fn take_fd(&mut self) -> Descriptor {
        match self.0 {}
    }
}

/// Takes the signals out of the descriptor, and says how many.
///
/// # Errors
/// Always: none of the descriptors that there are is told of signals.
pub fn take(_fd: &Descriptor) -> io::Result<u32> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Ends the process as Ctrl-C would.
pub fn interrupt_process() -> ! {
    std::process::exit(130)
}

/// Whether this is the thread that the program began on, as far as its name tells.
pub fn is_main_thread() -> bool {
    std::thread::current().name() == Some("main")
}
