//! Models of the primitives, through their public face.
#![cfg(kasasagi_loom)]

mod barrier;
mod broadcast;
mod by_hand;
mod condition;
mod event;
mod hand;
mod lock;
mod offers;
mod offers_beside;
mod once_cell;
mod oneshot;
mod promise;
mod queue;
mod rate_window;
mod runner;
mod semaphore;
mod watch;
