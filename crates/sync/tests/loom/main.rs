//! Models of the primitives, through their public face.
#![cfg(kasasagi_loom)]

mod broadcast;
mod by_hand;
mod once_cell;
mod oneshot;
mod promise;
mod queue;
mod rate_window;
mod semaphore;
mod watch;
