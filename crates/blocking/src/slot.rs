//! One thread's place to wait.
//!
//! Whoever takes the thread off the idle stack, or out of the lookout's seat, calls it exactly once. What it is called
//! for it sees under the crew's lock.

use crate::clock;
use kasasagi_primitive::park::{Parker, Unparker};
use kasasagi_primitive::sync::Arc;
use std::time::Duration;

/// What the others see of it.
pub(crate) struct Slot {
    /// Which thread of its pool.
    pub(crate) id: usize,
    unparker: Unparker,
}

impl Slot {
    pub(crate) fn call(&self) {
        self.unparker.unpark();
    }
}

/// What the thread itself has.
pub(crate) struct Place {
    pub(crate) slot: Arc<Slot>,
    parker: Parker,
}

impl Place {
    /// The calling thread's.
    pub(crate) fn new(id: usize) -> Self {
        let parker = Parker::new();
        Self { slot: Arc::new(Slot { id, unparker: parker.unparker() }), parker }
    }

    /// Waits until it is called, without limit.
    pub(crate) fn wait(&self) {
        self.parker.park();
    }

    /// Waits until it is called, `limit` at most; says whether it was. A limit of zero does not wait: in a model, where
    /// time does not pass, it is how a limit ends at any moment.
    pub(crate) fn wait_for(&self, limit: Duration) -> bool {
        if limit.is_zero() {
            return false;
        }
        let start = clock::now();
        let mut left = limit;
        loop {
            if self.parker.park_timeout(left) {
                return true;
            }
            left = limit.saturating_sub(clock::now().saturating_sub(start));
            if left.is_zero() {
                return false;
            }
        }
    }
}
