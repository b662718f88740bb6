//! The lifeline: a thread that waits for the parent to go, and ends a job that does not notice.
//!
//! It and the thread that works each write one word and then read the other's, all sequentially consistent: whichever
//! comes second sees the first. So either the job is ended or it does not begin.

use kasasagi_primitive::sync::atomic::{AtomicBool, Ordering};
use rustix::event::{PollFd, PollFlags};
use rustix::fd::OwnedFd;
use rustix::process::Signal;
use std::io;
use std::sync::Arc;

/// What the thread needs of stack: a system call and a signal.
const STACK: usize = 64 * 1024;

/// The words that the two threads share.
pub(super) struct Lifeline {
    works: AtomicBool,
    is_cut: AtomicBool,
}

impl Lifeline {
    /// Starts the thread.
    pub(super) fn start(socket: &Arc<OwnedFd>) -> io::Result<Arc<Self>> {
        let words =
            Arc::new(Self { works: AtomicBool::new(false), is_cut: AtomicBool::new(false) });
        let (watched, socket) = (Arc::clone(&words), Arc::clone(socket));
        let thread = std::thread::Builder::new().name("kasasagi-lifeline".into()).stack_size(STACK);
        thread.spawn(move || watched.watch(&socket))?;
        Ok(words)
    }

    /// A job runs until the guard is dropped. If the parent is gone already, the process ends here.
    pub(super) fn busy(&self) -> Busy<'_> {
        self.works.store(true, Ordering::SeqCst);
        if self.is_cut.load(Ordering::SeqCst) {
            std::process::exit(0);
        }
        Busy(self)
    }

    fn watch(&self, socket: &OwnedFd) {
        let gone = crate::sys::HANG_UP | PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL;
        loop {
            let mut watched = [PollFd::new(socket, crate::sys::HANG_UP)];
            match rustix::event::poll(&mut watched, None) {
                Ok(_) if watched[0].revents().intersects(gone) => break,
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(_) => break,
            }
        }
        self.is_cut.store(true, Ordering::SeqCst);
        if self.works.load(Ordering::SeqCst) {
            // Not an exit: that would run what the program wants run at its exit, beside a job that still runs.
            let _ = rustix::process::kill_process(rustix::process::getpid(), Signal::KILL);
        }
        // The other thread reads the end of the stream.
    }
}

/// A job runs.
pub(super) struct Busy<'a>(&'a Lifeline);

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.works.store(false, Ordering::SeqCst);
    }
}
