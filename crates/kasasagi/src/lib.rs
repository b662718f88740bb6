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
mod as_completed;
#[cfg(doctest)]
mod book;
mod builder;
mod callback;
mod cancel;
mod caretaker;
mod child_error;
mod child_scope;
mod children;
mod context;
mod error;
mod gather;
mod glue;
mod group;
mod handle;
mod interrupt;
mod map_concurrent;
#[cfg(all(feature = "process", unix))]
pub mod process_pool;
#[cfg(feature = "progress")]
mod progress;
mod race;
mod run;
mod runtime;
mod shield;
pub mod stream;
pub mod sync;
pub mod task;
mod threads;
pub mod time;
mod virtual_time;
mod wait;

pub use as_completed::{AsCompleted, Next, NextTask, Timed, as_completed};
pub use builder::Builder;
pub use callback::TimerHandle;
pub use cancel::{
    Cancelled, CatchCancel, Deferred, Exit, Finally, Outcome, Resource, Rethrow, Uninterruptible,
    catch_cancel, defer, finally, uninterruptible, with,
};
pub use child_error::ChildError;
pub use error::{RunError, ShutdownReport};
#[doc(hidden)]
pub use gather::gather_mixed as __gather_mixed;
pub use gather::{FirstError, Gather, GatherMixed, Mixed, TryGather, gather, try_gather};
pub use group::{ChildOutput, GroupError, GroupScope, TaskGroup};
pub use handle::{Handle, NoRuntime};
pub use kasasagi_blocking::{
    BlockingError, JobInfo, Metrics as PoolMetrics, ShutdownReport as PoolReport, Work,
};
#[cfg(feature = "macros")]
pub use kasasagi_macros::{main, test};
pub use kasasagi_net as net;
pub use kasasagi_primitive::report::{ExceptionHook, Report, ReportKind, Reported};
#[doc(inline)]
pub use kasasagi_primitive::vars::{Context, ContextVar, Token, TokenError};
pub use kasasagi_scheduler::{Metrics, SeatMetrics};
#[doc(inline)]
pub use kasasagi_sync::{
    CallbackId, InvalidState, Pending, Promise, PromiseError, PromiseState, promise,
};
pub use kasasagi_task::{
    Eager, FutureExt, InContext, IntoTask, Join, JoinError, Named, Spawn, Spawner, Task,
    TaskHandle, TaskId, TaskInfo, TaskMut, TaskRef, TaskState, Within, YieldNow, yield_now,
};
pub use map_concurrent::{MapConcurrent, map_concurrent};
#[cfg(all(feature = "process", unix))]
#[doc(inline)]
pub use process_pool::{BrokenProcessPool, ProcessPool};
#[cfg(feature = "progress")]
pub use progress::{Progress, WithProgress};
pub use race::{Race, race};
pub use run::{run, spawn, spawn_fallible, spawn_local};
pub use runtime::Runtime;
pub use shield::{Shield, shield};
#[cfg(feature = "rayon")]
pub use threads::Rayon;
pub use threads::{
    Executor, IntoJob, JobExt, Map, MapChunks, MapChunksStream, MapStream, NamedJob, ParForEach,
    ParMap, PoolFull, ShutdownDefaultExecutor, Submit, Submitted, ThreadPool, ThreadPoolBuilder,
    par_for_each, par_for_each_on, par_map, par_map_on, run_in_executor, scoped_for_each,
    scoped_map, to_thread,
};
pub use wait::{ReturnWhen, Wait, Waited, wait};

// A worker that was not entered before `main` is entered here: by whoever builds a runtime.
#[cfg(all(feature = "process", unix))]
use kasasagi_process_pool::init as enter_worker;

/// There are no workers.
#[cfg(not(all(feature = "process", unix)))]
fn enter_worker() {}

#[cfg(all(feature = "process", not(unix)))]
compile_error!(
    "the feature `process` of kasasagi is for Unix: here, use a pool of threads, or programs of their own by `std::process`"
);
