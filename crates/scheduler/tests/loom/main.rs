//! Models of the scheduler, through its public face.
//!
//! Time does not pass in a model: the clock stands still, and a sleep with a limit ends by a wake or never. What the
//! watch would heal in real life is a deadlock here, which loom reports.
#![cfg(kasasagi_loom)]

use kasasagi_primitive::explore::explore;
use kasasagi_primitive::sync::atomic::{AtomicUsize, Ordering};
use kasasagi_primitive::sync::{Arc, Condvar, Mutex};
use kasasagi_primitive::thread;
use kasasagi_scheduler::{Config, Driver, NEVER, Spawner, new};
use kasasagi_task::Attributes;
use std::panic::Location;

mod front;
mod shutdown;
mod sleep;

/// A place to wait, and a clock that stands still.
#[derive(Default)]
struct Still {
    unparked: Mutex<bool>,
    changed: Condvar,
}

impl Driver for Still {
    fn now(&self) -> u64 {
        1
    }
    fn deadline(&self, _: usize) -> u64 {
        NEVER
    }
    fn fire(&self, _: usize, _: u64, _: usize) -> usize {
        0
    }
    fn look(&self, _: usize) -> usize {
        0
    }
    fn attend(&self, _: u64, _: usize) -> usize {
        let mut unparked = self.unparked.lock();
        while !*unparked {
            self.changed.wait(&mut unparked);
        }
        *unparked = false;
        0
    }
    fn unpark(&self) {
        *self.unparked.lock() = true;
        self.changed.notify_one();
    }
}

fn scheduler(seats: usize) -> Spawner {
    new(Config::with_seats(seats), Box::new(Still::default())).0
}

#[track_caller]
fn spawn(spawner: &Spawner, future: impl Future<Output = ()> + Send + 'static) {
    drop(spawner.spawn(Location::caller(), future));
}

/// Counts its runs.
fn count(runs: &Arc<AtomicUsize>) -> impl Future<Output = ()> + Send + 'static {
    let runs = Arc::clone(runs);
    async move {
        runs.fetch_add(1, Ordering::Relaxed);
    }
}
