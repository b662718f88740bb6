//! A page: 32 KiB cut into blocks of one size, found from any of its blocks by masking the address.
//!
//! Its header has a line that everybody may read and a line that only the owner touches. Blocks are made on
//! first use, so that a page costs memory only as far as it was used; `frontier` says how far that is.
#![allow(unsafe_code, reason = "a page is raw memory, and a block finds its page by address")]

use super::class::Class;
use super::registry::Shared;
use super::{BlockHead, block_head};
use kasasagi_primitive::MODEL;
use kasasagi_primitive::alloc::{Layout, alloc, dealloc};
use kasasagi_primitive::cell::UnsafeCell;
use kasasagi_primitive::sync::atomic::{AtomicU32, Ordering};
use std::ops::Deref;
use std::ptr::{self, NonNull};

/// The alignment of a page; the first block of each lies less than this behind its header.
pub(super) const PAGE: usize = if MODEL { 4096 } else { 32 << 10 };

/// What a block may be aligned to inside a page.
pub(super) const LINE: usize = 128;

/// Where the blocks of a page begin.
pub(super) const FIRST: usize = size_of::<Page>();

/// Malloc keeps its own words before and behind an allocation; 64 bytes less than the alignment let the next
/// page begin right at the next boundary (measured with glibc: 32 KiB apart, no gaps).
const LAYOUT: Layout = match Layout::from_size_align(PAGE - 64, PAGE) {
    Ok(layout) => layout,
    Err(_) => panic!("a page is smaller than its alignment"),
};

/// The header of a page.
#[repr(C, align(128))]
pub(super) struct Page {
    /// The heap whose owner may free here without a read-modify-write; dangling if there is none.
    pub(super) home: *const Shared,
    /// The heap this page belongs to, which lives at least as long.
    pub(super) heap: *const Shared,
    /// The next older page of the heap.
    pub(super) older: Option<PageRef>,
    layout: Layout,
    /// Bytes from the header to the first block, and from block to block.
    first: u32,
    stride: u32,
    pub(super) capacity: u32,
    /// Blocks below this one have a state word to be read by anyone; those above were not used yet. Written by
    /// the owner, Release; read by scans, Acquire.
    pub(super) frontier: AtomicU32,
    pub(super) class: Option<Class>,
    owned: Line<UnsafeCell<Owned>>,
}

/// A line of its own: foreign threads read the words above at every free.
#[repr(align(64))]
struct Line<T>(T);

/// What only the owner of the heap touches; of a block that lies alone, whoever holds the lock of its list.
pub(super) struct Owned {
    /// Freed blocks, linked by `next`.
    pub(super) free: *mut BlockHead,
    /// How many blocks are out, as far as the owner knows.
    pub(super) used: u32,
    /// How many blocks ever got their head; at least `frontier`.
    pub(super) built: u32,
    pub(super) previous: Option<PageRef>,
    pub(super) next: Option<PageRef>,
    pub(super) place: Place,
}

/// Which list of its heap a page is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Its class's pages with room.
    Room,
    /// None: no block is left.
    Full,
    /// The empty pages, with their memory or without.
    Spare,
}

/// A page that is mapped. Who holds one is the heap, a scan that holds the heap's shared part, or the holder of
/// one of its blocks: each keeps the page mapped.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct PageRef(NonNull<Page>);

impl Deref for PageRef {
    type Target = Page;

    #[inline(always)]
    fn deref(&self) -> &Page {
        // SAFETY: the type says that the page is mapped, and its header was written before the first PageRef.
        unsafe { self.0.as_ref() }
    }
}

impl PageRef {
    /// The page that `block` lies in.
    ///
    /// # Safety
    ///
    /// `block` came from a heap and was not given back.
    #[inline(always)]
    pub(super) unsafe fn of(block: NonNull<BlockHead>) -> Self {
        // Minus one, since a block alone may begin on the boundary that follows its header.
        let page = block.as_ptr().map_addr(|addr| (addr - 1) & !(PAGE - 1)).cast();
        // SAFETY: a header lies at the boundary before each block, so this is not null; the block keeps it mapped.
        Self(unsafe { NonNull::new_unchecked(page) })
    }

    /// A page header that `Shared` keeps in its list.
    pub(super) fn from_list(page: *mut Page) -> Option<Self> {
        NonNull::new(page).map(Self)
    }

    pub(super) fn as_ptr(self) -> *mut Page {
        self.0.as_ptr()
    }

    /// A new page of `class`, without blocks in use.
    pub(super) fn map(class: Class, heap: *const Shared, older: Option<PageRef>) -> Self {
        let page = allocate(LAYOUT).cast::<Page>();
        let header = Page {
            home: heap,
            heap,
            older,
            layout: LAYOUT,
            first: FIRST as u32,
            stride: class.size() as u32,
            capacity: class.capacity(LAYOUT.size()),
            frontier: AtomicU32::new(0),
            class: Some(class),
            owned: Line(UnsafeCell::new(Owned::new(Place::Spare))),
        };
        // SAFETY: LAYOUT has room for a header at its beginning, aligned to far more than it asks.
        unsafe { page.write(header) };
        Self(page)
    }

