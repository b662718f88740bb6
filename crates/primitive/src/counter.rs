//! A process-wide counter, for numbers that only have to differ.
//!
//! It is std's atomic also in a model: no memory is published through it, and loom's cannot be a static.

use std::sync::atomic::{AtomicU64, Ordering};

/// Hands out numbers, each once.
#[derive(Debug)]
pub struct Counter(AtomicU64);

impl Counter {
    /// The first number will be `first`.
    pub const fn new(first: u64) -> Self {
        Self(AtomicU64::new(first))
    }

    /// Takes `n` numbers and returns the lowest.
    #[inline]
    pub fn take(&self, n: u64) -> u64 {
        self.0.fetch_add(n, Ordering::Relaxed)
    }
}

/// A number of its own, taken at the first need: for statics that are told apart by it.
#[derive(Debug)]
pub struct Number(AtomicU64);

/// Where the numbers of statics come from.
static NUMBERS: Counter = Counter::new(1);

impl Number {
    /// No number yet.
    pub const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// The number, which is not zero.
    #[inline]
    pub fn get(&self) -> u64 {
        match self.0.load(Ordering::Relaxed) {
            0 => self.take(),
            number => number,
        }
    }

    #[cold]
    fn take(&self) -> u64 {
        let new = NUMBERS.take(1);
        match self.0.compare_exchange(0, new, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => new,
            Err(number) => number,
        }
    }
}

impl Default for Number {
    fn default() -> Self {
        Self::new()
    }
}
