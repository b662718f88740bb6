//! The runtime that a pool's thread is in: it stays there between closures of one runtime that follow each other, and
//! leaves before it sleeps.
//!
//! To enter one counts six shares of it, and to leave does so, too; a tiny closure costs less.

use crate::handle::{Entered, Handle};
use kasasagi_primitive::thread_local;
use std::cell::{Cell, RefCell};

/// Fields are dropped in this order.
struct Stay {
    _entered: Entered,
    handle: Handle,
}

thread_local! {
    static STAY: RefCell<Option<Stay>> = RefCell::new(None)
}

thread_local! {
    /// Whether the thread calls `leave`, and whether a closure is under way on it.
    static THREAD: Cell<(bool, bool)> = Cell::new((false, false))
}

/// In a runtime, or outside all, until it is dropped.
pub(super) struct Within {
    _entered: Option<Entered>,
    /// A closure of a thread that stays: the end is `leave`'s.
    stays: bool,
}

/// Has the thread be in the runtime of `handle`.
pub(super) fn enter(handle: Option<&Handle>) -> Within {
    let (leaves, busy) = THREAD.with(Cell::get);
    if !leaves || busy {
        return Within { _entered: handle.map(|handle| handle.enter(None)), stays: false };
    }
    let there = |stay: &Option<Stay>| match (stay, handle) {
        (Some(stay), Some(handle)) => stay.handle.is(handle),
        (None, None) => true,
        _ => false,
    };
    if !STAY.with(|stay| there(&stay.borrow())) {
        // What was there before goes first, so that it puts back what was before it.
        leave();
        let stay =
            handle.map(|handle| Stay { _entered: handle.enter(None), handle: handle.clone() });
        STAY.with(|cell| cell.replace(stay));
    }
    THREAD.with(|thread| thread.set((true, true)));
    Within { _entered: None, stays: true }
}

impl Drop for Within {
    fn drop(&mut self) {
        if self.stays {
            THREAD.with(|thread| thread.set((true, false)));
        }
    }
}

/// Leaves the runtime; called by the threads of pools when they begin, and before each sleep.
pub(crate) fn leave() {
    THREAD.with(|thread| thread.set((true, false)));
    // Outside the cell: it may be the last share of a runtime.
    let stay = STAY.with(RefCell::take);
    drop(stay);
}
