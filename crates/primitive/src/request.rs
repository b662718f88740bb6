//! What was asked of a task, under one lock: how often to cancel it, whether that is yet to be delivered, and how many
//! cleanups must end before it may.
//!
//! ```text
//!            cancel                       begin (the runner, before a poll)
//!   quiet ───────────────► pending ──────────────────────────────────────► delivered to the scopes, or the end
//!     ▲                    │  ▲                                               │
//!     └────────────────────┘  └───────────────────────────────────────────────┘
//!      uncancel, to zero       a scope gave it back, and requests are above zero
//! ```
//!
//! The bit in the task's state word is only the hint to look here.

use std::fmt;
use std::panic::Location;
use std::sync::Arc;

/// Why a task is cancelled, in words.
#[derive(Debug, Clone)]
pub enum Reason {
    /// Said by the runtime.
    Said(&'static str),
    /// Said by the program.
    Told(Arc<str>),
}

impl Reason {
    /// The words.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Said(text) => text,
            Self::Told(text) => text,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why, and where the program asked for it.
#[derive(Debug, Clone, Default)]
pub struct Cause {
    /// Why, if it was said.
    pub reason: Option<Reason>,
    /// Where the program called `cancel`; where the timeout or the group stands that caused it.
    pub place: Option<&'static Location<'static>>,
    /// The number of the task that called `cancel`, if it was one.
    pub by: Option<u64>,
    /// Where the program waited when it was delivered, as far as that is known.
    pub interrupted: Option<&'static Location<'static>>,
}

/// How far a task has come, for whoever asks something of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Stage {
    #[default]
    Running,
    /// Its future is gone; it waits for its cleanups.
    Finishing,
    Done,
}

/// What became of a request to cancel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Asked {
    /// It is pending: the task is to be woken.
    Pending,
    /// Nothing will be delivered: the future has ended already, and the task waits for its cleanups; or it is a cleanup
    /// itself.
    Finishing,
    /// The task is done.
    Done,
}

/// The word that is asked; it stands behind the lock in `Cold`.
#[derive(Debug, Default)]
pub struct Request {
    requests: u32,
    owed: u32,
    pending: bool,
    cancelled: bool,
    shut: bool,
    cut: bool,
    deaf: bool,
    stage: Stage,
    cause: Cause,
}

impl Request {
    /// What a plain request is in full. `is_taken`: the runner has begun to end the task for it, so that nothing is delivered
    /// any more.
    pub(crate) fn of_plain(cause: Cause, is_taken: bool) -> Self {
        Self { requests: 1, pending: !is_taken, deaf: is_taken, cause, ..Self::default() }
    }

    /// Counts one request more, to be delivered at the next suspension. Those that are pending together are one delivery,
    /// and the last that gives a reason is heard.
    pub fn cancel(&mut self, cause: Cause) -> Asked {
        match self.stage {
            Stage::Done => return Asked::Done,
            Stage::Finishing => {
                self.requests = self.requests.saturating_add(1);
                return Asked::Finishing;
            }
            Stage::Running if self.deaf => return Asked::Finishing,
            Stage::Running => {}
        }
        self.requests = self.requests.saturating_add(1);
        if !self.pending || cause.reason.is_some() || self.cause.reason.is_none() {
            self.cause = cause;
        }
        self.pending = true;
        Asked::Pending
    }

    /// From now on nothing but [`cut`](Self::cut) ends the task: it is a cleanup.
    pub fn deafen(&mut self) {
        self.deaf = true;
    }

    /// The task is given up: its future is dropped at the next turn whatever scopes and shields it has, and nothing that
    /// it owes is waited for.
    pub fn cut(&mut self, cause: Cause) -> Asked {
        if self.stage == Stage::Done {
            return Asked::Done;
        }
        self.cut = true;
        self.pending = self.stage == Stage::Running;
        if self.requests == 0 {
            // Else the reason it was asked for before is the one.
            self.cause = cause;
        }
        Asked::Pending
    }

    /// Whether the task was given up.
    pub fn is_cut(&self) -> bool {
        self.cut
    }

    /// The runtime shuts down: one request, however often it is said; what is pending already keeps its reason.
    pub fn shut(&mut self, cause: Cause) -> Asked {
        if self.stage == Stage::Done {
            return Asked::Done;
        }
        if std::mem::replace(&mut self.shut, true) || self.pending {
            return Asked::Finishing;
        }
        self.cancel(cause)
    }

    /// Whether the runtime's end asked the task to end.
    pub fn is_shut(&self) -> bool {
        self.shut
    }

    /// The task turned out to be done: nobody will take what is pending.
    pub fn void(&mut self) {
        self.pending = false;
        self.stage = Stage::Done;
    }

    /// As above, of a task that was asked in time before, and never saw it.
    pub fn void_but_unseen(&mut self) {
        self.stage = Stage::Done;
    }

    /// Takes one request back; at zero what is pending is withdrawn. Returns how many are left.
    pub fn uncancel(&mut self) -> usize {
        self.requests = self.requests.saturating_sub(1);
        if self.requests == 0 {
            self.pending = false;
        }
        self.requests as usize
    }

    /// How many requests were counted and not taken back.
    pub fn requests(&self) -> u32 {
        self.requests
    }

    /// Why and where the last of them was made.
    pub(crate) fn cause(&self) -> &Cause {
        &self.cause
    }

    /// Whether something is to be delivered; once the task is done: whether it never saw what was asked of it.
    pub fn is_pending(&self) -> bool {
        self.pending
    }

    /// Takes what is to be delivered.
    pub fn begin(&mut self) -> Option<Cause> {
        std::mem::take(&mut self.pending).then(|| self.cause.clone())
    }

    /// A delivery that nobody used up comes back; void if every request was taken back meanwhile. Says whether it is
    /// pending again.
    pub fn give_back(&mut self, cause: Cause) -> bool {
        if self.requests == 0 || self.stage != Stage::Running {
            return false;
        }
        if !self.pending {
            self.cause = cause;
        }
        self.pending = true;
        true
    }

    /// One cleanup more that has to end before the task may; `false` if it is done already.
    #[must_use]
    pub fn owe(&mut self) -> bool {
        if self.stage == Stage::Done || self.cut {
            return false;
        }
        self.owed += 1;
        true
    }

    /// A cleanup has ended. Says whether it was the last that the end of the task waits for, which then is to be woken.
    #[must_use]
    pub fn pay(&mut self) -> bool {
        self.owed = self.owed.saturating_sub(1);
        self.owed == 0 && self.stage == Stage::Finishing
    }

    /// The future is gone; `cancelled`: by a cancellation. Says whether the task is done: it owes nothing.
    #[must_use]
    pub fn finish(&mut self, cancelled: bool) -> bool {
        self.cancelled = cancelled;
        let done = self.owed == 0 || self.cut;
        self.stage = if done { Stage::Done } else { Stage::Finishing };
        done
    }

    /// How the future of a task ended that waits for its cleanups; `None` if it goes on.
    pub fn finishing(&self) -> Option<bool> {
        (self.stage == Stage::Finishing).then_some(self.cancelled)
    }
}
