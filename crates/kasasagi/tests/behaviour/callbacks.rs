//! Calls that are made later: soon, at a moment, when a task is done.

use crate::flavour::{for_each_flavour, for_one_worker, for_several_workers, in_each_flavour, run};
use crate::hand::{CountDrop, eventually, until};
use kasasagi::time::{Duration, Instant, sleep};
use kasasagi::{Handle, TaskState, spawn, yield_now};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

type Log = Arc<Mutex<Vec<i32>>>;

fn push(log: &Log, number: i32) -> impl FnOnce() + Send + 'static {
    let log = Arc::clone(log);
    move || log.lock().expect("nobody panics with it").push(number)
}

fn seen(log: &Log) -> Vec<i32> {
    log.lock().expect("nobody panics with it").clone()
}

#[test]
fn time_07_call_later_calls_once() {
    in_each_flavour(async || {
        let log = Log::default();
        let start = Instant::now();
        let delay = Duration::from_millis(10);
        Handle::current().call_later(delay, push(&log, 1));
        assert!(seen(&log).is_empty());
        until("it is called", || !seen(&log).is_empty()).await;
        assert!(start.elapsed() >= delay);
        sleep(Duration::from_millis(5)).await;
        assert_eq!(seen(&log), [1]);
    });
}

#[test]
fn time_08_moments_that_have_passed_are_due_at_once_by_their_order() {
    for_one_worker(|build| {
        run(&build(), async {
            let (log, handle, now) = (Log::default(), Handle::current(), Instant::now());
            handle.call_at(now - Duration::from_secs(1), push(&log, -1));
            handle.call_at(now - Duration::from_secs(2), push(&log, -2));
            assert!(seen(&log).is_empty());
            until("both are called", || seen(&log).len() == 2).await;
            assert_eq!(seen(&log), [-2, -1]);
        });
    });
}

#[test]
fn time_09_calls_of_one_moment_are_made_in_the_order_of_their_registration() {
    for_one_worker(|build| {
        run(&build(), async {
            let (log, handle) = (Log::default(), Handle::current());
            let when = Instant::now() + Duration::from_millis(5);
            for number in 0..50 {
                handle.call_at(when, push(&log, number));
            }
            until("all are called", || seen(&log).len() == 50).await;
            assert_eq!(seen(&log), (0..50).collect::<Vec<_>>());
        });
    });
}

#[test]
fn time_10_a_call_that_was_taken_back_is_never_made_and_drops_what_it_holds() {
    in_each_flavour(async || {
        let handle = Handle::current();
        let ask: [fn(&Handle, CountDrop) -> kasasagi::TimerHandle; 2] = [
            |handle, held| handle.call_soon(move || drop(held)),
            |handle, held| handle.call_later(Duration::from_millis(3), move || drop(held)),
        ];
        for ask in ask {
            let (held, dropped) = CountDrop::new();
            // A worker that is not this one may be quicker than the cancel.
            let call = ask(&handle, held);
            if call.cancel() {
                assert_eq!(dropped.load(Ordering::SeqCst), 1, "dropped at once");
                assert!(call.is_cancelled());
            }
            assert!(!call.cancel(), "it is over");
            sleep(Duration::from_millis(6)).await;
            assert_eq!(dropped.load(Ordering::SeqCst), 1);
        }
    });
}

#[test]
fn time_10_a_call_that_was_taken_back_is_never_made() {
    for_one_worker(|build| {
        run(&build(), async {
            let (log, handle) = (Log::default(), Handle::current());
            let soon = handle.call_soon(push(&log, 1));
            let later = handle.call_later(Duration::from_millis(2), push(&log, 2));
            assert!(soon.cancel() && later.cancel());
            assert!(soon.is_cancelled() && later.is_cancelled());
            let made = handle.call_soon(push(&log, 3));
            sleep(Duration::from_millis(6)).await;
            assert_eq!(seen(&log), [3]);
            assert!(!made.cancel() && !made.is_cancelled());
            let left = handle.tasks();
            assert!(left.iter().all(|task| &*task.name != "call_later"), "{left:?}");
        });
    });
}

