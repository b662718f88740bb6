//! That nobody waits for ever.

use super::*;
use std::sync::atomic::AtomicBool;
use std::task::{Poll, Waker};

/// Main and a task wake each other for ever, so that the pinned queue and the slot are full by turns.
#[test]
fn a_queued_task_runs_beside_a_main_that_is_woken_and_wakes() {
    // Once for each parity of the turn at which it begins.
    for turns_before in 0..2 {
        let house = House::new(1);
        let (waker, main) = (Arc::new(Mutex::new(None::<Waker>)), Arc::new(Mutex::new(None)));
        let queued_ran = Arc::new(AtomicBool::new(false));
        let ran = house.run(async {
            for _ in 0..turns_before {
                yield_now().await;
            }
            let (slot, back) = (Arc::clone(&waker), Arc::clone(&main));
            drop(house.spawn(std::future::poll_fn(move |cx| {
                *slot.lock().expect("no panic") = Some(cx.waker().clone());
                let main: Option<Waker> = back.lock().expect("no panic").take();
                main.into_iter().for_each(Waker::wake);
                Poll::<()>::Pending
            })));
            while waker.lock().expect("no panic").is_none() {
                yield_now().await;
            }
            let ran = Arc::clone(&queued_ran);
            waker.lock().expect("no panic").clone().expect("it was polled").wake();
            drop(house.spawn(async move { ran.store(true, Ordering::Relaxed) }));
            for _ in 0..100 {
                let mut asked = false;
                std::future::poll_fn(|cx| {
                    if std::mem::replace(&mut asked, true) {
                        return Poll::Ready(());
                    }
                    *main.lock().expect("no panic") = Some(cx.waker().clone());
                    waker.lock().expect("no panic").clone().expect("it was polled").wake();
                    Poll::Pending
                })
                .await;
            }
            queued_ran.load(Ordering::Relaxed)
        });
        assert!(ran, "{turns_before} turns before");
    }
}

/// Main yields for ever and wakes a task each time, so that the slot is full at every second turn.
#[test]
fn a_queued_task_runs_beside_a_main_that_yields_and_wakes() {
    // Once for each parity of the turn at which it begins.
    for turns_before in 0..2 {
        let house = House::new(1);
        let (waker, woken) = (Arc::new(Mutex::new(None::<Waker>)), Arc::new(AtomicUsize::new(0)));
        let queued_ran = Arc::new(AtomicBool::new(false));
        let ran = house.run(async {
            for _ in 0..turns_before {
                yield_now().await;
            }
            let (slot, count) = (Arc::clone(&waker), Arc::clone(&woken));
            drop(house.spawn(std::future::poll_fn(move |cx| {
                count.fetch_add(1, Ordering::Relaxed);
                *slot.lock().expect("no panic") = Some(cx.waker().clone());
                Poll::<()>::Pending
            })));
            while waker.lock().expect("no panic").is_none() {
                yield_now().await;
            }
            waker.lock().expect("no panic").clone().expect("it was polled").wake();
            let ran = Arc::clone(&queued_ran);
            drop(house.spawn(async move { ran.store(true, Ordering::Relaxed) }));
            for _ in 0..100 {
                yield_now().await;
                waker.lock().expect("no panic").clone().expect("it was polled").wake();
            }
            queued_ran.load(Ordering::Relaxed)
        });
        assert!(ran, "{turns_before} turns before");
        assert!(woken.load(Ordering::Relaxed) > 20, "the slot was busy meanwhile");
    }
}
