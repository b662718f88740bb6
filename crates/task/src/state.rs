//! The state word of a task: what it is, who refers to it, how often it was woken.
//!
//! ```text
//! bit  0 COMPLETE   the output is there, or was taken; WAKES stays above zero, so late wakes are inert
//!      1 CANCEL     a cancellation was asked for and the poll that delivers it has not begun
//!      2 JOIN       the handle lives: the output is its
//!      3 WAITS      the join cell holds the handle's waker; whoever sets COMPLETE takes it
//!      4 FORCE      WAKES was folded: the poll under way must end as if woken
//!      5 CANCELLED  set together with COMPLETE: the task ended by cancellation
//!      6 RENEWED    the handle took WAITS back once, to leave another waker
//!      7 CALLS      callbacks are to be called: whoever ends the task takes it away first
//!      8..32  REF   references: the runtime's, until COMPLETE; the handle's; one a waker or `TaskRef`
//!     32..64  WAKES 0: idle. Otherwise scheduled or running: the number of wakes since it was idle
//! ```
//!
//! A wake adds one to WAKES; who moves it away from 0 schedules the task. Only the runner moves it back
//! to 0, at the end of a poll, and only if it is what it was at the start: any wake in between shows as a
//! difference, so that nothing has to be cleared before the poll. A poll cycle costs two read-modify-writes,
//! the wake and the end. A free block of the slab is an all-zero word, which no task ever has.

use kasasagi_primitive::MODEL;
use kasasagi_primitive::sync::atomic::{AtomicU64, Ordering};
use kasasagi_primitive::tell::tell;

pub(crate) const COMPLETE: u64 = 1;
pub(crate) const CANCEL: u64 = 1 << 1;
pub(crate) const JOIN: u64 = 1 << 2;
pub(crate) const WAITS: u64 = 1 << 3;
pub(crate) const FORCE: u64 = 1 << 4;
pub(crate) const CANCELLED: u64 = 1 << 5;
/// Given to who ends the task, and not in the word: the output is an error that counts as a reference to the task.
pub(crate) const KEPT: u64 = REF;
const RENEWED: u64 = 1 << 6;
const CALLS: u64 = 1 << 7;

const REF_SHIFT: u32 = 8;
const REF: u64 = 1 << REF_SHIFT;
const REF_MASK: u64 = ((1 << 24) - 1) << REF_SHIFT;
/// Past this many references the process aborts, as std's `Arc` does: somebody leaks wakers.
const REF_LIMIT: u64 = (1 << 23) << REF_SHIFT;

/// Three bits in a model, so that it reaches the fold.
const WAKE_SHIFT: u32 = if MODEL { 61 } else { 32 };
const WAKE: u64 = 1 << WAKE_SHIFT;
const WAKE_MASK: u64 = !(WAKE - 1);
/// The sign bit of WAKES. Reached by 2^31 wakes during one poll; folded long before it carries over, by the next
/// wake by reference or clone, which hold a reference while they fold. Wakes that give theirs up leave it alone:
/// each needs a clone, so no more than `REF_LIMIT` of them come between two folds.
const WAKE_LIMIT: u64 = 1 << 63;

/// A task at birth: scheduled, referred to by the runtime and by its handle.
pub(crate) const BIRTH: u64 = WAKE | (2 * REF) | JOIN;

/// A word, read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Snapshot(pub(crate) u64);

impl Snapshot {
    /// Whether `bit` is set.
    #[inline]
    pub(crate) fn has(self, bit: u64) -> bool {
        self.0 & bit != 0
    }
    #[inline]
    fn is_last_ref(self) -> bool {
        self.0 & REF_MASK == REF
    }
    #[inline]
    pub(crate) fn is_idle(self) -> bool {
        self.0 & WAKE_MASK == 0
    }
}

/// What a waker, handle or reference must do after it changed the word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(crate) enum After {
    /// Nothing.
    Nothing,
    /// Put the task into a queue: it was idle.
    Schedule,
    /// Give the block back: this was the last reference.
    Free,
}

/// What the runner must do after a poll that returned `Pending`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(crate) enum AfterPending {
    /// The task is idle and belongs to its wakers: it may not be touched any more.
    Idle,
    /// It was woken, or is to be cancelled: back to the end of a queue.
    Requeue,
}

