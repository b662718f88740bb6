//! Deadlines in order: a hierarchy of wheels, pure, told the time.
//!
//! Eight levels of 64 slots; a slot of level 0 is a tick of 2^16 ns, a slot of each further level a whole turn
//! of the level below, so that 64 bits of nanoseconds are covered. An item lies on the level of the highest
//! digit in which its tick differs from the wheel's. Slots are arrays, not lists: firing walks memory in
//! order, and an item knows its place, so that removing it is a swap with the last.
//!
//! Hierarchical wheels: Varghese and Lauck, "Hashed and hierarchical timing wheels" (1987).

use crate::NEVER;

#[cfg(test)]
mod tests;

/// A tick is 2^16 ns, 65.5 µs: well below what a system call and a context switch take, so that rounding is
/// not what a short sleep waits for.
const TICK_BITS: u32 = 16;
const DIGIT_BITS: u32 = 6;
const SLOTS: usize = 1 << DIGIT_BITS;
const LEVELS: usize = 8;

/// Up to so many items of one slot are looked at to find the earliest; a sum of 1 KiB. Beyond, an early bound
/// is good enough: it costs one needless turn, after which the items lie on a finer level.
const EXACT: usize = 64;
/// A tick of more items is crowded: they are fired when it is over, in no order. Fewer are put in order first, which
/// takes some 40 µs under the lock.
const CROWD: usize = 1024;
/// An emptied slot keeps memory for so many items.
const KEPT: usize = 1024;
/// Items moved to a finer level under one lock.
const MOVES: usize = 256;
/// How far ahead of the one at hand items are fetched from memory: each is a cache miss of its own, and ten or so can
/// be under way at once.
const AHEAD: usize = 8;
/// No slot is in order.
const NONE: usize = usize::MAX;

/// Where an item lies; kept by the item itself, in six bytes that ask for no alignment beyond two.
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

/// What a wheel holds: a pointer, or an index, to something that keeps its position.
pub(crate) trait Item: Copy {
    /// The item lies at `position` now.
    fn moved(self, position: Position);

    /// The item is needed soon.
    fn fetch(self) {}
}

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
    /// When to look again. Exact, unless a slot had more than `EXACT` items when its first was removed, where it may be
    /// early, and unless the earliest's tick is crowded, of which it is the end.
    earliest: u64,
    len: usize,
    /// The slot of level 0 whose items lie in order, the latest first.
    sorted: usize,
    /// A bit for each slot that is not empty.
    occupied: [u64; LEVELS],
    slots: Box<[Vec<Entry<T>>]>,
}

/// The earliest slot that is not empty.
#[derive(Debug, Clone, Copy)]
struct First {
    level: usize,
    slot: usize,
    start: u64,
}

impl<T: Item> Wheel<T> {
    /// No items, at the epoch.
    pub(crate) fn new() -> Self {
        Self {
            tick: 0,
            earliest: NEVER,
            len: 0,
            sorted: NONE,
            occupied: [0; LEVELS],
            slots: (0..LEVELS * SLOTS).map(|_| Vec::new()).collect(),
        }
    }

    /// Goes back to the epoch, for another clock. There are no items.
    pub(crate) fn restart(&mut self) {
        debug_assert_eq!(self.len, 0, "a wheel is emptied before it serves another clock");
        self.tick = 0;
        self.earliest = NEVER;
    }

    /// Gives the memory of empty slots back; for a wheel that will not be used for a while.
    pub(crate) fn shrink(&mut self) {
        self.slots.iter_mut().filter(|slot| slot.is_empty()).for_each(|slot| *slot = Vec::new());
    }

    /// How many items there are.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// When the next item is due; `NEVER` without items. May be early, and late by a part of a crowded tick.
    pub(crate) fn earliest(&self) -> u64 {
        self.earliest
    }