#[test]
fn time_11_a_handle_tells_the_moment_it_was_asked_for() {
    in_each_flavour(async || {
        let handle = Handle::current();
        let when = Instant::now() + Duration::from_secs(60);
        let call = handle.call_at(when, || ());
        assert_eq!(call.when(), when);
        let before = Instant::now();
        let later = handle.call_later(Duration::from_secs(60), || ());
        assert!(later.when() >= before + Duration::from_secs(60));
        assert!(later.when() <= Instant::now() + Duration::from_secs(60));
        assert!(call.cancel() && later.cancel());
    });
}

#[test]
fn time_11_a_delay_beyond_all_clocks_never_comes() {
    in_each_flavour(async || {
        let call = Handle::current().call_later(Duration::MAX, || panic!("it came"));
        assert!(call.when() > Instant::now() + Duration::from_secs(1_000_000));
        assert!(call.cancel());
    });
}

#[test]
fn time_14_a_call_that_a_callback_asks_for_is_made_later_and_not_inside() {
    for_one_worker(|build| {
        run(&build(), async {
            let log = Log::default();
            let inner = Arc::clone(&log);
            Handle::current().call_soon(move || {
                Handle::current().call_soon(push(&inner, 2));
                inner.lock().expect("nobody panics with it").push(1);
            });
            Handle::current().call_soon(push(&log, 3));
            until("all are called", || seen(&log).len() == 3).await;
            assert_eq!(seen(&log), [1, 3, 2]);
        });
    });
}

#[test]
fn time_15_calls_are_made_in_the_order_they_were_asked_for() {
    for_one_worker(|build| {
        run(&build(), async {
            let (log, handle) = (Log::default(), Handle::current());
            for number in 0..100 {
                handle.call_soon(push(&log, number));
            }
            until("all are called", || seen(&log).len() == 100).await;
            assert_eq!(seen(&log), (0..100).collect::<Vec<_>>());
        });
    });
}

#[test]
fn time_15_calls_from_another_thread_are_made_in_order() {
    for_one_worker(|build| {
        let runtime = build();
        let log = Log::default();
        let handle = runtime.handle();
        for number in 0..100 {
            handle.call_soon(push(&log, number));
        }
        run(&runtime, until("all are called", || seen(&log).len() == 100));
        assert_eq!(seen(&log), (0..100).collect::<Vec<_>>());
    });
}

#[test]
fn every_call_is_made_once_among_workers() {
    for_several_workers(|build| {
        run(&build(), async {
            let count = Arc::new(AtomicUsize::new(0));
            let handle = Handle::current();
            for number in 0..1_000 {
                let count = Arc::clone(&count);
                let call = move || {
                    count.fetch_add(1, Ordering::SeqCst);
                };
                match number % 3 {
                    0 => handle.call_soon(call),
                    1 => handle.call_later(Duration::from_micros(number), call),
                    _ => handle.call_at(Instant::now(), call),
                };
            }
            until("all are called", || count.load(Ordering::SeqCst) == 1_000).await;
        });
    });
}

#[test]
fn a_call_that_a_closed_runtime_refuses_is_cancelled_and_dropped() {
    for_each_flavour(|build| {
        let runtime = build();
        let handle = runtime.handle();
        let (held, dropped) = CountDrop::new();
        let waits = handle.call_later(Duration::from_secs(60), move || drop(held));
        drop(runtime);
        assert!(waits.is_cancelled());
        assert_eq!(dropped.load(Ordering::SeqCst), 1);
        let (held, dropped) = CountDrop::new();
        let other = held.clone();
        let soon = handle.call_soon(move || drop(held));
        let later = handle.call_later(Duration::ZERO, move || drop(other));
        assert!(soon.is_cancelled() && later.is_cancelled());
        assert_eq!(dropped.load(Ordering::SeqCst), 2);
    });
}

