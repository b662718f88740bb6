//! What a heap shares with other threads: its list of pages, the blocks they freed, and blocks that lie alone.
//!
//! Blocks may outlive their heap: wakers are anyone's. The word that holds the list of blocks freed elsewhere
//! then counts those still out, and whoever brings the count to zero drops the shared part, and with it all pages.
#![allow(unsafe_code, reason = "the shared part is reached from raw blocks")]

use super::class::Class;
use super::owner::{Bins, replace_next};
use super::page::{Owned, Page, PageRef};
use super::{BlockHead, block_head};
use kasasagi_primitive::CachePadded;
use kasasagi_primitive::alloc::Layout;
use kasasagi_primitive::cell::UnsafeCell;
use kasasagi_primitive::sync::atomic::{AtomicPtr, Ordering};
use kasasagi_primitive::sync::{Arc, Mutex};
use std::fmt;
use std::ptr::{self, NonNull};

/// The shared part. Held by the heap, or the orphans after it; by each block that lies alone; by each scan.
pub(super) struct Shared {
    /// Blocks freed by other threads, linked by `next`; or, when the heap is gone, `orphans`.
    remote: CachePadded<AtomicPtr<BlockHead>>,
    /// The newest page; from it `older` leads to all. Only the owner pushes, and nothing is taken out.
    pages: AtomicPtr<Page>,
    /// The owner's.
    pub(super) bins: UnsafeCell<Bins>,
    alone: Mutex<Alone>,
}

/// Blocks that lie alone, linked through their pages' words, which this lock guards.
struct Alone {
    first: Option<PageRef>,
    /// How many scans look at them.
    scans: usize,
    /// Freed while a scan was under way: mapped until it ends.
    limbo: Option<PageRef>,
}

// SAFETY: `bins` and the pages' own words are used by the owner only (`Owner::new`); the rest is for everybody.
unsafe impl Send for Shared {}
// SAFETY: as above.
unsafe impl Sync for Shared {}
// SAFETY: the pages it points to may be used by whoever holds the lock.
unsafe impl Send for Alone {}

/// The word for `count` blocks still out after their heap: odd, which no block's address is.
fn orphans(count: usize) -> *mut BlockHead {
    ptr::without_provenance_mut(count << 1 | 1)
}

/// How many blocks are still out, if the word says that the heap is gone.
fn orphan_count(word: *mut BlockHead) -> Option<usize> {
    (word.addr() & 1 == 1).then_some(word.addr() >> 1)
}

impl Shared {
    pub(super) fn new() -> Self {
        Self {
            remote: CachePadded::new(AtomicPtr::new(ptr::null_mut())),
            pages: AtomicPtr::new(ptr::null_mut()),
            bins: UnsafeCell::new(Bins::new()),
            alone: Mutex::new(Alone { first: None, scans: 0, limbo: None }),
        }
    }

    /// A new page in the list. For the owner.
    pub(super) fn map_page(&self, class: Class, heap: *const Self) -> PageRef {
        let older = PageRef::from_list(self.pages.load(Ordering::Relaxed));
        let page = PageRef::map(class, heap, older);
        // Pairs with the Acquire load of `each_page`: who sees the page sees its header.
        self.pages.store(page.as_ptr(), Ordering::Release);
        page
    }

    pub(super) fn each_page(&self, mut f: impl FnMut(PageRef)) {
        let mut next = PageRef::from_list(self.pages.load(Ordering::Acquire));
        while let Some(page) = next {
            next = page.older;
            f(page);
        }
    }

    /// Takes the blocks that other threads freed. For the owner.
    pub(super) fn take_remote(&self) -> *mut BlockHead {
        // Most looks find nothing and should cost nothing. Nobody but the owner makes the word null.
        if self.remote.load(Ordering::Relaxed).is_null() {
            return ptr::null_mut();
        }
        // The whole list at once, so that a block that comes back meanwhile (ABA) cannot matter. Acquire pairs
        // with the Release of each `give`.
        self.remote.swap(ptr::null_mut(), Ordering::Acquire)
    }

