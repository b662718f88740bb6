//! Guests: threads without a seat that wait for what seats serve.
//!
//! ```text
//!   AWAKE ──wait──► RESTING ──wake──► WOKEN ──(up)──► AWAKE
//!     └───────────────wake─────────────►│   the next wait returns at once
//! ```
//! A guest is busy from its wake on, and not from when its thread is up: who wakes it counts it, see `lull.rs`.

use crate::lull::Lull;
use crate::shared::Shared;
use kasasagi_primitive::CachePadded;
use kasasagi_primitive::park::{Parker, Unparker};
use kasasagi_primitive::sync::Arc;
use kasasagi_primitive::sync::atomic::{AtomicU32, Ordering, fence};
use std::fmt;
use std::task::{Wake, Waker};

const AWAKE: u32 = 0;
const RESTING: u32 = 1;
const WOKEN: u32 = 2;

/// A thread without a seat that waits for events, timers or tasks. While it does, the caretaker looks after an
/// otherwise deserted scheduler.
pub struct Guest {
    shared: Arc<Shared>,
    bell: std::sync::Arc<Bell>,
    parker: Parker,
    counted: bool,
}

/// What wakes it. It may be kept for long, and so keeps nothing of the scheduler's but the lull.
struct Bell {
    lull: Arc<CachePadded<Lull>>,
    state: AtomicU32,
    unparker: Unparker,
}

impl Guest {
    /// The calling thread; it has arrived if time stands still.
    pub(crate) fn new(shared: &Arc<Shared>) -> Self {
        let parker = Parker::new();
        let bell = std::sync::Arc::new(Bell {
            lull: Arc::clone(&shared.lull),
            state: AtomicU32::new(AWAKE),
            unparker: parker.unparker(),
        });
        let mut guest = Self { shared: Arc::clone(shared), bell, parker, counted: false };
        if shared.driver.stands_still() {
            guest.arrive();
        }
        guest
    }

    /// Ends the wait under way, or else the next.
    pub fn waker(&self) -> Waker {
        std::sync::Arc::clone(&self.bell).into()
    }

    /// Waits for the waker to be woken; events and timers are served meanwhile.
    pub fn wait(&mut self) {
        self.arrive();
        let (shared, state) = (&self.shared, &self.bell.state);
        let rests =
            state.compare_exchange(AWAKE, RESTING, Ordering::AcqRel, Ordering::Acquire).is_ok();
        if rests {
            shared.guest_rests();
        }
        self.parker.park();
        if state.swap(AWAKE, Ordering::AcqRel) == RESTING {
            // Nobody woke it.
            shared.lull.guest_gets_up();
        }
        shared.lull.wait_for_move();
    }

    /// It is a guest from now on, and not from its first wait. Does nothing to one that is.
    pub fn arrive(&mut self) {
        if std::mem::replace(&mut self.counted, true) {
            return;
        }
        let shared = &self.shared;
        shared.guests.fetch_add(1, Ordering::Relaxed);
        shared.lull.guest_gets_up();
        // Pairs with the fence in `live` that `left` makes: who leaves the last seat sees the guest, or is seen to
        // have left.
        fence(Ordering::SeqCst);
        if shared.is_deserted() {
            shared.call_caretaker();
        }
        // Who moves the clock did not see it come.
        shared.lull.wait_for_move();
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        if !self.counted {
            return;
        }
        let shared = &self.shared;
        let last = shared.guests.fetch_sub(1, Ordering::AcqRel) == 1;
        shared.guest_rests();
        if last && shared.front.lock().caretaker {
            // It may sit there for this guest alone.
            shared.unpark(0);
        }
    }
}

impl Shared {
    fn guest_rests(&self) {
        if self.lull.guest_rests() && self.driver.stands_still() {
            self.reconsider();
        }
    }
}

impl Wake for Bell {
    fn wake(self: std::sync::Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &std::sync::Arc<Self>) {
        if self.state.swap(WOKEN, Ordering::AcqRel) == RESTING {
            self.lull.guest_gets_up();
        }
        self.unparker.unpark();
    }
}

impl fmt::Debug for Guest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guest").finish_non_exhaustive()
    }
}
