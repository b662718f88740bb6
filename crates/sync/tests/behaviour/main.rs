//! What the primitives promise, through their public face.

mod barrier;
mod bounded;
mod broadcast;
mod channel_waits;
mod condition;
mod event;
mod hand;
mod lock;
mod once_cell;
mod oneshot;
mod polled;
mod promise;
mod queue;
mod rate_window;
mod rw_lock;
mod semaphore;
mod unwinding;
mod watch;
