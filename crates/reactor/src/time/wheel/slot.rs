//! The items of one slot: arrays of limited size, so that none is ever copied to grow, and a stack's discipline.
//!
//! An empty slot has no memory, but for the one that was emptied last: a timer that comes and goes finds the array where it
//! left it. Of all others the last array goes to the next slot that needs one, so that nobody asks malloc for anything.

use std::mem;

/// Items of one array: 1 KiB of pointers; in tests so few that most slots have several.
pub(super) const CHUNK: usize = if cfg!(test) { 8 } else { 128 };

/// Empty arrays that are kept for the next slot.
const KEPT: usize = 16;

/// A stack of items.
#[derive(Debug)]
pub(super) struct Slot<T> {
    /// Arrays of `CHUNK` items each.
    full: Vec<Vec<T>>,
    /// What came last; empty only if the slot is.
    last: Vec<T>,
}

/// Empty arrays.
#[derive(Debug)]
pub(super) struct Spare<T> {
    chunks: Vec<Vec<T>>,
}

impl<T: Copy> Slot<T> {
    pub(super) fn new() -> Self {
        Self { full: Vec::new(), last: Vec::new() }
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.last.is_empty()
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.full.len() * CHUNK + self.last.len()
    }

    /// Adds an item; returns its index.
    #[inline]
    pub(super) fn push(&mut self, item: T, spare: &mut Spare<T>) -> usize {
        let index = self.len();
        if self.last.len() == self.last.capacity().min(CHUNK) {
            self.make_room(spare);
        }
        self.last.push(item);
        index
    }

    /// The last array is full, or there is none. It grows as it must: most slots have few items.
    #[inline(never)]
    fn make_room(&mut self, spare: &mut Spare<T>) {
        if self.last.is_empty() {
            self.last = spare.chunks.pop().unwrap_or_default();
        } else if self.last.len() == CHUNK {
            let mut chunk = spare.chunks.pop().unwrap_or_default();
            chunk.reserve_exact(CHUNK);
            self.full.push(mem::replace(&mut self.last, chunk));
        }
    }

    /// Takes the last item. Who empties the slot says so by `cool` sooner or later.
    #[inline]
    pub(super) fn pop(&mut self, spare: &mut Spare<T>) -> Option<T> {
        let item = self.last.pop();
        if self.last.is_empty() && self.full.capacity() > 0 {
            self.next_chunk(spare);
        }
        item
    }

    /// The last array is empty, and there were others.
    #[inline(never)]
    fn next_chunk(&mut self, spare: &mut Spare<T>) {
        match self.full.pop() {
            Some(next) => spare.keep(mem::replace(&mut self.last, next)),
            None => self.full = Vec::new(),
        }
    }

    /// Gives away the memory of a slot that is empty.
    #[inline(never)]
    pub(super) fn cool(&mut self, spare: &mut Spare<T>) {
        if self.is_empty() {
            spare.keep(mem::take(&mut self.last));
        }
    }

    /// Takes the item at `index` out, and puts the last one into its place; returns both, or one if they are the same.
    pub(super) fn swap_remove(&mut self, index: usize, spare: &mut Spare<T>) -> (T, Option<T>) {
        // Asked before the pop: where the last array held one item, the place it lay at is that of another then.
        let is_last = index + 1 == self.len();
        let last = self.pop(spare).expect("an item that has a position lies there");
        if is_last {
            return (last, None);
        }
        let place = self.at(index).expect("it lies before the last");
        (mem::replace(place, last), Some(last))
    }

    fn at(&mut self, index: usize) -> Option<&mut T> {
        let (chunk, index) = (index / CHUNK, index % CHUNK);
        if chunk == self.full.len() {
            return self.last.get_mut(index);
        }
        self.full.get_mut(chunk)?.get_mut(index)
    }

    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.full.iter().flatten().chain(&self.last)
    }

    /// The item that many before the last.
    pub(super) fn before_last(&self, many: usize) -> Option<&T> {
        match self.last.len().checked_sub(many + 1) {
            Some(index) => self.last.get(index),
            None => {
                let many = many - self.last.len();
                let chunk = self.full.len().checked_sub(1 + many / CHUNK)?;
                self.full[chunk].get(CHUNK - 1 - many % CHUNK)
            }
        }
    }
}

impl<T> Spare<T> {
    pub(super) fn new() -> Self {
        Self { chunks: Vec::new() }
    }

    #[inline]
    fn keep(&mut self, chunk: Vec<T>) {
        if self.chunks.len() < KEPT && chunk.capacity() > 0 {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_item_of_the_last_array_is_taken_out_and_no_other() {
        for extra in [1, 2] {
            let (mut slot, mut spare) = (Slot::new(), Spare::new());
            for item in 0..CHUNK + extra {
                assert_eq!(slot.push(item, &mut spare), item);
            }
            let (removed, moved) = slot.swap_remove(CHUNK, &mut spare);
            assert_eq!(removed, CHUNK);
            assert_eq!(moved, (extra == 2).then_some(CHUNK + 1));
            let left: Vec<_> = slot.iter().copied().collect();
            let others = (0..CHUNK).chain(moved);
            assert_eq!(left, others.collect::<Vec<_>>());
        }
    }
}
