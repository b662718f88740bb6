//! What is combined.

/// Which runtime, and which kind of task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flavour {
    One,
    Two,
    Four,
    /// A task that stays on its thread, among two workers.
    Local,
}

impl Flavour {
    pub(crate) const ALL: [Self; 4] = [Self::One, Self::Two, Self::Four, Self::Local];

    pub(crate) fn workers(self) -> usize {
        match self {
            Self::One => 1,
            Self::Two | Self::Local => 2,
            Self::Four => 4,
        }
    }
}

/// Where it panics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Panics {
    Nowhere,
    FirstPoll,
    SecondPoll,
    FutureDrop,
    OutputDrop,
    /// In the first poll, and again when the future is dropped for it.
    PollAndDrop,
    /// In the first poll, with a payload that panics when it is dropped.
    PayloadDrop,
    JoinWakerClone,
    JoinWakerWake,
    JoinWakerDrop,
}

impl Panics {
    const ALL: [Self; 10] = [
        Self::Nowhere,
        Self::FirstPoll,
        Self::SecondPoll,
        Self::FutureDrop,
        Self::OutputDrop,
        Self::PollAndDrop,
        Self::PayloadDrop,
        Self::JoinWakerClone,
        Self::JoinWakerWake,
        Self::JoinWakerDrop,
    ];

    fn in_join_waker(self) -> bool {
        matches!(self, Self::JoinWakerClone | Self::JoinWakerWake | Self::JoinWakerDrop)
    }

    pub(crate) fn in_first_poll(self) -> bool {
        matches!(self, Self::FirstPoll | Self::PollAndDrop | Self::PayloadDrop)
    }
}

/// When it is cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cancel {
    Never,
    /// Right after the spawn.
    AtOnce,
    Suspended,
    /// By itself, in its first poll.
    ByItself,
    /// By another thread, during its first poll.
    ByAnother,
    /// By itself, in the poll that gives the output.
    InLastPoll,
    Ended,
}

impl Cancel {
    const ALL: [Self; 7] = [
        Self::Never,
        Self::AtOnce,
        Self::Suspended,
        Self::ByItself,
        Self::ByAnother,
        Self::InLastPoll,
        Self::Ended,
    ];
}

/// What becomes of the handle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Join {
    DroppedAtOnce,
    /// By the task itself, in its first poll.
    DroppedByTask,
    DroppedSuspended,
    PolledDroppedSuspended,
    DroppedEnded,
    PolledDroppedEnded,
    Awaited,
    PolledAwaited,
    Taken,
}

impl Join {
    const ALL: [Self; 9] = [
        Self::DroppedAtOnce,
        Self::DroppedByTask,
        Self::DroppedSuspended,
        Self::PolledDroppedSuspended,
        Self::DroppedEnded,
        Self::PolledDroppedEnded,
        Self::Awaited,
        Self::PolledAwaited,
        Self::Taken,
    ];

    pub(crate) fn is_polled(self) -> bool {
        matches!(
            self,
            Self::PolledDroppedSuspended | Self::PolledDroppedEnded | Self::PolledAwaited
        )
    }
}

/// Which wakers of the task there are beside the one that wakes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wakers {
    None,
    /// One is dropped when all is over.
    Kept,
    /// One is used, twice, when all is over.
    UsedAtTheEnd,
    /// The task is woken several times while it is polled.
    DuringPoll,
}

impl Wakers {
    const ALL: [Self; 4] = [Self::None, Self::Kept, Self::UsedAtTheEnd, Self::DuringPoll];
}

/// What ends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// It is woken, and ends.
    Itself,
    /// Its runtime is shut down while it is suspended.
    Shutdown,
    /// Its runtime is dropped by another task of it.
    DroppedByItsTask,
}

impl End {
    pub(crate) const ALL: [Self; 3] = [Self::Itself, Self::Shutdown, Self::DroppedByItsTask];
}

/// One combination.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Case {
    pub(crate) flavour: Flavour,
    pub(crate) panics: Panics,
    pub(crate) cancel: Cancel,
    pub(crate) join: Join,
    pub(crate) wakers: Wakers,
    pub(crate) end: End,
}

impl Case {
    /// Whether the cancellation was asked for, without doubt, before the task was woken: it is not polled again.
    pub(crate) fn cancels_before_the_wake(&self) -> bool {
        match self.cancel {
            Cancel::ByItself | Cancel::ByAnother => true,
            Cancel::AtOnce | Cancel::Suspended => self.wakers != Wakers::DuringPoll,
            Cancel::Never | Cancel::InLastPoll | Cancel::Ended => false,
        }
    }

    /// Whether it differs from all others: who never polls the handle has no join waker.
    fn counts(&self) -> bool {
        if self.panics.in_join_waker() && !self.join.is_polled() {
            return false;
        }
        let last_poll = self.end == End::Itself || self.wakers == Wakers::DuringPoll;
        last_poll || self.cancel != Cancel::InLastPoll
    }
}

/// All combinations of one flavour and one end.
pub(crate) fn cases(flavour: Flavour, end: End) -> impl Iterator<Item = Case> {
    Panics::ALL
        .into_iter()
        .flat_map(move |panics| Cancel::ALL.into_iter().map(move |cancel| (panics, cancel)))
        .flat_map(|(panics, cancel)| Join::ALL.into_iter().map(move |join| (panics, cancel, join)))
        .flat_map(move |(panics, cancel, join)| {
            Wakers::ALL.into_iter().map(move |wakers| Case {
                flavour,
                panics,
                cancel,
                join,
                wakers,
                end,
            })
        })
        .filter(Case::counts)
}
