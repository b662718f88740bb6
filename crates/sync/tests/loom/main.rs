//! Models of the primitives, through their public face.
#![cfg(kasasagi_loom)]

mod promise;
mod queue;
mod semaphore;
