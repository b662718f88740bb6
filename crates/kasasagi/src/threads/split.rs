//! Items that several threads take turns at, in chunks that become smaller towards the end.

use crate::threads::region::{Region, Room};
use kasasagi_primitive::sync::atomic::{AtomicBool, Ordering};
use kasasagi_primitive::sync::{Arc, Mutex};
use std::iter::Fuse;
use std::mem;

/// What was made of one chunk, and the place of its first item.
pub(super) struct Part<U> {
    place: usize,
    values: Values<U>,
}

enum Values<U> {
    /// In the room for all of them.
    Here(Region<U>),
    Apart(Vec<U>),
}

/// What one thread has made.
pub(super) type Parts<U> = Vec<Part<U>>;

/// So many items are worked on between two looks whether to go on: a look costs less than a nanosecond.
const STRIDE: usize = 64;

/// A thread takes this share of what its own share would be, so that all end at about the same time.
const SHARE: usize = 4;

/// Most items of a chunk: their own memory is to stay in the nearest cache.
const MOST: usize = 4096;

pub(super) struct Split<I: Iterator, F, U> {
    source: Mutex<Source<I>>,
    /// Room for all values, if it is known how many there will be.
    room: Option<Arc<Room<U>>>,
    f: F,
    threads: usize,
    stopped: AtomicBool,
}

struct Source<I: Iterator> {
    items: Fuse<I>,
    place: usize,
    chunks: usize,
}

impl<I: Iterator, F, U> Split<I, F, U> {
    pub(super) fn new(items: I, f: F, threads: usize) -> Self {
        let room = match items.size_hint() {
            (least, Some(most)) if least == most => Room::new(least),
            _ => None,
        };
        let source = Mutex::new(Source { items: items.fuse(), place: 0, chunks: 0 });
        Self { source, room, f, threads, stopped: AtomicBool::new(false) }
    }

    /// No item is begun any more.
    pub(super) fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    /// Takes the next items, and says where what is made of them goes.
    fn take(&self, items: &mut Vec<I::Item>) -> Option<Part<U>> {
        let mut source = self.source.lock();
        let size = match source.items.size_hint() {
            (left, Some(most)) if left == most => left / (self.threads * SHARE),
            // Nobody knows how many there are: more and more at a time.
            _ => 1 << (source.chunks / self.threads).min(10),
        };
        items.extend(source.items.by_ref().take(size.clamp(1, MOST)));
        if items.is_empty() {
            return None;
        }
        let place = source.place;
        source.place += items.len();
        source.chunks += 1;
        // Under the lock: regions are in the order of the items.
        let region = self.room.as_ref().and_then(|room| Room::give(room, items.len()));
        drop(source);
        let apart = || Values::Apart(Vec::with_capacity(items.len()));
        Some(Part { place, values: region.map_or_else(apart, Values::Here) })
    }

    /// Works until there is nothing left. A panic stops the others, too.
    pub(super) fn work(&self) -> Parts<U>
    where
        F: Fn(I::Item) -> U,
    {
        struct StopOthers<'a>(&'a AtomicBool);
        impl Drop for StopOthers<'_> {
            fn drop(&mut self) {
                self.0.store(true, Ordering::Relaxed);
            }
        }
        let guard = StopOthers(&self.stopped);
        let (mut parts, mut items) = (Vec::new(), Vec::new());
        while !self.is_stopped() {
            let Some(mut part) = self.take(&mut items) else { break };
            let mut items = items.drain(..);
            while items.len() > 0 && !self.is_stopped() {
                let stride = items.len().min(STRIDE);
                let made = items.by_ref().map(&self.f);
                match &mut part.values {
                    Values::Here(region) => region.extend(stride, made),
                    Values::Apart(values) => values.extend(made.take(stride)),
                }
            }
            parts.push(part);
        }
        // It is for a panic in here, and a thread that unwinds already may have called this.
        mem::forget(guard);
        parts
    }
}

/// The values of all parts, in the order of the items.
pub(super) fn in_order<U>(mut parts: Parts<U>) -> Vec<U> {
    parts.sort_unstable_by_key(|part| part.place);
    let (mut regions, mut apart) = (Vec::with_capacity(parts.len()), Vec::new());
    for part in parts {
        match part.values {
            // Once the room is full, all is apart.
            Values::Here(region) => regions.push(region),
            Values::Apart(values) => apart.push(values),
        }
    }
    let mut all = Region::join(regions).unwrap_or_else(|regions| {
        let mut all = Vec::new();
        regions.into_iter().for_each(|region| region.append_to(&mut all));
        all
    });
    all.reserve(apart.iter().map(Vec::len).sum());
    apart.iter_mut().for_each(|values| all.append(values));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes<I: Iterator<Item = usize>>(split: &Split<I, fn(usize) -> usize, usize>) -> Vec<usize> {
        let mut next = 0;
        let chunks = std::iter::from_fn(|| {
            let mut items = Vec::new();
            let part = split.take(&mut items)?;
            assert_eq!((part.place, items[0]), (next, next));
            next += items.len();
            Some(items.len())
        });
        chunks.collect()
    }

    #[test]
    fn chunks_of_a_known_number_shrink_and_lose_nothing() {
        let sizes = sizes(&Split::new(0..100, |n| n, 2));
        assert_eq!(sizes.iter().sum::<usize>(), 100);
        assert_eq!(sizes[0], 12);
        assert!(sizes.is_sorted_by(|a, b| a >= b), "{sizes:?}");
        assert_eq!(sizes.last(), Some(&1));
    }

    #[test]
    fn chunks_of_an_unknown_number_grow() {
        let sizes = sizes(&Split::new((0..1000).filter(|_| true), |n| n, 2));
        assert_eq!(sizes.iter().sum::<usize>(), 1000);
        assert_eq!(sizes[..4], [1, 1, 2, 2]);
    }

    #[test]
    fn parts_are_put_in_order_wherever_they_lie() {
        let split = Split::new(0..10, |n: usize| n.to_string(), 1);
        let mut parts = split.work();
        assert!(parts.len() > 2);
        parts.reverse();
        assert_eq!(in_order(parts), (0..10).map(|n| n.to_string()).collect::<Vec<_>>());

        let split = Split::new((0..10).filter(|_| true), |n: usize| n, 1);
        let mut parts = split.work();
        assert!(parts.len() > 2);
        parts.reverse();
        assert_eq!(in_order(parts), (0..10).collect::<Vec<_>>());
        assert_eq!(in_order::<u8>(Vec::new()), []);
    }

    /// Says that there are so many, and is wrong.
    struct Liar(std::ops::Range<usize>, usize);

    impl Iterator for Liar {
        type Item = usize;
        fn next(&mut self) -> Option<usize> {
            self.0.next()
        }
        fn size_hint(&self) -> (usize, Option<usize>) {
            (self.1, Some(self.1))
        }
    }

    #[test]
    fn a_number_that_is_wrong_costs_no_value() {
        for said in [0, 1, 5, 9, 11, 100] {
            let split = Split::new(Liar(0..10, said), |n: usize| n.to_string(), 2);
            let mut parts = split.work();
            parts.extend(split.work());
            assert_eq!(in_order(parts), (0..10).map(|n| n.to_string()).collect::<Vec<_>>());
        }
    }

    #[test]
    fn who_is_stopped_begins_no_other_stride() {
        let split = Split::new(0..10_000, |n: usize| n, 1);
        split.stop();
        assert!(split.work().is_empty());
    }
}
