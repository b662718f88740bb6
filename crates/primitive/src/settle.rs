//! A value that is settled once, in one block that counts who shares it.
//!
//! ```text
//!   OPEN ──note──► NOTED          somebody listens: whoever settles it looks whom to tell
//!     └────┬─────────┘
//!          ▼ settle
//!       SETTLING ──► SETTLED      the value is there, and never changes again
//! ```
//!
//! Settling is one compare-exchange and one store, looking is one load. The two shares that a block begins with cost
//! no counting, and the last one to go counts no more.
#![allow(
    unsafe_code,
    reason = "the state says who may touch the value, the count when the block ends"
)]

use crate::cell::UnsafeCell;
use crate::stash;
use crate::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::fmt;
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::ptr::NonNull;

/// Not settled, and nobody has noted that they listen.
const OPEN: u32 = 0;
/// Not settled, and somebody listens.
const NOTED: u32 = 1;
/// One share writes the value.
const SETTLING: u32 = 2;
/// The value is there.
const SETTLED: u32 = 3;

struct Block<V, L> {
    shares: AtomicUsize,
    state: AtomicU32,
    value: UnsafeCell<MaybeUninit<V>>,
    beside: L,
}

impl<V, L> Drop for Block<V, L> {
    fn drop(&mut self) {
        if self.state.load(Ordering::Relaxed) == SETTLED {
            // SAFETY: SETTLED: the value was written; `&mut self`: nobody looks at it any more.
            self.value.with_mut(|value| unsafe { value.cast::<V>().drop_in_place() });
        }
    }
}

/// A share of a value that is settled once, and of what lies beside it.
pub struct Settle<V, L> {
    block: NonNull<Block<V, L>>,
    _owned: PhantomData<Block<V, L>>,
}

// SAFETY: shares are counted atomically; each of them shows `&V` and `&L`, and the last one drops both.
unsafe impl<V: Send + Sync, L: Send + Sync> Send for Settle<V, L> {}
// SAFETY: as above.
unsafe impl<V: Send + Sync, L: Send + Sync> Sync for Settle<V, L> {}

/// What becomes of a note.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "who is settled already tells nobody"]
pub enum Note {
    /// Whoever settles the value will look whom to tell.
    Taken,
    /// The value is being written at this moment: it is too late to listen, and too early to look.
    Late,
    /// The value is there.
    Settled,
}

impl<V, L> Settle<V, L> {
    /// Two shares of a value that is not settled.
    #[inline]
    pub fn pair(beside: impl FnOnce() -> L) -> (Self, Self) {
        let block = stash::take::<Block<V, L>>();
        // `beside` is made here, in its place: put together on the stack first, it is copied in larger pieces than it was
        // stored in, and each of those has to wait until the stores have left the processor.
        let new = Block {
            shares: AtomicUsize::new(2),
            state: AtomicU32::new(OPEN),
            value: UnsafeCell::new(MaybeUninit::uninit()),
            beside: beside(),
        };
        // SAFETY: the block was made for it, and nobody else has it.
        unsafe { block.write(new) };
        (Self { block, _owned: PhantomData }, Self { block, _owned: PhantomData })
    }

    #[inline]
    fn block(&self) -> &Block<V, L> {
        // SAFETY: the block lives as long as a share of it, says the count.
        unsafe { self.block.as_ref() }
    }

    /// What lies beside the value.
    #[inline]
    pub fn beside(&self) -> &L {
        &self.block().beside
    }

    /// A number that two shares have in common if they are shares of one value.
    pub fn address(&self) -> usize {
        self.block.addr().get()
    }

    /// Settles the value, and says whether somebody has noted that they listen.
    ///
    /// # Errors
    /// Gives it back if another one was there first.
    #[inline]
    pub fn settle(&self, value: V) -> Result<bool, V> {
        let block = self.block();
        let mut now = block.state.load(Ordering::Relaxed);
        loop {
            if now > NOTED {
                return Err(value);
            }
            match block.state.compare_exchange_weak(
                now,
                SETTLING,
                Ordering::Relaxed,
                Ordering::Relaxed,
            ) {
                Ok(_) => break,
                Err(changed) => now = changed,
            }
        }
        // SAFETY: of all shares the one that made it SETTLING may write, and none reads before SETTLED.
        block.value.with_mut(|place| unsafe { place.cast::<V>().write(value) });
        // Release: who sees it settled (Acquire, in `get`) sees the value. A plain store, since SETTLING is left to us.
        block.state.store(SETTLED, Ordering::Release);
        Ok(now == NOTED)
    }

    /// The value, once it is settled.
    #[inline]
    pub fn get(&self) -> Option<&V> {
        let block = self.block();
        if block.state.load(Ordering::Acquire) != SETTLED {
            return None;
        }
        // SAFETY: SETTLED: the value was written, and nobody writes again.
        Some(block.value.with(|value| unsafe { &*value.cast::<V>() }))
    }

    /// Has whoever settles the value look for listeners. To be called with the lock of their list held, which is
    /// given up only when the listener is in it.
    #[inline]
    pub fn note(&self) -> Note {
        let state = &self.block().state;
        let now = state
            .compare_exchange(OPEN, NOTED, Ordering::Relaxed, Ordering::Acquire)
            .unwrap_or_else(|now| now);
        match now {
            OPEN | NOTED => Note::Taken,
            SETTLING => Note::Late,
            _ => Note::Settled,
        }
    }
}

impl<V, L> Clone for Settle<V, L> {
    #[inline]
    fn clone(&self) -> Self {
        let before = self.block().shares.fetch_add(1, Ordering::Relaxed);
        if before > usize::MAX / 2 {
            // Shares were forgotten until the count is about to wrap; as `Arc` does.
            std::process::abort();
        }
        Self { block: self.block, _owned: PhantomData }
    }
}

impl<V, L> Drop for Settle<V, L> {
    #[inline]
    fn drop(&mut self) {
        let shares = &self.block().shares;
        // Alone: nobody is there who could add one. Acquire pairs with the Release of those that left.
        if shares.load(Ordering::Acquire) != 1 {
            if shares.fetch_sub(1, Ordering::Release) != 1 {
                return;
            }
            // A load, as the sanitizer knows no fences: it reads the end of the release sequence of all who left.
            let _ = shares.load(Ordering::Acquire);
        }
        self.free();
    }
}

impl<V, L> Settle<V, L> {
    #[inline]
    fn free(&mut self) {
        // Given back also if a destructor panics.
        let _memory = Memory(self.block);
        // SAFETY: it was written in `pair`, and this was the last share.
        unsafe { self.block.drop_in_place() };
    }
}

/// A block whose content is gone, or about to be.
struct Memory<V, L>(NonNull<Block<V, L>>);

impl<V, L> Drop for Memory<V, L> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: `pair` took it with the same type, and the last share is gone.
        unsafe { stash::give(self.0) };
    }
}

impl<V, L> fmt::Debug for Settle<V, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settle").field("settled", &self.get().is_some()).finish_non_exhaustive()
    }
}
