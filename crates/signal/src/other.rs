//! Systems without SIGINT: nothing is watched, and a run goes on without.

use crate::NotWatched;

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
}

/// Ends the process as Ctrl-C would.
pub fn interrupt_process() -> ! {
    std::process::exit(130)
}

/// Whether this is the thread that the program began on, as far as its name tells.
pub fn is_main_thread() -> bool {
    std::thread::current().name() == Some("main")
}
