//! A value that one gives and another takes, once, in one block that the two share.
//!
//! ```text
//!             poll: leaves a waker
//!    EMPTY ──────────────────────────► WAITING
//!      │  ◄──────────────────────────     │
//!      │      poll, drop: takes it back   │ give, drop: the waker is the giver's
//!      │ give, drop                       ▼
//!      ├──────────────────────────────  CALLING
//!      ▼
//!    GIVEN or BROKEN: the giver is gone, and the block is the taker's
//!
//!    REFUSED: the taker wants it no more. GONE: the taker is gone, and the block is the giver's
//! ```
//!
//! To give is one compare-exchange, to find it given one load. The last of the two frees the block, and counts nothing.
#![allow(
    unsafe_code,
    reason = "the state says who may touch value and waker, and whose block it is"
)]

use crate::cell::UnsafeCell;
use crate::stash;
use crate::sync::atomic::{AtomicU32, Ordering};
use crate::wake_batch::wake_caught;
use std::fmt;
use std::marker::PhantomData;
use std::mem::{ManuallyDrop, MaybeUninit};
use std::ptr::NonNull;
use std::task::Waker;

/// Nothing was given, and nobody waits.
const EMPTY: u32 = 0;
/// The taker has left a waker.
const WAITING: u32 = 1;
/// The giver takes the waker out; it is about to be gone.
const CALLING: u32 = 2;
/// The taker wants nothing any more, and is still there.
const REFUSED: u32 = 3;
/// The taker is gone; the block is the giver's.
const GONE: u32 = 4;
/// The value is there, and the giver gone; the block is the taker's.
const GIVEN: u32 = 5;
/// The giver is gone, and there is no value; the block is the taker's.
const BROKEN: u32 = 6;

struct Block<V> {
    state: AtomicU32,
    // The giver's, until it is GIVEN.
    value: UnsafeCell<MaybeUninit<V>>,
    // The taker's while EMPTY or REFUSED, nobody's while WAITING, the giver's while CALLING.
    waker: UnsafeCell<MaybeUninit<Waker>>,
}

/// The one who gives; dropped before, it breaks what the other waits for.
pub struct Giver<V> {
    block: NonNull<Block<V>>,
    _owned: PhantomData<Block<V>>,
}

/// The one who takes.
pub struct Taker<V> {
    // None once it has got what there was to get.
    block: Option<NonNull<Block<V>>>,
    _owned: PhantomData<Block<V>>,
}

/// What a taker finds.
#[derive(Debug)]
#[must_use = "a value that was taken is the caller's"]
pub enum Found<V> {
    /// The value.
    Given(V),
    /// Nothing, and there will be nothing.
    Broken,
    /// Nothing yet.
    Nothing,
    /// Nothing yet, but the giver is giving at this moment: the waker that was left before is being called, and the one
    /// that came now was not left.
    Soon,
}

// SAFETY: the value goes from one thread to the other once, as the state says; a waker is Send.
unsafe impl<V: Send> Send for Giver<V> {}
// SAFETY: through `&Giver` only the state is read.
unsafe impl<V: Send> Sync for Giver<V> {}
// SAFETY: as for the giver.
unsafe impl<V: Send> Send for Taker<V> {}
// SAFETY: through `&Taker` only the state is read.
unsafe impl<V: Send> Sync for Taker<V> {}

/// The two sides of a gift.
#[inline]
pub fn gift<V>() -> (Giver<V>, Taker<V>) {
    let block = stash::take::<Block<V>>();
    let new = Block {
        state: AtomicU32::new(EMPTY),
        value: UnsafeCell::new(MaybeUninit::uninit()),
        waker: UnsafeCell::new(MaybeUninit::uninit()),
    };
    // SAFETY: the block was made for it, and nobody else has it.
    unsafe { block.write(new) };
    (Giver { block, _owned: PhantomData }, Taker { block: Some(block), _owned: PhantomData })
}

impl<V> Block<V> {
    /// Takes the value out.
    ///
    /// # Safety
    /// It is there, the caller's, and taken once.
    #[inline]
    unsafe fn take_value(&self) -> V {
        // SAFETY: says the caller.
        self.value.with_mut(|value| unsafe { value.cast::<V>().read() })
    }

