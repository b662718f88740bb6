//! One worker's state: what others see of it, and what only its thread touches.
//!
//! The deque is the owner's queue, first in, first out, from which others steal; `slot.rs` holds what is run before
//! it, `pinned.rs` what nobody may steal.
#![allow(
    unsafe_code,
    reason = "a seat is looked up once; who spawns pinned tasks answers for their borrows"
)]

mod pinned;
mod slot;

pub(crate) use pinned::{Inbox, Pinned};
pub(crate) use slot::Slot;

use crate::current;
use crate::metrics::Counters;
use crate::shared::Shared;
use crate::sleeper::Sleeper;
use crate::worth::Trial;
use kasasagi_primitive::chaos::CHAOS;
use kasasagi_primitive::deque::{Stealer, Worker as Deque};
use kasasagi_primitive::sync::atomic::{AtomicBool, Ordering, fence};
use kasasagi_primitive::sync::{Arc, Mutex};
use kasasagi_primitive::task_context;
use kasasagi_task::slab::Heap;
use kasasagi_task::{Attributes, Birth, Ids, JoinError, Runnable, Spawn, Task, TaskRef};
use std::cell::{Cell, RefCell};
use std::fmt;
use std::panic::Location;
use std::ptr::NonNull;

/// Where a woken task goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wakes {
    /// It is next: a task woke it.
    Task,
    /// Behind the queue: an event or a timer woke it. One wake of others follows at the end.
    Driver,
    /// As `Driver`; but the first of them is next if nothing else is: it is late already, by the time to the look at
    /// the timers of a busy worker.
    Due,
    /// It is next, and cannot be stolen any more: what it awaited has ended, and nothing else is due.
    Joiner,
    /// Behind the queue: what it awaited has ended.
    LateJoiner,
}

/// Where a seat stood when it began to help others.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Help {
    pub(crate) at: u64,
    pub(crate) polls: u64,
    pub(crate) completed: u64,
}

/// What only the thread in the seat touches, and hands over when it leaves.
pub(crate) struct Core {
    pub(crate) deque: Deque<Runnable>,
    pub(crate) heap: Heap,
    ids: Cell<Ids>,
}

impl Core {
    #[inline]
    fn take_id(&self) -> u64 {
        let mut ids = self.ids.take();
        let id = ids.take();
        self.ids.set(ids);
        id
    }

    pub(crate) fn new() -> Self {
        Self { deque: Deque::new_fifo(), heap: Heap::new(), ids: Cell::new(Ids::new()) }
    }
}

/// What others see of a seat.
pub(crate) struct Seat {
    pub(crate) slot: Slot,
    pub(crate) stealer: Stealer<Runnable>,
    pub(crate) inbox: Inbox,
    pub(crate) sleeper: Sleeper,
    /// A thief asks the owner to share, see `Local::ask`.
    pub(crate) asked: AtomicBool,
    /// It was woken to have the watch or for a timer, and not for tasks. A hint.
    pub(crate) called_to_look: AtomicBool,
    pub(crate) counters: Counters,
    core: Mutex<Option<Core>>,
}

impl Seat {
    pub(crate) fn new(core: Core) -> Self {
        Self {
            slot: Slot::new(),
            stealer: core.deque.stealer(),
            inbox: Inbox::new(),
            sleeper: Sleeper::new(),
            asked: AtomicBool::new(false),
            called_to_look: AtomicBool::new(false),
            counters: Counters::new(),
            core: Mutex::new(Some(core)),
        }
    }
}

impl Seat {
    /// How many tasks a thief would find worth coming for, its owner's next included.
    pub(crate) fn stealable(&self, vacant: bool) -> bool {
        let queued = self.stealer.len();
        // One task is its owner's next: taking it would only move it to a colder cache.
        queued > 1 || (queued == 1 && (vacant || !self.slot.is_empty()))
    }
}

