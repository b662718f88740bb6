//! The flag that folds many interrupts into one write.
//!
//! Raised by anybody, taken by the thread that attends. Who raises it first makes the system call; all others
//! see it raised and need not. The attending thread takes it before it waits, and then does not wait, and
//! after it waited: an interrupt ends the wait under way or else the next.

use kasasagi_primitive::sync::atomic::{AtomicBool, Ordering};

/// Whether somebody asked the attending thread to come back.
#[derive(Debug)]
pub(crate) struct Interrupt {
    raised: AtomicBool,
}

impl Interrupt {
    /// Not raised.
    pub(crate) fn new() -> Self {
        Self { raised: AtomicBool::new(false) }
    }

    /// Raises the flag; `true` asks the caller to write to the poller.
    #[must_use = "the first to raise the flag has to notify the poller"]
    pub(crate) fn raise(&self) -> bool {
        // A swap and not a load first: the attending thread, when it takes the flag, must see all that came
        // before each interrupt that was folded into it.
        !self.raised.swap(true, Ordering::AcqRel)
    }

    /// Takes the flag; says whether it was raised.
    pub(crate) fn take(&self) -> bool {
        // The plain load keeps the idle path free of a locked instruction. Missing a flag that is being
        // raised is harmless: whoever raises it found it down, and so writes to the poller.
        self.raised.load(Ordering::Relaxed) && self.raised.swap(false, Ordering::AcqRel)
    }
}
