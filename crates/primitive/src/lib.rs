//! The floor of the house: the one door to std, loom or shuttle, and what is built right on it.
//!
//! Every other crate takes its atomics, locks, cells, threads and queues from here, and so runs on the
//! real ones; or, under `--cfg kasasagi_loom`, on loom's, which explore every interleaving of a small model;
//! or, under `--cfg kasasagi_shuttle`, on shuttle's, which try random schedules of a large one. This file
//! holds the only switch of the house.

// Words carry bits below pointers to what is aligned to eight bytes, and a task's header is laid out by the byte.
#[cfg(not(target_pointer_width = "64"))]
compile_error!("kasasagi is for machines with 64-bit pointers: build it for such a target");

#[cfg(not(any(kasasagi_loom, kasasagi_shuttle)))]
#[path = "real.rs"]
mod imp;
#[cfg(kasasagi_loom)]
#[path = "model.rs"]
mod imp;
#[cfg(kasasagi_shuttle)]
#[path = "shuttle.rs"]
mod imp;

pub mod bolt;
pub mod chaos;
pub mod cold;
mod cold_word;
pub mod coop;
pub mod counter;
pub mod current;
pub mod defer;
pub mod gift;
pub mod holders;
pub mod offers;
pub mod once;
pub mod park;
pub mod report;
pub mod request;
pub mod scope;
pub mod settle;
mod stash;
pub mod task_context;
pub mod tell;
pub mod vars;
pub mod wait_list;
pub mod wait_site;
pub mod wake_batch;

pub use crossbeam_utils::CachePadded;
#[doc(inline)]
pub use imp::{MODEL, alloc, cell, const_new, deque, hint, sync, thread, thread_local};

#[cfg(kasasagi_loom)]
pub mod explore;

#[cfg(kasasagi_loom)]
#[doc(hidden)]
pub use loom as __loom;

#[cfg(kasasagi_shuttle)]
pub mod schedules;

#[cfg(kasasagi_shuttle)]
#[doc(hidden)]
pub use shuttle as __shuttle;
