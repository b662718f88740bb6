//! What the primitives promise, through their public face.

mod broadcast;
mod channel_waits;
mod once_cell;
mod oneshot;
mod polled;
mod promise;
mod queue;
mod rate_window;
mod semaphore;
mod watch;
