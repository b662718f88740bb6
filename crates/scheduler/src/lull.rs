//! The lull: nobody has anything to do, and so a clock that stands still may be moved on.
//!
//! ```text
//! bits  0..32  RESTING  one bit a seat: nobody sits there, or it sleeps and had nothing to do before
//!          32  MOVING   the clock is being moved: no seat gets up meanwhile
//!      33..64  how often a seat got up, wrapping
//! ```
//! A seat's bit is set after its last look around, and taken out by the seat as the first thing it does when it is
//! awake again, before it takes a task from anywhere. So as long as all bits are set, no seat has a task in its hands,
//! and what is in a queue stays there. Who attends the driver decides; whoever makes the lull complete and does not
//! attend calls the one who does. `docs/src/architecture/virtual-time.md` has the whole argument.

use crate::driver::NEVER;
use crate::seat::{Local, Wakes};
use crate::shared::Shared;
use kasasagi_primitive::MODEL;
use kasasagi_primitive::sync::atomic::{AtomicU64, AtomicUsize, Ordering, fence};
use kasasagi_primitive::thread;

const MOVING: u64 = 1 << 32;
const GOT_UP: u64 = 1 << 33;

/// Looks for events that find nothing before time moves.
const LOOKS: usize = 2;

/// The most events that one of these takes.
const EVENTS: usize = 256;

#[derive(Debug)]
pub(crate) struct Lull {
    word: AtomicU64,
    /// One bit for each seat that there is.
    seats: u64,
    /// Guests that poll, or are about to.
    busy_guests: AtomicUsize,
}

/// A word in which all seats rest.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AllRest(u64);

impl Lull {
    /// Nobody sits anywhere.
    pub(crate) fn new(seats: usize) -> Self {
        let seats = (1 << seats) - 1;
        Self { word: AtomicU64::new(seats), seats, busy_guests: AtomicUsize::new(0) }
    }

    /// `seat` has nothing to do; says whether no other has.
    pub(crate) fn rest(&self, seat: usize) -> bool {
        let before = self.word.fetch_or(1 << seat, Ordering::AcqRel);
        // Pairs with the one in `reconsider`.
        fence(Ordering::SeqCst);
        (before | 1 << seat) & self.seats == self.seats
    }

    /// `seat` may have something to do from now on; not before the clock has been moved, if it is being moved.
    pub(crate) fn get_up(&self, seat: usize) {
        let mut now = self.word.load(Ordering::Relaxed);
        loop {
            if now & MOVING != 0 {
                thread::yield_now();
                now = self.word.load(Ordering::Relaxed);
                continue;
            }
            let next = (now & !(1 << seat)).wrapping_add(GOT_UP);
            match self.word.compare_exchange_weak(now, next, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return,
                Err(actual) => now = actual,
            }
        }
    }

    pub(crate) fn all_rest(&self) -> Option<AllRest> {
        let now = self.word.load(Ordering::Acquire);
        (now & (self.seats | MOVING) == self.seats).then_some(AllRest(now))
    }

    /// Keeps all seats where they are, if none has got up since `seen`.
    fn hold(&self, seen: AllRest) -> bool {
        let held = self
            .word
            .compare_exchange(seen.0, seen.0 | MOVING, Ordering::AcqRel, Ordering::Relaxed)
            .is_ok();
        // Pairs with the one in `guest_gets_up`: a guest that gets up is seen, or waits for the end of the move.
        fence(Ordering::SeqCst);
        held
    }

    fn let_go(&self) {
        self.word.fetch_and(!MOVING, Ordering::AcqRel);
    }

    /// A guest polls from now on, or will as soon as it is awake: who wakes it says so.
    pub(crate) fn guest_gets_up(&self) {
        self.busy_guests.fetch_add(1, Ordering::AcqRel);
        fence(Ordering::SeqCst);
    }

    /// A guest waits. Says whether it was the last that did not.
    pub(crate) fn guest_rests(&self) -> bool {
        self.busy_guests.fetch_sub(1, Ordering::AcqRel) == 1
    }

    fn guests_rest(&self) -> bool {
        self.busy_guests.load(Ordering::Acquire) == 0
    }

    /// Waits for the end of a move that is under way.
    pub(crate) fn wait_for_move(&self) {
        while self.word.load(Ordering::Acquire) & MOVING != 0 {
            thread::yield_now();
        }
    }
}

impl Shared {
    /// Whoever held time back may do so no longer: who attends the driver decides again.
    ///
    /// Nobody attends? Then whoever does next decides then.
    #[cold]
    pub(crate) fn reconsider(&self) {
        // Pairs with the one in `rest`: who attends sees that the time is let go, or is seen to attend.
        fence(Ordering::SeqCst);
        if let Some(seat) = self.idle.attendant() {
            self.unpark(seat);
        }
    }

    /// Whether no task is in a queue that all can see. Exact while no seat is awake.
    fn nothing_is_queued(&self) -> bool {
        self.injector.is_empty()
            && self.seats.iter().all(|seat| {
                seat.inbox.is_empty() && seat.slot.is_empty() && seat.stealer.is_empty()
            })
    }
}

impl Local {
    /// This seat has nothing to do, and attends: moves the clock on, if nobody else has. Says whether something is to
    /// be looked after now.
    #[cold]
    pub(crate) fn move_on(&self) -> bool {
        let shared = &*self.shared;
        shared.lull.rest(self.index);
        let Some(seen) = shared.lull.all_rest() else { return false };
        for _ in 0..LOOKS {
            if self.with_wakes(Wakes::Driver, || shared.driver.look(EVENTS)) > 0 {
                return true;
            }
            if !MODEL {
                // A message in this machine may still be in the hands of the system.
                thread::yield_now();
            }
        }
        if !shared.lull.hold(seen) {
            return false;
        }
        // In this order: who holds time back queues what it has before it lets go.
        let held = shared.driver.is_held();
        let moved =
            shared.lull.guests_rest() && shared.nothing_is_queued() && shared.driver.jump(held);
        shared.lull.let_go();
        moved
    }

    /// Parks where the driver's clock stands still.
    #[cold]
    pub(crate) fn park_in_lull(&self, now: u64, until: u64) {
        let shared = &*self.shared;
        if shared.lull.rest(self.index) {
            shared.reconsider();
        }
        let _ = self.seat().sleeper.park(now, until);
        shared.lull.get_up(self.index);
    }

    /// Fires what is due in all seats; the others' workers may all sleep.
    #[cold]
    pub(crate) fn fire_all(&self, max: usize) {
        let driver = &self.shared.driver;
        let now = driver.now();
        for seat in 0..self.shared.seats.len() {
            if driver.deadline(seat) <= now.min(NEVER - 1) {
                self.with_wakes(Wakes::Driver, || driver.fire(seat, now, max));
            }
        }
    }
}
