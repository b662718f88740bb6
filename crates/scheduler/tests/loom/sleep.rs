//! Sleeping against pushing.

use super::*;
use std::task::Poll;

/// P6: a task from outside against a worker that goes to sleep. Either the pusher sees the sleeper, or the sleeper
/// sees the task. Fails without the fence of the pusher, or without the look before the sleep.
#[test]
fn loom_a_push_from_outside_meets_a_seat_that_goes_to_sleep() {
    explore("push_from_outside", || {
        let spawner = scheduler(1);
        let runs = Arc::new(AtomicUsize::new(0));
        let stranger = {
            let (spawner, runs) = (spawner.clone(), Arc::clone(&runs));
            thread::spawn(move || spawn(&spawner, count(&runs)))
        };
        let seat = spawner.enter().expect("nobody else runs");
        seat.drain(|| runs.load(Ordering::Relaxed) == 1);
        drop(seat);
        stranger.join().expect("no panic");
        spawner.close();
    });
}

/// P11: main is woken from another thread, through its inbox; the wake may come at any moment of its sleep, and
/// after its end. Fails if the token is left before the inbox has the task.
#[test]
fn loom_main_is_woken_from_elsewhere() {
    explore("main_woken", || {
        let spawner = scheduler(1);
        let flag = Arc::new(AtomicUsize::new(0));
        let place = Arc::new(Mutex::new(None::<std::task::Waker>));
        let stranger = {
            let (flag, place) = (Arc::clone(&flag), Arc::clone(&place));
            thread::spawn(move || {
                flag.store(1, Ordering::Relaxed);
                let waker = place.lock().take();
                if let Some(waker) = waker {
                    waker.wake_by_ref();
                    // Late: main may have returned.
                    waker.wake();
                }
            })
        };
        let seat = spawner.enter().expect("nobody else runs");
        let main = std::future::poll_fn(|cx| {
            *place.lock() = Some(cx.waker().clone());
            // By the lock: the stranger found the waker, or its flag is seen.
            if flag.load(Ordering::Relaxed) == 1 { Poll::Ready(()) } else { Poll::Pending }
        });
        seat.run_until(Location::caller(), Attributes::default(), main).expect("main ends");
        drop(seat);
        stranger.join().expect("no panic");
        spawner.close();
    });
}
