//! The end.

use super::*;
use std::sync::atomic::AtomicBool;
use std::task::{Poll, Waker};

/// P17: a spawn from outside against the close. The task is run or cancelled: nobody counts the live ones between
/// the spawn's look at the closed flag and its count. Fails if `close` does not lock the strangers' heaps.
#[test]
fn loom_close_meets_a_spawn_from_outside() {
    explore("close_spawn", || {
        let spawner = scheduler(1);
        let stranger = {
            let spawner = spawner.clone();
            thread::spawn(move || spawner.spawn(Location::caller(), async {}))
        };
        spawner.close();
        let seat = spawner.enter().expect("nobody else runs");
        seat.drain(|| false);
        drop(seat);
        let task = stranger.join().expect("no panic");
        assert!(task.is_finished());
        assert_eq!(spawner.live(), 0);
    });
}

/// P17: the close against a seat that goes to sleep. Fails if `close` wakes nobody.
#[test]
fn loom_close_wakes_who_sleeps() {
    explore("close_sleep", || {
        let spawner = scheduler(1);
        let closer = {
            let spawner = spawner.clone();
            thread::spawn(move || spawner.close())
        };
        let seat = spawner.enter().expect("nobody else runs");
        seat.drain(|| false);
        drop(seat);
        closer.join().expect("no panic");
        assert_eq!(spawner.live(), 0);
    });
}

/// Whether the scheduler of the execution under way is gone. No model's atomic: it orders nothing.
static GONE: AtomicBool = AtomicBool::new(false);

/// Goes with its scheduler, and tells.
struct Telling(Still);

impl Driver for Telling {
    fn now(&self) -> u64 {
        self.0.now()
    }
    fn deadline(&self, seat: usize) -> u64 {
        self.0.deadline(seat)
    }
    fn fire(&self, seat: usize, now: u64, max: usize) -> usize {
        self.0.fire(seat, now, max)
    }
    fn look(&self, max_events: usize) -> usize {
        self.0.look(max_events)
    }
    fn attend(&self, until: u64, max_events: usize) -> usize {
        self.0.attend(until, max_events)
    }
    fn unpark(&self) {
        self.0.unpark();
    }
}

impl Drop for Telling {
    fn drop(&mut self) {
        GONE.store(true, Ordering::Relaxed);
    }
}

/// P17: a wake on its way to the injector while the scheduler ends. The task ends only after the push, and the
/// scheduler's memory outlives the hands that push. Fails if the pusher does not hold the scheduler.
#[test]
fn loom_a_wake_in_flight_keeps_the_scheduler() {
    explore("close_wake", || {
        GONE.store(false, Ordering::Relaxed);
        let mut config = Config::default();
        // The last that a push from outside touches.
        config.on_vacant = Some(std::sync::Arc::new(|| {
            assert!(!GONE.load(Ordering::Relaxed), "the scheduler is gone and is touched");
        }));
        let (spawner, _) = new(config, Box::new(Telling(Still::default())));
        let place = Arc::new(Mutex::new(None::<Waker>));
        let task = {
            let place = Arc::clone(&place);
            spawner.spawn(
                Location::caller(),
                std::future::poll_fn(move |cx| {
                    *place.lock() = Some(cx.waker().clone());
                    Poll::<()>::Pending
                }),
            )
        };
        let seat = spawner.enter().expect("nobody else runs");
        seat.drain(|| place.lock().is_some());
        drop(seat);
        let waker = place.lock().take().expect("it was polled");
        let ender = thread::spawn(move || {
            spawner.close();
            spawner.enter().expect("nobody else runs").drain(|| false);
            assert!(task.is_finished());
        });
        waker.wake();
        ender.join().expect("no panic");
    });
}
