//! The lifeline: a thread that waits for the parent to go, and ends a job that does not notice.

pub(crate) mod words;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fd::OwnedFd;
use rustix::process::Signal;
use std::io;
use std::sync::Arc;
use words::Words;

/// What the thread needs of stack: a system call and a signal.
const STACK: usize = 64 * 1024;

/// Seconds that a worker without a job has to leave by itself: what the program wants run at its exit may take its time,
/// or never end.
pub(crate) const GRACE: i64 = 5;

/// The thread, as the one that works has it.
pub(super) struct Lifeline {
    words: Arc<Words>,
}

impl Lifeline {
    /// Starts the thread.
    pub(super) fn start(socket: &Arc<OwnedFd>) -> io::Result<Self> {
        let words = Arc::new(Words::new());
        let (watched, socket) = (Arc::clone(&words), Arc::clone(socket));
        let thread = std::thread::Builder::new().name("kasasagi-lifeline".into()).stack_size(STACK);
        thread.spawn(move || watch(&watched, &socket))?;
        Ok(Self { words })
    }

    /// A job runs until the guard is dropped. If the parent is gone already, the process ends here.
    pub(super) fn busy(&self) -> Busy<'_> {
        if !self.words.begin() {
            std::process::exit(0);
        }
        Busy(&self.words)
    }
}

fn watch(words: &Words, socket: &OwnedFd) {
    let gone = crate::sys::HANG_UP | PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL;
    loop {
        let mut watched = [PollFd::new(socket, crate::sys::HANG_UP)];
        match rustix::event::poll(&mut watched, None) {
            Ok(_) if watched[0].revents().intersects(gone) => break,
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(_) => break,
        }
    }
    if !words.cut() {
        // The other thread reads the end of the stream, and exits; which ends this thread as well.
        let grace = Timespec { tv_sec: GRACE, tv_nsec: 0 };
        let _ = rustix::event::poll(&mut [], Some(&grace));
    }
    // Not an exit: that would run what the program wants run at its exit, beside a job that still runs.
    let _ = rustix::process::kill_process(rustix::process::getpid(), Signal::KILL);
}

/// A job runs.
pub(super) struct Busy<'a>(&'a Words);

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
}
