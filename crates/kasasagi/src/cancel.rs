//! What a program does about cancellation: catch it, clean up after it, hold it off.

mod catch;
mod uninterruptible;

pub use catch::{Cancelled, CatchCancel, Rethrow, catch_cancel};
pub use uninterruptible::{Uninterruptible, uninterruptible};
