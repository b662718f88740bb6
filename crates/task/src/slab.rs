//! The memory in which tasks live: a heap of recycled blocks a seat, which is also the registry of all tasks.
//!
//! The owner of a heap takes and frees blocks without a read-modify-write; everybody else gives them back with one.
//! A block's first word is its state, 0 while it is free, so that a scan over the pages finds every task without
//! a list that would cost each spawn. Blocks may outlive their heap; the last one takes its pages along.
#![allow(unsafe_code, reason = "blocks are recycled memory, handed out as raw pointers")]

mod class;
mod os;
mod owner;
mod page;
mod registry;

#[cfg(all(test, kasasagi_loom))]
mod model;
#[cfg(test)]
mod tests;

pub use registry::HeapRef;

use crate::waker;
use class::Class;
use kasasagi_primitive::alloc::Layout;
use kasasagi_primitive::cell::UnsafeCell;
use kasasagi_primitive::sync::atomic::{AtomicU64, Ordering};
use kasasagi_primitive::sync::{Arc, Mutex};
use kasasagi_primitive::thread_local;
use owner::Owner;
use page::PageRef;
use registry::{Anchor, Shared, give};
use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ptr::{self, NonNull};

/// The words of a block that the heap itself uses; every block begins with them.
///
/// They are made once, when the block is first handed out, and are not to be written over: a scan may be reading
/// `state` at any time, also of a free block.
#[derive(Debug)]
#[repr(C)]
pub struct BlockHead {
    /// 0 while the block is free; the holder's otherwise. Only ever written atomically.
    pub state: AtomicU64,
    /// Links free blocks; the holder's while the block is in use.
    pub next: UnsafeCell<*mut BlockHead>,
}

impl BlockHead {
    fn new() -> Self {
        Self { state: AtomicU64::new(0), next: UnsafeCell::new(ptr::null_mut()) }
    }
}

/// A block's head.
///
/// # Safety
///
/// The block lies below its page's frontier, and the caller keeps the page mapped as long as it uses the head.
#[inline(always)]
unsafe fn block_head<'a>(block: NonNull<BlockHead>) -> &'a BlockHead {
    // SAFETY: below the frontier every block has a head, which is never dropped.
    unsafe { block.as_ref() }
}

thread_local! {
    /// The heap that this thread owns.
    static ENTERED: Cell<*const Shared> = Cell::new(ptr::null())
}

/// The owner's side of a heap: one a seat. Heaps for spawns from foreign threads sit behind a lock.
pub struct Heap {
    shared: ManuallyDrop<Arc<Shared>>,
    anchor: Arc<Anchor>,
    /// One user at a time, on whatever thread.
    _not_sync: PhantomData<Cell<()>>,
}

/// How much memory a heap holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeapUsage {
    /// Blocks in pages that are out; those that other threads freed count until they are collected.
    pub blocks: usize,
    /// Pages of 32 KiB, those without memory included.
    pub pages: usize,
    /// Empty pages whose memory was given back to the system.
    pub bare_pages: usize,
}

impl Heap {
    /// A heap without pages.
    pub fn new() -> Self {
        waker::announce();
        let shared = Arc::new(Shared::new());
        let anchor = Arc::new(Mutex::new(Some(Arc::clone(&shared))));
        Self { shared: ManuallyDrop::new(shared), anchor, _not_sync: PhantomData }
    }

    #[inline(always)]
    fn owner(&self) -> Owner {
        // SAFETY: `Heap` is not Sync, so its holder is the only user; while a thread has entered it, the heap is
        // borrowed there and cannot be elsewhere.
        unsafe { Owner::new(Arc::as_ptr(&self.shared)) }
    }

    /// A block of at least `layout.size()` bytes, aligned as asked and to 16 bytes at least.
    ///
    /// Its state is 0 and its `next` is null. The holder writes what it likes behind the head and then, as the last
    /// step, stores a state other than 0 with Release: from then on scans show the block. Aborts through the
    /// allocation error hook if there is no memory.
    #[inline]
    pub fn alloc(&self, layout: Layout) -> NonNull<BlockHead> {
        match Class::of(layout) {
            Some(class) => self.owner().alloc(class),
            None => Shared::alloc_alone(&self.shared, layout),
        }
    }

