//! The items of one slot: arrays of limited size, so that none is ever copied to grow, and a stack's discipline.

use super::Entry;

/// Entries of one array: 1 KiB.
pub(super) const CHUNK: usize = 64;

/// Empty arrays that are kept for the next slot.
const KEPT: usize = 16;

/// A stack of entries. All arrays but the last are full, and none is empty.
#[derive(Debug)]
pub(super) struct Slot<T> {
    chunks: Vec<Vec<Entry<T>>>,
}

/// Empty arrays.
#[derive(Debug)]
pub(super) struct Spare<T> {
    chunks: Vec<Vec<Entry<T>>>,
}

impl<T: Copy> Slot<T> {
    pub(super) fn new() -> Self {
        Self { chunks: Vec::new() }
    }

    /// Gives the memory of an empty slot back.
    pub(super) fn forget(&mut self) {
        debug_assert!(self.is_empty(), "what is forgotten would never fire");
        self.chunks = Vec::new();
    }

    pub(super) fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.chunks.last().map_or(0, |last| (self.chunks.len() - 1) * CHUNK + last.len())
    }

    /// Adds an entry; returns its index.
    pub(super) fn push(&mut self, entry: Entry<T>, spare: &mut Spare<T>) -> usize {
        match self.chunks.last_mut() {
            Some(last) if last.len() < CHUNK => last.push(entry),
            // The first array grows as it must: most slots have few entries.
            None => self.chunks.push(spare.chunks.pop().unwrap_or_default()),
            Some(_) => self.chunks.push(spare.take()),
        }
        let at = self.chunks.len() - 1;
        let last = &mut self.chunks[at];
        if last.is_empty() {
            last.push(entry);
        }
        at * CHUNK + last.len() - 1
    }

    /// Takes the last entry.
    pub(super) fn pop(&mut self, spare: &mut Spare<T>) -> Option<Entry<T>> {
        let last = self.chunks.last_mut()?;
        let entry = last.pop();
        if last.is_empty() {
            if let Some(chunk) = self.chunks.pop() {
                spare.keep(chunk);
            }
        }
        entry
    }

    /// Puts the last entry into the place of the one at `index`; returns the two, or one if they are the same.
    pub(super) fn swap_remove(
        &mut self,
        index: usize,
        spare: &mut Spare<T>,
    ) -> (Entry<T>, Option<Entry<T>>) {
        let last = self.pop(spare).expect("an item that has a position lies there");
        match self.chunks.get_mut(index / CHUNK).and_then(|chunk| chunk.get_mut(index % CHUNK)) {
            Some(place) => (std::mem::replace(place, last), Some(last)),
            None => (last, None),
        }
    }

    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &Entry<T>> {
        self.chunks.iter().flatten()
    }

    /// The entry that many before the last.
    pub(super) fn from_last(&self, many: usize) -> Option<&Entry<T>> {
        let index = self.len().checked_sub(many + 1)?;
        Some(&self.chunks[index / CHUNK][index % CHUNK])
    }
}

impl<T> Spare<T> {
    pub(super) fn new() -> Self {
        Self { chunks: Vec::new() }
    }

    fn take(&mut self) -> Vec<Entry<T>> {
        let mut chunk = self.chunks.pop().unwrap_or_default();
        chunk.reserve_exact(CHUNK);
        chunk
    }

    fn keep(&mut self, chunk: Vec<Entry<T>>) {
        if self.chunks.len() < KEPT {
            self.chunks.push(chunk);
        }
    }

    /// How many arrays are kept.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.chunks.len()
    }

    /// Gives the memory back.
    pub(super) fn clear(&mut self) {
        self.chunks = Vec::new();
    }
}
