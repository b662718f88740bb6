//! The wheel against a sorted list, after each of many random operations.

use super::slot::{CHUNK, Slot, Spare};
use super::*;
use std::cell::RefCell;
use std::collections::BTreeSet;

/// Positions by item number.
#[derive(Default, Debug)]
struct Places(RefCell<Vec<Position>>);

#[derive(Clone, Copy, Debug)]
struct Numbered<'a> {
    number: usize,
    when: u64,
    places: &'a Places,
}

impl PartialEq for Numbered<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl Item for Numbered<'_> {
    fn when(self) -> u64 {
        self.when
    }

    fn moved(self, position: Position) {
        let mut places = self.places.0.borrow_mut();
        if places.len() <= self.number {
            places.resize(self.number + 1, Position::default());
        }
        places[self.number] = position;
    }
}

/// xorshift64*: Vigna, "An experimental exploration of Marsaglia's xorshift generators" (2016).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    /// Anything from nanoseconds to centuries, each magnitude as often as another.
    fn magnitude(&mut self, bits: u64) -> u64 {
        let bits = self.below(bits) + 1;
        self.next() >> (64 - bits)
    }
}

struct Pair<'a> {
    wheel: Wheel<Numbered<'a>>,
    naive: BTreeSet<(u64, usize)>,
    places: &'a Places,
    now: u64,
    last: usize,
}

impl<'a> Pair<'a> {
    fn new(places: &'a Places, now: u64) -> Self {
        Self { wheel: Wheel::new(), naive: BTreeSet::new(), places, now, last: 0 }
    }

    fn insert(&mut self, when: u64) {
        let number = self.last;
        self.last += 1;
        self.wheel.insert(when, self.now, Numbered { number, when, places: self.places });
        self.naive.insert((when, number));
    }

    fn remove(&mut self, nth: usize) {
        let Some(&(when, number)) = self.naive.iter().nth(nth) else { return };
        let position = self.places.0.borrow()[number];
        self.wheel.remove(position, Numbered { number, when, places: self.places });
        self.naive.remove(&(when, number));
    }

    /// Fires in batches and compares each with what is due, in order.
    fn expire(&mut self, limit: usize) {
        loop {
            let mut fired = Vec::new();
            let more = self.wheel.expire(self.now, limit, |item| fired.push(item.number));
            assert!(fired.len() <= limit);
            for number in fired {
                let due = *self.naive.iter().find(|(_, other)| *other == number).expect("it waits");
                let (first, _) = *self.naive.first().expect("it waits");
                assert_eq!(due.0, first, "fired before an earlier one");
                assert!(due.0 <= self.now, "fired early");
                self.naive.remove(&due);
            }
            if !more {
                break;
            }
        }
        assert!(self.naive.first().is_none_or(|(when, _)| *when > self.now), "left one behind");
    }

    fn compare(&self) {
        assert_eq!(self.wheel.len(), self.naive.len());
        let mut all = BTreeSet::new();
        for (at, items) in self.wheel.slots.iter().enumerate() {
            let bit = self.wheel.occupied[at / SLOTS] >> (at % SLOTS) & 1;
            assert_eq!(bit == 0, items.is_empty(), "slot {at}");
            assert_eq!(items.len(), items.iter().count());
            let back: Vec<_> =
                (0..).map_while(|many| items.before_last(many)).map(|item| item.number).collect();
            assert!(items.iter().rev().map(|item| item.number).eq(back));
            for (index, item) in items.iter().enumerate() {
                let position = Position::new(at, index);
                assert_eq!(self.places.0.borrow()[item.number], position);
                all.insert((item.when, item.number));
            }
        }
        assert!(self.wheel.front.is_sorted_by(|a, b| a.when >= b.when));
        all.extend(self.wheel.front.iter().map(|entry| (entry.when, entry.item.number)));
        assert_eq!(all, self.naive);
        let earliest = self.naive.first().map_or(NEVER, |(when, _)| *when);
        let crowded = self.wheel.slots.iter().any(|items| items.len() > EXACT);
        if crowded {
            assert!(self.wheel.earliest() <= earliest);
        } else {
            assert_eq!(self.wheel.earliest(), earliest);
        }
    }
}

