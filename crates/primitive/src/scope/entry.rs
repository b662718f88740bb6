//! One live scope in the tree of its task, and what it has been told.

use crate::request::Cause;
use std::task::Waker;

/// No entry.
pub(super) const NONE: u32 = u32::MAX;

/// It is polled with a waker that is not the task's own: a combinator in between polls it only when that was woken.
pub(super) const FOREIGN: u8 = 1;
/// Deliveries from above stop here.
pub(super) const SHIELD: u8 = 1 << 1;
/// It was told, did not come, and is not told again before it is polled.
pub(super) const DEAF: u8 = 1 << 2;
/// Its parent counts it as busy.
pub(super) const BUSY: u8 = 1 << 4;
/// It has passed a delivery on, and waits to be dropped.
pub(super) const PASSING: u8 = 1 << 5;

/// Which scope, for ever: no other one, of whatever task, gets the same key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Key {
    /// The task's number; zero: no scope.
    pub(super) task: u64,
    pub(super) index: u32,
    pub(super) generation: u32,
}

/// A cancellation on its way to a scope.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// The scope that caused it; `None`: the task was asked.
    pub(super) origin: Option<Key>,
    /// Why, and where it was asked for.
    pub cause: Cause,
}

impl Delivery {
    /// A request of the task's.
    pub(super) fn of_task(cause: Cause) -> Self {
        Self { origin: None, cause }
    }
}

/// What a scope has been told; made at the first delivery.
#[derive(Debug, Default)]
pub(super) struct News {
    /// Reached it, and is to be taken at its next poll.
    pub(super) mark: Option<Delivery>,
    /// Taken, and neither used up nor passed on.
    pub(super) held: Option<Delivery>,
    /// Stopped at this shield.
    pub(super) kept: Option<Delivery>,
    /// Passed on by a child, waits for the busy ones.
    pub(super) arriving: Option<Delivery>,
    /// Offered to the waits for tasks that are directly below.
    pub(super) offered: Option<Delivery>,
    pub(super) accepted: bool,
    /// Caused by this scope, and given back by whom it had reached.
    pub(super) again: Option<Delivery>,
    /// Whom a wait for a task has passed on to.
    pub(super) passed_to: Option<Key>,
    /// When `mark` was set: the tree's clock, and the number of the poll.
    pub(super) marked_at: u64,
    pub(super) marked_in: u64,
}

/// A live scope.
#[derive(Debug)]
pub(super) struct Entry {
    /// Zero: the entry is free, and `next` is the next free one.
    pub(super) generation: u32,
    pub(super) parent: u32,
    pub(super) child: u32,
    pub(super) next: u32,
    pub(super) previous: u32,
    pub(super) busy_below: u32,
    /// When its last poll first waited for a task, directly; zero: it did not.
    pub(super) first_wait: u32,
    /// The tree's clock at its last poll.
    pub(super) polled: u64,
    /// The task that it waits for, if that is all it is.
    pub(super) join: u64,
    pub(super) waker: Option<Waker>,
    pub(super) news: Option<Box<News>>,
    pub(super) bits: u8,
}

impl Entry {
    pub(super) fn new(generation: u32) -> Self {
        Self {
            generation,
            parent: NONE,
            child: NONE,
            next: NONE,
            previous: NONE,
            busy_below: 0,
            first_wait: 0,
            polled: 0,
            join: 0,
            waker: None,
            news: None,
            bits: 0,
        }
    }

    pub(super) fn is(&self, bit: u8) -> bool {
        self.bits & bit != 0
    }

    pub(super) fn set(&mut self, bit: u8, on: bool) {
        if on {
            self.bits |= bit;
        } else {
            self.bits &= !bit;
        }
    }

    pub(super) fn news(&mut self) -> &mut News {
        self.news.get_or_insert_default()
    }

    /// Whether a pass of a sibling has to wait for it.
    pub(super) fn is_busy(&self) -> bool {
        let told = self.news.as_deref();
        self.busy_below > 0
            || told.is_some_and(|news| {
                news.mark.is_some() || news.held.is_some() || news.kept.is_some()
            })
    }

    /// Whether it can be forgotten: polled again, it enters anew, and nothing is lost.
    pub(super) fn is_blank(&self) -> bool {
        !self.is(FOREIGN | SHIELD | PASSING) && !self.is_busy() && self.join == 0
    }
}
