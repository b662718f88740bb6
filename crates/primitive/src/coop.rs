//! The budget: how many leaf operations a task may complete before it must let others run.
//!
//! A task whose leaves are always ready (a full socket, a long queue) would never suspend. Each leaf asks
//! [`poll_proceed`] before it completes; when the budget is spent it wakes the task and suspends once.
//! Outside a task of kasasagi there is no budget, and leaves are free.

use crate::chaos::{self, CHAOS};
use crate::task_context::CURRENT;
use std::task::{Context, Poll, ready};

/// Leaf operations a task may complete in one poll. tokio's figure: at some 50 ns a leaf, a task holds its
/// worker for about 6 µs at most.
pub const BUDGET: u8 = 128;

pub(crate) const UNCONSTRAINED: u8 = u8::MAX;

/// Under chaos, once in so many units a task is woken, and every second time does not get the unit.
const SPURIOUS: u32 = 16;

/// Gives the task about to be polled its budget, or takes it away: `None` is for code outside tasks.
///
/// Returns what was there, to be handed to [`restore`].
#[inline]
pub fn start() -> u8 {
    CURRENT.with(|current| current.budget.replace(BUDGET))
}

/// Puts back what [`start`] returned.
#[inline]
pub fn restore(previous: u8) {
    CURRENT.with(|current| current.budget.set(previous));
}

/// Takes one unit of the budget, or suspends the task for one turn.
///
/// A leaf calls it first, before it takes anything: `Pending` means the task was woken and nothing happened.
///
/// # Cancel safety
/// Cancel safe: it takes nothing but the unit.
///
/// Counterpart: none; asyncio's leaves always suspend.
#[inline]
pub fn poll_proceed(cx: &mut Context<'_>) -> Poll<()> {
    if CHAOS {
        ready!(refused(cx));
    }
    CURRENT.with(|current| match current.budget.get() {
        UNCONSTRAINED => Poll::Ready(()),
        0 => {
            cx.waker().wake_by_ref();
            Poll::Pending
        }
        n => {
            current.budget.set(n - 1);
            current.leaves.set(current.leaves.get().wrapping_add(1));
            Poll::Ready(())
        }
    })
}

/// As if the budget were used up; or a wake for nothing, with which the leaf goes on.
#[cold]
fn refused(cx: &Context<'_>) -> Poll<()> {
    let has_budget = CURRENT.with(|current| current.budget.get()) != UNCONSTRAINED;
    if has_budget && chaos::one_in(SPURIOUS) {
        cx.waker().wake_by_ref();
        if chaos::one_in(2) {
            return Poll::Pending;
        }
    }
    Poll::Ready(())
}

/// Gives back the unit of a leaf that turned out not to be ready.
#[inline]
pub fn refund() {
    CURRENT.with(|current| {
        let n = current.budget.get();
        if n < BUDGET {
            current.budget.set(n + 1);
        }
    });
}
