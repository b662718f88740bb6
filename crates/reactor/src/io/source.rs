//! The two direction words of one source: what the poller last said, and who waits for what it says next.
//!
//! A direction is a word of flags and a cell for one waker. An operation *consumes* readiness before it is
//! tried, so that an event that comes meanwhile is not mistaken for the one that was used up. The waker in
//! the cell belongs to whoever holds `CLAIM`, a lock bit that nobody ever waits for: a second task that finds
//! it taken stands in a line behind a lock. No system calls here; the models are in `model.rs`.
#![allow(unsafe_code, reason = "the direction word decides who may touch the waker's cell")]

use kasasagi_primitive::cell::UnsafeCell;
use kasasagi_primitive::sync::Mutex;
use kasasagi_primitive::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::task::Waker;

#[cfg(all(test, kasasagi_loom))]
mod model;

/// One of the two ways of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the outside to the program: read, accept, receive.
    Read = 0,
    /// From the program to the outside: write, connect, send.
    Write = 1,
}

/// An event came and nobody has used it up: the next operation may be tried.
/// Set by an event, or by an operation that succeeded; cleared by the operation that tries.
const READY: u32 = 1;
/// The cell holds a waker. Never together with `CLAIM`, and not set while `READY` is.
const WAITING: u32 = 1 << 1;
/// Readiness that a short count does not use up: the peer has closed, or urgent data splits the stream.
/// Set by an event; cleared by a `WouldBlock` since that event.
const HELD: u32 = 1 << 2;
/// The line may have somebody in it.
const LINE: u32 = 1 << 3;
/// Somebody moves the waker in or out of the cell.
const CLAIM: u32 = 1 << 4;
/// The reactor was closed. Never cleared but by the next owner of the slot.
const SHUT: u32 = 1 << 5;

/// Nobody has to wait while one of these is set.
const GO: u32 = READY | HELD | SHUT;

/// How many wait in a line before the oldest is woken to make room: a task whose waker changes with every
/// poll must not fill the memory. A guess; a server with more accepting tasks than that only wakes some early.
const LINE_LIMIT: usize = 64;

/// What an event says of one direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Said {
    /// There is something to do.
    Ready,
    /// There is, and a short count does not mean that it is done.
    Held,
}

/// Whether an operation may be tried.
#[must_use = "consumed readiness has to be used, or restored"]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Consumed {
    /// Try it. `held`: as the word was, to be given to `drained`.
    Ready {
        /// Whether readiness outlives a short count.
        held: bool,
    },
    /// Nothing has come: wait.
    Empty,
    /// The reactor was closed.
    Shut,
}

/// Whether a waker was left.
#[must_use = "an event may have come first; then the operation is tried again"]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Left {
    /// It was: the next event wakes it.
    Waiting,
    /// An event came: try again.
    Retry,
}

/// A waker in the line; the key tells futures that can take their place back from those that cannot.
struct Waiting {
    key: u64,
    waker: Waker,
}

/// Nobody's key: the waker of a poll function, which is told from others by what it wakes.
const ANONYMOUS: u64 = 0;

#[derive(Default)]
struct Lines {
    last_key: u64,
    lines: [Vec<Waiting>; 2],
}

/// What is known of one source.
#[repr(align(64))]
pub(crate) struct Readiness {
    words: [AtomicU32; 2],
    wakers: [UnsafeCell<Option<Waker>>; 2],
    /// Those who found the cell taken; boxed, since hardly any source ever has a second waiter.
    lines: Mutex<Option<Box<Lines>>>,
    /// Which owner of this slot events must be meant for.
    pub(crate) generation: AtomicU32,
    /// Whether the poller knows the source; changes under `registering`.
    pub(crate) registered: AtomicBool,
    /// Orders the calls that change what the poller knows of this source.
    pub(crate) registering: Mutex<()>,
}

// SAFETY: the cells are touched by whoever set `CLAIM` alone; all else is atomic or locked.
unsafe impl Sync for Readiness {}

impl Default for Readiness {
    fn default() -> Self {
        Self::new()
    }
}

impl Readiness {
    /// Nothing is known and nobody waits.
    pub(crate) fn new() -> Self {
        Self {
            words: [AtomicU32::new(0), AtomicU32::new(0)],
            wakers: [UnsafeCell::new(None), UnsafeCell::new(None)],
            lines: Mutex::new(None),
            generation: AtomicU32::new(0),
            registered: AtomicBool::new(false),
            registering: Mutex::new(()),
        }
    }

    /// Says that `direction` may be tried, before anybody can wait for it.
    pub(crate) fn assume(&self, direction: Direction) {
        self.words[direction as usize].fetch_or(READY, Ordering::AcqRel);
    }

