//! Readiness and timers: the part of kasasagi that waits for the outside world.
//!
//! The reactor knows no task. It knows [`Waker`](std::task::Waker)s, file descriptors and moments: a leaf
//! future leaves a waker with it, and somebody who has nothing better to do turns it. Turning is three calls,
//! and a scheduler makes them between tasks:
//!
//! * [`Reactor::fire`] wakes whom a due timer concerns,
//! * [`Reactor::look`] asks the operating system what is ready, and does not wait,
//! * [`Reactor::attend`] waits for an event, an [interrupt](Reactor::interrupt) or a deadline, with one
//!   system call.
//!
//! Leaves find the reactor through the thread they run on: [`Registry::enter`] and [`Timers::enter`] make it
//! known, once a thread. [`Async`] is a non-blocking object with its registration; [`time`] has the futures
//! that wait for a moment.
//!
//! # Turning it by hand
//!
//! ```
//! use kasasagi_reactor::{NEVER, Reactor, time};
//! use std::future::Future;
//! use std::pin::pin;
//! use std::task::{Context, Poll, Waker};
//! use std::time::Duration;
//!
//! let reactor = Reactor::new(1)?;
//! let timers = reactor.timers();
//! let _entered = timers.enter(Some(0));
//!
//! let mut sleep = pin!(time::sleep(Duration::from_millis(2)));
//! let mut cx = Context::from_waker(Waker::noop());
//! while sleep.as_mut().poll(&mut cx).is_pending() {
//!     assert_ne!(reactor.deadline(0), NEVER);
//!     reactor.attend(reactor.deadline(0), 64);
//!     reactor.fire(0, reactor.now());
//! }
//! # std::io::Result::Ok(())
//! ```

mod interrupt;
mod io;
mod reactor;
mod registry;
pub mod time;

pub use io::async_io::{Async, Readable, Writable};
pub use io::kind::Source;
pub use io::source::Direction;
pub use reactor::Reactor;
pub use registry::{Registry, RegistryGuard};
pub use time::clock::Clock;
pub use time::timers::{Timers, TimersGuard};

/// The moment that does not come: the deadline of nobody.
///
/// Moments are nanoseconds of the reactor's [`Clock`], counted from its epoch.
pub const NEVER: u64 = u64::MAX;
