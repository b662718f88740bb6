//! What the primitives promise, through their public face.

mod barrier;
mod bounded;
mod condition;
mod event;
mod hand;
mod lock;
mod promise;
mod rw_lock;
mod semaphore;
mod unwinding;
