//! One seat's timers: a wheel behind a lock, and the nodes that lie in it.
//!
//! A node lives inside a pinned future, so a timer allocates nothing. While a node is `QUEUED` it belongs to
//! the shard's lock, and the future takes it out before it goes; once it is `FIRED` or `DEAD` the shard never
//! touches it again, and the future needs no lock to see it. The models are in `model.rs`.
#![allow(unsafe_code, reason = "the wheel points to nodes inside pinned futures")]

use crate::NEVER;
use crate::time::wheel::{Item, Position, Wheel};
use kasasagi_primitive::cell::UnsafeCell;
use kasasagi_primitive::sync::Mutex;
use kasasagi_primitive::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use kasasagi_primitive::wake_batch::{BATCH, WakeBatch};
use std::marker::PhantomPinned;
use std::pin::Pin;
use std::ptr::NonNull;
use std::task::Waker;

#[cfg(all(test, kasasagi_loom))]
mod model;

/// The owner's: in no wheel.
const IDLE: u8 = 0;
/// In the wheel of its shard; belongs to that shard's lock.
const QUEUED: u8 = 1;
/// Its moment has come. The owner's again.
const FIRED: u8 = 2;
/// Its reactor was closed first. The owner's again.
const DEAD: u8 = 3;

/// What has become of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// It was not inserted, or was taken out again.
    Idle,
    /// It waits.
    Queued,
    /// Its moment has come.
    Fired,
    /// Its reactor was closed.
    Dead,
}

/// Times that one call takes the lock at most, to fire 32 timers or to move some hundreds: after a
/// millisecond or so of it tasks should run. A guess.
const ROUNDS: usize = 128;

/// The timers of one seat. Shards live for ever and serve one reactor after another.
pub(crate) struct Shard {
    /// The earliest deadline, for those who do not hold the lock. Written under it.
    next: AtomicU64,
    timers: Mutex<ShardTimers>,
}

struct ShardTimers {
    wheel: Wheel<NodeRef>,
    /// Makes the seat look at its deadline again.
    hurry: Option<Waker>,
    /// Which reactor the shard serves; raised when the next one takes it over.
    generation: u64,
    open: bool,
}

impl ShardTimers {
    fn serves(&self, generation: u64) -> bool {
        self.open && self.generation == generation
    }
}

/// Says that the reactor was closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Closed;

/// Where and when a node is to be inserted.
pub(crate) struct Insertion {
    pub(crate) shard: &'static Shard,
    pub(crate) generation: u64,
    pub(crate) when: u64,
    pub(crate) now: u64,
    /// Whether the inserting thread runs the shard's seat, and so will look at its deadline by itself.
    pub(crate) own: bool,
}

impl Shard {
    /// A shard that serves nobody yet.
    pub(crate) fn new() -> Self {
        let timers = ShardTimers { wheel: Wheel::new(), hurry: None, generation: 0, open: false };
        Self { next: AtomicU64::new(NEVER), timers: Mutex::new(timers) }
    }

    /// Begins to serve a reactor.
    pub(crate) fn open(&self, generation: u64) {
        let mut timers = self.timers.lock();
        timers.wheel.restart();
        timers.generation = generation;
        timers.open = true;
    }

    /// The earliest deadline, without the lock.
    pub(crate) fn deadline(&self) -> u64 {
        // Relaxed: the seat's own insertions are in its program order, and one of another thread is followed
        // by a wake of the seat.
        self.next.load(Ordering::Relaxed)
    }