/// A thread in a seat.
pub(crate) struct Local {
    pub(crate) shared: Arc<Shared>,
    pub(crate) index: usize,
    /// `shared.seats[index]`, looked up once: every turn is there several times.
    seat: NonNull<Seat>,
    pub(crate) core: Core,
    pub(crate) pinned: Pinned,
    /// Pinned tasks that go behind what is queued: those that yielded, or awaited others that are over.
    pub(crate) late: Pinned,
    /// How many turns of the queue those have to wait for.
    pub(crate) late_after: Cell<usize>,
    /// Pinned tasks that have not ended.
    pub(crate) pinned_live: Cell<usize>,
    /// Where what is woken now goes.
    pub(crate) wakes: Cell<Wakes>,
    /// What is next, whatever is in the slot: whoever awaited the task that has just ended.
    pub(crate) upcoming: Cell<Option<Runnable>>,
    pub(crate) lifo_left: Cell<u32>,
    /// The next turn of the queues is the pinned tasks'.
    pub(crate) pinned_turn: Cell<bool>,
    pub(crate) until_check: Cell<u32>,
    pub(crate) check_interval: Cell<u32>,
    /// Polls between the last check and the next.
    pub(crate) planned: Cell<u32>,
    pub(crate) last_check: Cell<u64>,
    pub(crate) searching: Cell<bool>,
    /// Somebody woke this seat for others' tasks, or it took some by itself, and it has not been judged yet.
    pub(crate) helps: Cell<bool>,
    /// So far that was too little to tell: it has looked for more.
    pub(crate) looked_on: Cell<bool>,
    /// It was judged to be of no use, and goes to sleep.
    pub(crate) futile: Cell<bool>,
    /// What was when it began.
    pub(crate) help: Cell<Help>,
    /// No other seat was awake at the last check.
    pub(crate) alone: Cell<bool>,
    /// Since when it counts whether it pays that others are awake.
    pub(crate) trial: Cell<Option<Trial>>,
    /// How many leaf operations this thread had begun when the seat last told how many.
    pub(crate) leaves: Cell<u64>,
    /// It slept, or searched, since it last ran a task.
    pub(crate) was_idle: Cell<bool>,
    /// The scheduler is closed, as of the last look.
    pub(crate) closing: Cell<bool>,
    /// The thread leaves the seat, and ends the tasks that are bound to it.
    pub(crate) leaving: Cell<bool>,
    pub(crate) watching: Cell<bool>,
    /// This seat sleeps without the watch, but with a limit.
    pub(crate) relooks: Cell<bool>,
    /// How many polls the others had made at the watch's last look.
    pub(crate) seen_polls: RefCell<Vec<u64>>,
    /// When that was.
    pub(crate) last_look: Cell<u64>,
    /// Since when everybody sleeps, as far as the watch knows.
    pub(crate) quiet_since: Cell<u64>,
    /// When this seat trimmed the heaps, and how often it has to do so before it sleeps for good.
    pub(crate) last_trim: Cell<u64>,
    pub(crate) trims_left: Cell<u32>,
    random: Cell<u64>,
}

impl Local {
    /// Takes the seat; `None` if somebody sits in it.
    pub(crate) fn take(shared: &Arc<Shared>, index: usize) -> Option<Self> {
        let seat = &shared.seats[index];
        let core = seat.core.lock().take()?;
        let mut ids = core.ids.take();
        ids.renew();
        core.ids.set(ids);
        seat.sleeper.sit();
        shared.lull.get_up(index);
        shared.vacant.fetch_and(!(1 << index), Ordering::AcqRel);
        // Pairs with the fence in `Idle::park`: who goes to sleep sees that this seat runs, and watches it, or is
        // seen to sleep when the watch is passed on.
        fence(Ordering::SeqCst);
        let seed = shared.config.seed ^ (index as u64 + 1).wrapping_mul(0xd129_0cad_1d2f_0a35);
        Some(Self {
            shared: Arc::clone(shared),
            index,
            seat: NonNull::from(&**seat),
            core,
            pinned: Pinned::new(),
            late: Pinned::new(),
            late_after: Cell::new(0),
            pinned_live: Cell::new(0),
            wakes: Cell::new(Wakes::Task),
            upcoming: Cell::new(None),
            lifo_left: Cell::new(shared.config.lifo_limit),
            pinned_turn: Cell::new(true),
            until_check: Cell::new(1),
            check_interval: Cell::new(8),
            planned: Cell::new(1),
            last_check: Cell::new(0),
            searching: Cell::new(false),
            helps: Cell::new(false),
            looked_on: Cell::new(false),
            futile: Cell::new(false),
            help: Cell::new(Help::default()),
            alone: Cell::new(false),
            trial: Cell::new(None),
            leaves: Cell::new(task_context::leaves()),
            was_idle: Cell::new(true),
            closing: Cell::new(false),
            leaving: Cell::new(false),
            watching: Cell::new(false),
            relooks: Cell::new(false),
            seen_polls: RefCell::new(vec![0; shared.seats.len()]),
            last_look: Cell::new(0),
            last_trim: Cell::new(0),
            trims_left: Cell::new(0),
            quiet_since: Cell::new(0),
            random: Cell::new(seed | 1),
        })
    }

    /// Gives the seat up: what is left in its queues is everybody's. [`Shared::left`] has to follow.
    pub(crate) fn leave(self) {
        // Woken for work, or given the watch, and asked to leave before it looked. Who holds on to either leaves
        // nobody who is woken, or who watches, ever after.
        self.leave_idle();
        let Self { shared, index, core, upcoming, .. } = self;
        let seat = &shared.seats[index];
        for task in upcoming.take().into_iter().chain(seat.slot.take()) {
            core.deque.push(task);
        }
        seat.sleeper.leave();
        *seat.core.lock() = Some(core);
        shared.vacant.fetch_or(1 << index, Ordering::AcqRel);
        shared.lull.rest(index);
        // It may have been the last one awake, for whom others left what it had.
        shared.idle.release();
    }

