//! kasasagi gives Rust programs what Python's asyncio gives (tasks with names, timers, sockets, cancellation,
//! introspection) on a multi-threaded work-stealing scheduler.
//!
//! ```
//! use kasasagi::{FutureExt, spawn, time};
//! use std::time::Duration;
//!
//! kasasagi::run(async {
//!     let slow = spawn(async {
//!         time::sleep(Duration::from_millis(20)).await;
//!         "slow"
//!     }.named("slow"));
//!     let fast = spawn(async { "fast" });
//!     assert_eq!(fast.await.expect("it ends"), "fast");
//!     assert_eq!(slow.await.expect("it ends"), "slow");
//! });
//! ```
//!
//! [`run`] makes the calling thread the first worker, runs a future to its end and ends what is left.
//! [`spawn`] makes a task; awaiting its [`Task`] gives the output. [`time`] sleeps, ticks and limits, [`net`]
//! talks TCP, [`sync`](mod@sync) lets tasks meet, and [`task`] says who runs. A program that wants a runtime
//! of its own shape builds a [`Runtime`].
//!
//! Dropping a `Task` detaches it. Dropping the last handle of a runtime, or leaving `run`, cancels the tasks
//! that are left: their futures are dropped where they are suspended.

#[cfg(feature = "macros")]
#[doc(hidden)]
#[path = "macros.rs"]
pub mod __macros;
#[cfg(doctest)]
mod book;
mod builder;
mod cancel;
mod caretaker;
mod error;
mod glue;
mod handle;
mod interrupt;
mod run;
mod runtime;
pub mod task;

pub use builder::Builder;
pub use cancel::{Cancelled, CatchCancel, Rethrow, Uninterruptible, catch_cancel, uninterruptible};
pub use error::{RunError, ShutdownReport};
pub use handle::{Handle, NoRuntime};
#[cfg(feature = "macros")]
pub use kasasagi_macros::{main, test};
pub use kasasagi_net as net;
pub use kasasagi_primitive::report::{ExceptionHook, Report, ReportKind, Reported};
#[doc(inline)]
pub use kasasagi_reactor::time;
pub use kasasagi_scheduler::{Metrics, SeatMetrics};
pub use kasasagi_sync as sync;
pub use kasasagi_task::{
    FutureExt, Join, JoinError, Named, Spawn, Task, TaskId, TaskInfo, TaskRef, TaskState, YieldNow,
    yield_now,
};
pub use run::{run, spawn, spawn_fallible, spawn_local};
pub use runtime::Runtime;
