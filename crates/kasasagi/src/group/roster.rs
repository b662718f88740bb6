//! Roster: a group's live children, its errors, and whether it takes more.
//!
//! ```text
//!   open ──► ending (a failure, or `cancel`) ──► over
//!     └──────────────────────────────────────────► over (all have ended; or the scope was dropped)
//! ```
//!
//! A child is in it from before its spawn to its end, clean-up included. The scope is woken when the group begins to end,
//! and when the last child has ended that it waits for: not once a child.

use super::child::Turn;
use crate::child_error::ChildError;
use crate::child_scope::because;
use kasasagi_primitive::request::Cause;
use kasasagi_primitive::sync::{Arc, Mutex};
use kasasagi_sync::Semaphore;
use kasasagi_task::{Keeper, Task, TaskRef};
use std::any::Any;
use std::fmt;
use std::mem;
use std::panic::Location;
use std::task::Waker;

/// How far a group has come.
#[derive(Debug)]
enum Phase {
    /// Children may be spawned.
    Open,
    /// All are to end, for this cause; `failed`: since something failed.
    Ending { cause: Cause, failed: bool },
    /// All have ended, or nobody waits for them any more.
    Over,
}

/// A place for a child.
enum Slot {
    /// The next free one.
    Free(u32),
    /// It is being spawned.
    Starting,
    Live(TaskRef),
}

/// What the scope finds when it looks.
pub(super) enum Found<E> {
    /// Nothing is to be done.
    Open,
    /// Children and body are to end, for this cause.
    Ending(Cause),
    /// All children have ended, and the group is over; these are the errors.
    Ended(Vec<ChildError<E>>),
}

/// Whether a child may be spawned.
pub(super) enum Entry {
    Open { key: u32, turn: Option<Turn> },
    Closed(&'static str),
}

pub(super) struct Roster<E> {
    place: &'static Location<'static>,
    state: Mutex<State<E>>,
}

struct State<E> {
    phase: Phase,
    slots: Vec<Slot>,
    free: u32,
    live: usize,
    errors: Vec<ChildError<E>>,
    limit: Option<Arc<Semaphore>>,
    /// The scope's.
    waiter: Option<Waker>,
    /// The scope waits for the last child, and not for its body.
    is_closing: bool,
}

/// Places for children that a group makes at once with the first: 256 bytes, and most groups need no more.
const FEW: usize = 16;

/// No free slot.
const NONE: u32 = u32::MAX;

impl<E> Roster<E> {
    pub(super) fn new(place: &'static Location<'static>) -> Self {
        Self {
            place,
            state: Mutex::new(State {
                phase: Phase::Open,
                slots: Vec::new(),
                free: NONE,
                live: 0,
                errors: Vec::new(),
                limit: None,
                waiter: None,
                is_closing: false,
            }),
        }
    }

    pub(super) fn limit(&self, limit: usize) {
        self.state.lock().limit = Some(Arc::new(Semaphore::new(limit)));
    }

    pub(super) fn live(&self) -> usize {
        self.state.lock().live
    }

    /// Makes a place for a child.
    pub(super) fn enter(&self) -> Entry {
        let mut state = self.state.lock();
        match state.phase {
            Phase::Open => {}
            Phase::Ending { .. } => {
                return Entry::Closed(
                    "its task group is shutting down, and takes no more children: spawn before it fails or is \
                     cancelled",
                );
            }
            Phase::Over => {
                return Entry::Closed(
                    "its task group is finished, and takes no more children: spawn inside \
                     `TaskGroup::scope`, or use `kasasagi::spawn` for a task that outlives it",
                );
            }
        }
        let key = state.free;
        let key = if key == NONE {
            if state.slots.capacity() == 0 {
                state.slots.reserve_exact(FEW);
            }
            let key = u32::try_from(state.slots.len()).unwrap_or(NONE);
            assert!(key != NONE, "a task group has no more than 4 billion children at a time");
            state.slots.push(Slot::Starting);
            key
        } else {
            if let Slot::Free(next) = mem::replace(&mut state.slots[key as usize], Slot::Starting) {
                state.free = next;
            }
            key
        };
        state.live += 1;
        let limit = state.limit.clone();
        drop(state);
        let turn = limit.map(|limit| Turn::Waits(Box::pin(Semaphore::acquire_owned(limit))));
        Entry::Open { key, turn }
    }

