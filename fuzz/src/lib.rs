//! Naive models, and what compares them with the real structures after each step.
//!
//! Each module has a list of operations and a `run`, which reads the operations out of bytes: a fuzzer's, a property
//! test's, or a file's of the corpus. `run` panics at the first difference.

use arbitrary::{Arbitrary, Unstructured};

/// A moment that never comes; what the wheel's source expects of its crate.
pub(crate) const NEVER: u64 = u64::MAX;

#[expect(dead_code, unreachable_pub, reason = "sources of another crate, in part")]
mod io;
#[expect(dead_code, reason = "a source of another crate, in part")]
#[path = "../../crates/reactor/src/time"]
mod timing {
    pub(crate) mod wheel;
}

pub mod gates;
pub mod items;
pub mod life;
pub mod queue;
pub mod registry;
pub mod signals;
pub mod slab;
mod waits;
pub mod wheel;

/// The operations that the bytes spell, at most `limit` of them.
fn operations<'a, T: Arbitrary<'a>>(bytes: &'a [u8], limit: usize) -> Vec<T> {
    let mut source = Unstructured::new(bytes);
    let mut all = Vec::new();
    while !source.is_empty() && all.len() < limit {
        match T::arbitrary(&mut source) {
            Ok(next) => all.push(next),
            Err(_) => break,
        }
    }
    all
}
