//! Functions run in worker processes: what a function does to its process, it does to nobody else.
//!
//! The workers are started from the executable that runs already, before its `main`; what travels is where in it a
//! function lies, an argument and a result. A worker that aborts, crashes or is killed breaks the one job it had, and
//! is replaced. All waiting is done on the [reactor](kasasagi_reactor) of the thread that polls.
//!
//! [`Workers`] is the set of them; [`Workers::call`] gives one a job.
//!
//! ```no_run
//! use kasasagi_process_pool::{Config, Workers};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! fn sum_of_squares(up_to: u64) -> u64 {
//!     (0..up_to).map(|n| n * n).sum()
//! }
//!
//! let workers = Workers::new(Config::default());
//! let request = workers.request(sum_of_squares, &1_000)?;
//! assert_eq!(workers.call(request).await?, 332_833_500);
//! # Ok(())
//! # }
//! ```
//!
//! It is for Unix: elsewhere this crate is empty.
//!
//! The modules below stand in order of dependence: frames and their transport are pure, `entry` holds all unsafe code.
#![cfg(unix)]

mod bytes;
mod codec;
mod entry;
mod error;
mod frame;
mod transport;
mod worker;

mod launch;
mod leaving;
mod orphans;
mod sys;

mod child;
mod slots;

mod request;
mod workers;

#[cfg(all(test, kasasagi_loom))]
mod model;

pub use bytes::Bytes;
pub use error::{BrokenProcessPool, JobError, JobPanic};
pub use request::Request;
pub use worker::init;
pub use workers::{Config, Workers};
