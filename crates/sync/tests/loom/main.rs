//! Models of the primitives, through their public face.
#![cfg(kasasagi_loom)]

mod barrier;
mod condition;
mod event;
mod hand;
mod lock;
mod promise;
mod semaphore;