    /// Sets the waker that makes the seat look at its deadline again.
    pub(crate) fn bind(&self, generation: u64, hurry: Waker) {
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

    /// Fires what is due; returns how many.
    pub(crate) fn fire(&self, now: u64) -> usize {
        if now < self.deadline() {
            return 0;
        }
        let mut batch = WakeBatch::new();
        let mut fired = 0;
        for _ in 0..ROUNDS {
            let more = {
                let mut timers = self.timers.lock();
                let more = timers.wheel.expire(now, BATCH, |node| {
                    fired += 1;
                    // SAFETY: the node was queued until the wheel gave it out, and the lock is held.
                    if let Some(waker) = unsafe { node.finish(FIRED) } {
                        batch.push(waker);
                    }
                });
                self.next.store(timers.wheel.earliest(), Ordering::Relaxed);
                more
            };
            batch.wake_all();
            if !more {
                break;
            }
        }
        fired
    }

    /// Ends all timers: their nodes are dead, and who waits for them is woken.
    pub(crate) fn close(&self, generation: u64) {
        let mut batch = WakeBatch::new();
        loop {
            let mut timers = self.timers.lock();
            if timers.generation != generation {
                return;
            }
            timers.open = false;
            while !batch.is_full() {
                let Some(node) = timers.wheel.pop() else { break };
                // SAFETY: the node was queued until the wheel gave it out, and the lock is held.
                if let Some(waker) = unsafe { node.finish(DEAD) } {
                    batch.push(waker);
                }
            }
            self.next.store(timers.wheel.earliest(), Ordering::Relaxed);
            let more = timers.wheel.len() > 0;
            if !more {
                timers.wheel.shrink();
            }
            let hurry = timers.hurry.take();
            drop(timers);
            drop(hurry);
            batch.wake_all();
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

/// A timer, inside the future that waits for it.
pub(crate) struct Node {
    state: AtomicU8,
    /// The lock's while `QUEUED`, the owner's otherwise.
    body: UnsafeCell<Body>,
    /// Which shard it was last put into; the owner's.
    home: Option<&'static Shard>,
    _pinned: PhantomPinned,
}

struct Body {
    position: Position,
    waker: Option<Waker>,
}

// SAFETY: a node goes where its future goes; the body is touched under its shard's lock, or by the owner.
unsafe impl Send for Node {}
// SAFETY: through a shared reference only `state` is read, which is atomic.
unsafe impl Sync for Node {}

impl Node {
    /// A timer in no shard.
    pub(crate) fn new() -> Self {
        Self {
            state: AtomicU8::new(IDLE),
            body: UnsafeCell::new(Body { position: Position::default(), waker: None }),
            home: None,
            _pinned: PhantomPinned,
        }
    }

    /// What has become of it. Takes no lock.
    pub(crate) fn state(&self) -> State {
        // Acquire: pairs with the Release of `finish`, after which the shard does not touch the node.
        match self.state.load(Ordering::Acquire) {
            IDLE => State::Idle,
            QUEUED => State::Queued,
            FIRED => State::Fired,
            _ => State::Dead,
        }
    }

    /// Puts it, idle or done, into a shard. Returns whom to wake, with no lock held: the shard's seat.
    pub(crate) fn insert(
        self: Pin<&mut Self>,
        to: &Insertion,
        waker: Waker,
    ) -> Result<Option<Waker>, Closed> {
        debug_assert_ne!(
            self.state(),
            State::Queued,
            "a node is taken out before it is put in again"
        );
        // SAFETY: nothing is moved out of the node.
        let this = unsafe { self.get_unchecked_mut() };
        this.home = Some(to.shard);
        let node = NodeRef(NonNull::from(&*this));
        let mut timers = to.shard.timers.lock();
        if !timers.serves(to.generation) {
            drop(timers);
            this.state.store(DEAD, Ordering::Relaxed);
            return Err(Closed);
        }
        // SAFETY: the node is not queued, so it is ours.
        this.body.with_mut(|body| unsafe { (*body).waker = Some(waker) });
        // Under the lock: only lock holders and the owner look at it before the shard fires it.
        this.state.store(QUEUED, Ordering::Relaxed);
        let before = timers.wheel.earliest();
        timers.wheel.insert(to.when, to.now, node);
        to.shard.next.store(timers.wheel.earliest(), Ordering::Relaxed);
        let urgent = !to.own && to.when < before;
        Ok(if urgent { timers.hurry.clone() } else { None })
    }

    /// Has another waker woken, unless it is too late.
    pub(crate) fn rewake(&self, waker: Waker) {
        let Some(home) = self.home else { return };
        let old = {
            let _timers = home.timers.lock();
            if self.state.load(Ordering::Relaxed) == QUEUED {
                // SAFETY: the node is queued and its shard's lock is held.
                self.body.with_mut(|body| unsafe { (*body).waker.replace(waker) })
            } else {
                Some(waker)
            }
        };
        drop(old);
    }

    /// Takes it out of its shard; does nothing if it is in none. It is idle, fired or dead after.
    pub(crate) fn remove(&self) {
        if self.state() == State::Queued {
            let home = self.home.expect("a queued node has a home");
            let mut timers = home.timers.lock();
            if self.state.load(Ordering::Relaxed) == QUEUED {
                // SAFETY: the node is queued and its shard's lock is held.
                let position = self.body.with(|body| unsafe { (*body).position });
                timers.wheel.remove(position);
                home.next.store(timers.wheel.earliest(), Ordering::Relaxed);
                self.state.store(IDLE, Ordering::Relaxed);
            }
        }
        // SAFETY: the node is not queued any more, so it is ours.
        let waker = self.body.with_mut(|body| unsafe { (*body).waker.take() });
        drop(waker);
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.remove();
    }
}

/// A queued node. Valid for as long as the node is queued, since `Node::drop` takes it out first.
#[derive(Clone, Copy)]
struct NodeRef(NonNull<Node>);

// SAFETY: only holders of the shard's lock follow it.
unsafe impl Send for NodeRef {}

impl NodeRef {
    /// Ends a node that was just taken out of the wheel, and takes its waker.
    ///
    /// # Safety
    /// The node is still `QUEUED` and the lock of its shard is held.
    unsafe fn finish(self, state: u8) -> Option<Waker> {
        // SAFETY: a queued node is valid while the lock is held: its drop waits for the lock.
        let node = unsafe { self.0.as_ref() };
        // SAFETY: the body of a queued node is the lock's.
        let waker = node.body.with_mut(|body| unsafe { (*body).waker.take() });
        // The last touch: from here on the owner may free the node, without the lock.
        node.state.store(state, Ordering::Release);
        waker
    }
}

impl Item for NodeRef {
    fn moved(self, position: Position) {
        // SAFETY: only the wheel calls it, for a node in it, under the lock that guards the wheel; such a node
        // is valid, since its drop waits for the lock.
        let node = unsafe { self.0.as_ref() };
        // SAFETY: the body of a queued node is the lock's.
        node.body.with_mut(|body| unsafe { (*body).position = position });
    }
}
