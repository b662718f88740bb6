//! The timer wheel against a list: what is due, in which order, and when the next is.

use crate::timing::wheel::{Item, Position, Wheel};
use arbitrary::Arbitrary;
use std::cell::Cell;

/// Up to so many items the wheel promises to know its earliest exactly.
const EXACT: usize = 64;
const MOST: usize = 400;

/// What can be done to it.
#[derive(Arbitrary, Debug, Clone, Copy)]
pub enum Op {
    /// An item due in `far` units of 2^`scale` ns.
    Insert {
        /// How far.
        far: u16,
        /// In what.
        scale: u8,
    },
    /// An item that is past already.
    InsertPast(u16),
    /// Takes one of those that wait out.
    Remove(u16),
    /// Time passes.
    Advance {
        /// How much.
        far: u16,
        /// In what.
        scale: u8,
    },
    /// Time passes up to the next deadline, and `past` ns beyond.
    AdvanceToNext(u8),
    /// Fires what is due, so many a call.
    Expire(u8),
    /// As a reactor that is closed: everything out, in no order.
    Empty,
}

/// An item keeps its place where the checker can see it.
#[derive(Debug, Clone, Copy)]
struct Node<'a> {
    id: usize,
    when: u64,
    positions: &'a [Cell<Position>],
}

impl PartialEq for Node<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Item for Node<'_> {
    fn when(self) -> u64 {
        self.when
    }

    fn moved(self, position: Position) {
        self.positions[self.id].set(position);
    }
}

struct Checker<'a> {
    real: Wheel<Node<'a>>,
    positions: &'a [Cell<Position>],
    /// Number and deadline of those that wait.
    model: Vec<(usize, u64)>,
    made: usize,
    now: u64,
    /// There were more than `EXACT` at once: from then on the earliest is a bound.
    crowded: bool,
}

fn far(far: u16, scale: u8) -> u64 {
    u64::from(far) << (scale % 47)
}

impl Checker<'_> {
    fn insert(&mut self, when: u64) {
        let node = Node { id: self.made, when, positions: self.positions };
        self.made += 1;
        self.real.insert(when, self.now, node);
        self.model.push((node.id, when));
        self.crowded |= self.model.len() > EXACT;
    }

    fn remove(&mut self, which: u16) {
        if self.model.is_empty() {
            return;
        }
        let (id, when) = self.model.swap_remove(which as usize % self.model.len());
        let node = Node { id, when, positions: self.positions };
        // That it was this item which went is seen when the others are fired.
        self.real.remove(self.positions[id].get(), node);
    }

    fn expire(&mut self, limit: usize) {
        let mut fired = Vec::new();
        // A call that says there is more has done something; so many calls are more than enough.
        for _ in 0..10_000 {
            let before = fired.len();
            let more = self.real.expire(self.now, limit, |node| fired.push(node.id));
            assert!(fired.len() - before <= limit, "more than were asked for");
            if !more {
                break;
            }
        }
        let mut due: Vec<_> =
            self.model.iter().filter(|item| item.1 <= self.now).copied().collect();
        self.model.retain(|item| item.1 > self.now);
        let whens: Vec<_> = fired
            .iter()
            .map(|id| due.iter().find(|item| item.0 == *id).map_or(u64::MAX, |item| item.1))
            .collect();
        assert!(whens.is_sorted(), "not in the order of deadlines: {whens:?}");
        due.sort_unstable();
        fired.sort_unstable();
        assert_eq!(
            fired,
            due.iter().map(|item| item.0).collect::<Vec<_>>(),
            "fired, and due at {}",
            self.now
        );
        // Whatever was crowded was looked through now.
        self.crowded = self.model.len() > EXACT;
    }

    fn empty(&mut self) {
        let mut out = Vec::new();
        while let Some(node) = self.real.pop() {
            out.push(node.id);
        }
        out.sort_unstable();
        let mut all: Vec<_> = self.model.drain(..).map(|item| item.0).collect();
        all.sort_unstable();
        assert_eq!(out, all, "taken out, and waiting");
        self.crowded = false;
    }

    fn compare(&self) {
        assert_eq!(self.real.len(), self.model.len(), "how many wait");
        let earliest = self.model.iter().map(|item| item.1).min().unwrap_or(crate::NEVER);
        if self.crowded {
            assert!(self.real.earliest() <= earliest, "later than the first");
        } else {
            assert_eq!(self.real.earliest(), earliest, "the next deadline");
        }
    }
}

/// Does what the bytes say to both.
pub fn run(bytes: &[u8]) {
    let ops: Vec<Op> = crate::operations(bytes, MOST);
    let positions: Vec<_> = (0..MOST).map(|_| Cell::new(Position::default())).collect();
    let mut checker = Checker {
        real: Wheel::new(),
        positions: &positions,
        model: Vec::new(),
        made: 0,
        now: 0,
        crowded: false,
    };
    for op in ops {
        match op {
            Op::Insert { far: n, scale } => {
                checker.insert(checker.now.saturating_add(far(n, scale)).min(crate::NEVER - 1));
            }
            Op::InsertPast(n) => checker.insert(checker.now.saturating_sub(u64::from(n) << 8)),
            Op::Remove(which) => checker.remove(which),
            Op::Advance { far: n, scale } => {
                checker.now = checker.now.saturating_add(far(n, scale)).min(crate::NEVER - 1);
            }
            Op::AdvanceToNext(past) => {
                let next = checker.model.iter().map(|item| item.1).min().unwrap_or(0);
                checker.now =
                    checker.now.max(next.saturating_add(past.into()).min(crate::NEVER - 1));
            }
            Op::Expire(limit) => checker.expire(usize::from(limit % 40) + 1),
            Op::Empty => checker.empty(),
        }
        checker.compare();
    }
    checker.now = crate::NEVER - 1;
    checker.expire(32);
    checker.compare();
    assert_eq!(checker.real.len(), 0, "everything was due at the end of time");
}
