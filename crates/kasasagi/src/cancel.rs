//! What a program does about cancellation: catch it, clean up after it, hold it off.

mod catch;
mod defer;
mod finally;
mod owed;
mod uninterruptible;
mod with;

pub use catch::{Cancelled, CatchCancel, Rethrow, catch_cancel};
pub use defer::{Deferred, defer};
pub use finally::{Finally, finally};
pub use uninterruptible::{Uninterruptible, uninterruptible};
pub use with::{Exit, Outcome, Resource, with};