fn many_operations(seed: u64, start: u64, bits: u64, inserts: u64) {
    let places = Places::default();
    let mut random = Random(seed);
    let mut pair = Pair::new(&places, start);
    for _ in 0..1_000 {
        match random.below(inserts + 4) {
            0 => {
                let step = random.magnitude(bits);
                // Now and then a thread comes with a time that it read before another fired.
                let back = random.below(8) == 0;
                pair.now = match back {
                    true => pair.now.saturating_sub(step.min(1 << 20)),
                    false => pair.now.saturating_add(step).min(NEVER - 1),
                };
                pair.expire(1 + random.below(40) as usize);
            }
            // To the very moment, and to just before it.
            1 => {
                if let Some((when, _)) = pair.naive.first() {
                    pair.now = pair.now.max(when - random.below(2).min(*when));
                    pair.expire(BATCH_LIKE);
                }
            }
            2 | 3 => {
                let count = pair.naive.len().max(1) as u64;
                let nth = if random.below(3) == 0 { 0 } else { random.below(count) };
                pair.remove(nth as usize);
            }
            _ => {
                // Now and then in the past.
                let from = if random.below(16) == 0 { pair.now / 2 } else { pair.now };
                pair.insert(from.saturating_add(random.magnitude(bits)).min(NEVER - 1));
            }
        }
        pair.compare();
    }
    pair.now = NEVER - 1;
    pair.expire(BATCH_LIKE);
    assert_eq!(pair.wheel.len(), 0);
    assert_eq!(pair.wheel.earliest(), NEVER);
}

const BATCH_LIKE: usize = 32;

#[test]
fn a_wheel_agrees_with_a_sorted_list_from_nanoseconds_to_centuries() {
    for seed in 1..=4 {
        many_operations(0x9E37_79B9_7F4A_7C15_u64.wrapping_mul(seed), 0, 64, 4);
    }
}

#[test]
fn a_wheel_agrees_with_a_sorted_list_within_a_second() {
    for seed in 1..=4 {
        many_operations(0xD1B5_4A32_D192_ED03_u64.wrapping_mul(seed), 1_000_000_007 << 20, 30, 5);
    }
}

#[test]
fn a_wheel_agrees_with_a_sorted_list_when_slots_are_crowded() {
    for seed in 1..=4 {
        many_operations(0xA24B_AED4_963E_E407_u64.wrapping_mul(seed), 77, 19, 24);
    }
}

#[test]
fn the_earliest_is_exact_at_every_level() {
    let places = Places::default();
    for level in 0..LEVELS as u32 {
        let mut pair = Pair::new(&places, 12_345);
        let base = 1_u64 << (TICK_BITS + DIGIT_BITS * level);
        pair.insert(base + 7);
        pair.insert(base + 8);
        assert_eq!(pair.wheel.earliest(), base + 7);
        pair.remove(0);
        assert_eq!(pair.wheel.earliest(), base + 8);
        pair.now = base + 7;
        pair.expire(8);
        assert_eq!(pair.wheel.len(), 1);
        pair.now = base + 8;
        pair.expire(8);
        assert_eq!(pair.wheel.len(), 0);
    }
}

#[test]
fn a_lower_bound_leads_to_the_exact_moment_in_few_turns() {
    let places = Places::default();
    let mut pair = Pair::new(&places, 0);
    // A thousand within one coarse slot; then the first goes.
    let second = 1_000_000_000;
    (0..1000).for_each(|n| pair.insert(30 * second + n * 1000));
    pair.remove(0);
    let mut turns = 0;
    while pair.wheel.earliest() != 30 * second + 1000 {
        pair.now = pair.wheel.earliest();
        pair.expire(32);
        turns += 1;
        assert!(turns <= LEVELS, "a turn without progress");
    }
    assert_eq!(pair.wheel.len(), 999);
    pair.compare();
}

