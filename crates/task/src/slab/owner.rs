//! The owner's side of a heap: pages with room, spare pages, and what comes back from other threads.
//!
//! Nothing here is a read-modify-write but the one swap that takes the list of blocks freed elsewhere.
//!
//! Of each class the first page in the list serves until it is full. A full page that gets a block back is put
//! second; an empty one that is not first becomes a spare and starts over from its first block.
#![allow(unsafe_code, reason = "lists run through raw blocks and pages")]

use super::class::{CLASSES, Class};
use super::os::give_back;
use super::page::{Owned, PageRef, Place};
use super::registry::Shared;
use super::{BlockHead, block_head};
use kasasagi_primitive::MODEL;
use kasasagi_primitive::sync::atomic::Ordering;
use std::ptr::{self, NonNull};

/// How many empty pages of a class keep their memory.
const KEPT: u32 = 2;

/// Blocks taken back at once by an owner that has other things to do: each is a cache miss or two, so it takes some
/// 0.1 ms. In a model, so few that some are left.
const SOME: usize = if MODEL { 1 } else { 1024 };

/// One class's pages, but for the full ones.
#[derive(Default, Clone, Copy)]
pub(super) struct Bin {
    room: Option<PageRef>,
    spare: Option<PageRef>,
    /// Spare pages without memory.
    bare: Option<PageRef>,
    spares: u32,
    /// The fewest spares there were since the last trim.
    low: u32,
}

/// All classes, and how many pages there are.
pub(super) struct Bins {
    bins: [Bin; CLASSES],
    /// Blocks that other threads freed, taken over and not yet put into their pages.
    taken: *mut BlockHead,
    pub(super) mapped: usize,
    pub(super) bare: usize,
}

impl Bins {
    pub(super) fn new() -> Self {
        Self { bins: [Bin::default(); CLASSES], taken: ptr::null_mut(), mapped: 0, bare: 0 }
    }
}

/// The right to use what only the owner of a heap may use.
#[derive(Clone, Copy)]
pub(super) struct Owner {
    heap: *const Shared,
}

impl Owner {
    /// # Safety
    ///
    /// The caller is the heap's owner, that is, the holder of its `Heap`, or the thread that entered it; and so for
    /// as long as it uses this, which keeps the shared part. `heap` is as its `Arc` gave it.
    #[inline(always)]
    pub(super) unsafe fn new(heap: *const Shared) -> Self {
        Self { heap }
    }

    #[inline(always)]
    fn shared(&self) -> &Shared {
        // SAFETY: whoever made the Owner keeps the shared part.
        unsafe { &*self.heap }
    }

    #[inline(always)]
    pub(super) fn bins<R>(self, f: impl FnOnce(&mut Bins) -> R) -> R {
        self.shared().bins.with_mut(|bins| {
            // SAFETY: an Owner is the only one at these, and no `f` of this file comes here again.
            f(unsafe { &mut *bins })
        })
    }

    #[inline(always)]
    fn bin<R>(self, class: Class, f: impl FnOnce(&mut Bin) -> R) -> R {
        self.bins(|bins| f(&mut bins.bins[class.index()]))
    }

    #[inline(always)]
    fn page<R>(self, page: PageRef, f: impl FnOnce(&mut Owned) -> R) -> R {
        // SAFETY: an Owner is the only one at its pages' words, and no `f` of this file comes here again for the
        // same page.
        unsafe { page.owned(f) }
    }

    /// A block of `class`; its state is 0 and its `next` null.
    #[inline]
    pub(super) fn alloc(self, class: Class) -> NonNull<BlockHead> {
        if let Some(page) = self.bin(class, |bin| bin.room) {
            if let Some(block) = self.pop(page) {
                return block;
            }
        }
        self.alloc_slow(class)
    }

    #[inline(never)]
    fn alloc_slow(self, class: Class) -> NonNull<BlockHead> {
        loop {
            let Some(page) = self.bin(class, |bin| bin.room) else {
                self.refill(class);
                continue;
            };
            if let Some(block) = self.pop(page).or_else(|| self.build(page)) {
                return block;
            }
            self.unlink(class, page);
            self.page(page, |owned| owned.place = Place::Full);
        }
    }