#[test]
fn task_29_callbacks_of_a_task_are_called_once_after_its_end() {
    for_each_flavour(|build| {
        run(&build(), async {
            let log = Log::default();
            let done = Arc::clone(&log);
            let task = spawn(async {
                sleep(Duration::from_millis(2)).await;
                7
            });
            let id = task.id();
            for number in 0..3 {
                let done = Arc::clone(&done);
                task.on_done(move |task| {
                    assert!(task.is_finished() && task.id() == id);
                    done.lock().expect("nobody panics with it").push(number);
                });
            }
            let taken_back = task.on_done(|_| panic!("it was taken back"));
            assert!(task.remove_on_done(taken_back) && !task.remove_on_done(taken_back));
            let reference = task.handle();
            assert_eq!(task.await.expect("it ends"), 7);
            until("all are called", || seen(&log).len() == 3).await;
            assert_eq!(seen(&log), [0, 1, 2]);
            // Also when it is registered after the end.
            let late = Arc::clone(&log);
            reference.on_done(move |_| late.lock().expect("nobody panics with it").push(9));
            until("the late one is called", || seen(&log).len() == 4).await;
            for _ in 0..8 {
                yield_now().await;
            }
            assert_eq!(seen(&log), [0, 1, 2, 9]);
        });
    });
}

#[test]
fn task_29_callbacks_are_called_for_a_cancelled_and_for_a_detached_task() {
    for_each_flavour(|build| {
        run(&build(), async {
            let states = Arc::new(Mutex::new(Vec::new()));
            let note = || {
                let states = Arc::clone(&states);
                move |task: kasasagi::TaskRef| {
                    states.lock().expect("nobody panics with it").push(task.info().state);
                }
            };
            let cancelled = spawn(std::future::pending::<()>());
            cancelled.on_done(note());
            cancelled.cancel();
            let detached = spawn(async {});
            detached.on_done(note());
            drop(detached);
            let count = || states.lock().expect("nobody panics with it").len();
            until("both are called", || count() == 2).await;
            let states = states.lock().expect("nobody panics with it");
            assert!(states.contains(&TaskState::Cancelled));
            assert!(states.contains(&TaskState::Finished));
        });
    });
}

#[test]
fn task_29_a_callback_meets_the_end_of_its_task_and_is_called_once() {
    for_several_workers(|build| {
        run(&build(), async {
            let calls = Arc::new(AtomicUsize::new(0));
            for round in 0..2_000 {
                let task = spawn(async move {
                    if round % 2 == 0 {
                        yield_now().await;
                    }
                });
                let calls = Arc::clone(&calls);
                task.on_done(move |_| {
                    calls.fetch_add(1, Ordering::SeqCst);
                });
                if round % 3 == 0 {
                    task.await.expect("it ends");
                }
            }
            until("each is called", || calls.load(Ordering::SeqCst) == 2_000).await;
            assert_eq!(calls.load(Ordering::SeqCst), 2_000);
        });
    });
}

#[test]
fn a_callback_registered_outside_runs_on_the_thread_that_ends_the_wait() {
    let (promise, pending) = kasasagi::promise::<i32, String>();
    let log = Log::default();
    let inner = Arc::clone(&log);
    pending.on_done(move |pending| {
        // What it asks for comes after it, although nobody else is there to do it.
        pending.on_done({
            let inner = Arc::clone(&inner);
            move |_| inner.lock().expect("nobody panics with it").push(2)
        });
        inner.lock().expect("nobody panics with it").push(1);
    });
    promise.set_result(1).expect("it is kept once");
    eventually("both are called", || seen(&log).len() == 2);
    assert_eq!(seen(&log), [1, 2]);
}
