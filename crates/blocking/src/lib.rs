//! Threads lent to closures that block.
//!
//! An async program has few threads, and one that waits inside `getaddrinfo`, a file read or a long computation
//! serves no task meanwhile. A [`Pool`] lends such a closure a thread of its own and gives back a future:
//!
//! ```
//! use kasasagi_blocking::{Config, Pool};
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
//! let pool = Pool::new(Config::default());
//! let sum = block_on(pool.unblock(|| (1..=10).sum::<u32>()));
//! assert_eq!(sum.ok(), Some(55));
//! ```
//!
//! # What belongs here, and what does not
//! Calls that wait in the operating system belong here, and computations of more than some 100 µs. A closure that
//! never returns does not: it keeps its thread for good, and shutdown can only count it. A computation that should
//! use every core belongs to a pool made for that; this one starts many more threads than there are cores.
//!
//! # What it promises
//! - A closure runs once, or its future says why not: [`BlockingError`].
//! - Closures start in the order in which they were handed in. When a thread is awake and has nothing to do, or the
//!   pool sleeps, it starts at once.
//! - A future dropped before its closure has started: the closure is dropped there and then and never runs.
//!   Dropped later: the closure runs to its end, and its result is dropped on the pool's thread.
//! - A panic ends the closure, not the thread, and comes out of the future with its payload.
//! - Threads are started only when work waits, and leave when they have been idle for a while. When the system
//!   refuses a thread, those there are do the work; only when there is none does it become an error.
//!
//! # How many threads
//! The first closure starts a thread. More go to work when the work *stalls*: a spare thread looks every 100 µs
//! ([`Config::stall`]) how many closures have been taken since, and if these are few for those who work, others are
//! called, or started, up to twice as many and [`Config::max_threads`]. A burst of tiny closures is so served by a thread
//! or two, and a hundred slow ones have their threads after a millisecond.
//!
//! The pool knows no runtime: it wakes a [`Waker`](std::task::Waker), and works under any executor.
#![forbid(unsafe_code)]

mod clock;
mod config;
mod error;
mod job;
mod slot;
mod spin;
mod wait;

mod crew;
mod unblock;
mod work;

mod pool;

pub use config::{Config, Hook};
pub use error::{BlockingError, Panic};
pub use job::JobInfo;
pub use pool::{Deserted, Entered, Metrics, Pool, ShutdownReport};
pub use unblock::Unblock;
pub use work::{Work, lend};
