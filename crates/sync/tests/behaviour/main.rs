//! What the primitives promise, through their public face.

mod promise;
mod queue;
mod semaphore;
