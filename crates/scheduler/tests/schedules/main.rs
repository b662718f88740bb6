//! The whole scheduler at eight seats under random schedules.
//!
//! `.ci/schedules` runs them; each names what it lets meet. A wake that is lost is a deadlock, which shuttle reports;
//! a task that is polled twice at once, dropped twice, or left undropped is found by the probe around its future.
#![cfg(kasasagi_shuttle)]

use kasasagi_primitive::schedules::schedules;
use kasasagi_primitive::sync::atomic::{AtomicUsize, Ordering};
use kasasagi_primitive::sync::{Arc, Condvar, Mutex};
use kasasagi_primitive::thread::{self, JoinHandle};
use kasasagi_scheduler::{Config, Driver, NEVER, Spawner, new};
use kasasagi_task::{Attributes, Task, yield_now};
use probe::{Ledger, Probe};
use std::panic::Location;
use std::task::{Poll, Waker};

mod house;
mod pinned;
mod probe;
mod shutdown;
mod spawns;
mod together;
mod wakes;

use house::{House, SEATS};
