//! Deadlines in order: a hierarchy of wheels, pure, told the time.
//!
//! Eight levels of 64 slots; a slot of level 0 is a tick of 2^16 ns, a slot of each further level a whole turn
//! of the level below, so that 64 bits of nanoseconds are covered. An item lies on the level of the highest
//! digit in which its tick differs from the wheel's. When the wheel enters a slot, its items go to the *front*, a
//! sorted array from which they are fired; only a slot of very many goes to finer levels first.
//!
//! Slots are arrays, not lists, so that many items can be on their way from memory at once, and an item knows its place,
//! so that removing it is a swap with the last. In the front it is found by its deadline.
//!
//! Hierarchical wheels: Varghese and Lauck, "Hashed and hierarchical timing wheels" (1987).

mod slot;

use crate::NEVER;
use slot::{Slot, Spare};
use std::mem;

#[cfg(test)]
mod tests;

/// A tick is 2^16 ns, 65.5 µs: well below what a system call and a context switch take, so that rounding is
/// not what a short sleep waits for.
const TICK_BITS: u32 = 16;
const DIGIT_BITS: u32 = 6;
const SLOTS: usize = 1 << DIGIT_BITS;
const LEVELS: usize = 8;

/// Up to so many items of one slot are looked at to find the earliest, each of which may be a cache miss. Beyond, an
/// early bound is good enough: it costs one needless turn, after which the items lie on a finer level, or in front.
const EXACT: usize = 64;
/// Up to so many items of a slot go to the front together, which sorts them: some 0.1 ms under the lock. More items of
/// one tick are a crowd: they are fired when it is over, in no order.
const CROWD: usize = 4096;
/// Items moved to a finer level under one lock.
const MOVES: usize = 256;
/// How far ahead of the one at hand items are fetched from memory, where each is a cache miss of its own. As many as
/// are fired at once: the next are on their way while these are woken.
const AHEAD: usize = 32;

/// Where an item lies, or lay before it went to the front; kept by the item itself, in six bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Position {
    slot: u16,
    index: [u16; 2],
}

impl Position {
    fn new(slot: usize, index: usize) -> Self {
        let index = u32::try_from(index).expect("a slot holds fewer than 2^32 items");
        Self { slot: slot as u16, index: [index as u16, (index >> 16) as u16] }
    }

    fn slot(self) -> usize {
        self.slot.into()
    }

    fn index(self) -> usize {
        usize::from(self.index[0]) | usize::from(self.index[1]) << 16
    }
}

/// What a wheel holds: a pointer, or an index, to something that knows its deadline and keeps its position.
pub(crate) trait Item: Copy + PartialEq {
    /// When the item is due: what it was inserted for.
    fn when(self) -> u64;

    /// The item lies at `position` now.
    fn moved(self, position: Position);

    /// The item is needed soon.
    fn fetch(self) {}
}

/// An item in front.
#[derive(Debug, Clone, Copy)]
struct Entry<T> {
    when: u64,
    item: T,
}

/// Items by deadline.
#[derive(Debug)]
pub(crate) struct Wheel<T> {
    /// All ticks before it are over; its own may not be.
    tick: u64,
    /// When to look again. Exact, but early where a slot had more than `EXACT` items when its first was removed, and
    /// late where there is a crowd.
    earliest: u64,
    len: usize,
    /// Items of slots that the wheel has entered, the latest first.
    front: Vec<Entry<T>>,
    /// A bit for each slot that is not empty.
    occupied: [u64; LEVELS],
    slots: Box<[Slot<T>]>,
    spare: Spare<T>,
    /// The slot that was emptied last.
    warm: usize,
    /// More items than this in a slot are a crowd: `CROWD`, or no number is.
    crowd: usize,
}

/// The earliest slot that is not empty.
#[derive(Debug, Clone, Copy)]
struct First {
    level: usize,
    slot: usize,
    start: u64,
}

impl First {
    fn at(self) -> usize {
        self.level * SLOTS + self.slot
    }
}

impl<T: Item> Wheel<T> {
    /// No items, at the epoch.
    pub(crate) fn new() -> Self {
        Self {
            tick: 0,
            earliest: NEVER,
            len: 0,
            front: Vec::new(),
            occupied: [0; LEVELS],
            slots: (0..LEVELS * SLOTS).map(|_| Slot::new()).collect(),
            spare: Spare::new(),
            warm: 0,
            crowd: CROWD,
        }
    }

    /// Whether each item is due at its own moment even in a crowd, which is sorted for that.
    pub(crate) fn set_exact(&mut self, exact: bool) {
        self.crowd = if exact { usize::MAX } else { CROWD };
        if self.len > 0 {
            self.earliest = self.find_earliest();
        }
    }

    /// Goes back to the epoch, for another clock. There are no items.
    pub(crate) fn restart(&mut self) {
        debug_assert_eq!(self.len, 0, "a wheel is emptied before it serves another clock");
        self.tick = 0;
        self.earliest = NEVER;
    }

