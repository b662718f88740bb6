//! What all seats see: the injector, each other's queues, who is idle, and where strangers spawn.

use crate::config::Config;
use crate::driver::{Driver, NEVER};
use crate::idle::Idle;
use crate::lull::Lull;
use crate::metrics::{Count, Metrics};
use crate::seat::{Core, Seat};
use crate::worth::Worth;
use kasasagi_primitive::CachePadded;
use kasasagi_primitive::chaos;
use kasasagi_primitive::deque::Injector;
use kasasagi_primitive::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering, fence};
use kasasagi_primitive::sync::{Arc, Condvar, Mutex};
use kasasagi_task::slab::{Heap, HeapRef};
use kasasagi_task::{Ids, Runnable, TaskRef};
use std::fmt;

/// Heaps for spawns from outside the seats; several, so that threads seldom meet at one lock.
const OUTSIDES: usize = if kasasagi_primitive::MODEL { 1 } else { 4 };

/// Where threads without a seat spawn.
#[derive(Debug)]
pub(crate) struct Outside {
    pub(crate) heap: Heap,
    pub(crate) ids: Ids,
}

/// Who may take seat 0.
#[derive(Debug, Default)]
pub(crate) struct Front {
    /// A caretaker sits in it: it leaves when asked.
    pub(crate) caretaker: bool,
    pub(crate) taken: bool,
    /// How many wait for it.
    pub(crate) wanted: usize,
}

pub(crate) struct Shared {
    pub(crate) seats: Box<[CachePadded<Seat>]>,
    pub(crate) idle: CachePadded<Idle>,
    /// What a poll takes a seat that runs alone; beside the idle word, as it is written as seldom.
    pub(crate) worth: Worth,
    /// Shared with the wakers of guests.
    pub(crate) lull: Arc<CachePadded<Lull>>,
    pub(crate) injector: Injector<Runnable>,
    pub(crate) driver: Box<dyn Driver>,
    pub(crate) config: Config,
    /// One bit a seat that nobody sits in: its queue and its timers are everybody's.
    pub(crate) vacant: AtomicU32,
    /// The last time the watch was set up, by the driver's clock.
    pub(crate) last_watch: AtomicU64,
    pub(crate) outsides: Box<[CachePadded<Mutex<Outside>>]>,
    /// Under their heaps' locks, and so of one thread at a time.
    pub(crate) spawned_outside: Box<[CachePadded<Count>]>,
    pub(crate) heaps: Box<[HeapRef]>,
    pub(crate) front: Mutex<Front>,
    pub(crate) front_left: Condvar,
    /// Threads without a seat that wait for events, timers or tasks.
    pub(crate) guests: AtomicUsize,
}

impl Shared {
    pub(crate) fn new(config: Config, driver: Box<dyn Driver>) -> Arc<Self> {
        let cores: Vec<Core> = (0..config.seats).map(|_| Core::new()).collect();
        let outsides: Vec<_> = (0..OUTSIDES)
            .map(|_| CachePadded::new(Mutex::new(Outside { heap: Heap::new(), ids: Ids::new() })))
            .collect();
        let heaps = cores
            .iter()
            .map(|core| core.heap.registry())
            .chain(outsides.iter().map(|outside| outside.lock().heap.registry()))
            .collect();
        let idle = Idle::new(config.seats);
        let all = idle.seats();
        Arc::new(Self {
            seats: cores.into_iter().map(|core| CachePadded::new(Seat::new(core))).collect(),
            idle: CachePadded::new(idle),
            worth: Worth::new(),
            lull: Arc::new(CachePadded::new(Lull::new(config.seats))),
            injector: Injector::new(),
            driver,
            vacant: AtomicU32::new(all),
            last_watch: AtomicU64::new(0),
            outsides: outsides.into(),
            spawned_outside: (0..OUTSIDES).map(|_| CachePadded::new(Count::new())).collect(),
            heaps,
            config,
            front: Mutex::new(Front::default()),
            front_left: Condvar::new(),
            guests: AtomicUsize::new(0),
        })
    }

    /// Wakes a sleeper if one sleeps and none searches. The caller pushed before; from outside, it fenced.
    #[inline]
    pub(crate) fn maybe_wake(&self) {
        chaos::delay();
        if let Some(seat) = self.idle.choose() {
            self.unpark(seat);
        }
    }

    /// Wakes for a push from a thread without a seat, which nobody may be awake to see.
    pub(crate) fn wake_from_outside(&self) {
        // Pairs with the fences in `Idle::park`, `Idle::stop_searching` and `leave`.
        fence(Ordering::SeqCst);
        self.maybe_wake();
        if self.is_deserted() {
            self.call_caretaker();
        }
    }