    /// Uses up readiness, if there is any, for the operation that the caller tries next.
    pub(crate) fn consume(&self, direction: Direction) -> Consumed {
        let word = &self.words[direction as usize];
        let mut now = word.load(Ordering::Acquire);
        loop {
            if now & SHUT != 0 {
                return Consumed::Shut;
            }
            if now & (READY | HELD) == 0 {
                return Consumed::Empty;
            }
            let held = now & HELD != 0;
            if now & READY == 0 {
                return Consumed::Ready { held };
            }
            // Before the operation: an event that comes during it sets the flag again. Cleared after a
            // `WouldBlock`, the flag could be that event's, and its edge would be lost.
            match word.compare_exchange_weak(now, now & !READY, Ordering::AcqRel, Ordering::Acquire)
            {
                Ok(_) => return Consumed::Ready { held },
                Err(other) => now = other,
            }
        }
    }

    /// The operation gave `WouldBlock`: what `HELD` promised is over, unless an event came since `consume`.
    pub(crate) fn drained(&self, direction: Direction, held: bool) {
        if !held {
            return;
        }
        let word = &self.words[direction as usize];
        let mut now = word.load(Ordering::Acquire);
        // Every event sets `READY`: while it is down, `HELD` is the one that the operation has just refuted.
        while now & READY == 0 && now & HELD != 0 {
            match word.compare_exchange_weak(now, now & !HELD, Ordering::AcqRel, Ordering::Acquire)
            {
                Ok(_) => return,
                Err(other) => now = other,
            }
        }
    }

    /// The operation succeeded and there may be more: the next may be tried, by whoever waits as well.
    pub(crate) fn restore(&self, direction: Direction) {
        let before = self.words[direction as usize].fetch_or(READY, Ordering::AcqRel);
        if before & (WAITING | LINE) != 0 {
            // Somebody began to wait while the readiness was ours: no further edge would wake him.
            self.announce(direction, Said::Ready, Waker::wake);
        }
    }

    /// An event of `direction`: gives everybody who waits for it to `sink`, in no particular order.
    pub(crate) fn announce(&self, direction: Direction, said: Said, sink: impl FnMut(Waker)) {
        let bits = if said == Said::Held { HELD } else { 0 };
        self.raise(direction, bits, sink);
    }

    /// The reactor closes: every operation fails from now on.
    pub(crate) fn shut(&self, mut sink: impl FnMut(Waker)) {
        self.raise(Direction::Read, SHUT, &mut sink);
        self.raise(Direction::Write, SHUT, &mut sink);
    }

    fn raise(&self, direction: Direction, bits: u32, mut sink: impl FnMut(Waker)) {
        let word = &self.words[direction as usize];
        let mut now = word.load(Ordering::Relaxed);
        loop {
            let mut next = (now & (HELD | SHUT | CLAIM)) | READY | bits;
            if now & WAITING != 0 {
                // The waker is ours from here on. The claim keeps a task that consumes this very event, and
                // waits anew, out of the cell until we have taken it.
                next |= CLAIM;
            }
            match word.compare_exchange_weak(now, next, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => break,
                Err(other) => now = other,
            }
        }
        if now & WAITING != 0 {
            // SAFETY: the exchange turned WAITING into our CLAIM, under which nobody else touches the cell.
            let waker = self.wakers[direction as usize].with_mut(|cell| unsafe { (*cell).take() });
            word.fetch_and(!CLAIM, Ordering::Release);
            sink(waker.expect("a waiting word has a waker in its cell"));
        }
        if now & LINE != 0 {
            self.take_line(direction).into_iter().for_each(|waiting| sink(waiting.waker));
        }
    }

    fn take_line(&self, direction: Direction) -> Vec<Waiting> {
        let mut lines = self.lines.lock();
        lines
            .as_mut()
            .map(|lines| std::mem::take(&mut lines.lines[direction as usize]))
            .unwrap_or_default()
    }

    /// Leaves `waker` for the next event of `direction`. A waker that wakes the same is left once.
    pub(crate) fn wait(&self, direction: Direction, waker: &Waker) -> Left {
        let word = &self.words[direction as usize];
        let mut now = word.load(Ordering::Acquire);
        loop {
            if now & GO != 0 {
                return Left::Retry;
            }
            if now & CLAIM != 0 {
                return self.stand_in_line(direction, ANONYMOUS, waker);
            }
            let claimed = (now & !WAITING) | CLAIM;
            match word.compare_exchange_weak(now, claimed, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => break,
                Err(other) => now = other,
            }
        }
        let first = self.wakers[direction as usize].with_mut(|cell| {
            // SAFETY: the exchange set CLAIM, under which nobody else touches the cell.
            let cell = unsafe { &mut *cell };
            cell.get_or_insert_with(|| waker.clone()).will_wake(waker)
        });
        // Another task waits already: it keeps the cell.
        let line = if first { 0 } else { LINE };
        if !first {
            self.push(direction, ANONYMOUS, waker);
        }
        self.publish(direction, line, waker)
    }