/// What the runner must do after the output is in place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(crate) enum AfterReady<W> {
    /// The output is the handle's; the runtime's reference is gone already, and maybe the block.
    Done,
    /// As above; and this waker of the handle's is to be woken.
    WakeJoiner(W),
    /// The output is the handle's; take its waker, drop the runtime's reference, and wake.
    WakeRenewed,
    /// Nobody will read the output: drop it, then the runtime's reference.
    DropOutput,
    /// Nothing has changed: there are callbacks, and the note of them is to be taken away first.
    Calls,
}

/// What the handle finds when it is polled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(crate) enum Join {
    /// The output is there and the handle's alone.
    Complete,
    /// Not yet.
    Pending,
}

/// The word itself.
#[derive(Debug)]
#[repr(transparent)]
pub(crate) struct State(pub(crate) AtomicU64);

impl State {
    #[inline]
    pub(crate) fn load(&self, order: Ordering) -> Snapshot {
        Snapshot(self.0.load(order))
    }

    /// Wakes without giving a reference up.
    #[inline]
    pub(crate) fn wake_by_ref(&self) -> After {
        // AcqRel: the release publishes what the waker's thread wrote to the runner's load in `start`; an
        // RMW even if the task is scheduled already, since a coalesced wake must publish too.
        let before = self.0.fetch_add(WAKE, Ordering::AcqRel);
        if before & WAKE_LIMIT != 0 {
            self.fold_wakes();
        }
        if before & WAKE_MASK == 0 { After::Schedule } else { After::Nothing }
    }

    /// Wakes and gives the waker's reference up, in one step.
    #[inline]
    pub(crate) fn wake(&self) -> After {
        // No look at WAKE_LIMIT: the reference is gone, the runner may end the task and free the block at any
        // moment, and the fold would come too late. `add_ref` looks instead: see WAKE_LIMIT.
        let before = self.0.fetch_add(WAKE.wrapping_sub(REF), Ordering::AcqRel);
        if before & WAKE_MASK == 0 {
            // An idle task is incomplete, and so has the runtime's reference besides ours.
            After::Schedule
        } else {
            Self::after_needless(before)
        }
    }

    // Apart, so that the way to the queue is straight.
    #[inline(never)]
    fn after_needless(before: u64) -> After {
        if before & REF_MASK == REF { After::Free } else { After::Nothing }
    }

    /// Halves WAKES and leaves FORCE as the mark that a wake may have been hidden by it. The caller holds a
    /// reference.
    #[cold]
    fn fold_wakes(&self) {
        let mut now = self.0.load(Ordering::Relaxed);
        while now & WAKE_LIMIT != 0 {
            let folded = (now & !WAKE_MASK) | ((now & WAKE_MASK) >> 1 & WAKE_MASK) | FORCE;
            match self.0.compare_exchange_weak(now, folded, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return,
                Err(actual) => now = actual,
            }
        }
    }

    /// Adds a reference on the strength of another one.
    #[inline]
    pub(crate) fn add_ref(&self) {
        let before = self.0.fetch_add(REF, Ordering::Relaxed);
        // Both limits are the top bit of their field: one test.
        if before & (REF_LIMIT | WAKE_LIMIT) != 0 {
            self.limits(before);
        }
    }

    #[cold]
    fn limits(&self, before: u64) {
        if before & REF_LIMIT != 0 {
            too_many_references();
        }
        self.fold_wakes();
    }

    /// Adds a reference to a block that may be free or complete meanwhile; says whether it did.
    pub(crate) fn try_ref_incomplete(&self) -> bool {
        let mut now = self.0.load(Ordering::Relaxed);
        loop {
            if now == 0 || now & COMPLETE != 0 {
                return false;
            }
            if now & REF_MASK >= REF_LIMIT {
                too_many_references();
            }
            // Acquire: pairs with the release store that published the newborn header.
            match self.0.compare_exchange_weak(now, now + REF, Ordering::Acquire, Ordering::Relaxed)
            {
                Ok(_) => return true,
                Err(actual) => now = actual,
            }
        }
    }

    /// Drops a reference that is neither the runtime's nor the handle's.
    #[inline]
    pub(crate) fn drop_ref(&self) -> After {
        let before = self.0.fetch_sub(REF, Ordering::AcqRel);
        if before & REF_MASK == REF { After::Free } else { After::Nothing }
    }

