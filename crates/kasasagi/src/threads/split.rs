//! Items that several threads take turns at, in chunks that become smaller towards the end.

use kasasagi_primitive::sync::Mutex;
use kasasagi_primitive::sync::atomic::{AtomicBool, Ordering};
use std::iter::Fuse;

/// What was made of one chunk, and the place of its first item.
type Part<U> = (usize, Vec<U>);

/// What one thread has made.
pub(super) type Parts<U> = Vec<Part<U>>;

/// So many items are worked on between two looks whether to go on: a look costs less than a nanosecond.
const STRIDE: usize = 64;

/// A thread takes this share of what its own share would be, so that all end at about the same time.
const SHARE: usize = 4;

pub(super) struct Split<I: Iterator, F> {
    source: Mutex<Source<I>>,
    f: F,
    threads: usize,
    stopped: AtomicBool,
}

struct Source<I: Iterator> {
    items: Fuse<I>,
    place: usize,
    chunks: usize,
}

impl<I: Iterator, F> Split<I, F> {
    pub(super) fn new(items: I, f: F, threads: usize) -> Self {
        let source = Mutex::new(Source { items: items.fuse(), place: 0, chunks: 0 });
        Self { source, f, threads, stopped: AtomicBool::new(false) }
    }

    /// No item is begun any more.
    pub(super) fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    fn take(&self) -> Option<(usize, Vec<I::Item>)> {
        let mut source = self.source.lock();
        let size = match source.items.size_hint() {
            (left, Some(most)) if left == most => left / (self.threads * SHARE),
            // Nobody knows how many there are: more and more at a time.
            _ => 1 << (source.chunks / self.threads).min(10),
        };
        let chunk: Vec<_> = source.items.by_ref().take(size.max(1)).collect();
        let place = source.place;
        source.place += chunk.len();
        source.chunks += 1;
        (!chunk.is_empty()).then_some((place, chunk))
    }

    /// Works until there is nothing left. A panic stops the others, too.
    pub(super) fn work<U>(&self) -> Parts<U>
    where
        F: Fn(I::Item) -> U,
    {
        struct StopOthers<'a>(&'a AtomicBool);
        impl Drop for StopOthers<'_> {
            fn drop(&mut self) {
                if std::thread::panicking() {
                    self.0.store(true, Ordering::Relaxed);
                }
            }
        }
        let _guard = StopOthers(&self.stopped);
        let mut parts = Vec::new();
        while !self.is_stopped() {
            let Some((place, chunk)) = self.take() else { break };
            let mut done = Vec::with_capacity(chunk.len());
            let mut items = chunk.into_iter();
            while items.len() > 0 && !self.is_stopped() {
                done.extend(items.by_ref().take(STRIDE).map(&self.f));
            }
            parts.push((place, done));
        }
        parts
    }
}

/// The values of all parts, in the order of the items.
pub(super) fn in_order<U>(mut parts: Parts<U>) -> Vec<U> {
    parts.sort_unstable_by_key(|(place, _)| *place);
    if parts.len() == 1 {
        return parts.pop().map(|(_, part)| part).unwrap_or_default();
    }
    let mut all = Vec::with_capacity(parts.iter().map(|(_, part)| part.len()).sum());
    for (_, mut part) in parts {
        all.append(&mut part);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_of_a_known_number_shrink_and_lose_nothing() {
        let split = Split::new(0..100, |n: usize| n, 2);
        let mut sizes = Vec::new();
        let mut next = 0;
        while let Some((place, chunk)) = split.take() {
            assert_eq!((place, chunk[0]), (next, next));
            next += chunk.len();
            sizes.push(chunk.len());
        }
        assert_eq!(next, 100);
        assert_eq!(sizes[0], 12);
        assert!(sizes.is_sorted_by(|a, b| a >= b), "{sizes:?}");
        assert_eq!(sizes.last(), Some(&1));
    }

    #[test]
    fn chunks_of_an_unknown_number_grow() {
        let split = Split::new((0..1000).filter(|_| true), |n: usize| n, 2);
        let sizes: Vec<_> =
            std::iter::from_fn(|| split.take()).map(|(_, chunk)| chunk.len()).collect();
        assert_eq!(sizes.iter().sum::<usize>(), 1000);
        assert_eq!(sizes[..4], [1, 1, 2, 2]);
    }

    #[test]
    fn parts_are_put_in_order() {
        assert_eq!(in_order(vec![(2, vec![2, 3]), (0, vec![0, 1]), (4, vec![4])]), [0, 1, 2, 3, 4]);
        assert_eq!(in_order::<u8>(Vec::new()), []);
    }

    #[test]
    fn who_is_stopped_begins_no_other_stride() {
        let split = Split::new(0..10_000, |n: usize| n, 1);
        split.stop();
        assert!(split.work().is_empty());
    }
}