    /// A page for one block of `layout`, which is in use at once, and that block.
    pub(super) fn map_alone(layout: Layout, heap: *const Shared) -> (Self, NonNull<BlockHead>) {
        let first = FIRST.max(layout.align().min(PAGE));
        // With an alignment above PAGE the header lies in the last PAGE before the block.
        let before = first.max(layout.align());
        let whole = layout
            .size()
            .max(size_of::<BlockHead>())
            .checked_add(before)
            .and_then(|size| Layout::from_size_align(size, layout.align().max(PAGE)).ok())
            .expect("a future and a header are smaller than the address space");
        let base = allocate(whole);
        // SAFETY: `whole` begins with `before` bytes, of which the last `first` are the header's.
        let page = unsafe { base.add(before - first) }.cast::<Page>();
        let header = Page {
            home: ptr::without_provenance(align_of::<BlockHead>()),
            heap,
            older: None,
            layout: whole,
            first: first as u32,
            stride: 0,
            capacity: 1,
            frontier: AtomicU32::new(1),
            class: None,
            owned: Line(UnsafeCell::new(Owned::new(Place::Full))),
        };
        // SAFETY: as above; FIRST <= first, and both are multiples of the header's alignment.
        unsafe { page.write(header) };
        let page = Self(page);
        // SAFETY: the block lies at the end of `whole`, which has room for a head, and nobody saw it yet.
        unsafe { page.block(0).write(BlockHead::new()) };
        (page, page.block(0))
    }

    /// Gives the page's memory back to the allocator.
    ///
    /// # Safety
    ///
    /// The caller is the last who holds this page or a block of it.
    pub(super) unsafe fn unmap(self) {
        if MODEL {
            // SAFETY: the caller is the last; in a model this access would tell if it were not.
            unsafe { self.touch_all() };
        }
        let layout = self.layout;
        let before = layout.align() - PAGE;
        // SAFETY: the header lies this far behind the beginning of its allocation (`map_alone`).
        let base = unsafe { self.0.cast::<u8>().sub(before) };
        // SAFETY: this pointer and layout are those of `allocate`; the caller is the last user.
        unsafe { dealloc(base.as_ptr(), layout) };
    }

    /// Block `index`, whether it is in use or not.
    #[inline(always)]
    pub(super) fn block(self, index: u32) -> NonNull<BlockHead> {
        debug_assert!(index < self.capacity, "a page has no blocks beyond its capacity");
        let offset = self.first as usize + index as usize * self.stride as usize;
        // SAFETY: block `index` lies inside the page's allocation.
        unsafe { self.0.cast::<u8>().add(offset) }.cast()
    }

    /// The memory behind the header, for `give_back`.
    pub(super) fn body(self) -> (NonNull<u8>, usize) {
        // SAFETY: the header is FIRST bytes of a larger allocation.
        (unsafe { self.0.cast::<u8>().add(FIRST) }, self.layout.size() - FIRST)
    }

    /// Shows each block that has a state word.
    pub(super) fn each_block(self, f: &mut dyn FnMut(NonNull<BlockHead>)) {
        // Pairs with the Release store of whoever made the last of these blocks.
        for index in 0..self.frontier.load(Ordering::Acquire) {
            f(self.block(index));
        }
    }

    /// Touches what others touch, so that a model sees whether they are done: an access of theirs to `next` that is
    /// not ordered before this one fails, and a scan that is still reading finds an impossible state.
    ///
    /// # Safety
    ///
    /// As `unmap`.
    unsafe fn touch_all(self) {
        // SAFETY: the caller is the last who holds this page.
        let built = unsafe { self.owned(|owned| owned.built) };
        for index in 0..built {
            // SAFETY: blocks below `built` have a head.
            let head = unsafe { block_head(self.block(index)) };
            head.next.with_mut(|_| ());
            head.state.store(u64::MAX, Ordering::Relaxed);
        }
    }
}

impl Page {
    /// Shows the owner's words.
    ///
    /// # Safety
    ///
    /// The caller is the owner, as `Owned` says, and `f` does not ask for them again.
    #[inline(always)]
    pub(super) unsafe fn owned<R>(&self, f: impl FnOnce(&mut Owned) -> R) -> R {
        self.owned.0.with_mut(|owned| {
            // SAFETY: only the owner comes here, once at a time.
            f(unsafe { &mut *owned })
        })
    }
}

impl Owned {
    fn new(place: Place) -> Self {
        let alone = u32::from(place == Place::Full);
        Self { free: ptr::null_mut(), used: alone, built: alone, previous: None, next: None, place }
    }
}

fn allocate(layout: Layout) -> NonNull<u8> {
    // SAFETY: every layout here has room for a header.
    let base = unsafe { alloc(layout) };
    NonNull::new(base).unwrap_or_else(|| std::alloc::handle_alloc_error(layout))
}