    /// The child in the slot is a task now. If the group began to end meanwhile, it is to be cancelled, for this cause.
    pub(super) fn began<T>(&self, key: u32, task: &Task<T>) -> Option<Cause> {
        let mut state = self.state.lock();
        let slot = &mut state.slots[key as usize];
        // Unless it has ended already; another may be starting in its place, but that one's own call follows.
        if matches!(slot, Slot::Starting) && !task.is_finished() {
            *slot = Slot::Live(task.handle());
        }
        match &state.phase {
            Phase::Ending { cause, .. } => Some(cause.clone()),
            Phase::Open => None,
            Phase::Over => Some(because("its task group was dropped", self.place)),
        }
    }

    /// Something failed: the group begins to end, and keeps why.
    pub(super) fn fail(&self, error: ChildError<E>) {
        let mut state = self.state.lock();
        state.errors.push(error);
        if matches!(state.phase, Phase::Over | Phase::Ending { failed: true, .. }) {
            return;
        }
        let was_open = matches!(state.phase, Phase::Open);
        let cause = because("a task of its group failed", self.place);
        state.phase = Phase::Ending { cause, failed: true };
        // If it was ending, the scope knows, and waits for the last child.
        let waiter = if was_open { state.waiter.take() } else { None };
        drop(state);
        if let Some(waiter) = waiter {
            waiter.wake();
        }
    }

    /// The program ends the group.
    pub(super) fn cancel(&self, place: &'static Location<'static>) {
        let mut state = self.state.lock();
        if !matches!(state.phase, Phase::Open) {
            return;
        }
        state.phase =
            Phase::Ending { cause: because("its task group was cancelled", place), failed: false };
        let waiter = state.waiter.take();
        drop(state);
        if let Some(waiter) = waiter {
            waiter.wake();
        }
    }

    /// Asks all children to end.
    pub(super) fn cancel_children(&self, cause: &Cause) {
        let state = self.state.lock();
        let live = |slot: &Slot| match slot {
            Slot::Live(task) => Some(task.clone()),
            Slot::Free(_) | Slot::Starting => None,
        };
        let children: Vec<_> = state.slots.iter().filter_map(live).collect();
        // Outside: a cancel may run the scheduler's code, and wake.
        drop(state);
        for child in children {
            child.cancel_for(cause);
        }
    }

    /// From now on outside cancellations end what is spawned, too.
    pub(super) fn end(&self, cause: &Cause) {
        let mut state = self.state.lock();
        if matches!(state.phase, Phase::Open) {
            state.phase = Phase::Ending { cause: cause.clone(), failed: false };
        }
    }

    /// Leaves the scope's waker, a clone of which may be in `clone` already, and says how far the group has come; all at
    /// once, so that what comes later wakes the scope. `is_closing`: it waits for the last child.
    pub(super) fn attend(
        &self,
        waker: &Waker,
        mut clone: Option<Waker>,
        is_closing: bool,
    ) -> Found<E> {
        loop {
            let mut state = self.state.lock();
            if is_closing && state.live == 0 {
                state.phase = Phase::Over;
                let waiter = state.waiter.take();
                let errors = mem::take(&mut state.errors);
                drop(state);
                drop(waiter);
                return Found::Ended(errors);
            }
            let mut old = None;
            if !state.waiter.as_ref().is_some_and(|present| present.will_wake(waker)) {
                let Some(new) = clone.take() else {
                    // Outside: it is foreign code.
                    drop(state);
                    clone = Some(waker.clone());
                    continue;
                };
                old = state.waiter.replace(new);
            }
            state.is_closing = is_closing;
            let found = match &state.phase {
                Phase::Ending { cause, .. } => Found::Ending(cause.clone()),
                Phase::Open | Phase::Over => Found::Open,
            };
            drop(state);
            drop(old);
            return found;
        }
    }

    /// The scope goes, and waits for nobody.
    pub(super) fn abandon(&self) {
        let mut state = self.state.lock();
        let was = mem::replace(&mut state.phase, Phase::Over);
        let waiter = state.waiter.take();
        drop(state);
        drop(waiter);
        if !matches!(was, Phase::Over) {
            self.cancel_children(&because("its task group was dropped", self.place));
        }
    }
}

impl<E: Send + 'static> Keeper for Roster<E> {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn ended(&self, key: u32) -> Option<Waker> {
        let mut state = self.state.lock();
        let free = state.free;
        let slot = mem::replace(&mut state.slots[key as usize], Slot::Free(free));
        state.free = key;
        state.live -= 1;
        let waiter = if state.live == 0 && state.is_closing { state.waiter.take() } else { None };
        drop(state);
        drop(slot);
        waiter
    }
}

impl<E> fmt::Debug for Roster<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state.lock();
        f.debug_struct("Roster")
            .field("place", &self.place)
            .field("live", &state.live)
            .field("phase", &state.phase)
            .field("errors", &state.errors.len())
            .finish()
    }
}