    /// The word at the start of a poll; the wakes in it are the ones this poll answers.
    #[inline]
    pub(crate) fn start(&self) -> Snapshot {
        // Acquire: reads the last wake in modification order, or a later one, and so sees what every waker
        // counted in it wrote (they are all in one release sequence).
        let now = self.load(Ordering::Acquire);
        if now.has(FORCE) {
            return Snapshot(self.0.fetch_and(!FORCE, Ordering::AcqRel) & !FORCE);
        }
        now
    }

    /// Takes CANCEL out, at the start of the poll that delivers it; the wakes from then on are new ones.
    pub(crate) fn take_cancel(&self) -> Snapshot {
        Snapshot(self.0.fetch_and(!(CANCEL | FORCE), Ordering::AcqRel) & !(CANCEL | FORCE))
    }

    /// Whether nobody has woken the task since `start`.
    pub(crate) fn is_unwoken(&self, start: Snapshot) -> bool {
        let now = self.0.load(Ordering::Relaxed);
        (now ^ start.0) & WAKE_MASK == 0 && now & (CANCEL | FORCE) == 0
    }

    /// Ends a poll that began at `start` and returned `Pending`.
    #[inline]
    pub(crate) fn end_pending(&self, start: Snapshot) -> AfterPending {
        let mut now = self.0.load(Ordering::Relaxed);
        loop {
            if (now ^ start.0) & WAKE_MASK != 0 || now & (CANCEL | FORCE) != 0 {
                return AfterPending::Requeue;
            }
            // Release: the next runner's Acquire sees the future as this poll left it. AcqRel is not needed:
            // whoever schedules the task again reads this word by an RMW that is Acquire itself.
            match self.0.compare_exchange_weak(
                now,
                now & !WAKE_MASK,
                Ordering::Release,
                Ordering::Relaxed,
            ) {
                Ok(_) => return AfterPending::Idle,
                Err(actual) => now = actual,
            }
        }
    }

    /// [`complete`](Self::complete) for a task whose handle awaits it, and never changed its waker: the common case, tried
    /// once. `None`: it is another, and nothing has changed.
    #[inline]
    pub(crate) fn complete_awaited<W>(&self, how: u64, peek: impl Fn() -> W) -> Option<W> {
        let now = self.0.load(Ordering::Acquire);
        if now & (CALLS | JOIN | WAITS | RENEWED) != JOIN | WAITS {
            return None;
        }
        let waker = peek();
        let next = ended(now, how) - REF;
        match self.0.compare_exchange(now, next, Ordering::AcqRel, Ordering::Relaxed) {
            Ok(_) => Some(waker),
            Err(_) => None,
        }
    }

    /// As above, for a task without a handle: its output is the caller's to drop, and then the runtime's reference. `false`:
    /// it is another case, and nothing has changed.
    #[inline]
    pub(crate) fn complete_detached(&self, how: u64) -> bool {
        let now = self.0.load(Ordering::Acquire);
        now & (CALLS | JOIN) == 0
            && self
                .0
                .compare_exchange(now, ended(now, how), Ordering::AcqRel, Ordering::Relaxed)
                .is_ok()
    }

    /// Ends the task: its output is in place. `how` is COMPLETE, with CANCELLED and KEPT or without; `peek` copies the waker in
    /// the join cell.
    #[inline]
    pub(crate) fn complete<W>(&self, how: u64, peek: impl Fn() -> W) -> AfterReady<W> {
        let mut now = self.0.load(Ordering::Acquire);
        loop {
            let (next, after) = if now & CALLS != 0 {
                return AfterReady::Calls;
            } else if now & JOIN == 0 {
                // The output stays ours; the block too, by the runtime's reference.
                (ended(now, how), AfterReady::DropOutput)
            } else if now & (WAITS | RENEWED) == WAITS {
                // Before the exchange, after which the block may be gone. Had the handle changed its waker meanwhile,
                // RENEWED would be set and the exchange fail.
                (ended(now, how) - REF, AfterReady::WakeJoiner(peek()))
            } else if now & WAITS != 0 {
                // It may change it again and leave the word as it is now: the waker is read afterwards, and the block
                // held by the runtime's reference until then.
                (ended(now, how), AfterReady::WakeRenewed)
            } else {
                (ended(now, how) - REF, AfterReady::Done)
            };
            match self.0.compare_exchange_weak(now, next, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return after,
                Err(actual) => now = actual,
            }
        }
    }

