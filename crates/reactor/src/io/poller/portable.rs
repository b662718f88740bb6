//! Everywhere else: `polling` itself, edge-triggered where it can be, oneshot and armed anew elsewhere.
//!
//! Several system calls a turn and no word of hang-ups, so that an operation is tried until it would block.
#![allow(unsafe_code, reason = "polling asks that a source be deleted before it is closed")]

use super::{Event, Harvester, Patience, Poller, READ, Registrar, Traits, WRITE};
use kasasagi_primitive::sync::Arc;
use polling::{Event as Interest, Events, PollMode};
use rustix::fd::{AsRawFd, BorrowedFd};
use std::io;
use std::num::NonZeroUsize;
use std::time::Duration;

/// Events fetched by one call at most.
const CAPACITY: NonZeroUsize = NonZeroUsize::new(1024).expect("1024 is not zero");

struct Hand {
    poller: Arc<polling::Poller>,
    mode: PollMode,
}

struct Harvest {
    poller: Arc<polling::Poller>,
    events: Events,
    oneshot: bool,
}

/// The platform's poller, edge-triggered if it can be.
#[cfg_attr(
    any(target_os = "linux", target_os = "android"),
    expect(dead_code, reason = "Linux has its own; tests choose the mode")
)]
pub(super) fn open() -> io::Result<Poller> {
    open_as(true)
}

/// The same, in the mode asked for where there is a choice.
pub(crate) fn open_as(edge: bool) -> io::Result<Poller> {
    let poller = Arc::new(polling::Poller::new()?);
    let mode = if edge && poller.supports_edge() { PollMode::Edge } else { PollMode::Oneshot };
    let harvest = Harvest {
        poller: Arc::clone(&poller),
        events: Events::with_capacity(CAPACITY),
        oneshot: mode == PollMode::Oneshot,
    };
    Ok((Box::new(Hand { poller, mode }), Box::new(harvest)))
}

fn usize_key(key: u64) -> usize {
    usize::try_from(key).expect("the table makes keys that fit")
}

impl Registrar for Hand {
    fn add(&self, fd: BorrowedFd<'_>, key: u64) -> io::Result<()> {
        let key = usize_key(key);
        let interest =
            if self.mode == PollMode::Edge { Interest::all(key) } else { Interest::none(key) };
        // SAFETY: `Async` owns the descriptor and deletes it here before it closes it.
        unsafe { self.poller.add_with_mode(fd.as_raw_fd(), interest, self.mode) }
    }

    fn arm(&self, fd: BorrowedFd<'_>, key: u64, read: bool, write: bool) -> io::Result<()> {
        let interest = Interest::new(usize_key(key), read, write);
        self.poller.modify_with_mode(fd, interest, self.mode)
    }

    fn delete(&self, fd: BorrowedFd<'_>) -> io::Result<()> {
        self.poller.delete(fd)
    }

    fn notify(&self) -> io::Result<()> {
        self.poller.notify()
    }

    fn traits(&self) -> Traits {
        Traits { hangups: false, oneshot: self.mode == PollMode::Oneshot }
    }
}

impl Harvester for Harvest {
    fn wait(&mut self, patience: Patience, _: usize, out: &mut Vec<Event>) -> io::Result<()> {
        let limit = match patience {
            Patience::Look => Some(Duration::ZERO),
            Patience::For(limit) => Some(limit),
            Patience::Forever => None,
        };
        self.events.clear();
        self.poller.wait(&mut self.events, limit)?;
        for event in self.events.iter() {
            let failed = event.is_err().unwrap_or(false) || event.is_interrupt();
            let mut bits = 0;
            // An event disarms both directions: whoever waits for the other has to look, and arm it again.
            if event.readable || failed || self.oneshot {
                bits |= READ;
            }
            if event.writable || failed || self.oneshot {
                bits |= WRITE;
            }
            out.push(Event { key: event.key as u64, bits });
        }
        Ok(())
    }
}