    /// Runs `f` with this as the thread's seat, and its heap as the thread's heap.
    pub(crate) fn seated<R>(&self, f: impl FnOnce() -> R) -> R {
        let _sitting = current::sit(self);
        self.core.heap.enter(f)
    }

    #[inline]
    pub(crate) fn seat(&self) -> &Seat {
        // SAFETY: `take` made it of a seat of `shared`, which is held here and never moves its seats.
        unsafe { self.seat.as_ref() }
    }

    /// A task that may run on any seat.
    #[inline]
    pub(crate) fn birth(
        &self,
        pin: bool,
        place: &'static Location<'static>,
        attributes: Attributes,
    ) -> Birth<'_, Shared> {
        Birth {
            heap: &self.core.heap,
            home: &self.shared,
            id: self.core.take_id(),
            pin: pin.then_some(self.index as u32),
            place,
            attributes,
        }
    }

    #[inline(always)]
    pub(crate) fn spawn<F>(&self, place: &'static Location<'static>, what: F) -> Task<F::Output>
    where
        F: Spawn,
        F::Future: Send + 'static,
        F::Output: Send + 'static,
    {
        let (future, attributes) = what.into_parts();
        let eager = attributes.eager;
        let (runnable, task) = self.birth(false, place, attributes).spawn_as::<F>(future);
        if eager {
            self.spawned_eagerly(runnable);
        } else if CHAOS {
            self.spawned_anywhere(runnable);
        } else {
            self.spawned(runnable);
        }
        task
    }

    /// Makes a task of a future that stays on this thread.
    ///
    /// # Safety
    /// The thread stays in the seat until the task is complete, and the handle stays on the thread. If the
    /// future is not `'static`, the task is complete before its borrows end.
    pub(crate) unsafe fn spawn_pinned<W: Spawn>(
        &self,
        place: &'static Location<'static>,
        attributes: Attributes,
        future: W::Future,
    ) -> Task<W::Output> {
        let eager = attributes.eager;
        let birth = self.birth(true, place, attributes);
        // SAFETY: pinned to this seat; the rest is the caller's promise.
        let (runnable, task) = unsafe { birth.spawn_unchecked::<W>(future) };
        self.pinned_live.set(self.pinned_live.get() + 1);
        if eager {
            self.spawned_eagerly(runnable);
        } else {
            self.seat().counters.spawned.add(1);
            self.pinned.push(runnable);
        }
        task
    }

    /// Makes a task that stays on this thread; it is ended before the thread leaves the seat.
    pub(crate) fn spawn_local<W>(
        &self,
        place: &'static Location<'static>,
        what: W,
    ) -> Task<W::Output>
    where
        W: Spawn,
        W::Future: 'static,
        W::Output: 'static,
    {
        let (future, attributes) = what.into_parts();
        let closed = self.closing.get();
        // SAFETY: 'static; `end_pinned` and the drain end it before the thread leaves the seat; a handle that
        // goes elsewhere carries an output that is Send, see `Task`.
        let task = unsafe { self.spawn_pinned::<W>(place, attributes, future) };
        if closed {
            task.cancel_with(kasasagi_task::SHUTDOWN);
        }
        task
    }

    /// Runs a future that borrows from the caller, to its end.
    pub(crate) fn run_root<F: Future>(
        &self,
        place: &'static Location<'static>,
        attributes: Attributes,
        future: F,
        born: impl FnOnce(TaskRef),
    ) -> Result<F::Output, JoinError> {
        // SAFETY: this function does not return, and does not unwind, before the task is complete and its
        // output taken; the handle does not leave it.
        let mut task = unsafe { self.spawn_pinned::<F>(place, attributes, future) };
        // In `run_until`, where a panic ends the process: nothing may unwind from here.
        let mut born = Some(born);
        self.run_until(|| {
            born.take().into_iter().for_each(|born| born(task.handle()));
            true
        });
        self.run_until(|| task.is_finished());
        task.try_take().expect("a finished task has an output until it is taken")
    }

    /// Moves what was sent to this seat into its own queue.
    pub(crate) fn empty_inbox(&self) {
        self.seat().inbox.take(|task| self.pinned.push(task));
    }

    pub(crate) fn next_random(&self) -> u64 {
        // xorshift64, Marsaglia 2003.
        let mut x = self.random.get();
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        self.random.set(x);
        x
    }
}

impl fmt::Debug for Seat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seat")
            .field("slot", &self.slot)
            .field("counters", &self.counters)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Local {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Local").field("index", &self.index).finish_non_exhaustive()
    }
}
