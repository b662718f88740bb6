//! One seat's timers: a wheel behind a lock, and the nodes that lie in it.
//!
//! A node lives inside a pinned future, so a timer allocates nothing. While a node is `QUEUED` it belongs to
//! the shard's lock, and the future takes it out before it goes; in every other state the shard never
//! touches it, and the future needs no lock to see it. The models are in `model.rs`.
#![allow(unsafe_code, reason = "the wheel points to nodes inside pinned futures")]

mod pace;

#[cfg(all(test, kasasagi_loom))]
mod model;

use crate::NEVER;
use crate::time::timers::Timers;
use crate::time::wheel::{Item, Position, Wheel};
use kasasagi_primitive::cell::UnsafeCell;
use kasasagi_primitive::sync::Mutex;
use kasasagi_primitive::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use kasasagi_primitive::wake_batch::{BATCH, WakeBatch};
use pace::Pace;
use std::marker::PhantomPinned;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::ptr::NonNull;
use std::task::Waker;

/// What has become of a node. Only the shard's lock ends `Queued`; the owner ends all others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum State {
    /// Counted from the first poll, which has not come.
    After,
    /// Waits for a moment, and was not polled yet.
    At,
    /// Polled too late to wait: the next poll completes.
    Yielded,
    /// It never comes.
    Never,
    /// In the wheel of its shard; belongs to that shard's lock.
    Queued,
    /// Its moment has come.
    Fired,
    /// Its reactor was closed.
    Dead,
}

impl State {
    #[inline]
    fn of(byte: u8) -> Self {
        match byte {
            0 => State::After,
            1 => State::At,
            2 => State::Yielded,
            3 => State::Never,
            4 => State::Queued,
            5 => State::Fired,
            _ => State::Dead,
        }
    }
}

/// Times that one call takes the lock at most to move timers to finer levels, some hundreds each: after 0.1 ms of it
/// tasks should run. A guess.
const MOVING_ROUNDS: usize = 8;

/// The timers of one seat. Shards live for ever and serve one reactor after another.
pub(crate) struct Shard {
    /// When the seat is to look at its timers, for those who do not hold the lock. Written under it.
    next: AtomicU64,
    timers: Mutex<ShardTimers>,
}

struct ShardTimers {
    wheel: Wheel<NodeRef>,
    /// Makes the seat look at its deadline again.
    hurry: Option<Waker>,
    /// Which reactor the shard serves, or served last.
    generation: u32,
    /// The timers of that reactor; none once it is closed.
    open: Option<Timers>,
    pace: Pace,
}

impl ShardTimers {
    fn serves(&self, generation: u32) -> bool {
        self.open.is_some() && self.generation == generation
    }

    /// When the seat is to look at its timers.
    fn next(&self) -> u64 {
        let earliest = self.wheel.earliest();
        if earliest == NEVER { NEVER } else { earliest.max(self.pace.not_before) }
    }
}

/// Says that the reactor was closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Closed;

/// Where and when a node is to be inserted.
pub(crate) struct Insertion {
    pub(crate) shard: &'static Shard,
    pub(crate) generation: u32,
    pub(crate) when: u64,
    pub(crate) now: u64,
    /// Whether the inserting thread runs the shard's seat, and so will look at its deadline by itself.
    pub(crate) own: bool,
}

impl Shard {
    /// A shard that serves nobody yet.
    pub(crate) fn new() -> Self {
        let timers = ShardTimers {
            wheel: Wheel::new(),
            hurry: None,
            generation: 0,
            open: None,
            pace: Pace::default(),
        };
        Self { next: AtomicU64::new(NEVER), timers: Mutex::new(timers) }
    }

    /// Begins to serve the reactor of these timers.
    pub(crate) fn open(&self, serves: Timers) {
        let mut timers = self.timers.lock();
        timers.wheel.restart();
        timers.pace = Pace::default();
        timers.generation = serves.generation();
        timers.open = Some(serves);
    }

    /// Each timer is fired at its very moment, however many there are, and whatever that costs; or not.
    pub(crate) fn set_exact(&self, generation: u32, exact: bool) {
        let mut timers = self.timers.lock();
        if timers.serves(generation) {
            timers.wheel.set_exact(exact);
            timers.pace = Pace::default();
            self.next.store(timers.next(), Ordering::Relaxed);
        }
    }

