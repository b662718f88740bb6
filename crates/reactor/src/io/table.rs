//! Where sources live: slots that are never freed or moved while the reactor lives.
//!
//! A key is a slot's index and its generation. An event whose source has gone finds another generation and
//! is dropped; one that slips through the check at worst says "ready" to the slot's next owner, who tries,
//! and waits again. Looking a key up takes no lock.

use crate::io::source::Readiness;
use kasasagi_primitive::sync::Mutex;
use kasasagi_primitive::sync::atomic::Ordering;
use std::io;
use std::sync::OnceLock;
use std::task::Waker;

/// Slots of the first bucket; each bucket has twice those of the one before.
const FIRST: u32 = 64;
/// As many as indices of 32 bits need.
const BUCKETS: usize = 26;

/// Bits of a key that are the index. A key has to fit into a `usize`, and `usize::MAX` is the poller's own.
const INDEX_BITS: u32 = if usize::BITS == 64 { 32 } else { 24 };
const GENERATION_MASK: u32 = if usize::BITS == 64 { (1 << 31) - 1 } else { (1 << 7) - 1 };

/// All sources of one reactor.
pub(crate) struct Table {
    buckets: [OnceLock<Box<[Readiness]>>; BUCKETS],
    free: Mutex<Free>,
}

struct Free {
    indices: Vec<u32>,
    /// Indices below it have been given out before.
    next: u32,
    closed: bool,
}

impl Table {
    /// No sources.
    pub(crate) fn new() -> Self {
        Self {
            buckets: [const { OnceLock::new() }; BUCKETS],
            free: Mutex::new(Free { indices: Vec::new(), next: 0, closed: false }),
        }
    }

    /// Takes a slot and returns its index.
    pub(crate) fn insert(&self) -> io::Result<u32> {
        let mut free = self.free.lock();
        if free.closed {
            return Err(shut_down());
        }
        if let Some(index) = free.indices.pop() {
            return Ok(index);
        }
        let index = free.next;
        if u64::from(index) >> INDEX_BITS != 0 || index == u32::MAX - FIRST {
            return Err(io::Error::new(
                io::ErrorKind::OutOfMemory,
                "too many sources are registered",
            ));
        }
        free.next += 1;
        let (bucket, offset) = place(index);
        if offset == 0 {
            self.buckets[bucket]
                .get_or_init(|| (0..FIRST << bucket).map(|_| Readiness::new()).collect());
        }
        Ok(index)
    }

    /// Gives a slot back.
    pub(crate) fn remove(&self, index: u32) {
        let source = self.get(index);
        // First the generation: from here on events of the old owner are dropped.
        source.generation.fetch_add(1, Ordering::AcqRel);
        source.registered.store(false, Ordering::Relaxed);
        source.reset();
        let mut free = self.free.lock();
        if !free.closed {
            free.indices.push(index);
        }
    }

    /// The slot at an index that was given out.
    pub(crate) fn get(&self, index: u32) -> &Readiness {
        let (bucket, offset) = place(index);
        &self.buckets[bucket].get().expect("an index that was given out has a bucket")[offset]
    }

    /// The key of the slot's owner of now.
    pub(crate) fn key(&self, index: u32) -> u64 {
        let generation = self.get(index).generation.load(Ordering::Relaxed) & GENERATION_MASK;
        (u64::from(generation) << INDEX_BITS) | u64::from(index)
    }

    /// The source an event is meant for, unless it has gone.
    pub(crate) fn find(&self, key: u64) -> Option<&Readiness> {
        let index = (key & ((1 << INDEX_BITS) - 1)) as u32;
        if index > u32::MAX - FIRST {
            return None;
        }
        let (bucket, offset) = place(index);
        let source = &self.buckets[bucket].get()?[offset];
        let generation = source.generation.load(Ordering::Acquire) & GENERATION_MASK;
        (u64::from(generation) == key >> INDEX_BITS).then_some(source)
    }

    /// No sources any more: those that are left fail, and those who wait are woken to hear of it.
    pub(crate) fn close(&self, mut sink: impl FnMut(Waker)) {
        let used = {
            let mut free = self.free.lock();
            free.closed = true;
            free.next
        };
        (0..used).for_each(|index| self.get(index).shut(&mut sink));
    }

    /// Whether `close` was called.
    pub(crate) fn is_closed(&self) -> bool {
        self.free.lock().closed
    }
}

/// Bucket and offset of an index.
fn place(index: u32) -> (usize, usize) {
    let shifted = index + FIRST;
    let bucket = shifted.ilog2() - FIRST.ilog2();
    (bucket as usize, (shifted - (FIRST << bucket)) as usize)
}

/// What every operation of a source says once its reactor is closed.
pub(crate) fn shut_down() -> io::Error {
    io::Error::new(
        io::ErrorKind::BrokenPipe,
        "the runtime of this source is shut down; drop the source, or keep the runtime until it is done",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indices_fill_buckets_that_double() {
        assert_eq!(place(0), (0, 0));
        assert_eq!(place(63), (0, 63));
        assert_eq!(place(64), (1, 0));
        assert_eq!(place(191), (1, 127));
        assert_eq!(place(192), (2, 0));
        assert_eq!(place(u32::MAX - FIRST).0, BUCKETS - 1);
    }
}
