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

/// P6 for wakes that are gathered: two tasks are woken from outside, and the one call for both comes behind the pushes.
///
/// Mutation `scheduler-gathered-uncalled`: nobody is called at the end.
#[test]
fn loom_gathered_wakes_meet_a_seat_that_goes_to_sleep() {
    explore("gathered_wakes", || {
        let spawner = scheduler(1);
        let (woken, runs) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let place = Arc::new(Mutex::new(Vec::new()));
        for _ in 0..2 {
            let (woken, runs) = (Arc::clone(&woken), Arc::clone(&runs));
            let place = Arc::clone(&place);
            let task = std::future::poll_fn(move |cx: &mut std::task::Context<'_>| {
                let mut place = place.lock();
                // By the lock: the stranger finds the waker, or its flag is seen.
                if woken.load(Ordering::Relaxed) == 1 {
                    runs.fetch_add(1, Ordering::Relaxed);
                    return Poll::Ready(());
                }
                place.push(cx.waker().clone());
                Poll::Pending
            });
            spawn(&spawner, task);
        }
        let stranger = {
            let (woken, place) = (Arc::clone(&woken), Arc::clone(&place));
            thread::spawn(move || {
                let mut wakers = place.lock();
                woken.store(1, Ordering::Relaxed);
                let wakers = std::mem::take(&mut *wakers);
                kasasagi_scheduler::gather_wakes(&mut || {
                    wakers.iter().for_each(std::task::Waker::wake_by_ref);
                });
            })
        };
        let seat = spawner.enter().expect("nobody else runs");
        seat.drain(|| runs.load(Ordering::Relaxed) == 2);
        drop(seat);
        stranger.join().expect("no panic");
        spawner.close();
    });
}
