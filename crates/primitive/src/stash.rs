//! Small blocks that a thread keeps for the next who needs one: most of what malloc and free cost, saved.
//!
//! For things that are made and dropped at once, again and again, on one thread. A few of each size are kept; they go
//! back to the allocator when the thread ends. In a model every block is the allocator's, so that leaks are seen.
#![allow(unsafe_code, reason = "free blocks are linked through their first word")]

use crate::MODEL;
use crate::alloc::{Layout, alloc, dealloc};
use std::alloc::handle_alloc_error;
use std::cell::Cell;
use std::ptr::{self, NonNull};

/// Sizes are rounded up to it.
const STEP: usize = 32;
/// How many sizes are kept: what is larger costs little more by malloc than it costs to fill.
const SIZES: usize = 4;
/// How many blocks of a size are kept: a guess, enough for a few that are alive at a time; 5 kB a thread at most.
const KEPT: u32 = 16;
const ALIGN: usize = 16;

/// A list of free blocks of one size.
struct Free {
    first: Cell<*mut u8>,
    count: Cell<u32>,
}

struct Stash([Free; SIZES]);

std::thread_local! {
    static STASH: Stash = const {
        Stash([const { Free { first: Cell::new(ptr::null_mut()), count: Cell::new(0) } }; SIZES])
    };
}

/// Which list a layout belongs to, and the layout of its blocks.
const fn class(layout: Layout) -> Option<usize> {
    let is_small = layout.size() > 0 && layout.size() <= STEP * SIZES && layout.align() <= ALIGN;
    if is_small && !MODEL { Some((layout.size() - 1) / STEP) } else { None }
}

const fn layout_of(class: usize) -> Layout {
    match Layout::from_size_align((class + 1) * STEP, ALIGN) {
        Ok(layout) => layout,
        Err(_) => panic!("a few small sizes"),
    }
}

/// A block for a `T`, which is not a zero-sized type.
#[inline]
pub(crate) fn take<T>() -> NonNull<T> {
    let layout = const {
        assert!(size_of::<T>() > 0);
        Layout::new::<T>()
    };
    let Some(class) = (const { class(Layout::new::<T>()) }) else { return allocate(layout).cast() };
    let kept = STASH.try_with(|stash| {
        let free = &stash.0[class];
        let first = NonNull::new(free.first.get())?;
        // SAFETY: `give` wrote the word, and nobody has the block since.
        free.first.set(unsafe { first.cast::<*mut u8>().read() });
        free.count.set(free.count.get() - 1);
        Some(first)
    });
    match kept {
        Ok(Some(block)) => block.cast(),
        _ => allocate(layout_of(class)).cast(),
    }
}

/// Takes a block back.
///
/// # Safety
/// It came from `take` with the same type, and is used no more.
#[inline]
pub(crate) unsafe fn give<T>(block: NonNull<T>) {
    let Some(class) = (const { class(Layout::new::<T>()) }) else {
        // SAFETY: `take` allocated it with this layout.
        return unsafe { dealloc(block.as_ptr().cast(), Layout::new::<T>()) };
    };
    let block = block.cast::<u8>();
    let is_kept = STASH.try_with(|stash| {
        let free = &stash.0[class];
        if free.count.get() == KEPT {
            return false;
        }
        // SAFETY: the block is the caller's, and at least `STEP` bytes long.
        unsafe { block.cast::<*mut u8>().write(free.first.get()) };
        free.first.set(block.as_ptr());
        free.count.set(free.count.get() + 1);
        true
    });
    if !is_kept.unwrap_or(false) {
        // SAFETY: `take` allocated it with the layout of its class.
        unsafe { dealloc(block.as_ptr(), layout_of(class)) };
    }
}

#[cold]
fn allocate(layout: Layout) -> NonNull<u8> {
    // SAFETY: the layout is not of size zero: `take` sees to it.
    let block = unsafe { alloc(layout) };
    NonNull::new(block).unwrap_or_else(|| handle_alloc_error(layout))
}

impl Drop for Stash {
    fn drop(&mut self) {
        for (class, free) in self.0.iter().enumerate() {
            while let Some(block) = NonNull::new(free.first.get()) {
                // SAFETY: as in `take`.
                free.first.set(unsafe { block.cast::<*mut u8>().read() });
                // SAFETY: `take` allocated it with the layout of its class.
                unsafe { dealloc(block.as_ptr(), layout_of(class)) };
            }
        }
    }
}