    /// Gives memory back; for a wheel that will not be used for a while.
    pub(crate) fn shrink(&mut self) {
        self.front.shrink_to_fit();
        self.slots[self.warm].cool(&mut self.spare);
        self.spare.clear();
    }

    /// How many items there are.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// When the next item is due; `NEVER` without items. May be early, and late by a part of a tick where there is a
    /// crowd.
    pub(crate) fn earliest(&self) -> u64 {
        self.earliest
    }

    /// Adds an item that is due at `when`; it is `now` now.
    pub(crate) fn insert(&mut self, when: u64, now: u64, item: T) {
        let now_tick = now >> TICK_BITS;
        // Far behind, everything new would lie on too coarse a level, and be moved once or twice for nothing.
        if now_tick > self.tick + SLOTS as u64 {
            self.tick = self.reach(now_tick);
        }
        self.len += 1;
        self.earliest = self.earliest.min(when);
        self.put(when, item);
    }

    /// The tick at `now_tick`, or an earlier one at which there is something to do first.
    fn reach(&self, now_tick: u64) -> u64 {
        let slot = self.first().map_or(NEVER, |first| first.start);
        let front = self.front.last().map_or(NEVER, |entry| entry.when >> TICK_BITS);
        now_tick.min(slot).min(front).max(self.tick)
    }

    fn put(&mut self, when: u64, item: T) {
        // What is past already lies in the slot of now.
        let tick = (when >> TICK_BITS).max(self.tick);
        let differs = tick ^ self.tick;
        let level = if differs == 0 {
            0
        } else {
            ((u64::BITS - 1 - differs.leading_zeros()) / DIGIT_BITS) as usize
        };
        let slot = digit(tick, level);
        self.occupied[level] |= 1 << slot;
        let at = level * SLOTS + slot;
        let index = self.slots[at].push(item, &mut self.spare);
        item.moved(Position::new(at, index));
    }

    /// Takes out an item, which was told of `position` last.
    pub(crate) fn remove(&mut self, position: Position, item: T) {
        let when = item.when();
        if !self.remove_from_front(when, item) {
            let at = position.slot();
            let (removed, other) = self.slots[at].swap_remove(position.index(), &mut self.spare);
            debug_assert!(removed == item, "an item lies where it was told");
            if let Some(other) = other {
                other.moved(position);
            }
            self.emptied(at);
        }
        self.len -= 1;
        if self.len == 0 {
            self.earliest = NEVER;
        } else if when == self.earliest {
            self.earliest = self.find_earliest();
        }
    }

    fn remove_from_front(&mut self, when: u64, item: T) -> bool {
        if self.front.first().is_none_or(|latest| latest.when < when) {
            return false;
        }
        let from = self.front.partition_point(|entry| entry.when > when);
        let equals = self.front[from..].iter().take_while(|entry| entry.when == when);
        let Some(at) = equals.into_iter().position(|entry| entry.item == item) else {
            return false;
        };
        self.front.remove(from + at);
        true
    }

    fn emptied(&mut self, at: usize) {
        if self.slots[at].is_empty() {
            self.occupied[at / SLOTS] &= !(1 << (at % SLOTS));
            let before = mem::replace(&mut self.warm, at);
            if before != at {
                self.slots[before].cool(&mut self.spare);
            }
        }
    }

    /// Gives up to `limit` of the items that are due at `now` to `due`, in the order of their deadlines.
    /// Returns whether there is more to do, and it is to be called again.
    pub(crate) fn expire(&mut self, now: u64, limit: usize, mut due: impl FnMut(T)) -> bool {
        // Threads read the clock and then take the lock, in any order: `now` may be a little before the
        // wheel's tick. The slot of that tick holds what was past when it came, and is looked at always.
        let now_tick = (now >> TICK_BITS).max(self.tick);
        let mut fires = limit;
        while let Some(first) = self.first().filter(|first| first.start <= now_tick) {
            if first.start > self.tick {
                // What is due before the slot begins.
                self.fire(now.min((first.start << TICK_BITS) - 1), &mut fires, &mut due);
                if fires == 0 {
                    return true;
                }
                self.tick = first.start;
            }
            if self.slots[first.at()].len() <= self.crowd {
                self.bring_to_front(first.at());
            } else if first.level > 0 {
                self.refine(first);
                return true;
            } else if now >= end_of(self.tick) {
                self.fire_crowd(first.at(), &mut fires, &mut due);
                return true;
            } else {
                break;
            }
        }
        self.fire(now, &mut fires, &mut due);
        if fires == 0 {
            return true;
        }
        self.tick = self.reach(now_tick);
        self.earliest = self.find_earliest();
        false
    }

    /// Fires what is in front and due at `now`.
    fn fire(&mut self, now: u64, fires: &mut usize, due: &mut impl FnMut(T)) {
        while let Some(entry) = self.front.last().filter(|entry| entry.when <= now && *fires > 0) {
            let item = entry.item;
            self.front.pop();
            if let Some(soon) = self.front.len().checked_sub(AHEAD) {
                self.front[soon].item.fetch();
            }
            self.len -= 1;
            *fires -= 1;
            due(item);
        }
        if self.front.is_empty() && self.front.capacity() > CROWD {
            self.front = Vec::new();
        }
    }