    /// Takes the waker out.
    ///
    /// # Safety
    /// It is there, the caller's, and taken once.
    unsafe fn take_waker(&self) -> Waker {
        // SAFETY: says the caller.
        self.waker.with_mut(|waker| unsafe { waker.cast::<Waker>().read() })
    }

    /// Leaves a waker.
    ///
    /// # Safety
    /// The place is the caller's, and there is none.
    unsafe fn put_waker(&self, waker: Waker) {
        // SAFETY: says the caller.
        self.waker.with_mut(|place| unsafe { place.cast::<Waker>().write(waker) });
    }
}

/// A step of the state. It may give the block away, and the other side free it before this has returned: hence no
/// `&Block` goes in, which would say that the block outlives the call.
#[inline]
fn exchange(state: &AtomicU32, now: u32, next: u32) -> Result<u32, u32> {
    // AcqRel: publishes what the one writes, and shows what the other wrote, whichever of the two it was.
    state.compare_exchange(now, next, Ordering::AcqRel, Ordering::Acquire)
}

/// Gives a block back to the allocator; values and wakers were taken out.
///
/// # Safety
/// The caller is the last who has it.
#[inline]
unsafe fn free<V>(block: NonNull<Block<V>>) {
    // SAFETY: it was written in `gift`, and nobody else has it.
    let cells = unsafe { block.as_ref() };
    // Nobody else may be at them any more; in a model this is checked.
    cells.value.with_mut(|_| ());
    cells.waker.with_mut(|_| ());
    // SAFETY: as above; in a model this ends the watch over the cells.
    unsafe { block.drop_in_place() };
    // SAFETY: `gift` took it with the same type.
    unsafe { stash::give(block) };
}

impl<V> Giver<V> {
    #[inline]
    fn block(&self) -> &Block<V> {
        // SAFETY: the taker frees a block only after the giver has gone.
        unsafe { self.block.as_ref() }
    }

    /// Gives the value; a waker that comes back is to be woken.
    ///
    /// # Errors
    /// Gives it back if the taker wants it no more, or is gone.
    #[inline]
    pub fn give(self, value: V) -> Result<Option<Waker>, V> {
        let this = ManuallyDrop::new(self);
        // SAFETY: until it is GIVEN the place is the giver's, and it gives once.
        this.block().value.with_mut(|place| unsafe { place.cast::<V>().write(value) });
        let (found, waker) = this.leave(GIVEN);
        match found {
            EMPTY | CALLING => Ok(waker),
            _ => {
                // SAFETY: it was not GIVEN, so it is the giver's still.
                let value = unsafe { this.block().take_value() };
                this.end_refused(found);
                // The taker no longer waits under it.
                drop(waker);
                Err(value)
            }
        }
    }

    /// Whether nobody wants the value any more.
    #[inline]
    pub fn is_refused(&self) -> bool {
        matches!(self.block().state.load(Ordering::Relaxed), REFUSED | GONE)
    }

    /// Goes, with `end` unless the other side has refused; what was found then, and the waker that was left there.
    #[inline]
    fn leave(&self, end: u32) -> (u32, Option<Waker>) {
        let block = self.block();
        // Acquire: if the taker is GONE, what it did to the block has happened before it is freed.
        let mut now = block.state.load(Ordering::Acquire);
        let mut waker = None;
        loop {
            let next = match now {
                EMPTY | CALLING => end,
                WAITING => CALLING,
                _ => return (now, waker),
            };
            match exchange(&block.state, now, next) {
                Ok(_) if now == WAITING => {
                    // SAFETY: CALLING: the waker is the giver's.
                    waker = Some(unsafe { block.take_waker() });
                    now = CALLING;
                }
                Ok(_) => return (now, waker),
                Err(changed) => now = changed,
            }
        }
    }

    /// Goes where the other side has refused.
    #[cold]
    fn end_refused(&self, mut found: u32) {
        if found == REFUSED {
            match exchange(&self.block().state, REFUSED, BROKEN) {
                Ok(_) => return,
                Err(changed) => found = changed,
            }
        }
        if found == GONE {
            // SAFETY: the taker is gone.
            unsafe { free(self.block) };
        }
    }
}

impl<V> Drop for Giver<V> {
    fn drop(&mut self) {
        let (found, waker) = self.leave(BROKEN);
        if !matches!(found, EMPTY | CALLING) {
            self.end_refused(found);
        }
        // It may be a panic that drops it, and a second one would end the process.
        if let Some(waker) = waker {
            wake_caught(waker);
        }
    }
}