    /// Adds an item that is due at `when`; it is `now` now.
    pub(crate) fn insert(&mut self, when: u64, now: u64, item: T) {
        let now_tick = now >> TICK_BITS;
        // Far behind, everything new would lie on too coarse a level, and be moved once or twice for nothing.
        if now_tick > self.tick + SLOTS as u64 {
            self.tick =
                self.first().map_or(now_tick, |first| now_tick.min(first.start)).max(self.tick);
        }
        self.len += 1;
        self.earliest = self.earliest.min(when);
        self.put(Entry { when, item });
    }

    fn put(&mut self, entry: Entry<T>) {
        // What is past already lies in the slot of now.
        let tick = (entry.when >> TICK_BITS).max(self.tick);
        let differs = tick ^ self.tick;
        let level = if differs == 0 {
            0
        } else {
            ((u64::BITS - 1 - differs.leading_zeros()) / DIGIT_BITS) as usize
        };
        let slot = digit(tick, level);
        self.occupied[level] |= 1 << slot;
        let at = level * SLOTS + slot;
        if at == self.sorted {
            self.sorted = NONE;
        }
        let items = &mut self.slots[at];
        let index = items.len();
        items.push(entry);
        entry.item.moved(Position::new(at, index));
    }

    /// Takes the item at `position` out.
    pub(crate) fn remove(&mut self, position: Position) -> T {
        let at = position.slot();
        let entry = self.slots[at].swap_remove(position.index());
        if let Some(other) = self.slots[at].get(position.index()) {
            other.item.moved(position);
            if at == self.sorted {
                self.sorted = NONE;
            }
        }
        self.emptied(at);
        self.len -= 1;
        if self.len == 0 {
            self.earliest = NEVER;
        } else if entry.when == self.earliest {
            self.earliest = self.find_earliest(EXACT);
        }
        entry.item
    }

    fn emptied(&mut self, at: usize) {
        if self.slots[at].is_empty() {
            self.occupied[at / SLOTS] &= !(1 << (at % SLOTS));
            if at == self.sorted {
                self.sorted = NONE;
            }
            if self.slots[at].capacity() > KEPT {
                self.slots[at] = Vec::new();
            }
        }
    }

    /// Gives up to `limit` of the items that are due at `now` to `due`, in the order of their deadlines.
    /// Returns whether there is more to do, and it is to be called again.
    pub(crate) fn expire(&mut self, now: u64, limit: usize, mut due: impl FnMut(T)) -> bool {
        // Threads read the clock and then take the lock, in any order: `now` may be a little before the
        // wheel's tick. The slot of that tick holds what was past when it came, and is looked at always.
        let now_tick = (now >> TICK_BITS).max(self.tick);
        let (mut fires, mut moves) = (limit, MOVES);
        while let Some(first) = self.first().filter(|first| first.start <= now_tick) {
            self.tick = self.tick.max(first.start);
            if first.level > 0 {
                if !self.refine(first, &mut moves) {
                    return true;
                }
                continue;
            }
            self.take_due(first.slot, now, &mut fires, &mut due);
            if fires == 0 {
                return true;
            }
            if !self.slots[first.slot].is_empty() {
                // They are due later within this very tick.
                break;
            }
        }
        let start = self.first().map_or(now_tick, |first| first.start);
        self.tick = self.tick.max(now_tick.min(start));
        self.earliest = self.find_earliest(usize::MAX);
        false
    }

    /// Moves items of a coarse slot to finer levels; says whether it got through.
    fn refine(&mut self, first: First, moves: &mut usize) -> bool {
        let at = first.level * SLOTS + first.slot;
        while let Some(entry) = self.slots[at].pop() {
            let left = self.slots[at].len();
            if let Some(soon) = self.slots[at].get(left.wrapping_sub(AHEAD)) {
                soon.item.fetch();
            }
            // The wheel's tick is within this slot: the item differs from it in a lower digit only.
            self.put(entry);
            *moves -= 1;
            if *moves == 0 {
                break;
            }
        }
        self.emptied(at);
        // The batch is over; whether or not the slot is, the caller may want the lock.
        *moves > 0
    }

