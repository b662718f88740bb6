//! Streams: asynchronous generators, and the adapters that let tasks work on the items of one.
//!
//! A stream is a `futures` `Stream`; whatever else is done with one, futures-util's `StreamExt` does. The adapters here
//! differ from those there in one thing: they spawn, so that items are worked on by all workers, and also while nobody
//! polls the stream.

mod buffered;
mod for_each;
mod from_fn;

pub use buffered::{Buffered, buffered};
pub use for_each::for_each_concurrent;
pub use from_fn::{Emit, Emitter, FromFn, from_fn};
