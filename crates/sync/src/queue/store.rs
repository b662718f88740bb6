//! Where the items of a queue lie: first in, first out; last in, first out; or the least first.
//!
//! Only ever touched under the queue's lock. A burst of items grows it without moving those that are there already,
//! where the order allows it, and what is put and taken in turn allocates nothing.

use kasasagi_primitive::MODEL;
use std::cmp::Ordering;
use std::collections::VecDeque;
use std::fmt;
use std::mem;

/// How two items compare; known where the queue is made, so that its other methods need no `Ord`.
type Compare<T> = fn(&T, &T) -> Ordering;

/// Items in one of three orders.
pub(super) enum Store<T> {
    Fifo(Segments<T>),
    Lifo(Vec<T>),
    Priority(Heap<T>),
}

impl<T> Store<T> {
    pub(super) fn fifo() -> Self {
        Self::Fifo(Segments::new())
    }

    pub(super) fn lifo() -> Self {
        Self::Lifo(Vec::new())
    }

    pub(super) fn priority() -> Self
    where
        T: Ord,
    {
        Self::Priority(Heap::new(T::cmp))
    }

    /// What its queue is called.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Fifo(_) => "Queue",
            Self::Lifo(_) => "LifoQueue",
            Self::Priority(_) => "PriorityQueue",
        }
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Fifo(items) => items.len,
            Self::Lifo(items) => items.len(),
            Self::Priority(heap) => heap.items.len(),
        }
    }

    /// Adds an item; should its `Ord` panic, the item is in all the same.
    #[inline]
    pub(super) fn push(&mut self, item: T) {
        match self {
            Self::Fifo(items) => items.push(item),
            Self::Lifo(items) => items.push(item),
            Self::Priority(heap) => heap.push(item),
        }
    }

    /// Takes the item whose turn it is, if there is one; also if the `Ord` of another then panics.
    #[inline]
    pub(super) fn pop(&mut self, into: &mut Option<T>) {
        match self {
            Self::Fifo(items) => *into = items.pop(),
            Self::Lifo(items) => *into = items.pop(),
            Self::Priority(heap) => heap.pop(into),
        }
    }

    /// Takes everything out at once, for the caller to drop where it likes.
    pub(super) fn take(&mut self) -> Self {
        let empty = match self {
            Self::Fifo(_) => Self::fifo(),
            Self::Lifo(_) => Self::lifo(),
            Self::Priority(heap) => Self::Priority(Heap::new(heap.compare)),
        };
        mem::replace(self, empty)
    }
}

/// Items of which the first is the least: each is no greater than the two at twice its place, and one and two behind.
///
/// Items only ever change places, so that none is lost, and none dropped, when a comparison panics.
pub(super) struct Heap<T> {
    items: Vec<T>,
    compare: Compare<T>,
}

impl<T> Heap<T> {
    const fn new(compare: Compare<T>) -> Self {
        Self { items: Vec::new(), compare }
    }

    fn is_less(&self, one: usize, other: usize) -> bool {
        (self.compare)(&self.items[one], &self.items[other]) == Ordering::Less
    }

    fn push(&mut self, item: T) {
        self.items.push(item);
        let mut at = self.items.len() - 1;
        while at > 0 {
            let above = (at - 1) / 2;
            if !self.is_less(at, above) {
                return;
            }
            self.items.swap(at, above);
            at = above;
        }
    }

    fn pop(&mut self, into: &mut Option<T>) {
        if self.items.is_empty() {
            return;
        }
        *into = Some(self.items.swap_remove(0));
        let mut at = 0;
        loop {
            let (left, right) = (2 * at + 1, 2 * at + 2);
            let mut least = at;
            for below in [left, right] {
                if below < self.items.len() && self.is_less(below, least) {
                    least = below;
                }
            }
            if least == at {
                return;
            }
            self.items.swap(at, least);
            at = least;
        }
    }
}

/// First in, first out, in segments: a long queue grows by one segment at a time, and shrinks as it empties.
pub(super) struct Segments<T> {
    /// The oldest items. Never empty while there are others.
    head: VecDeque<T>,
    /// Full segments, and the one that is being filled.
    rest: VecDeque<VecDeque<T>>,
    /// The segment that was emptied last; the next to be filled, so that a long queue in flow allocates nothing.
    spare: VecDeque<T>,
    len: usize,
}

impl<T> Segments<T> {
    /// Items a segment: some kilobytes, a guess; few in a model, so that it sees more than one segment.
    const LENGTH: usize = if MODEL {
        2
    } else {
        let fit = 8192 / (if size_of::<T>() == 0 { 1 } else { size_of::<T>() });
        if fit < 16 {
            16
        } else if fit > 512 {
            512
        } else {
            fit
        }
    };

    const fn new() -> Self {
        Self { head: VecDeque::new(), rest: VecDeque::new(), spare: VecDeque::new(), len: 0 }
    }

    #[inline]
    fn push(&mut self, item: T) {
        self.len += 1;
        if self.rest.is_empty() && self.head.len() < Self::LENGTH {
            self.head.push_back(item);
        } else {
            self.push_behind(item);
        }
    }

    #[inline(never)]
    fn push_behind(&mut self, item: T) {
        if let Some(last) = self.rest.back_mut() {
            if last.len() < Self::LENGTH {
                return last.push_back(item);
            }
        }
        let mut segment = mem::take(&mut self.spare);
        segment.reserve(Self::LENGTH);
        segment.push_back(item);
        self.rest.push_back(segment);
    }

    #[inline]
    fn pop(&mut self) -> Option<T> {
        let item = self.head.pop_front()?;
        self.len -= 1;
        if self.head.is_empty() && !self.rest.is_empty() {
            self.turn_over();
        }
        Some(item)
    }

    #[inline(never)]
    fn turn_over(&mut self) {
        if let Some(next) = self.rest.pop_front() {
            self.spare = mem::replace(&mut self.head, next);
        }
    }
}

impl<T> fmt::Debug for Store<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(self.name()).field("len", &self.len()).finish_non_exhaustive()
    }
}