    /// Takes what is due out of the slot of level 0 that the wheel has entered.
    fn take_due(&mut self, slot: usize, now: u64, fires: &mut usize, due: &mut impl FnMut(T)) {
        if self.slots[slot].len() > CROWD {
            if now >= end_of(self.tick) {
                self.take(slot, fires, due);
            }
            return;
        }
        self.sort(slot);
        let items = &self.slots[slot];
        // The latest first: what is due is at the end.
        let later = items.partition_point(|entry| entry.when > now);
        let mut some = (items.len() - later).min(*fires);
        *fires -= some;
        self.take(slot, &mut some, due);
    }

    /// Takes up to `count` items from the end of a slot of level 0.
    fn take(&mut self, slot: usize, count: &mut usize, due: &mut impl FnMut(T)) {
        let items = &mut self.slots[slot];
        let from = items.len() - items.len().min(*count);
        items[from..].iter().rev().take(AHEAD).for_each(|entry| entry.item.fetch());
        for index in (from..items.len()).rev() {
            if let Some(soon) = index.checked_sub(AHEAD).filter(|soon| *soon >= from) {
                items[soon].item.fetch();
            }
            due(items[index].item);
        }
        let taken = items.len() - from;
        items.truncate(from);
        self.len -= taken;
        *count -= taken;
        self.emptied(slot);
    }

    /// Puts the items of a slot of level 0 in order, the latest first, unless they are.
    fn sort(&mut self, slot: usize) {
        if self.sorted == slot {
            return;
        }
        self.sorted = slot;
        let items = &mut self.slots[slot];
        if items.is_sorted_by(|a, b| a.when >= b.when) {
            return;
        }
        items.sort_unstable_by_key(|entry| std::cmp::Reverse(entry.when));
        items.iter().take(AHEAD).for_each(|entry| entry.item.fetch());
        for (index, entry) in items.iter().enumerate() {
            if let Some(soon) = items.get(index + AHEAD) {
                soon.item.fetch();
            }
            entry.item.moved(Position::new(slot, index));
        }
    }

    /// Takes any item out, in no order; `None` when there are none.
    pub(crate) fn pop(&mut self) -> Option<T> {
        let level = self.occupied.iter().position(|slots| *slots != 0)?;
        let at = level * SLOTS + self.occupied[level].trailing_zeros() as usize;
        let entry = self.slots[at].pop().expect("a slot whose bit is set is not empty");
        self.emptied(at);
        self.len -= 1;
        self.earliest = if self.len == 0 { NEVER } else { self.earliest };
        Some(entry.item)
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

    /// The earliest deadline; where a slot of more than `exact` items hides it, no later than it.
    fn find_earliest(&self, exact: usize) -> u64 {
        let mut earliest = NEVER;
        let mut finest = true;
        for level in (0..LEVELS).filter(|level| self.occupied[*level] != 0) {
            let first = self.first_of(level);
            // Levels follow each other in time, but for a slot that the wheel has entered and not yet moved.
            if finest || first.start <= self.tick {
                earliest = earliest.min(self.earliest_in(first, exact));
            }
            finest = false;
        }
        earliest
    }

    fn earliest_in(&self, first: First, exact: usize) -> u64 {
        let at = first.level * SLOTS + first.slot;
        let items = &self.slots[at];
        if first.level > 0 && items.len() > EXACT {
            return self.earliest.max(first.start << TICK_BITS);
        }
        if items.len() > CROWD {
            return end_of(first.start.max(self.tick));
        }
        if at == self.sorted {
            return items.last().map_or(NEVER, |entry| entry.when);
        }
        if items.len() > exact {
            // Not the slot's start: an item that was past when it came lies here too.
            return self.earliest;
        }
        items.iter().map(|entry| entry.when).min().unwrap_or(NEVER)
    }
}

fn digit(tick: u64, level: usize) -> usize {
    (tick >> (DIGIT_BITS * level as u32)) as usize & (SLOTS - 1)
}

/// The first moment after a tick.
fn end_of(tick: u64) -> u64 {
    (tick + 1).saturating_mul(1 << TICK_BITS).min(NEVER - 1)
}