    /// Ends the owner's side. If `out` blocks are still out and none came back meanwhile, the caller's reference
    /// is theirs from now on, and this says so.
    pub(super) fn abandon(&self, out: usize) -> bool {
        // Release pairs with the Acquire of the last `give`, which drops what the owner wrote.
        self.remote
            .compare_exchange(ptr::null_mut(), orphans(out), Ordering::Release, Ordering::Relaxed)
            .is_ok()
    }

    /// A block of its own allocation, which holds the shared part. For anyone who holds it too.
    pub(super) fn alloc_alone(shared: &Arc<Self>, layout: Layout) -> NonNull<BlockHead> {
        let (page, block) = PageRef::map_alone(layout, Arc::into_raw(Arc::clone(shared)));
        shared.alone.lock().link(page);
        block
    }

    /// Shows the blocks that lie alone and are in use. The lock is not held meanwhile: `f` may free blocks.
    fn scan_alone(&self, f: &mut dyn FnMut(NonNull<BlockHead>)) {
        let pages = self.alone.lock().begin_scan();
        let _scan = AloneScan { shared: self };
        for page in pages {
            page.each_block(&mut |block| show(block, f));
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.each_page(|page| {
            // SAFETY: neither heap nor orphan nor scan holds the shared part any more, so no block is in use.
            unsafe { page.unmap() };
        });
    }
}

impl Alone {
    /// A page's links, which the lock around `self` guards.
    fn links<R>(&mut self, page: PageRef, f: impl FnOnce(&mut Owned) -> R) -> R {
        // SAFETY: the words of a page that lies alone are its list's, and `self` is borrowed from the lock.
        unsafe { page.owned(f) }
    }

    fn link(&mut self, page: PageRef) {
        let next = self.first.replace(page);
        self.links(page, |owned| owned.next = next);
        if let Some(next) = next {
            self.links(next, |owned| owned.previous = Some(page));
        }
    }

    fn unlink(&mut self, page: PageRef) {
        let (previous, next) = self.links(page, |owned| (owned.previous.take(), owned.next.take()));
        match previous {
            Some(previous) => self.links(previous, |owned| owned.next = next),
            None => self.first = next,
        }
        if let Some(next) = next {
            self.links(next, |owned| owned.previous = previous);
        }
    }

    /// Takes a page out; `true` if no scan can see it and the caller shall unmap it.
    fn remove(&mut self, page: PageRef) -> bool {
        self.unlink(page);
        if self.scans == 0 {
            return true;
        }
        let next = self.limbo.replace(page);
        self.links(page, |owned| owned.next = next);
        false
    }

    fn begin_scan(&mut self) -> Vec<PageRef> {
        self.scans += 1;
        let mut pages = Vec::new();
        let mut next = self.first;
        while let Some(page) = next {
            next = self.links(page, |owned| owned.next);
            pages.push(page);
        }
        pages
    }

    /// The pages to be unmapped now that a scan is over.
    fn end_scan(&mut self) -> Vec<PageRef> {
        self.scans -= 1;
        let mut pages = Vec::new();
        while self.scans == 0 {
            let Some(page) = self.limbo else { break };
            self.limbo = self.links(page, |owned| owned.next.take());
            pages.push(page);
        }
        pages
    }
}

/// Ends a scan, also when the closure it called panicked.
struct AloneScan<'a> {
    shared: &'a Shared,
}

impl Drop for AloneScan<'_> {
    fn drop(&mut self) {
        let pages = self.shared.alone.lock().end_scan();
        for page in pages {
            // SAFETY: the page was freed, and the last scan that could see it is over.
            unsafe { unmap_alone(page) };
        }
    }
}

