//! What the pool promises, through its public face.

mod growth;
mod jobs;
mod shutdown;
mod support;
mod threads;
mod waits;