    /// Announces that a seat is about to sleep, see [`Idle::park`].
    pub(crate) fn park(&self, seat: usize, searching: bool, hold: bool) {
        self.idle.park(seat, searching, hold, &self.vacant);
        chaos::delay();
    }

    pub(crate) fn unpark(&self, seat: usize) {
        chaos::delay();
        self.seats[seat].sleeper.unpark(&*self.driver);
    }

    /// A timer of `seat` became earlier than the seat knows.
    pub(crate) fn hurry(&self, seat: usize) {
        // Pairs with the fence in `left`: who leaves the seat sees the timer, or is seen to have left.
        fence(Ordering::SeqCst);
        if self.vacant.load(Ordering::Relaxed) & (1 << seat) == 0 {
            self.unpark(seat);
            return;
        }
        // Nobody sits there: whoever sleeps first has its timers in view.
        match self.idle.choose_any() {
            Some(sleeper) => {
                self.seats[sleeper].called_to_look.store(true, Ordering::Relaxed);
                self.unpark(sleeper);
            }
            None if self.is_deserted() => self.call_caretaker(),
            None => {}
        }
    }

    pub(crate) fn unpark_all(&self) {
        for seat in 0..self.seats.len() {
            self.unpark(seat);
        }
    }

    /// A seat was left, and may be taken again: what it left behind needs somebody.
    pub(crate) fn left(&self, seat: usize) {
        let closed = self.idle.is_closed();
        let live = self.live() > 0;
        if closed && !live {
            // Whoever sleeps learns now that the last task is gone.
            self.unpark_all();
        } else if live || self.has_guests() || self.driver.deadline(seat) != NEVER {
            // As after a push from outside.
            self.wake_from_outside();
        }
    }

    fn has_guests(&self) -> bool {
        // Relaxed: the callers looked at `live` before, which fences.
        self.guests.load(Ordering::Relaxed) > 0
    }

    /// Whether there are tasks, or threads without a seat that wait, or timers of theirs.
    pub(crate) fn needs_somebody(&self) -> bool {
        self.live() > 0
            || self.has_guests()
            || (0..self.seats.len()).any(|seat| self.driver.deadline(seat) != NEVER)
    }

    /// Whether nobody sits in any seat.
    pub(crate) fn is_deserted(&self) -> bool {
        self.vacant.load(Ordering::Relaxed).count_ones() as usize == self.seats.len()
    }

    pub(crate) fn call_caretaker(&self) {
        if let Some(call) = &self.config.on_vacant {
            call();
        }
    }

    /// Tasks that have not ended.
    ///
    /// Exact only once nothing can spawn from outside: ends are read before births, so that a task which
    /// ends in between is counted as alive, and never the other way round.
    pub(crate) fn live(&self) -> u64 {
        let ended: u64 = self.seats.iter().map(|seat| seat.counters.completed.get()).sum();
        fence(Ordering::SeqCst);
        let born: u64 = self.seats.iter().map(|seat| seat.counters.spawned.get()).sum();
        let outside: u64 = self.spawned_outside.iter().map(|count| count.get()).sum();
        (born + outside).wrapping_sub(ended)
    }

    /// References to all tasks that have not ended.
    pub(crate) fn tasks(&self) -> Vec<TaskRef> {
        self.heaps.iter().flat_map(kasasagi_task::all).collect()
    }

    pub(crate) fn metrics(&self) -> Metrics {
        Metrics {
            seats: self.seats.iter().map(|seat| seat.counters.read()).collect(),
            spawned_outside: self.spawned_outside.iter().map(|count| count.get()).sum(),
            live: self.live(),
            injected: self.injector.len(),
        }
    }
}

/// Held by all who can spawn or run tasks.
///
/// A task refers to its scheduler without a count, from its spawn to its end. When nobody is left who could bring it
/// to that end, while its wakers live on, the scheduler's memory stays for ever.
#[derive(Debug)]
pub(crate) struct Keeper(Arc<Shared>);

impl Keeper {
    pub(crate) fn new(shared: &Arc<Shared>) -> Arc<Self> {
        Arc::new(Self(Arc::clone(shared)))
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        // Exact: whoever spawned or ended a task held a share of this, and has dropped it.
        if self.0.live() > 0 {
            std::mem::forget(Arc::clone(&self.0));
        }
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("seats", &self.seats.len()).finish_non_exhaustive()
    }
}
