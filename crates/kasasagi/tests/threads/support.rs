//! A closure that is held up, and events to wait for.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

/// Far more than anything here takes on a busy machine.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// Holds closures up until it is opened, and says when one has come.
pub(crate) struct Gate {
    open: Sender<()>,
    arrived: Receiver<()>,
}

/// The closure's side.
pub(crate) struct Held {
    open: Receiver<()>,
    arrived: Sender<()>,
}

pub(crate) fn gate() -> (Gate, Held) {
    let (open, is_open) = channel();
    let (arrived, has_arrived) = channel();
    (Gate { open, arrived: has_arrived }, Held { open: is_open, arrived })
}

impl Gate {
    /// Waits until a closure has come to the gate.
    pub(crate) fn wait_for_arrival(&self) {
        self.arrived.recv_timeout(LIMIT).expect("the closure starts");
    }

    pub(crate) fn open(&self) {
        let _ = self.open.send(());
    }
}

impl Held {
    pub(crate) fn pass(&self) {
        let _ = self.arrived.send(());
        let _ = self.open.recv_timeout(LIMIT);
    }
}

/// Waits until `reached`.
#[track_caller]
pub(crate) fn eventually(what: &str, mut reached: impl FnMut() -> bool) {
    let end = std::time::Instant::now() + LIMIT;
    while !reached() {
        assert!(std::time::Instant::now() < end, "not within {LIMIT:?}: {what}");
        std::thread::yield_now();
    }
}