    /// When the seat is to look at its timers, without the lock.
    #[inline]
    pub(crate) fn deadline(&self) -> u64 {
        // Relaxed: the seat's own insertions are in its program order, and one of another thread is followed
        // by a wake of the seat.
        self.next.load(Ordering::Relaxed)
    }

    /// The timers of the reactor of this generation, unless it was closed.
    pub(crate) fn serves(&self, generation: u32) -> Option<Timers> {
        let timers = self.timers.lock();
        timers.serves(generation).then(|| timers.open.clone()).flatten()
    }

    /// Sets the waker that makes the seat look at its deadline again.
    pub(crate) fn bind(&self, generation: u32, hurry: Waker) {
        let mut timers = self.timers.lock();
        let old = if timers.serves(generation) { timers.hurry.replace(hurry) } else { Some(hurry) };
        drop(timers);
        drop(old);
    }

    /// Wakes the seat if its deadline is not after `now`.
    pub(crate) fn hurry_due(&self, now: u64) {
        if self.deadline() > now {
            return;
        }
        let hurry = self.timers.lock().hurry.clone();
        if let Some(hurry) = hurry {
            hurry.wake();
        }
    }

    /// Fires what is due, `max` at most; returns how many.
    pub(crate) fn fire(&self, now: u64, max: usize) -> usize {
        if now < self.deadline() {
            return 0;
        }
        let mut batch = WakeBatch::new();
        let (mut fired, mut moving) = (0, MOVING_ROUNDS);
        loop {
            let before = fired;
            let more = {
                let mut timers = self.timers.lock();
                let more = timers.wheel.expire(now, BATCH.min(max - fired), |node| {
                    fired += 1;
                    // SAFETY: the node was queued until the wheel gave it out, and the lock is held.
                    let waker = unsafe { node.finish(State::Fired) };
                    // What is woken is a task as a rule: its header of two lines, and where its output goes.
                    (0..3).for_each(|line| fetch(waker.data().wrapping_byte_add(64 * line)));
                    batch.push(waker);
                });
                // A clock that is set by hand stands still: there, turns cost no time.
                let by_hand =
                    timers.open.as_ref().is_some_and(|open| open.clock_ref().stands_still());
                if !more && fired > 0 && !by_hand {
                    timers.pace.fired(now, fired);
                }
                self.next.store(timers.next(), Ordering::Relaxed);
                more
            };
            batch.wake_all_caught();
            moving -= usize::from(fired == before);
            if !more || fired >= max || moving == 0 {
                return fired;
            }
        }
    }

    /// Ends all timers: their nodes are dead, and who waits for them is woken.
    pub(crate) fn close(&self, generation: u32) {
        let mut batch = WakeBatch::new();
        loop {
            let mut timers = self.timers.lock();
            if timers.generation != generation {
                return;
            }
            let open = timers.open.take();
            while !batch.is_full() {
                let Some(node) = timers.wheel.pop() else { break };
                // SAFETY: the node was queued until the wheel gave it out, and the lock is held.
                batch.push(unsafe { node.finish(State::Dead) });
            }
            self.next.store(timers.next(), Ordering::Relaxed);
            let more = timers.wheel.len() > 0;
            if !more {
                timers.wheel.shrink();
            }
            let hurry = timers.hurry.take();
            drop(timers);
            drop((hurry, open));
            batch.wake_all_caught();
            if !more {
                return;
            }
        }
    }

    /// How many timers wait.
    pub(crate) fn len(&self) -> usize {
        self.timers.lock().wheel.len()
    }
}

/// A timer, inside the future that waits for it: 40 bytes.
pub(crate) struct Node {
    /// Holds a waker while `Queued`. The owner writes it, under the lock while `Queued`; the shard reads it out.
    waker: UnsafeCell<MaybeUninit<Waker>>,
    /// Which shard it was put into last, or belongs to before; the owner's.
    home: Option<&'static Shard>,
    /// How long it waits, while `After`, else until when; the owner's, and settled while `Queued`.
    time: u64,
    /// The lock's while `Queued`.
    position: UnsafeCell<Position>,
    state: AtomicU8,
    _pinned: PhantomPinned,
}

