//! Streams: a generator as a [`Stream`](futures_core::Stream), and what it takes to run what a stream gives as tasks.
//!
//! Everything else that streams can do is futures-util's `StreamExt`, which works with them as with any.

mod buffered;
mod for_each;
mod from_fn;

#[cfg(feature = "progress")]
pub use crate::progress::progress;
pub use buffered::{Buffered, buffered};
pub use for_each::{ForEachConcurrent, for_each_concurrent};
pub use from_fn::{Emit, Emitter, FromFn, from_fn};
