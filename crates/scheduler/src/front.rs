//! Seat 0: the thread that calls `run` sits in it, and while nobody does, a caretaker may.

use crate::seat::Local;
use crate::shared::{Keeper, Shared};
use kasasagi_primitive::sync::Arc;
use kasasagi_task::{Attributes, JoinError, TaskRef};
use std::error::Error;
use std::fmt;
use std::marker::PhantomData;
use std::panic::Location;
use std::time::Duration;

/// Another thread sits in seat 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Occupied;

impl fmt::Display for Occupied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("another thread runs in the first seat of this scheduler")
    }
}

impl Error for Occupied {}

/// Seat 0, taken by the calling thread until this is dropped.
#[derive(Debug)]
pub struct FrontSeat {
    local: Option<Box<Local>>,
    // After the seat: fields are dropped in their order.
    _keeper: Arc<Keeper>,
    // The seat belongs to the thread that took it.
    _not_send: PhantomData<*const ()>,
}

impl FrontSeat {
    /// Takes it, unless another thread runs there. The caretaker leaves after the poll that it is in: `left` says how
    /// long to wait for that, each time it is asked; `None` is for ever.
    pub(crate) fn take(
        shared: &Arc<Shared>,
        keeper: &Arc<Keeper>,
        left: impl Fn() -> Option<Duration>,
    ) -> Result<Self, Occupied> {
        let mut front = shared.front.lock();
        while front.taken {
            let left = left();
            if !front.caretaker || left.is_some_and(|left| left.is_zero()) {
                return Err(Occupied);
            }
            front.wanted += 1;
            shared.unpark(0);
            match left {
                None => shared.front_left.wait(&mut front),
                Some(left) => {
                    let _ = shared.front_left.wait_for(&mut front, left);
                }
            }
            front.wanted -= 1;
        }
        front.taken = true;
        drop(front);
        Ok(Self::sit(shared, keeper))
    }

    fn sit(shared: &Arc<Shared>, keeper: &Arc<Keeper>) -> Self {
        let local = Local::take(shared, 0);
        assert!(local.is_some(), "who has the front seat's mark finds the seat vacant");
        Self { local: local.map(Box::new), _keeper: Arc::clone(keeper), _not_send: PhantomData }
    }

    fn local(&self) -> &Local {
        self.local.as_ref().expect("the seat is given up only by drop")
    }

    /// Runs `future` to its end on this thread, and other tasks meanwhile.
    ///
    /// # Errors
    /// The task's error, if it panicked or was cancelled.
    pub fn run_until<F: Future>(
        &self,
        place: &'static Location<'static>,
        attributes: Attributes,
        future: F,
    ) -> Result<F::Output, JoinError> {
        self.run_watched(place, attributes, future, drop)
    }

    /// As [`run_until`](Self::run_until); `born` is given the task before it runs, and must not panic.
    ///
    /// # Errors
    /// As [`run_until`](Self::run_until).
    pub fn run_watched<F: Future>(
        &self,
        place: &'static Location<'static>,
        attributes: Attributes,
        future: F,
        born: impl FnOnce(TaskRef),
    ) -> Result<F::Output, JoinError> {
        let local = self.local();
        local.seated(|| local.run_root(place, attributes, future, born))
    }

    /// Runs tasks until the scheduler is closed and none is left, or `stop` says so.
    pub fn drain(&self, mut stop: impl FnMut() -> bool) {
        let local = self.local();
        local.seated(|| {
            local.run_until(|| (local.closing.get() && local.shared.live() == 0) || stop());
        });
    }

    pub(crate) fn caretake(shared: &Arc<Shared>, keeper: &Arc<Keeper>) {
        let mut front = shared.front.lock();
        if front.taken || front.wanted > 0 {
            return;
        }
        front.taken = true;
        front.caretaker = true;
        drop(front);
        let seat = Self::sit(shared, keeper);
        seat.drain(|| !shared.needs_somebody() || shared.front.lock().wanted > 0);
    }
}

impl Drop for FrontSeat {
    fn drop(&mut self) {
        let Some(local) = self.local.take() else { return };
        let shared = Arc::clone(&local.shared);
        local.seated(|| local.end_pinned());
        local.leave();
        let mut front = shared.front.lock();
        front.taken = false;
        front.caretaker = false;
        drop(front);
        shared.front_left.notify_all();
        // Only now: a caretaker that is called finds the seat free.
        shared.left(0);
    }
}

/// How long tasks that are bound to a thread may clean up when it leaves its seat, in nanoseconds: a second, a guess.
const PINNED_GRACE: u64 = 1_000_000_000;

impl Local {
    /// Ends the tasks that may only run on this thread, before it leaves the seat. They have a while to clean up.
    fn end_pinned(&self) {
        let pinned = |tell: &dyn Fn(&TaskRef)| {
            let mine = |task: &&TaskRef| task.pin() == Some(self.index as u32);
            self.shared.tasks().iter().filter(mine).for_each(tell);
        };
        self.leaving.set(true);
        let until = self.shared.driver.now().saturating_add(PINNED_GRACE);
        while self.pinned_live.get() > 0 {
            pinned(&|task| task.shut("the thread that it was bound to left the runtime"));
            if self.shared.driver.now() >= until {
                pinned(&|task| task.cut("the thread that it was bound to left the runtime"));
            }
            let mut turns = 0;
            self.run_until(|| {
                turns += 1;
                self.pinned_live.get() == 0 || turns > 64
            });
        }
    }
}