#[test]
fn a_crowd_is_fired_when_its_tick_is_over_and_loses_nobody() {
    let places = Places::default();
    let mut random = Random(7);
    let mut pair = Pair::new(&places, 0);
    let tick = 1 << TICK_BITS;
    let due = 100 * tick;
    let many = 3 * CROWD as u64;
    (0..many).for_each(|_| pair.insert(due + random.below(tick)));
    pair.insert(due - 1);
    pair.insert(due + tick + 1);
    // A few are cancelled before, and between the batches.
    (0..50).for_each(|_| pair.remove(1 + random.below(many - 50) as usize));
    pair.now = due + tick / 2;
    let mut fired = Vec::new();
    while pair.wheel.expire(pair.now, 32, |item| fired.push(item.number)) {}
    assert!(fired[0] == many as usize, "the one before the crowd");
    assert!(fired.len() <= CROWD, "some of the crowd may have been in front");
    pair.naive.retain(|(_, number)| !fired.contains(number));
    assert_eq!(pair.wheel.len(), pair.naive.len());
    pair.now = due + tick;
    loop {
        fired.clear();
        let more = pair.wheel.expire(pair.now, 32, |item| fired.push(item.number));
        assert!(fired.len() <= 32);
        let gone = |(when, number): &(u64, usize)| !fired.contains(number) || *when > pair.now;
        pair.naive.retain(gone);
        if random.below(4) == 0 && pair.naive.len() > 1 {
            pair.remove(0);
        }
        if !more {
            break;
        }
    }
    assert_eq!(pair.wheel.len(), 1);
    assert_eq!(pair.wheel.earliest(), due + tick + 1);
    pair.compare();
}

#[test]
fn what_comes_while_a_coarse_slot_is_in_front_is_fired_in_its_order() {
    let places = Places::default();
    let mut pair = Pair::new(&places, 0);
    let second = 1_000_000_000;
    // Far ahead, they lie together on a coarse level, and go to the front together.
    (0..100).for_each(|n| pair.insert(40 * second + n * 1_000_000));
    pair.now = 40 * second;
    pair.expire(8);
    assert_eq!(pair.wheel.front.len(), 99, "the slot was entered");
    // Between them, before them and after them; and some are cancelled.
    (0..50).for_each(|n| pair.insert(40 * second + n * 1_700_001));
    (0..30).for_each(|n| pair.remove(n * 3));
    pair.compare();
    while pair.wheel.len() > 0 {
        pair.now += 5_000_000;
        pair.expire(8);
        pair.compare();
    }
}

#[test]
fn a_slot_agrees_with_an_array_at_every_length_and_index() {
    let lengths = [1, 2, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 2 * CHUNK + 1, 3 * CHUNK + 2];
    for (length, index) in lengths.into_iter().flat_map(|len| (0..len).map(move |at| (len, at))) {
        let (mut slot, mut spare) = (Slot::new(), Spare::new());
        let mut naive: Vec<usize> = (0..length).collect();
        naive.iter().for_each(|n| assert_eq!(slot.push(*n, &mut spare), *n));
        let moved = (index + 1 < length).then_some(length - 1);
        assert_eq!(slot.swap_remove(index, &mut spare), (index, moved));
        naive.swap_remove(index);
        assert!(slot.iter().eq(&naive), "{index} of {length}");
        assert_eq!((slot.len(), slot.is_empty()), (naive.len(), naive.is_empty()));
        (0..length)
            .for_each(|many| assert_eq!(slot.before_last(many), naive.iter().rev().nth(many)));
        assert_eq!(slot.push(length, &mut spare), naive.len());
        assert_eq!(slot.pop(&mut spare), Some(length));
        while let Some(item) = slot.pop(&mut spare) {
            assert_eq!(Some(item), naive.pop());
        }
        assert!(naive.is_empty() && slot.is_empty());
    }
}

#[test]
fn an_emptied_wheel_gives_memory_back() {
    let places = Places::default();
    let mut pair = Pair::new(&places, 0);
    (0..50_000).for_each(|n| {
        let when = 5_000_000_000 + n;
        pair.wheel.insert(when, 0, Numbered { number: n as usize, when, places: &places });
    });
    pair.now = 6_000_000_000;
    while pair.wheel.expire(pair.now, 1024, |_| {}) {}
    assert_eq!(pair.wheel.len(), 0);
    let kept = pair.wheel.spare.len() * CHUNK + pair.wheel.front.capacity();
    assert!(kept <= 2 * CROWD, "{kept} items' memory is kept");
}
