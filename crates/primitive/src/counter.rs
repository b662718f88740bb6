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