impl<V> Taker<V> {
    #[inline]
    fn block(&self) -> Option<&Block<V>> {
        // SAFETY: the giver frees a block only after the taker has gone.
        self.block.as_ref().map(|block| unsafe { block.as_ref() })
    }

    /// A number that says which gift it is; 0 when there is nothing more to get.
    pub fn address(&self) -> usize {
        self.block.map_or(0, |block| block.addr().get())
    }

    /// Takes the value if it is there.
    #[inline]
    pub fn take(&mut self) -> Found<V> {
        let Some(block) = self.block() else { return Found::Broken };
        match block.state.load(Ordering::Acquire) {
            GIVEN => {
                // SAFETY: GIVEN, and taken once: `end` forgets the block.
                let value = unsafe { block.take_value() };
                self.end();
                Found::Given(value)
            }
            BROKEN => {
                self.end();
                Found::Broken
            }
            REFUSED => Found::Broken,
            _ => Found::Nothing,
        }
    }

    /// Takes the value, or leaves a waker which is given to whoever gives it.
    #[inline]
    pub fn poll(&mut self, waker: &Waker) -> Found<V> {
        match self.take() {
            Found::Nothing => self.wait(waker),
            found => found,
        }
    }

    #[cold]
    fn wait(&mut self, waker: &Waker) -> Found<V> {
        let Some(block) = self.block() else { return Found::Broken };
        let mut old = block.take_back();
        let mut new = match old.take_if(|old| old.will_wake(waker)) {
            Some(same) => same,
            None => waker.clone(),
        };
        loop {
            match block.state.load(Ordering::Acquire) {
                EMPTY => {}
                CALLING => return Found::Soon,
                _ => return self.take(),
            }
            // SAFETY: EMPTY: the place is the taker's, and `take_back` has emptied it.
            unsafe { block.put_waker(new) };
            if exchange(&block.state, EMPTY, WAITING).is_ok() {
                return Found::Nothing;
            }
            // SAFETY: it was not WAITING, and so nobody else has seen it.
            new = unsafe { block.take_waker() };
        }
    }

    /// Wants it no more; a value that is there already can still be taken.
    pub fn refuse(&mut self) {
        let Some(block) = self.block() else { return };
        // Dropped at the end: it is foreign.
        let _waker = block.take_back();
        let mut now = block.state.load(Ordering::Relaxed);
        while matches!(now, EMPTY | CALLING) {
            match exchange(&block.state, now, REFUSED) {
                Ok(_) => return,
                Err(changed) => now = changed,
            }
        }
    }

    /// The giver is gone: frees the block.
    #[inline]
    fn end(&mut self) {
        if let Some(block) = self.block.take() {
            // SAFETY: GIVEN or BROKEN: the giver is gone; the value was taken.
            unsafe { free(block) };
        }
    }

    #[cold]
    fn go(&mut self) {
        let Some(block) = self.block() else { return };
        let _waker = block.take_back();
        let mut now = block.state.load(Ordering::Acquire);
        while matches!(now, EMPTY | CALLING | REFUSED) {
            match exchange(&block.state, now, GONE) {
                Ok(_) => return,
                Err(changed) => now = changed,
            }
        }
        // GIVEN or BROKEN. The value is dropped last: it is foreign.
        let _value = self.take();
    }
}

impl<V> Block<V> {
    /// The taker takes its waker back, if the giver has not got it.
    fn take_back(&self) -> Option<Waker> {
        if self.state.load(Ordering::Relaxed) != WAITING
            || exchange(&self.state, WAITING, EMPTY).is_err()
        {
            return None;
        }
        // SAFETY: EMPTY: it is the taker's again.
        Some(unsafe { self.take_waker() })
    }
}

impl<V> Drop for Taker<V> {
    #[inline]
    fn drop(&mut self) {
        if self.block.is_some() {
            self.go();
        }
    }
}

impl<V> fmt::Debug for Giver<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Giver").field("refused", &self.is_refused()).finish_non_exhaustive()
    }
}

impl<V> fmt::Debug for Taker<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Taker").field("over", &self.block.is_none()).finish_non_exhaustive()
    }
}
