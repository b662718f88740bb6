//! Size classes: which blocks serve which layouts.
//!
//! Fine steps where most tasks are (16 bytes up to 256), coarser ones above, so that at most a fifth of a block
//! goes unused. A larger or more strictly aligned layout gets an allocation of its own.

use super::page::{FIRST, LINE, PAGE};
use kasasagi_primitive::MODEL;
use kasasagi_primitive::alloc::Layout;

/// Which of the sizes a page is cut into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Class(u8);

/// The smallest block: a task header and a future of two words.
const SMALLEST: usize = 96;

/// The largest block that shares a page with others. Beyond it a page would hold fewer than three.
const LARGEST: usize = if MODEL { 1024 } else { 8192 };

/// Ranges of equal steps: up to this size, in steps of this many bytes. Steps divide the bound below them, so
/// that a size rounded up to a power of two no greater than `LINE` is a multiple of it in every range.
const RANGES: [(usize, usize); 6] =
    [(256, 16), (512, 64), (1024, 128), (2048, 256), (4096, 512), (8192, 1024)];

/// How many classes there are.
pub(super) const CLASSES: usize = of_size(8192) + 1;

const fn of_size(size: usize) -> usize {
    let mut below = SMALLEST;
    let mut class = 0;
    let mut range = 0;
    loop {
        let (bound, step) = RANGES[range];
        if size <= bound {
            return class + size.saturating_sub(below).div_ceil(step);
        }
        class += (bound - below) / step;
        below = bound;
        range += 1;
    }
}

impl Class {
    /// The class that serves `layout`; `None` if it needs an allocation of its own.
    #[inline(always)]
    pub(super) const fn of(layout: Layout) -> Option<Self> {
        let size = if layout.size() < SMALLEST { SMALLEST } else { layout.size() };
        let size = size.next_multiple_of(layout.align());
        if size > LARGEST || layout.align() > LINE {
            return None;
        }
        Some(Self(of_size(size) as u8))
    }

    /// How large its blocks are, in bytes.
    pub(super) const fn size(self) -> usize {
        let mut below = SMALLEST;
        let mut class = self.0 as usize;
        let mut range = 0;
        loop {
            let (bound, step) = RANGES[range];
            let steps = (bound - below) / step;
            if class <= steps {
                return below + class * step;
            }
            class -= steps;
            below = bound;
            range += 1;
        }
    }

    /// How many blocks a page holds.
    pub(super) const fn capacity(self, page: usize) -> u32 {
        let room = (page - FIRST) / self.size();
        // A model's page is full after three blocks, so that it sees pages fill up and come back.
        (if MODEL && room > 3 { 3 } else { room }) as u32
    }

    /// Its place among the classes.
    #[inline(always)]
    pub(super) const fn index(self) -> usize {
        self.0 as usize
    }

    /// All classes, smallest first.
    pub(super) fn all() -> impl Iterator<Item = Self> {
        (0..CLASSES as u8).map(Self)
    }
}

const _: () = assert!(FIRST % LINE == 0 && LARGEST <= PAGE / 4);