// SAFETY: a node goes where its future goes; the cells are touched under its shard's lock, or by the owner.
unsafe impl Send for Node {}
// SAFETY: through a shared reference only `state` and `home` are read: an atomic, and what its owner alone writes.
unsafe impl Sync for Node {}

impl Node {
    /// A timer in no shard, of one if `home` says so.
    #[inline]
    pub(crate) fn new(home: Option<&'static Shard>, state: State, time: u64) -> Self {
        debug_assert_ne!(state, State::Queued, "a new node lies in no wheel");
        Self {
            waker: UnsafeCell::new(MaybeUninit::uninit()),
            home,
            time,
            position: UnsafeCell::new(Position::default()),
            state: AtomicU8::new(state as u8),
            _pinned: PhantomPinned,
        }
    }

    /// Which shard it was put into last, or belongs to.
    #[inline]
    pub(crate) fn home(&self) -> Option<&'static Shard> {
        self.home
    }

    /// How long it waits, in state `After`, else until when.
    #[inline]
    pub(crate) fn time(&self) -> u64 {
        self.time
    }

    /// What has become of it. Takes no lock.
    #[inline]
    pub(crate) fn state(&self) -> State {
        // Acquire: pairs with the Release of `finish`, after which the shard does not touch the node.
        State::of(self.state.load(Ordering::Acquire))
    }

    #[inline]
    fn mark(&self, state: State) {
        debug_assert_ne!(self.state(), State::Queued, "a queued node is taken out first");
        self.state.store(state as u8, Ordering::Relaxed);
    }

    /// Makes it, which is not queued, something else, of the shard `home`.
    pub(crate) fn settle(self: Pin<&mut Self>, home: &'static Shard, state: State, time: u64) {
        // SAFETY: nothing is moved out of the node.
        let this = unsafe { self.get_unchecked_mut() };
        this.home = Some(home);
        this.time = time;
        this.mark(state);
    }

    /// Puts it, which is not queued, into a shard. Returns whom to wake, with no lock held: the shard's seat.
    pub(crate) fn insert(
        self: Pin<&mut Self>,
        to: &Insertion,
        waker: Waker,
    ) -> Result<Option<Waker>, Closed> {
        debug_assert_ne!(self.state(), State::Queued, "a queued node is taken out first");
        // SAFETY: nothing is moved out of the node.
        let this = unsafe { self.get_unchecked_mut() };
        this.home = Some(to.shard);
        this.time = to.when;
        let node = NodeRef(NonNull::from(&*this));
        let mut timers = to.shard.timers.lock();
        if !timers.serves(to.generation) {
            drop(timers);
            this.mark(State::Dead);
            return Err(Closed);
        }
        // SAFETY: the node is not queued, so it is ours, and holds no waker.
        this.waker.with_mut(|cell| unsafe { cell.cast::<Waker>().write(waker) });
        // Under the lock: only lock holders and the owner look at it before the shard fires it.
        this.state.store(State::Queued as u8, Ordering::Relaxed);
        let before = timers.wheel.earliest();
        timers.wheel.insert(to.when, to.now, node);
        to.shard.next.store(timers.next(), Ordering::Relaxed);
        let urgent = !to.own && to.when < before;
        Ok(if urgent { timers.hurry.clone() } else { None })
    }

    /// Whether what it wakes is what `waker` wakes; the owner, who saw it queued, asks.
    pub(crate) fn wakes(self: Pin<&mut Self>, waker: &Waker) -> bool {
        // The shard may read it out meanwhile, and wake it: that leaves the same two words. And as long as it lay here
        // nothing else could have its address, so the answer is right for the moment at which it was seen queued.
        self.waker.with(|cell| {
            // SAFETY: the insertion wrote it, and nobody but the owner writes.
            unsafe { &*cell.cast::<Waker>() }.will_wake(waker)
        })
    }

    /// Has another waker woken, unless it is too late; the owner, who saw it queued, asks.
    pub(crate) fn rewake(self: Pin<&mut Self>, waker: Waker) {
        let Some(home) = self.home else { return };
        let old = {
            let _timers = home.timers.lock();
            if self.state.load(Ordering::Relaxed) == State::Queued as u8 {
                // SAFETY: the node is queued and its shard's lock is held: a waker lies here, and nobody reads it.
                self.waker.with_mut(|cell| unsafe { cell.cast::<Waker>().replace(waker) })
            } else {
                waker
            }
        };
        drop(old);
    }

    /// Takes it out of its shard, if it is in one, and has it wait until another moment.
    pub(crate) fn reset(self: Pin<&mut Self>, time: u64) {
        if self.state() == State::Queued {
            self.remove();
        }
        // SAFETY: nothing is moved out of the node.
        let this = unsafe { self.get_unchecked_mut() };
        this.time = time;
        this.mark(State::At);
    }

    /// Ends it, which is not queued: its reactor is gone.
    pub(crate) fn die(self: Pin<&mut Self>) {
        self.mark(State::Dead);
    }

    /// Takes it, which was seen queued by its owner, out of its shard, unless it is too late.
    fn remove(&self) {
        let home = self.home.expect("a queued node has a home");
        let mut timers = home.timers.lock();
        if self.state.load(Ordering::Relaxed) != State::Queued as u8 {
            return;
        }
        // SAFETY: the node is queued and its shard's lock is held.
        let position = self.position.with(|position| unsafe { *position });
        timers.wheel.remove(position, NodeRef(NonNull::from(self)));
        home.next.store(timers.next(), Ordering::Relaxed);
        self.state.store(State::Dead as u8, Ordering::Relaxed);
        drop(timers);
        // SAFETY: it was queued until it was taken out here: it holds a waker, which is the owner's now.
        let waker = self.waker.with(|cell| unsafe { cell.cast::<Waker>().read() });
        drop(waker);
    }
}

