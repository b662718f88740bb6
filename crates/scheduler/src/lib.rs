//! The work-stealing scheduler of kasasagi: it decides which task runs next, on which worker.
//!
//! It has seats, and no threads: [`new`] hands out a [`Worker`] for every seat but the first, and whoever
//! calls [`Worker::run`] lends the thread; seat 0 is for the thread that calls [`Spawner::enter`]. It knows
//! no I/O and no clock: an idle worker waits in a [`Driver`], the one opening to the world outside.
//!
//! # Order and fairness
//! Spawned tasks run in the order of their spawns; a woken task runs next, from a slot that others may take
//! only when its owner is stuck. A slot that never empties (two tasks that wake each other) lets the queue
//! have its turn after `lifo_limit` polls; the injector, timers and events are looked at every 8 to 512
//! polls, so that about 50 µs lie between two looks. Behind a poll that blocks, others are served by whoever
//! is idle within two sentinel periods, 10 ms; or within 20 ms if nobody had the watch as that seat began to run
//! and the last wake for the sake of the watch is less than 10 ms ago. If every worker blocks, nobody helps.

mod chaos;
mod config;
mod current;
mod driver;
mod find;
mod front;
mod gather_wakes;
mod guest;
mod idle;
mod lull;
mod metrics;
mod schedule;
mod seat;
mod sentinel;
mod shared;
mod sleeper;
mod spawner;
mod worker;
mod worth;

#[cfg(all(test, kasasagi_loom))]
mod model;
#[cfg(test)]
mod tests;

pub use config::{Config, MAX_SEATS};
pub use driver::{Driver, NEVER, NoDriver};
pub use front::{FrontSeat, Occupied};
pub use gather_wakes::gather_wakes;
pub use guest::Guest;
pub use metrics::{Metrics, SeatMetrics};
pub use spawner::{Spawner, new, spawn_in_seat};
pub use worker::Worker;

/// Whether this thread sits in a seat of any scheduler.
pub fn is_worker() -> bool {
    current::with(|local| local.is_some())
}
