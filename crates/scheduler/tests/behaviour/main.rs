//! What the scheduler promises, seen through its public face.

use kasasagi_scheduler::{Config, NoDriver, Spawner, new};
use kasasagi_task::{Attributes, yield_now};
use std::panic::Location;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

mod fair;
mod gather;
mod order;
mod shutdown;
mod steal;

/// A scheduler with its threads; ends them when dropped.
struct House {
    spawner: Spawner,
    threads: Vec<JoinHandle<()>>,
}

impl House {
    fn new(seats: usize) -> Self {
        let (spawner, workers) = new(Config::with_seats(seats), Box::new(NoDriver::new()));
        let threads =
            workers.into_iter().map(|worker| std::thread::spawn(move || worker.run())).collect();
        Self { spawner, threads }
    }

    #[track_caller]
    fn run<F: Future>(&self, future: F) -> F::Output {
        let seat = self.spawner.enter().expect("nobody else runs");
        seat.run_until(Location::caller(), Attributes::default(), future).expect("main ends")
    }

    #[track_caller]
    fn spawn<F>(&self, future: F) -> kasasagi_task::Task<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.spawner.spawn(Location::caller(), future)
    }
}

impl Drop for House {
    fn drop(&mut self) {
        self.spawner.close();
        if let Ok(seat) = self.spawner.enter() {
            seat.drain(|| false);
        }
        for thread in self.threads.drain(..) {
            thread.join().expect("a worker does not panic");
        }
    }
}

fn for_each_flavour(test: impl Fn(&House)) {
    for seats in [1, 2, 4] {
        test(&House::new(seats));
    }
}