    /// Fires what lies in a slot, all of which is due.
    fn fire_crowd(&mut self, at: usize, fires: &mut usize, due: &mut impl FnMut(T)) {
        while *fires > 0 {
            let Some(item) = self.slots[at].pop(&mut self.spare) else { break };
            if let Some(soon) = self.slots[at].before_last(AHEAD) {
                soon.fetch();
            }
            self.len -= 1;
            *fires -= 1;
            due(item);
        }
        self.emptied(at);
    }

    /// Moves a slot's items to the front.
    fn bring_to_front(&mut self, at: usize) {
        let before = self.front.len();
        self.front.reserve(self.slots[at].len());
        self.slots[at].iter().rev().take(AHEAD).for_each(|item| item.fetch());
        let mut latest = 0;
        while let Some(item) = self.slots[at].pop(&mut self.spare) {
            if let Some(soon) = self.slots[at].before_last(AHEAD) {
                soon.fetch();
            }
            let when = item.when();
            latest = latest.max(when);
            self.front.push(Entry { when, item });
        }
        // Among what is in front they belong behind all that is due later, which is most of it as a rule.
        let from = self.front[..before].partition_point(|entry| entry.when > latest);
        self.front[from..].sort_unstable_by_key(|entry| std::cmp::Reverse(entry.when));
        self.emptied(at);
    }

    /// Moves some items of a coarse slot to finer levels.
    fn refine(&mut self, first: First) {
        let at = first.at();
        for _ in 0..MOVES {
            let Some(item) = self.slots[at].pop(&mut self.spare) else { break };
            if let Some(soon) = self.slots[at].before_last(AHEAD) {
                soon.fetch();
            }
            // The wheel's tick is within this slot: the item differs from it in a lower digit only.
            self.put(item.when(), item);
        }
        self.emptied(at);
    }

    /// Takes any item out, in no order; `None` when there are none.
    pub(crate) fn pop(&mut self) -> Option<T> {
        let item = match self.occupied.iter().position(|slots| *slots != 0) {
            Some(level) => {
                let at = level * SLOTS + self.occupied[level].trailing_zeros() as usize;
                let item = self.slots[at].pop(&mut self.spare);
                self.emptied(at);
                item?
            }
            None => self.front.pop()?.item,
        };
        self.len -= 1;
        self.earliest = if self.len == 0 { NEVER } else { self.earliest };
        Some(item)
    }

    /// The earliest slot; of several that begin together the coarsest, whose items have to be moved first.
    fn first(&self) -> Option<First> {
        let mut first: Option<First> = None;
        for level in (0..LEVELS).rev().filter(|level| self.occupied[*level] != 0) {
            let found = self.first_of(level);
            if first.is_none_or(|other| found.start < other.start) {
                first = Some(found);
            }
        }
        first
    }

    /// The earliest slot of a level that has one. No slot lies behind the wheel's own digit: an item there
    /// would differ from it in a higher digit too.
    fn first_of(&self, level: usize) -> First {
        let slot = self.occupied[level].trailing_zeros() as usize;
        let shift = DIGIT_BITS * level as u32;
        let above = shift + DIGIT_BITS;
        let block = if above >= u64::BITS { 0 } else { self.tick >> above << above };
        First { level, slot, start: block | ((slot as u64) << shift) }
    }

    /// The earliest deadline; where a slot of more than `EXACT` items hides it, no later than it.
    fn find_earliest(&self) -> u64 {
        let mut earliest = self.front.last().map_or(NEVER, |entry| entry.when);
        let mut finest = true;
        for level in (0..LEVELS).filter(|level| self.occupied[*level] != 0) {
            let first = self.first_of(level);
            // Levels follow each other in time, but for a slot that the wheel has entered and not yet moved.
            if finest || first.start <= self.tick {
                earliest = earliest.min(self.earliest_in(first));
            }
            finest = false;
        }
        earliest
    }

    fn earliest_in(&self, first: First) -> u64 {
        let items = &self.slots[first.at()];
        if items.len() > self.crowd && first.level == 0 && first.start <= self.tick {
            // Taken when the tick is over.
            return end_of(self.tick);
        }
        if items.len() > EXACT {
            // The slot of now may hold what was past when it came, and so says nothing.
            let start = if first.start > self.tick { first.start << TICK_BITS } else { 0 };
            return self.earliest.max(start);
        }
        items.iter().map(|item| item.when()).min().unwrap_or(NEVER)
    }
}

fn digit(tick: u64, level: usize) -> usize {
    (tick >> (DIGIT_BITS * level as u32)) as usize & (SLOTS - 1)
}

/// The first moment after a tick.
fn end_of(tick: u64) -> u64 {
    (tick + 1).saturating_mul(1 << TICK_BITS).min(NEVER - 1)
}
