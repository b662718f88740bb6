//! Models of the task's life, through its public face: who may poll, read, drop and free, in every interleaving.
//!
//! A lost wake shows as a deadlock, a second runner or an access to a freed join cell as loom's own complaint, and
//! what was dropped or freed too often, or never, in the counts at the end.
#![cfg(kasasagi_loom)]

mod callbacks;
mod cancel;
mod cleanups;
mod ends;
mod join;
mod lines;
mod overflow;
mod owner;
mod plain;
mod scan;
mod scopes;
mod support;
mod wakes;