    /// Runs `f` with this thread as the heap's owner: blocks of this heap that it frees meanwhile need no
    /// read-modify-write. Nests; the heap entered before is this thread's again afterwards.
    pub fn enter<R>(&self, f: impl FnOnce() -> R) -> R {
        struct Leave(*const Shared);
        impl Drop for Leave {
            fn drop(&mut self) {
                ENTERED.with(|entered| entered.set(self.0));
            }
        }
        let before = ENTERED.with(|entered| entered.replace(Arc::as_ptr(&self.shared)));
        let _leave = Leave(before);
        f()
    }

    /// Takes back the blocks that other threads freed. `alloc` does so itself before it asks for another page; an
    /// owner that only frees calls this from time to time. One load if there are none.
    pub fn collect(&self) {
        self.owner().collect();
    }

    /// As `collect`, but some hundreds of blocks at most, so that it takes microseconds: for an owner that has other
    /// things to do. The rest waits for the next call.
    pub fn collect_some(&self) {
        self.owner().collect_some();
    }

    /// Gives the memory of empty pages back to the system: of each size, what exceeds two pages and stayed unused
    /// since the last call. Their addresses stay this heap's.
    ///
    /// For quiet moments, milliseconds apart at least: each page costs a system call and six page faults at its next
    /// use.
    pub fn trim(&self) {
        let owner = self.owner();
        owner.collect();
        owner.trim();
    }

    /// How much memory the heap holds now. Walks all pages.
    pub fn usage(&self) -> HeapUsage {
        let owner = self.owner();
        let blocks = owner.out();
        owner.bins(|bins| HeapUsage { blocks, pages: bins.mapped, bare_pages: bins.bare })
    }

    /// A view for any thread, to look at all blocks in use.
    pub fn registry(&self) -> HeapRef {
        HeapRef::new(Arc::clone(&self.anchor))
    }
}

impl Default for Heap {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Heap {
    fn drop(&mut self) {
        // Scans find nothing from here on; one that is under way holds the shared part itself.
        let seen = self.anchor.lock().take();
        drop(seen);
        loop {
            self.owner().collect();
            let out = self.owner().out();
            if out == 0 {
                // SAFETY: dropped once, here, and not used again.
                unsafe { ManuallyDrop::drop(&mut self.shared) };
                return;
            }
            // If it succeeds, the reference in `shared` is the orphans', and the last of them drops it.
            if self.shared.abandon(out) {
                return;
            }
        }
    }
}

impl fmt::Debug for Heap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Heap").field("usage", &self.usage()).finish()
    }
}

/// Gives a block back, from any thread.
///
/// The owner's thread (`Heap::enter`) puts it into its page; others push it to the heap, which takes it back in time.
///
/// # Safety
///
/// `block` came from `Heap::alloc`, nobody uses it any more, and it is given back once.
#[inline]
pub unsafe fn free(block: NonNull<BlockHead>) {
    // SAFETY: the block is out, says the caller.
    let page = unsafe { PageRef::of(block) };
    // SAFETY: as above, and blocks that are out have a head.
    let head = unsafe { block_head(block) };
    // Scans skip it from here on. Relaxed: they take no other word on trust of this one.
    head.state.store(0, Ordering::Relaxed);
    // A thread that is ending may have no words of its own any more, and so owns no heap.
    if ENTERED.try_with(Cell::get).unwrap_or(ptr::null()) == page.home {
        // SAFETY: this thread entered the heap, and is in `enter` still, which holds the heap.
        let owner = unsafe { Owner::new(page.home) };
        // SAFETY: the block is of this page, and nobody uses it any more.
        unsafe { owner.push(block, page) };
    } else {
        // SAFETY: as above.
        unsafe { give(block, page) };
    }
}
