//! A place that is written once, and then read by everybody.
//!
//! ```text
//!   EMPTY ──► SETTING ──► SET       the value is there, and never changes again
//! ```
//!
//! What `settle` is for a block that is shared, this is for a place inside something else: a static, for example.
#![allow(unsafe_code, reason = "the state says who may touch the value")]

use crate::cell::UnsafeCell;
use crate::sync::atomic::{AtomicU32, Ordering};
use std::fmt;
use std::mem::MaybeUninit;

/// Nothing was written.
const EMPTY: u32 = 0;
/// One is writing.
const SETTING: u32 = 1;
/// The value is there.
const SET: u32 = 2;

/// A place for one value.
pub struct Once<V> {
    state: AtomicU32,
    value: UnsafeCell<MaybeUninit<V>>,
}

// SAFETY: the value is owned, and moves with its place.
unsafe impl<V: Send> Send for Once<V> {}
// SAFETY: all get `&V`, and one of them, on any thread, may put the value there, which another one drops.
unsafe impl<V: Send + Sync> Sync for Once<V> {}

impl<V> Once<V> {
    crate::const_new! {
        /// An empty place.
        pub const fn new() -> Self {
            Self { state: AtomicU32::new(EMPTY), value: UnsafeCell::new(MaybeUninit::uninit()) }
        }
    }

    /// Writes the value.
    ///
    /// # Errors
    /// Gives it back if another one was there first, or writes at this moment.
    pub fn set(&self, value: V) -> Result<(), V> {
        let won = self.state.compare_exchange(EMPTY, SETTING, Ordering::Relaxed, Ordering::Relaxed);
        if won.is_err() {
            return Err(value);
        }
        // SAFETY: the one that made it SETTING may write, and nobody reads before SET.
        self.value.with_mut(|place| unsafe { place.cast::<V>().write(value) });
        // Release: who sees it SET (Acquire, in `get`) sees the value. A plain store, since SETTING is left to us.
        self.state.store(SET, Ordering::Release);
        Ok(())
    }

    /// The value, once it is there.
    #[inline]
    pub fn get(&self) -> Option<&V> {
        if self.state.load(Ordering::Acquire) != SET {
            return None;
        }
        // SAFETY: SET: the value was written, and nobody writes again while it is borrowed.
        Some(self.value.with(|value| unsafe { &*value.cast::<V>() }))
    }

    /// The value, for whoever has the place alone.
    pub fn get_mut(&mut self) -> Option<&mut V> {
        if self.state.load(Ordering::Relaxed) != SET {
            return None;
        }
        // SAFETY: SET: the value was written; `&mut self`: nobody else is at it.
        Some(self.value.with_mut(|value| unsafe { &mut *value.cast::<V>() }))
    }

    /// Takes the value out; the place is empty then.
    pub fn take(&mut self) -> Option<V> {
        if self.state.load(Ordering::Relaxed) != SET {
            return None;
        }
        self.state.store(EMPTY, Ordering::Relaxed);
        // SAFETY: SET: the value was written; EMPTY now, so nobody takes or drops it again.
        Some(self.value.with_mut(|value| unsafe { value.cast::<V>().read() }))
    }
}

impl<V> Drop for Once<V> {
    fn drop(&mut self) {
        drop(self.take());
    }
}

impl<V> Default for Once<V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<V: fmt::Debug> fmt::Debug for Once<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Once").field(&self.get()).finish()
    }
}
