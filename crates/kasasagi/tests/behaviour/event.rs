//! Events between tasks.

use crate::flavour::{for_each_flavour, for_one_worker, in_each_flavour, run};
use crate::meeting::{Log, all, waiters, would_wait};
use kasasagi::spawn;
use kasasagi::sync::Event;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

fn waiter(event: &Arc<Event>, log: &Log, n: usize) -> kasasagi::Task<()> {
    let (event, log) = (Arc::clone(event), log.clone());
    spawn(async move {
        event.wait().await;
        log.note(n);
    })
}

#[test]
fn evt_01_04_who_comes_while_it_is_set_does_not_wait() {
    in_each_flavour(async || {
        let event = Event::new();
        assert!(would_wait(event.wait()));
        event.set();
        event.set();
        event.wait().await;
        event.clear();
        assert!(would_wait(event.wait()));
    });
}

#[test]
fn evt_02_set_wakes_all_in_the_order_in_which_they_came() {
    for_one_worker(|build| {
        run(&build(), async {
            let (event, log) = (Arc::new(Event::new()), Log::default());
            let mut tasks = vec![waiter(&event, &log, 1), waiter(&event, &log, 2)];
            waiters(&*event, 2).await;
            event.set();
            // It does not wait, and is there before those who were woken have run.
            event.wait().await;
            log.note(3);
            all(std::mem::take(&mut tasks)).await;
            assert_eq!(log.take(), [3, 1, 2]);
        });
    });
    in_each_flavour(async || {
        let (event, log) = (Arc::new(Event::new()), Log::default());
        let tasks = (0..100).map(|n| waiter(&event, &log, n)).collect();
        waiters(&*event, 100).await;
        event.set();
        all(tasks).await;
    });
}

#[test]
fn evt_03_who_waited_goes_on_although_it_is_cleared_at_once() {
    for_each_flavour(|build| {
        run(&build(), async {
            let (event, log) = (Arc::new(Event::new()), Log::default());
            for _ in 0..1_000 {
                let tasks = (0..3).map(|n| waiter(&event, &log, n)).collect();
                waiters(&*event, 3).await;
                event.set();
                event.clear();
                assert!(!event.is_set());
                all(tasks).await;
            }
        });
    });
}

#[test]
fn evt_05_one_who_is_cancelled_leaves_the_others_where_they_are() {
    in_each_flavour(async || {
        let (event, log) = (Arc::new(Event::new()), Log::default());
        let (one, two) = (waiter(&event, &log, 1), waiter(&event, &log, 2));
        waiters(&*event, 2).await;
        one.cancel();
        assert!(one.await.expect_err("it is cancelled").is_cancelled());
        waiters(&*event, 1).await;
        event.set();
        two.await.expect("it goes on");
        assert_eq!(log.take(), [2]);
    });
}

/// One sets it while others come to wait: they see it set, or are woken; and see what was done before.
#[test]
fn evt_06_08_a_set_on_another_worker_is_not_missed() {
    for_each_flavour(|build| {
        run(&build(), async {
            for round in 1..=1_000 {
                let shared = Arc::new((Event::new(), AtomicUsize::new(0)));
                let theirs = Arc::clone(&shared);
                let setter = spawn(async move {
                    theirs.1.store(round, Ordering::Relaxed);
                    theirs.0.set();
                });
                shared.0.wait().await;
                assert_eq!(shared.1.load(Ordering::Relaxed), round);
                setter.await.expect("it ends");
            }
        });
    });
}

#[test]
fn evt_07_it_is_set_by_a_plain_thread_and_in_a_drop() {
    struct SetsIt(Arc<Event>);
    impl Drop for SetsIt {
        fn drop(&mut self) {
            self.0.set();
        }
    }
    for_each_flavour(|build| {
        run(&build(), async {
            for _ in 0..100 {
                let event = Arc::new(Event::new());
                let sets_it = SetsIt(Arc::clone(&event));
                let thread = std::thread::spawn(move || drop(sets_it));
                event.wait().await;
                thread.join().expect("it does not panic");
            }
        });
    });
}

#[test]
fn evt_09_debug_tells_whether_it_is_set_and_how_many_wait() {
    in_each_flavour(async || {
        let (event, log) = (Arc::new(Event::new()), Log::default());
        let task = waiter(&event, &log, 1);
        waiters(&*event, 1).await;
        assert_eq!(format!("{event:?}"), "Event { set: false, waiters: 1 }");
        event.set();
        assert_eq!(format!("{event:?}"), "Event { set: true, waiters: 0 }");
        task.await.expect("it goes on");
    });
}