    /// Takes a block that was in use before.
    #[inline(always)]
    fn pop(self, page: PageRef) -> Option<NonNull<BlockHead>> {
        self.page(page, |owned| {
            let block = NonNull::new(owned.free)?;
            // SAFETY: a block in the free list is the owner's alone.
            owned.free = unsafe { replace_next(block, ptr::null_mut()) };
            owned.used += 1;
            Some(block)
        })
    }

    /// Takes the first block that was not used yet since the page was empty.
    fn build(self, page: PageRef) -> Option<NonNull<BlockHead>> {
        // Only the owner writes the frontier.
        let index = page.frontier.load(Ordering::Relaxed);
        if index == page.capacity {
            return None;
        }
        let block = page.block(index);
        self.page(page, |owned| {
            owned.used += 1;
            if index == owned.built {
                owned.built += 1;
                // SAFETY: the block lies beyond all frontiers the page ever had, so nobody looks at it.
                unsafe { block.write(BlockHead::new()) };
            } else {
                // It has a head, which a scan with an older frontier may be reading: its state is 0 already.
                // SAFETY: `next` of a block that is not in use is the owner's alone.
                unsafe { replace_next(block, ptr::null_mut()) };
            }
        });
        // Pairs with the Acquire load of `each_block`: who sees the new frontier sees the head.
        page.frontier.store(index + 1, Ordering::Release);
        Some(block)
    }

    /// Puts some page into the class's list of pages with room, which is empty.
    #[cold]
    fn refill(self, class: Class) {
        if self.collect_some() > 0 && self.bin(class, |bin| bin.room.is_some()) {
            return;
        }
        let page = self.take_spare(class).or_else(|| self.take_bare(class)).unwrap_or_else(|| {
            self.bins(|bins| bins.mapped += 1);
            self.shared().map_page(class, self.heap)
        });
        self.link(class, page);
    }

    fn take_spare(self, class: Class) -> Option<PageRef> {
        let page = self.bin(class, |bin| bin.spare)?;
        let next = self.page(page, |owned| owned.next.take());
        self.bin(class, |bin| {
            bin.spare = next;
            bin.spares -= 1;
            bin.low = bin.low.min(bin.spares);
        });
        Some(page)
    }

    fn take_bare(self, class: Class) -> Option<PageRef> {
        let page = self.bin(class, |bin| bin.bare)?;
        let next = self.page(page, |owned| owned.next.take());
        self.bins(|bins| {
            bins.bare -= 1;
            bins.bins[class.index()].bare = next;
        });
        Some(page)
    }

    /// Takes a block back.
    ///
    /// # Safety
    ///
    /// `block` is a block of `page`, a page of this heap, and nobody uses it any more.
    #[inline(always)]
    pub(super) unsafe fn push(self, block: NonNull<BlockHead>, page: PageRef) {
        let settled = self.page(page, |owned| {
            // SAFETY: nobody uses the block any more, says the caller.
            unsafe { replace_next(block, owned.free) };
            owned.free = block.as_ptr();
            owned.used -= 1;
            owned.used > 0 && owned.place == Place::Room
        });
        if !settled {
            self.settle(page);
        }
    }

    /// Moves a page that is no longer full, or now empty, to the list it belongs to.
    #[inline(never)]
    fn settle(self, page: PageRef) {
        let class = page.class.expect("a page of a heap has a class");
        if self.page(page, |owned| owned.place == Place::Full) {
            self.link(class, page);
        }
        let used = self.page(page, |owned| owned.used);
        // The first page stays: a lone task that comes and goes must not move pages about.
        if used > 0 || self.bin(class, |bin| bin.room) == Some(page) {
            return;
        }
        self.unlink(class, page);
        // It starts over, front to back. Scans that read the old frontier find zeros.
        page.frontier.store(0, Ordering::Relaxed);
        let next = self.bin(class, |bin| {
            bin.spares += 1;
            bin.spare.replace(page)
        });
        self.page(page, |owned| {
            owned.free = ptr::null_mut();
            owned.place = Place::Spare;
            owned.next = next;
        });
    }

