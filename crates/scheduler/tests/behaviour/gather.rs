//! Wakes that a thread without a seat gathers.

use crate::House;
use kasasagi_scheduler::gather_wakes;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Poll, Waker};

/// Tasks that wait, and their wakers, which are all there.
fn waiting(house: &House, n: usize) -> (Vec<kasasagi_task::Task<()>>, Vec<Waker>) {
    let (tell, told) = mpsc::channel();
    let tasks = (0..n).map(|_| {
        let (tell, mut polled) = (tell.clone(), false);
        house.spawn(poll_fn(move |cx| {
            if std::mem::replace(&mut polled, true) {
                return Poll::Ready(());
            }
            tell.send(cx.waker().clone()).expect("the test waits");
            Poll::Pending
        }))
    });
    let tasks = tasks.collect();
    house.run(std::future::ready(()));
    (tasks, told.iter().take(n).collect())
}

fn await_all(house: &House, tasks: Vec<kasasagi_task::Task<()>>) {
    house.run(async {
        for task in tasks {
            task.await.expect("it ends");
        }
    });
}

#[test]
fn tasks_of_two_schedulers_that_are_woken_together_all_run() {
    let houses = [House::new(2), House::new(2)];
    for _ in 0..200 {
        let [first, second] = houses.each_ref().map(|house| waiting(house, 3));
        let woken = std::thread::spawn(move || {
            gather_wakes(&mut || {
                for (a, b) in first.1.iter().zip(&second.1) {
                    a.wake_by_ref();
                    // One inside another is part of it.
                    gather_wakes(&mut || b.wake_by_ref());
                }
            });
        });
        await_all(&houses[0], first.0);
        await_all(&houses[1], second.0);
        woken.join().expect("no panic");
    }
}

#[test]
fn a_panic_among_gathered_wakes_loses_none_of_those_before() {
    let house = House::new(2);
    let (tasks, wakers) = waiting(&house, 2);
    let wakers = Arc::new(Mutex::new(wakers));
    let woken = std::thread::spawn(move || {
        let gathered = catch_unwind(AssertUnwindSafe(|| {
            gather_wakes(&mut || {
                let wakers = std::mem::take(&mut *wakers.lock().expect("nobody panicked"));
                wakers.into_iter().for_each(Waker::wake);
                panic!("after the wakes");
            });
        }));
        assert!(gathered.is_err());
    });
    await_all(&house, tasks);
    woken.join().expect("it was caught");
}