    /// Gives the claimed cell, with a waker in it, to the next event; or, if that came, takes it back.
    fn publish(&self, direction: Direction, line: u32, waker: &Waker) -> Left {
        let word = &self.words[direction as usize];
        let mut now = word.load(Ordering::Relaxed);
        while now & GO == 0 {
            let next = (now & !CLAIM) | WAITING | line;
            match word.compare_exchange_weak(now, next, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return Left::Waiting,
                Err(other) => now = other,
            }
        }
        // An event came, saw the claim and left the cell to us: whoever is in it must hear of the event.
        // SAFETY: CLAIM is still ours.
        let left = self.wakers[direction as usize].with_mut(|cell| unsafe { (*cell).take() });
        word.fetch_and(!CLAIM, Ordering::Release);
        if line != 0 {
            self.leave_line(direction, |other| {
                other.key == ANONYMOUS && other.waker.will_wake(waker)
            });
            left.expect("a claimed cell was filled before it is published").wake();
        }
        Left::Retry
    }

    /// As `wait`, for a future that can take its place back; `key` is 0 at first, and its own after.
    pub(crate) fn wait_as(&self, direction: Direction, key: &mut u64, waker: &Waker) -> Left {
        if *key == ANONYMOUS {
            let mut lines = self.lines.lock();
            let lines = lines.get_or_insert_default();
            lines.last_key += 1;
            *key = lines.last_key;
        }
        self.stand_in_line(direction, *key, waker)
    }

    /// Takes the place of `key` back: its waker is not woken any more.
    pub(crate) fn forget(&self, direction: Direction, key: u64) {
        self.leave_line(direction, |other| other.key == key);
    }

    fn stand_in_line(&self, direction: Direction, key: u64, waker: &Waker) -> Left {
        self.push(direction, key, waker);
        let before = self.words[direction as usize].fetch_or(LINE, Ordering::AcqRel);
        if before & GO == 0 {
            return Left::Waiting;
        }
        // The event may have looked at the line before we stood in it.
        self.leave_line(direction, |other| {
            other.key == key && (key != ANONYMOUS || other.waker.will_wake(waker))
        });
        Left::Retry
    }

    fn push(&self, direction: Direction, key: u64, waker: &Waker) {
        let mut evicted = None;
        {
            let mut lines = self.lines.lock();
            let line = &mut lines.get_or_insert_default().lines[direction as usize];
            let same = |other: &&mut Waiting| {
                other.key == key && (key != ANONYMOUS || other.waker.will_wake(waker))
            };
            if let Some(other) = line.iter_mut().find(same) {
                if !other.waker.will_wake(waker) {
                    evicted = Some((std::mem::replace(&mut other.waker, waker.clone()), false));
                }
            } else {
                if line.len() >= LINE_LIMIT {
                    evicted = Some((line.remove(0).waker, true));
                }
                line.push(Waiting { key, waker: waker.clone() });
            }
        }
        // Outside the lock: a wake, and the drop of a replaced waker, run foreign code.
        if let Some((waker, true)) = evicted {
            waker.wake();
        }
    }

    fn leave_line(&self, direction: Direction, who: impl Fn(&Waiting) -> bool) {
        let mut left = None;
        if let Some(lines) = self.lines.lock().as_mut() {
            let line = &mut lines.lines[direction as usize];
            if let Some(at) = line.iter().position(who) {
                left = Some(line.remove(at));
            }
        }
        drop(left);
    }

    /// Whether anybody waits for reading, and for writing.
    pub(crate) fn waited_for(&self) -> [bool; 2] {
        [0, 1].map(|way: usize| {
            self.words[way].load(Ordering::Acquire) & (WAITING | LINE | CLAIM) != 0
        })
    }

    /// Forgets the owner: nobody can wait any more, but an event may still be on its way.
    pub(crate) fn reset(&self) {
        for direction in [Direction::Read, Direction::Write] {
            let word = &self.words[direction as usize];
            let mut now = word.load(Ordering::Acquire);
            loop {
                // A claim of an event that is on its way stays: it ends it itself.
                let next = if now & WAITING != 0 { CLAIM } else { now & CLAIM };
                match word.compare_exchange_weak(now, next, Ordering::AcqRel, Ordering::Acquire) {
                    Ok(_) => break,
                    Err(other) => now = other,
                }
            }
            if now & WAITING != 0 {
                // SAFETY: the exchange turned WAITING into our CLAIM.
                let waker =
                    self.wakers[direction as usize].with_mut(|cell| unsafe { (*cell).take() });
                word.fetch_and(!CLAIM, Ordering::Release);
                drop(waker);
            }
        }
        let lines = self.lines.lock().take();
        drop(lines);
    }
}