impl Drop for Node {
    #[inline]
    fn drop(&mut self) {
        if self.state() == State::Queued {
            self.remove();
        }
        // Nothing to a real cell; in a model, a shard that is still at it is caught.
        self.waker.with_mut(|_| ());
    }
}

/// A queued node. Valid for as long as the node is queued, since `Node::drop` takes it out first.
#[derive(Clone, Copy, PartialEq)]
struct NodeRef(NonNull<Node>);

// SAFETY: only holders of the shard's lock follow it.
unsafe impl Send for NodeRef {}

impl NodeRef {
    /// Ends a node that was just taken out of the wheel, and takes its waker.
    ///
    /// # Safety
    /// The node is still `Queued` and the lock of its shard is held.
    #[inline]
    unsafe fn finish(self, state: State) -> Waker {
        // SAFETY: a queued node is valid while the lock is held: its drop waits for the lock.
        let node = unsafe { self.0.as_ref() };
        // Read and left where it is: the owner may be comparing it.
        // SAFETY: a queued node holds a waker, and the lock is held; from the store below on nobody takes it again.
        let waker = node.waker.with(|cell| unsafe { cell.cast::<Waker>().read() });
        // The last touch: from here on the owner may free the node, without the lock.
        node.state.store(state as u8, Ordering::Release);
        waker
    }
}

impl Item for NodeRef {
    #[inline]
    fn when(self) -> u64 {
        // SAFETY: as in `moved`; and nobody writes the time of a queued node.
        unsafe { self.0.as_ref() }.time
    }

    #[inline]
    fn moved(self, position: Position) {
        // SAFETY: only the wheel calls it, for a node in it, under the lock that guards the wheel; such a node
        // is valid, since its drop waits for the lock.
        let node = unsafe { self.0.as_ref() };
        // SAFETY: the position of a queued node is the lock's.
        node.position.with_mut(|at| unsafe { *at = position });
    }

    #[inline]
    fn fetch(self) {
        let node = self.0.as_ptr().cast_const();
        fetch(node.cast());
        // It may begin on one cache line and end on the next.
        fetch(node.wrapping_byte_add(size_of::<Node>() - 1).cast());
    }
}

/// Has the processor fetch what lies at an address, which need not be valid.
#[inline]
fn fetch(address: *const ()) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a hint: it accesses nothing, and faults nowhere.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(address.cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = address;
}
