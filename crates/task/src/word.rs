//! The word of a handle: a pointer to its task with bits at its lower end, and how it waits.
#![allow(
    unsafe_code,
    reason = "the pointer is taken apart; what it may touch, the state word says"
)]

use crate::cell::{self, Header, Ptr};
use crate::error::JoinError;
use crate::state::{COMPLETE, Join as Joined, WAITS};
use kasasagi_primitive::scope;
use kasasagi_primitive::sync::atomic::Ordering;
use std::panic::Location;
use std::ptr::NonNull;
use std::task::{Context, Poll};

/// The pointer to the task, with bits at its lower end. One word, since programs keep many handles.
#[derive(Clone, Copy)]
pub(crate) struct Word(NonNull<u8>);

/// The output was given out; what is left is a reference.
pub(crate) const TAKEN: usize = 1;
/// The wait for the task is an entry in the tree of whoever waits.
const ENTERED: usize = 2;
/// The future's output is a `Result` already, and given out as it is.
pub(crate) const FLAT: usize = 4;
const BITS: usize = TAKEN | ENTERED | FLAT;

impl Word {
    pub(crate) fn new(task: Ptr) -> Self {
        const { assert!(align_of::<Header>() > BITS) };
        Self(task.0.cast())
    }

    #[inline]
    pub(crate) fn task(self) -> Ptr {
        let header = self.0.as_ptr().map_addr(|address| address & !BITS);
        // SAFETY: a header's address has more bits than the lowest three, so it is not null without them.
        Ptr(unsafe { NonNull::new_unchecked(header) }.cast())
    }

    #[inline]
    pub(crate) fn is_taken(self) -> bool {
        self.0.addr().get() & TAKEN != 0
    }

    #[inline]
    pub(crate) fn with(self, bit: usize) -> Self {
        Self(self.0.map_addr(|address| address | bit))
    }

    #[inline]
    pub(crate) fn is_flat(self) -> bool {
        self.0.addr().get() & FLAT != 0
    }

    #[inline]
    pub(crate) fn is_entered(self) -> bool {
        self.0.addr().get() & ENTERED != 0
    }

    /// Whether the output is there to be waited for, and the wait is no entry.
    #[inline]
    pub(crate) fn is_common(self) -> bool {
        self.0.addr().get() & (TAKEN | ENTERED) == 0
    }

    /// Whether the output was given out, and nothing is left but a reference.
    #[inline]
    pub(crate) fn is_spent(self) -> bool {
        self.0.addr().get() & (TAKEN | ENTERED) == TAKEN
    }

    pub(crate) fn entered(self, entered: bool) -> Self {
        let bit = if entered { ENTERED } else { 0 };
        // Not zero: an address without its lowest bits is none.
        Self(self.0.map_addr(|address| {
            std::num::NonZeroUsize::new(address.get() & !ENTERED | bit).unwrap_or(address)
        }))
    }
}

/// What a wait for a task's output led to.
pub(crate) enum Waited {
    /// The task has ended.
    Complete,
    /// The waker is in the join cell.
    Pending,
    /// The task is the one that this code runs in.
    Itself,
}

impl Word {
    /// Waits at `place`, as the program sees it.
    #[inline(never)]
    pub(crate) fn wait(
        &mut self,
        cx: &mut Context<'_>,
        place: &'static Location<'static>,
    ) -> Waited {
        let task = self.task();
        if self.poll_complete(cx).is_ready() {
            return Waited::Complete;
        }
        if cell::current() == Some(task) {
            return Waited::Itself;
        }
        let entered = self.is_entered();
        if scope::wait_for(task.header().rest.context.id, cx.waker(), place, entered) != entered {
            *self = self.entered(true);
        }
        Waited::Pending
    }

    #[cold]
    pub(crate) fn awaits_itself(self) -> JoinError {
        JoinError::self_await(self.task().id(), self.task().given_name())
    }

    /// Waits for COMPLETE; the waker is in the join cell if it is pending.
    pub(crate) fn poll_complete(self, cx: &mut Context<'_>) -> Poll<()> {
        let state = self.task().state();
        let now = state.load(Ordering::Acquire);
        if now.has(COMPLETE) {
            return Poll::Ready(());
        }
        let cell = &self.task().header().rest.join;
        if now.has(WAITS) {
            if cell.is(cx.waker()) {
                return Poll::Pending;
            }
            match state.clear_waits() {
                Joined::Complete => return Poll::Ready(()),
                // SAFETY: WAITS was set, and the exchange that cleared it made the waker ours.
                Joined::Pending => drop(unsafe { cell.peek().into_waker() }),
            }
        }
        cell.put(cx.waker().clone());
        match state.set_waits() {
            Joined::Pending => Poll::Pending,
            Joined::Complete => {
                // SAFETY: the completer saw no WAITS and will not look: the waker is ours again.
                drop(unsafe { cell.peek().into_waker() });
                Poll::Ready(())
            }
        }
    }
}
