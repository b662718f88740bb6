//! A process that was killed, or told to leave, and is not waited for yet.
//!
//! Who was told leaves by itself, or its lifeline ends it; but a process that stands still (SIGSTOP) does neither. So it
//! has a time for that, after which it is killed.

use crate::orphans::Ends;
use crate::sys;
use crate::worker::lifeline::GRACE;
use rustix::fd::OwnedFd;
use std::process::Child;
use std::time::{Duration, Instant};

/// What a worker has to leave by itself, and a second for its lifeline to end it.
const PATIENCE: Duration = Duration::from_secs(GRACE as u64 + 1);

/// How often a process without a descriptor is looked after.
const LOOK: Duration = Duration::from_millis(20);

/// On its way out.
#[derive(Debug)]
pub(crate) struct Leaving {
    child: Child,
    life: Option<OwnedFd>,
    /// When it is killed; `None` if it was.
    until: Option<Instant>,
}

impl Leaving {
    /// It was killed.
    pub(crate) fn killed(child: Child) -> Self {
        Self { child, life: None, until: None }
    }

    /// It was told to leave.
    #[expect(
        clippy::disallowed_methods,
        reason = "a process is waited for, and no test's clock hurries it"
    )]
    pub(crate) fn told(child: Child, life: Option<OwnedFd>) -> Self {
        Self { child, life, until: Some(Instant::now() + PATIENCE) }
    }

    /// Whether it ends before that.
    #[expect(
        clippy::disallowed_methods,
        reason = "a process is waited for, and no test's clock hurries it"
    )]
    fn ends_before(&mut self, until: Instant) -> bool {
        loop {
            if self.has_ended() {
                return true;
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            match &self.life {
                Some(life) => sys::wait_for_end(life, left),
                None => std::thread::sleep(LOOK.min(left)),
            }
        }
    }
}

impl Ends for Leaving {
    fn has_ended(&mut self) -> bool {
        // An error: somebody else has waited for it.
        !matches!(self.child.try_wait(), Ok(None))
    }

    fn wait(mut self) {
        if self.until.is_some_and(|until| !self.ends_before(until)) {
            // An error: it has ended.
            let _ = match &self.life {
                Some(life) => sys::kill(life),
                None => self.child.kill(),
            };
        }
        let _ = self.child.wait();
    }
}
