//! What lets tasks meet: fair, loses nothing, needs no runtime.
//!
//! ```
//! use kasasagi_sync::{Closed, Semaphore};
//! # use std::task::{Context, Poll, Wake, Waker};
//! # struct Unpark(std::thread::Thread);
//! # impl Wake for Unpark { fn wake(self: std::sync::Arc<Self>) { self.0.unpark() } }
//! # fn block_on<F: Future>(future: F) -> F::Output {
//! #     let waker = Waker::from(std::sync::Arc::new(Unpark(std::thread::current())));
//! #     let mut future = std::pin::pin!(future);
//! #     loop {
//! #         match future.as_mut().poll(&mut Context::from_waker(&waker)) {
//! #             Poll::Ready(output) => return output,
//! #             Poll::Pending => std::thread::park(),
//! #         }
//! #     }
//! # }
//! async fn fetch(limit: &Semaphore, page: u32) -> Result<u32, Closed> {
//!     // Three at a time; the others wait here, in the order in which they came.
//!     let _permit = limit.acquire().await?;
//!     Ok(page * 2)
//! }
//!
//! let limit = Semaphore::new(3);
//! assert_eq!(block_on(fetch(&limit, 21)), Ok(42));
//! ```
//!
//! # Which to choose
//! | to | use |
//! |---|---|
//! | let at most so many do something at a time | [`Semaphore`] |
//! | limit how many starts there are in a time | [`RateWindow`], or `RateLimiter` of the crate `kasasagi` |
//! | wait for a result that somebody else will set, once | [`promise`](promise()); for one who waits, [`oneshot`](mod@oneshot) |
//! | give every message to every receiver | [`broadcast`](mod@broadcast) |
//! | see the latest value, and wait for the next | [`watch`](mod@watch) |
//! | make a value once, by whoever needs it first | [`OnceCell`] |
//! | hand items from some tasks to others | [`Queue`], [`LifoQueue`], [`PriorityQueue`] |
//! | keep a value to oneself, also while awaiting | [`Lock`] |
//! | let many read a value at a time, and one write it | [`RwLock`] |
//! | wait until something has happened | [`Event`] |
//! | wait until a value is as it should be | [`Condition`], with a [`Lock`] |
//! | go on together, when all are there | [`Barrier`] |
//! | limit, and refuse permits that nobody took | [`BoundedSemaphore`] |
//! | guard data for a moment, without waiting while it is held | `std::sync::Mutex`: it is faster, and holds no task up |
//!
//! # What all of them promise
//! - **Fair**: first come, first served. What is released goes to the one who has waited longest, and a newcomer does
//!   not overtake; so every hand-over to a waiter costs a switch of tasks.
//! - **Nothing is lost**: a future may be dropped at any time. If it was already given what it waited for, the next in
//!   line gets it.
//! - **Any executor**: they know only [`Waker`](std::task::Waker). Inside tasks of kasasagi they take part in its
//!   budget, and say what the task waits for, and where.
//! - No wake happens under a lock, and uncontended operations take none.

mod barrier;
mod blocking;
mod bounded_semaphore;
pub mod broadcast;
mod closed;
mod condition;
mod event;
mod gate;
mod growing;
mod guarded;
mod lock;
mod once_cell;
pub mod oneshot;
mod promise;
mod queue;
mod rate_window;
mod rw_lock;
mod semaphore;
mod send_error;
pub mod watch;

pub use barrier::{Barrier, BarrierWait, Broken};
pub use bounded_semaphore::{BoundedSemaphore, TooManyPermits};
pub use broadcast::channel as broadcast;
pub use closed::Closed;
pub use condition::{Condition, ConditionWait, ConditionWaitOwned};
pub use event::{Event, EventWait};
pub use kasasagi_primitive::defer::CallbackId;
pub use lock::{
    Lock, LockGuard, Locking, LockingOwned, MappedLockGuard, OwnedLockGuard, OwnedMappedLockGuard,
    WouldBlock,
};
pub use once_cell::{GetOrInit, GetOrTryInit, OnceCell, SetError};
pub use oneshot::channel as oneshot;
pub use promise::{InvalidState, Pending, Promise, PromiseError, PromiseState, promise};
pub use queue::{
    Get, GetGuarded, ItemGuard, Join, LifoQueue, OwnedItemGuard, PriorityQueue, Put, PutError,
    Queue,
};
pub use queue::{TaskDoneError, TryGetError, TryPutError};
pub use rate_window::{RatePermit, RateWindow, Turn, TurnAtStart};
pub use rw_lock::{
    MappedWriteGuard, OwnedMappedWriteGuard, OwnedReadGuard, OwnedWriteGuard, ReadGuard, Reading,
    ReadingOwned, RwLock, WriteGuard, Writing, WritingOwned,
};
pub use semaphore::{Acquire, AcquireOwned, OwnedPermit, Permit, Semaphore, TryAcquireError};
pub use send_error::SendError;
pub use watch::channel as watch;
