//! What flows through kasasagi: the task.
//!
//! ```text
//!            spawn                    run: poll
//!   future ─────────► due ─────────────────────────► pending ──┐
//!                      ▲  (Runnable)      │  │                  │ wake: WAKES 0 → 1
//!                      │                  │  └─ woken meanwhile │
//!                      └──────────────────┼──────────◄──────────┘
//!                                         ▼ ready, panicked or cancelled
//!                                      complete ──► output read by Task<T>, or dropped
//! ```
//!
//! A [`Runnable`] is the right, and duty, to poll a task once; it exists while the task is due. A [`Task`]
//! waits for the output and cancels; a [`TaskRef`] inspects and cancels. A waker is one counted reference.
//! Tasks live in blocks of a [`slab::Heap`], which is also the list of all tasks. Nothing here knows how
//! tasks are queued: that is whoever implements [`Schedule`].

pub mod slab;

mod awaited;
mod cell;
mod closer;
mod deaf;
mod eager;
mod ends;
mod error;
mod handle;
mod in_context;
mod into_task;
mod join_cell;
mod meta;
#[cfg(all(test, kasasagi_loom))]
mod model;
mod on_done;
mod owner;
pub mod panic_site;
mod registry;
mod run;
mod spawn;
mod state;
mod task_ref;
mod unread;
mod waker;
mod word;
mod yield_now;

pub use cell::{Birth, Home, Schedule};
pub use deaf::Deaf;
pub use eager::Eager;
pub use ends::Ends;
pub use error::JoinError;
pub use handle::{Join, Task};
pub use in_context::{InContext, Within};
pub use into_task::{IntoTask, Spawner, TaskHandle, TaskMut};
pub use meta::{Attributes, Fallible, FutureExt, Ids, Named, Spawn, TaskId, TaskInfo, TaskState};
pub use owner::{Keeper, Owned, Owner};
pub use registry::all;
pub use run::{Joiner, Ran, Runnable};
pub use task_ref::{Owed, TaskRef, try_current};
pub use unread::SHUTDOWN;
pub use yield_now::{YieldNow, yield_now};