/// Unmaps a page that lies alone and drops its reference to the shared part.
///
/// # Safety
///
/// The page is out of its list, and the caller is the last who holds it.
unsafe fn unmap_alone(page: PageRef) {
    let heap = page.heap;
    // SAFETY: the caller is the last who holds the page.
    unsafe { page.unmap() };
    // SAFETY: `alloc_alone` left this reference to the page, which is gone.
    drop(unsafe { Arc::from_raw(heap) });
}

/// Gives a block back from outside its heap.
///
/// # Safety
///
/// `block` is a block of `page`, and nobody uses it any more.
#[inline(never)]
pub(super) unsafe fn give(block: NonNull<BlockHead>, page: PageRef) {
    let heap = page.heap;
    if page.class.is_none() {
        // SAFETY: the block is still out and holds the shared part.
        let shared = unsafe { &*heap };
        if shared.alone.lock().remove(page) {
            // SAFETY: it is out of the list, its block is not in use, and no scan is under way.
            unsafe { unmap_alone(page) };
        }
        return;
    }
    // SAFETY: until this block is counted as home, it holds the shared part; and so `remote` is not used after the
    // exchange that succeeds.
    let remote = unsafe { &(*heap).remote };
    // A guess, not a load: a load would fetch the line once to read it and again to write it. (And loom, which
    // remembers one access a word, would take the load for the only one that a waiting owner's look races with.)
    let mut word = ptr::null_mut();
    loop {
        let orphans_left = orphan_count(word).map(|count| count - 1);
        let next = match orphans_left {
            Some(left) => orphans(left),
            None => {
                // SAFETY: the block is the caller's until the exchange.
                unsafe { replace_next(block, word) };
                block.as_ptr()
            }
        };
        // Release: what this thread did with the block comes before its next use, or the unmapping. Acquire: the
        // last orphan unmaps what the owner and the other orphans wrote.
        match remote.compare_exchange_weak(word, next, Ordering::AcqRel, Ordering::Relaxed) {
            Ok(_) if orphans_left == Some(0) => {
                // SAFETY: the heap left its reference to its orphans (`abandon`); this was the last of them.
                drop(unsafe { Arc::from_raw(heap) });
                return;
            }
            Ok(_) => return,
            Err(seen) => word = seen,
        }
    }
}

fn show(block: NonNull<BlockHead>, f: &mut dyn FnMut(NonNull<BlockHead>)) {
    // SAFETY: the block lies below its page's frontier and so has a head; the scan keeps it mapped.
    let head = unsafe { block_head(block) };
    // Only a hint: whoever wants the block must change the word, and by that learns what it is now.
    if head.state.load(Ordering::Relaxed) != 0 {
        f(block);
    }
}

/// What a heap and its views share: the way to the shared part, until the heap ends.
pub(super) type Anchor = Mutex<Option<Arc<Shared>>>;

/// A view of a heap for any thread, to look at all blocks in use.
///
/// It does not keep the heap: after the heap's end it shows nothing.
#[derive(Clone)]
pub struct HeapRef {
    anchor: Arc<Anchor>,
}

impl HeapRef {
    pub(super) fn new(anchor: Arc<Anchor>) -> Self {
        Self { anchor }
    }

    /// Calls `f` for every block whose state was seen to be other than zero.
    ///
    /// A block that is in use from before the call until after it is shown; one that comes or goes meanwhile may
    /// be. The memory stays mapped during the call, but a block may be given back and used again at any moment: `f`
    /// may only touch `state`, atomically, until it has changed it in a way that keeps the block. No lock is held
    /// while `f` runs; it may free blocks.
    pub fn scan(&self, f: &mut dyn FnMut(NonNull<BlockHead>)) {
        let Some(shared) = self.anchor.lock().as_ref().map(Arc::clone) else { return };
        shared.each_page(|page| page.each_block(&mut |block| show(block, f)));
        shared.scan_alone(f);
    }
}

impl fmt::Debug for HeapRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HeapRef").finish_non_exhaustive()
    }
}
