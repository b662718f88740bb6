//! The registration table against a map: keys, generations, and what each source was told.

use crate::io::source::{Consumed, Direction, Left, Said};
use crate::io::table::Table;
use arbitrary::Arbitrary;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Wake, Waker};

/// What can be done to it.
#[derive(Arbitrary, Debug, Clone, Copy)]
pub enum Op {
    /// A source is registered.
    Insert,
    /// One of them goes.
    Remove(u8),
    /// An event, for a source that is there or has gone.
    Event {
        /// Which of all keys there ever were.
        key: u16,
        /// Its direction.
        write: bool,
        /// The peer has closed.
        held: bool,
    },
    /// An event with a key that nobody was given.
    Garbage(u64),
    /// An operation begins.
    Consume(u8, bool),
    /// It gave `WouldBlock`.
    Drained(u8, bool, bool),
    /// It succeeded, and there may be more.
    Restore(u8, bool),
    /// It waits.
    Wait(u8, bool),
    /// The reactor is closed.
    Close,
}

#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// One way of a source, said simply.
#[derive(Default)]
struct Way {
    ready: bool,
    held: bool,
    waits: bool,
    woken: usize,
    waker: Arc<Count>,
}

impl Way {
    fn event(&mut self, held: bool) {
        self.ready = true;
        self.held |= held;
        self.wake();
    }

    fn wake(&mut self) {
        self.woken += usize::from(std::mem::take(&mut self.waits));
    }
}

struct Source {
    index: u32,
    ways: [Way; 2],
}

struct Checker {
    real: Table,
    /// By key.
    live: BTreeMap<u64, Source>,
    /// Every key that was ever given out.
    keys: Vec<u64>,
    closed: bool,
}

fn direction(write: bool) -> Direction {
    if write { Direction::Write } else { Direction::Read }
}

impl Checker {
    fn pick(&self, which: u8) -> Option<u64> {
        let n = self.live.len();
        (n > 0).then(|| *self.live.keys().nth(which as usize % n).expect("below the length"))
    }

    fn insert(&mut self) {
        match self.real.insert() {
            Err(_) => assert!(self.closed, "refused while it is open"),
            Ok(index) => {
                assert!(!self.closed, "taken though it is closed");
                assert!(self.live.values().all(|source| source.index != index), "given out twice");
                let key = self.real.key(index);
                assert!(!self.keys.contains(&key), "a key that an older source had");
                self.keys.push(key);
                self.live.insert(key, Source { index, ways: Default::default() });
            }
        }
    }

    fn event(&mut self, key: u64, write: bool, held: bool) {
        let found = self.real.find(key);
        assert_eq!(found.is_some(), self.live.contains_key(&key), "found, and there: key {key:x}");
        let (Some(real), Some(source)) = (found, self.live.get_mut(&key)) else { return };
        let said = if held { Said::Held } else { Said::Ready };
        real.announce(direction(write), said, Waker::wake);
        source.ways[usize::from(write)].event(held);
    }

    fn consume(&mut self, key: u64, write: bool) {
        let source = self.live.get_mut(&key).expect("picked from those that live");
        let way = &mut source.ways[usize::from(write)];
        let expected = if self.closed {
            Consumed::Shut
        } else if way.ready || way.held {
            way.ready = false;
            Consumed::Ready { held: way.held }
        } else {
            Consumed::Empty
        };
        assert_eq!(self.real.get(source.index).consume(direction(write)), expected);
    }

    fn wait(&mut self, key: u64, write: bool) {
        let source = self.live.get_mut(&key).expect("picked from those that live");
        let way = &mut source.ways[usize::from(write)];
        let waker = Waker::from(Arc::clone(&way.waker));
        let left = self.real.get(source.index).wait(direction(write), &waker);
        let go = way.ready || way.held || self.closed;
        assert_eq!(left, if go { Left::Retry } else { Left::Waiting });
        way.waits |= !go;
    }

    fn compare(&self) {
        assert_eq!(self.real.is_closed(), self.closed);
        for key in &self.keys {
            let (found, there) = (self.real.find(*key), self.live.get(key));
            assert_eq!(found.is_some(), there.is_some(), "found, and there: key {key:x}");
            let (Some(found), Some(there)) = (found, there) else { continue };
            assert!(std::ptr::eq(found, self.real.get(there.index)), "another's slot");
            assert_eq!(found.waited_for(), [0, 1].map(|way| there.ways[way].waits), "who waits");
            for way in &there.ways {
                let wakes = way.waker.0.load(Ordering::Relaxed);
                assert_eq!(wakes, way.woken, "wakes of key {key:x}");
                assert_eq!(
                    Arc::strong_count(&way.waker),
                    1 + usize::from(way.waits),
                    "a waker is kept"
                );
            }
        }
    }

    fn step(&mut self, op: Op) {
        match op {
            Op::Insert => self.insert(),
            Op::Remove(which) => {
                let Some(key) = self.pick(which) else { return };
                let source = self.live.remove(&key).expect("picked from those that live");
                self.real.remove(source.index);
                // Whoever waited is forgotten, not woken.
                for way in &source.ways {
                    assert_eq!(way.waker.0.load(Ordering::Relaxed), way.woken, "woken by the end");
                    assert_eq!(Arc::strong_count(&way.waker), 1, "a waker outlives its source");
                }
            }
            Op::Event { key, write, held } if !self.keys.is_empty() => {
                self.event(self.keys[key as usize % self.keys.len()], write, held);
            }
            Op::Event { .. } => {}
            Op::Garbage(key) => {
                // Whatever a poller may say: at worst the slot of nobody is told.
                if let Some(found) = self.real.find(key) {
                    let owner = self
                        .live
                        .iter()
                        .find(|(_, source)| std::ptr::eq(found, self.real.get(source.index)));
                    assert!(
                        owner.is_none_or(|(own, _)| *own == key),
                        "another's slot: key {key:x}"
                    );
                }
            }
            Op::Consume(which, write) => {
                if let Some(key) = self.pick(which) {
                    self.consume(key, write);
                }
            }
            Op::Drained(which, write, held) => {
                let Some(key) = self.pick(which) else { return };
                let source = self.live.get_mut(&key).expect("picked from those that live");
                self.real.get(source.index).drained(direction(write), held);
                let way = &mut source.ways[usize::from(write)];
                way.held &= !held || way.ready;
            }
            Op::Restore(which, write) => {
                let Some(key) = self.pick(which) else { return };
                let source = self.live.get_mut(&key).expect("picked from those that live");
                self.real.get(source.index).restore(direction(write));
                let way = &mut source.ways[usize::from(write)];
                way.ready = true;
                way.wake();
            }
            Op::Wait(which, write) => {
                if let Some(key) = self.pick(which) {
                    self.wait(key, write);
                }
            }
            Op::Close => {
                self.real.close(Waker::wake);
                self.closed = true;
                self.live.values_mut().flat_map(|source| &mut source.ways).for_each(Way::wake);
            }
        }
    }
}

/// Does what the bytes say to both.
pub fn run(bytes: &[u8]) {
    let ops: Vec<Op> = crate::operations(bytes, 300);
    let mut checker =
        Checker { real: Table::new(), live: BTreeMap::new(), keys: Vec::new(), closed: false };
    for op in ops {
        checker.step(op);
        checker.compare();
    }
}