    /// Notes that there are callbacks; says whether the task was complete before.
    #[must_use = "nobody calls the callbacks of a task that is complete"]
    pub(crate) fn set_calls(&self) -> bool {
        // Release: who finds the bit finds the list. Acquire: who finds the task complete comes after its end.
        self.0.fetch_or(CALLS, Ordering::AcqRel) & COMPLETE != 0
    }

    /// Takes the note away, to end the task.
    pub(crate) fn clear_calls(&self) {
        self.0.fetch_and(!CALLS, Ordering::AcqRel);
    }

    /// Drops a reference to a task that is complete: the runtime's, or the handle's.
    #[inline]
    pub(crate) fn drop_ref_of_complete(&self) -> After {
        // Nobody else can add a reference to a complete task out of nothing: the last one needs no RMW.
        if self.load(Ordering::Acquire).is_last_ref() { After::Free } else { self.drop_ref() }
    }

    /// Publishes the join waker that the handle just wrote.
    #[inline]
    pub(crate) fn set_waits(&self) -> Join {
        // The bit is clear, as the handle alone sets it. An addition gives the word back in one instruction.
        let before = self.0.fetch_add(WAITS, Ordering::AcqRel);
        if before & COMPLETE != 0 { Join::Complete } else { Join::Pending }
    }

    /// Takes the join cell back, to write another waker; fails if the task is complete.
    pub(crate) fn clear_waits(&self) -> Join {
        let mut now = self.0.load(Ordering::Acquire);
        loop {
            if now & COMPLETE != 0 {
                return Join::Complete;
            }
            match self.0.compare_exchange_weak(
                now,
                (now & !WAITS) | RENEWED,
                Ordering::AcqRel,
                Ordering::Acquire,
            ) {
                Ok(_) => return Join::Pending,
                Err(actual) => now = actual,
            }
        }
    }

    /// Gives up the handle of an incomplete task that was never awaited; `false`: it is not that, or the word changed.
    #[inline]
    pub(crate) fn try_drop_unawaited(&self) -> bool {
        let seen = self.load(Ordering::Acquire);
        !seen.has(COMPLETE | WAITS) && self.try_drop_join(seen).is_ok()
    }

    /// Gives up the handle of a task that was incomplete when `seen` was read.
    ///
    /// `Ok`: JOIN, WAITS and the handle's reference are gone; a join waker that was set is the caller's.
    /// `Err`: the word changed; it is returned.
    pub(crate) fn try_drop_join(&self, seen: Snapshot) -> Result<(), Snapshot> {
        let next = (seen.0 & !(JOIN | WAITS)) - REF;
        match self.0.compare_exchange_weak(seen.0, next, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => Ok(()),
            Err(actual) => Err(Snapshot(actual)),
        }
    }

    /// Asks for cancellation. `None`: the task is complete, or the block is free.
    pub(crate) fn cancel(&self) -> Option<After> {
        let mut now = self.0.load(Ordering::Acquire);
        loop {
            if now == 0 || now & COMPLETE != 0 {
                return None;
            }
            // One step: a successful exchange proves that the block held an incomplete task, which the scan
            // at shutdown needs, since it holds no reference.
            let next = (now | CANCEL).wrapping_add(if now & WAKE_LIMIT == 0 { WAKE } else { 0 });
            match self.0.compare_exchange_weak(now, next, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) if Snapshot(now).is_idle() => return Some(After::Schedule),
                Ok(_) => return Some(After::Nothing),
                Err(actual) => now = actual,
            }
        }
    }
}

/// The word of a task that ended. Added: the bits of `how` are clear until then, and KEPT is a reference more.
#[inline]
fn ended(now: u64, how: u64) -> u64 {
    now + how
}

#[cold]
fn too_many_references() -> ! {
    // Unwinding could run while the count is wrong: as std's Arc, better no process than a freed task.
    tell("a task has more than 8 million wakers and references; they are being leaked");
    std::process::abort()
}