    /// Puts a page second into the list of pages with room, or first if there is none.
    fn link(self, class: Class, page: PageRef) {
        let first = self.bin(class, |bin| *bin.room.get_or_insert(page));
        let (previous, next) = if first == page {
            (None, None)
        } else {
            (Some(first), self.page(first, |owned| owned.next.replace(page)))
        };
        if let Some(next) = next {
            self.page(next, |owned| owned.previous = Some(page));
        }
        self.page(page, |owned| {
            owned.previous = previous;
            owned.next = next;
            owned.place = Place::Room;
        });
    }

    /// Takes a page out of the list of pages with room.
    fn unlink(self, class: Class, page: PageRef) {
        let (previous, next) = self.page(page, |owned| (owned.previous.take(), owned.next.take()));
        match previous {
            Some(previous) => self.page(previous, |owned| owned.next = next),
            None => self.bin(class, |bin| bin.room = next),
        }
        if let Some(next) = next {
            self.page(next, |owned| owned.previous = previous);
        }
    }

    /// Takes back all that other threads freed.
    pub(super) fn collect(self) {
        while self.collect_some() > 0 {}
    }

    /// Takes back some of what other threads freed, if there is any; says how many blocks that was.
    pub(super) fn collect_some(self) -> usize {
        let mut list = self.bins(|bins| bins.taken);
        if list.is_null() {
            list = self.shared().take_remote();
        }
        let mut count = 0;
        while let Some(block) = NonNull::new(list).filter(|_| count < SOME) {
            // SAFETY: the swap gave the whole list to the owner, and it was the last to touch its blocks.
            list = unsafe { replace_next(block, ptr::null_mut()) };
            // SAFETY: a block in the list was out, and so keeps its page.
            let page = unsafe { PageRef::of(block) };
            // SAFETY: only blocks of this heap are in its list, each freed once.
            unsafe { self.push(block, page) };
            count += 1;
        }
        self.bins(|bins| bins.taken = list);
        count
    }

    /// Gives the memory of pages back that stayed empty since the last trim.
    pub(super) fn trim(self) {
        for class in Class::all() {
            let excess = self.bin(class, |bin| bin.low.saturating_sub(KEPT));
            for _ in 0..excess {
                let page =
                    self.take_spare(class).expect("there were never fewer spares than `low`");
                self.strip(class, page);
            }
            self.bin(class, |bin| bin.low = bin.spares);
        }
    }

    fn strip(self, class: Class, page: PageRef) {
        let (body, len) = page.body();
        // SAFETY: no block of a spare page is in use; heads are rewritten before use, states read as zero before
        // and after. In a model the memory stays, as its words are not plain words.
        let _ = !MODEL && unsafe { give_back(body, len) };
        let next = self.bins(|bins| {
            bins.bare += 1;
            bins.bins[class.index()].bare.replace(page)
        });
        self.page(page, |owned| owned.next = next);
    }

    /// How many blocks are out, those that were freed elsewhere and not collected included.
    pub(super) fn out(self) -> usize {
        let mut sum = 0;
        self.shared().each_page(|page| sum += self.page(page, |owned| owned.used as usize));
        sum
    }
}

/// Sets where a block points to and returns where it pointed to.
///
/// # Safety
///
/// The block has a head, and its `next` is the caller's alone.
#[inline(always)]
pub(super) unsafe fn replace_next(
    block: NonNull<BlockHead>,
    next: *mut BlockHead,
) -> *mut BlockHead {
    // SAFETY: the block has a head, says the caller.
    let head = unsafe { block_head(block) };
    // SAFETY: nobody else is at `next`, says the caller.
    head.next.with_mut(|word| unsafe { word.replace(next) })
}
