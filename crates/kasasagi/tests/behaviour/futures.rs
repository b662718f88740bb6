//! Promises: what `asyncio.Future` promises.

use crate::flavour::{for_one_worker, for_several_workers, in_each_flavour, run};
use crate::hand::{LIMIT, until};
use kasasagi::time::{Duration, Instant, timeout};
use kasasagi::{
    Handle, InvalidState, Pending, PromiseError, PromiseState, promise, spawn, yield_now,
};
use std::collections::HashSet;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

type Log = Arc<Mutex<Vec<u32>>>;

fn log() -> Log {
    Arc::default()
}

fn logs(log: &Log, number: u32) -> impl FnOnce(Pending<i32, String>) + Send + 'static {
    let log = Arc::clone(log);
    move |_| log.lock().expect("nobody panics with it").push(number)
}

async fn settled(log: &Log, count: usize) -> Vec<u32> {
    until("the callbacks are called", || log.lock().expect("nobody panics with it").len() >= count)
        .await;
    // What should not come would come now.
    for _ in 0..8 {
        yield_now().await;
    }
    log.lock().expect("nobody panics with it").clone()
}

#[test]
fn fut_01_a_new_promise_is_neither_done_nor_cancelled() {
    let (promise, pending) = promise::<i32, String>();
    assert_eq!(pending.state(), PromiseState::Pending);
    assert!(!pending.is_done() && !pending.is_cancelled() && !promise.is_cancelled());
    promise.set_result(1).expect("it is kept once");
}

#[test]
fn fut_02_a_result_is_set_once_and_stays() {
    let (promise, pending) = promise::<i32, String>();
    assert!(promise.set_result(42).is_ok());
    assert!(pending.is_done());
    assert_eq!((pending.result(), pending.error()), (Ok(42), Ok(None)));
    assert_eq!(promise.set_result(43).map_err(|InvalidState(value)| value), Err(43));
    assert_eq!(promise.set_error("late".into()).map_err(|refused| refused.0), Err("late".into()));
    assert_eq!(pending.result(), Ok(42));
    assert!(!pending.cancel());
}

#[test]
fn fut_03_an_error_is_set_once_and_stays() {
    let (promise, pending) = promise::<i32, Arc<String>>();
    let error = Arc::new("spam".to_owned());
    assert!(promise.set_error(Arc::clone(&error)).is_ok());
    assert!(pending.is_done() && !pending.is_cancelled());
    let Err(PromiseError::Failed(seen)) = pending.result() else { panic!("it failed") };
    assert!(Arc::ptr_eq(&seen, &error));
    let seen = pending.error().expect("it is done").expect("it failed");
    assert!(Arc::ptr_eq(&seen, &error));
    assert!(promise.set_result(1).is_err() && promise.set_error(error).is_err());
}

#[test]
fn fut_04_asking_before_there_is_a_result_is_an_error_that_says_so() {
    let (_promise, pending) = promise::<i32, String>();
    assert_eq!(pending.result(), Err(PromiseError::NotDone));
    assert_eq!(pending.error(), Err(PromiseError::NotDone));
    let text = pending.result().map_err(|error| error.to_string());
    assert_eq!(text, Err("the promise is not kept yet: await it, or ask `is_done` first".into()));
}

#[test]
fn fut_05_a_cancelled_promise_takes_no_result_and_is_cancelled_once() {
    in_each_flavour(async || {
        let (promise, pending) = promise::<i32, String>();
        let waits = spawn(pending.clone());
        yield_now().await;
        assert!(pending.cancel());
        assert!(pending.is_cancelled() && pending.is_done() && promise.is_cancelled());
        assert_eq!(pending.result(), Err(PromiseError::Cancelled));
        assert_eq!(pending.error(), Err(PromiseError::Cancelled));
        assert_eq!(promise.set_result(1).map_err(|refused| refused.0), Err(1));
        assert!(promise.set_error("late".into()).is_err());
        assert!(!pending.cancel());
        assert_eq!(waits.await.expect("the task goes on"), Err(PromiseError::Cancelled));
    });
}

#[test]
fn fut_06_it_is_awaited_again_and_then_does_not_suspend() {
    in_each_flavour(async || {
        let (promise, mut pending) = promise::<i32, String>();
        Handle::current().call_soon(move || promise.set_result(42).expect("it is kept once"));
        assert_eq!((&mut pending).await, Ok(42));
        let again = pin!(pending.clone()).poll(&mut Context::from_waker(Waker::noop()));
        assert_eq!(again, Poll::Ready(Ok(42)));
        assert_eq!((&pending).await, Ok(42));
    });
}

#[test]
fn fut_07_callbacks_are_called_in_order_and_never_inside_the_set() {
    for_one_worker(|build| {
        run(&build(), async {
            let (promise, pending) = promise::<i32, String>();
            let log = log();
            for number in 0..3 {
                let log = Arc::clone(&log);
                pending.on_done(move |done| {
                    assert_eq!(done.result(), Ok(7));
                    log.lock().expect("nobody panics with it").push(number);
                });
            }
            promise.set_result(7).expect("it is kept once");
            assert!(log.lock().expect("nobody panics with it").is_empty());
            assert_eq!(settled(&log, 3).await, [0, 1, 2]);
        });
    });
}

#[test]
fn fut_07_callbacks_of_one_promise_keep_their_order_among_workers() {
    for_several_workers(|build| {
        run(&build(), async {
            for _ in 0..1_000 {
                let (promise, pending) = promise::<i32, String>();
                let log = log();
                for number in 0..4 {
                    pending.on_done(logs(&log, number));
                }
                let set = spawn(async move { promise.set_result(7).is_ok() });
                assert!(set.await.expect("it does not panic"));
                until("all are called", || log.lock().expect("no panic").len() == 4).await;
                assert_eq!(*log.lock().expect("no panic"), [0, 1, 2, 3]);
            }
        });
    });
}

#[test]
fn fut_08_a_callback_that_comes_late_is_called_once_and_later() {
    in_each_flavour(async || {
        let (promise, pending) = promise::<i32, String>();
        promise.set_result(1).expect("it is kept once");
        let log = log();
        pending.on_done(logs(&log, 1));
        assert_eq!(settled(&log, 1).await, [1]);
    });
}

#[test]
fn fut_08_it_is_not_called_inside_the_registration() {
    for_one_worker(|build| {
        run(&build(), async {
            let (promise, pending) = promise::<i32, String>();
            promise.set_result(1).expect("it is kept once");
            let log = log();
            pending.on_done(logs(&log, 1));
            assert!(log.lock().expect("nobody panics with it").is_empty());
        });
    });
}

#[test]
fn fut_09_a_callback_that_was_taken_back_is_not_called_and_the_others_are() {
    in_each_flavour(async || {
        let (promise, pending) = promise::<i32, String>();
        let log = log();
        let ids: Vec<_> = (0..4).map(|number| pending.on_done(logs(&log, number))).collect();
        assert!(pending.remove_on_done(ids[1]) && pending.remove_on_done(ids[3]));
        assert!(!pending.remove_on_done(ids[1]), "it is gone");
        promise.set_result(1).expect("it is kept once");
        assert_eq!(settled(&log, 2).await, [0, 2]);
        assert!(!pending.remove_on_done(ids[0]), "it was called");
    });
}

#[test]
fn fut_10_the_same_callback_registered_several_times_is_called_as_often() {
    in_each_flavour(async || {
        let (promise, pending) = promise::<i32, String>();
        let log = log();
        let ids: HashSet<_> = (0..6).map(|_| pending.on_done(logs(&log, 7))).collect();
        assert_eq!(ids.len(), 6);
        promise.set_result(1).expect("it is kept once");
        assert_eq!(settled(&log, 6).await, [7; 6]);
    });
}

#[test]
fn fut_11_callbacks_add_and_remove_callbacks_of_their_own_promise() {
    in_each_flavour(async || {
        for _ in 0..1_000 {
            let (promise, pending) = promise::<i32, String>();
            let log = log();
            let last = pending.on_done(logs(&log, 9));
            let added = Arc::clone(&log);
            pending.on_done(move |pending| {
                pending.remove_on_done(last);
                added.lock().expect("nobody panics with it").push(1);
                // Another worker may call it before this one goes on.
                pending.on_done(logs(&added, 2));
            });
            let other = pending.clone();
            let others = spawn(async move {
                let id = other.on_done(|_| ());
                other.remove_on_done(id);
            });
            promise.set_result(1).expect("it is kept once");
            others.await.expect("it does not panic");
            until("all are called", || log.lock().expect("no panic").len() == 3).await;
            assert_eq!(*log.lock().expect("no panic"), [9, 1, 2]);
        }
    });
}

#[test]
fn fut_12_a_callback_that_panics_keeps_no_other_from_being_called() {
    in_each_flavour(async || {
        let (promise, pending) = promise::<i32, String>();
        let log = log();
        pending.on_done(logs(&log, 1));
        pending.on_done(|_| panic!("a callback of fut_12"));
        pending.on_done(logs(&log, 2));
        promise.set_result(1).expect("it is kept once");
        assert_eq!(settled(&log, 2).await, [1, 2]);
    });
}

#[test]
fn fut_16_setting_a_cancelled_promise_changes_nothing() {
    let (promise, pending) = promise::<i32, String>();
    assert!(pending.cancel());
    let _ = promise.set_result(1);
    assert_eq!(pending.state(), PromiseState::Cancelled);
}

#[test]
fn fut_17_the_state_of_one_promise_is_copied_to_another() {
    let outcome = |set: fn(&kasasagi::Promise<i32, String>, &Pending<i32, String>)| {
        let (source, done) = promise::<i32, String>();
        set(&source, &done);
        let (target, pending) = promise::<i32, String>();
        assert!(target.copy_from(&done).is_ok());
        assert!(target.copy_from(&done).is_err(), "it is set once");
        (pending.result(), pending.state())
    };
    let kept = outcome(|promise, _| promise.set_result(10).expect("it is kept once"));
    assert_eq!(kept, (Ok(10), PromiseState::Finished));
    let failed = outcome(|promise, _| promise.set_error("e".into()).expect("it is kept once"));
    assert_eq!(failed, (Err(PromiseError::Failed("e".into())), PromiseState::Finished));
    let cancelled = outcome(|_, pending| assert!(pending.cancel()));
    assert_eq!(cancelled, (Err(PromiseError::Cancelled), PromiseState::Cancelled));
    let (target, waits) = promise::<i32, String>();
    let (_source, pending) = promise::<i32, String>();
    assert!(target.copy_from(&pending).is_err(), "there is nothing to copy");
    assert_eq!(waits.state(), PromiseState::Pending);
}

#[test]
fn fut_19_a_result_crosses_from_another_thread() {
    in_each_flavour(async || {
        let (promise, pending) = promise::<_, String>();
        let thread = std::thread::spawn(move || {
            promise.set_result(std::thread::current().id()).expect("it is kept once");
        });
        let there = pending.await.expect("it is kept");
        assert_ne!(there, std::thread::current().id());
        thread.join().expect("it does not panic");
    });
}

#[test]
fn fut_22_a_pending_is_the_future_that_is_awaited() {
    fn same<F: IntoFuture<IntoFuture = F>>(future: F) -> F {
        future.into_future()
    }
    let (promise, pending) = promise::<i32, String>();
    promise.set_result(1).expect("it is kept once");
    assert_eq!(same(pending).result(), Ok(1));
}

#[test]
fn fut_23_any_thread_sets_it_and_everybody_is_woken() {
    in_each_flavour(async || {
        for _ in 0..1_000 {
            let (promise, pending) = promise::<u32, String>();
            let waits: Vec<_> = (0..3).map(|_| spawn(pending.clone())).collect();
            let (go, gone) = std::sync::mpsc::channel();
            let thread = std::thread::spawn(move || {
                gone.recv().expect("it is sent");
                promise.set_result(7).is_ok()
            });
            go.send(()).expect("the thread waits");
            for task in waits {
                assert_eq!(task.await.expect("it does not panic"), Ok(7));
            }
            assert!(thread.join().expect("it does not panic"));
        }
    });
}

#[test]
fn fut_23_of_two_threads_that_set_it_one_is_in_time() {
    for _ in 0..1_000 {
        let (promise, pending) = promise::<u32, String>();
        let promise = Arc::new(promise);
        let start = Arc::new(std::sync::Barrier::new(2));
        let threads = [1, 2].map(|value| {
            let (promise, start) = (Arc::clone(&promise), Arc::clone(&start));
            std::thread::spawn(move || {
                start.wait();
                promise.set_result(value).is_ok()
            })
        });
        let [first, second] = threads.map(|thread| thread.join().expect("it does not panic"));
        assert!(first != second);
        assert_eq!(pending.result(), Ok(if first { 1 } else { 2 }));
    }
}

#[test]
fn fut_24_a_promise_that_is_dropped_is_broken_and_nobody_hangs() {
    in_each_flavour(async || {
        let (promise, pending) = promise::<i32, String>();
        let waits = spawn(pending.clone());
        yield_now().await;
        drop(promise);
        let outcome = timeout(LIMIT, waits).await.expect("it does not hang");
        assert_eq!(outcome.expect("it does not panic"), Err(PromiseError::Broken));
        assert_eq!(pending.state(), PromiseState::Finished);
        assert_eq!(pending.error(), Err(PromiseError::Broken));
    });
}

#[test]
fn fut_25_debug_shows_the_state_the_result_and_the_callbacks() {
    let shown = |pending: &Pending<i32, String>| format!("{pending:?}");
    let (kept, pending) = promise::<i32, String>();
    assert_eq!(shown(&pending), "<Pending pending>");
    pending.on_done(drop);
    let one = shown(&pending);
    assert!(one.starts_with("<Pending pending cb=[") && one.ends_with("()]>"), "{one}");
    for _ in 0..9 {
        pending.on_done(drop);
    }
    assert!(shown(&pending).contains("(), <8 more>, "), "{}", shown(&pending));
    kept.set_result(42).expect("it is kept once");
    assert_eq!(shown(&pending), "<Pending finished result=42>");
    assert_eq!(format!("{kept:?}"), "<Promise finished>");
    let (failed, pending) = promise::<i32, String>();
    failed.set_error("spam".into()).expect("it is kept once");
    assert_eq!(shown(&pending), "<Pending finished exception=\"spam\">");
    let _ = pending.error();
    let (_promise, pending) = promise::<i32, String>();
    pending.cancel();
    assert_eq!(shown(&pending), "<Pending cancelled>");
}

#[derive(Clone, Debug)]
struct Knot(Arc<Mutex<Option<Pending<Knot, String>>>>);

#[test]
fn fut_26_debug_of_promises_that_hold_each_other_ends() {
    let (first, one) = promise::<Knot, String>();
    let (second, other) = promise::<Knot, String>();
    let knot = Knot(Arc::new(Mutex::new(Some(other.clone()))));
    first.set_result(knot.clone()).expect("it is kept once");
    second.set_result(Knot(Arc::new(Mutex::new(Some(one.clone()))))).expect("it is kept once");
    let text = format!("{one:?}");
    assert!(text.contains("<Pending finished ...>"), "{text}");
    // Untied, or neither would ever be freed.
    *knot.0.lock().expect("nobody panics") = None;
}

#[test]
fn fut_27_a_call_later_that_sets_the_result_ends_the_wait() {
    in_each_flavour(async || {
        let (promise, pending) = promise::<&str, String>();
        let start = Instant::now();
        let delay = Duration::from_millis(20);
        Handle::current()
            .call_later(delay, move || promise.set_result("done").expect("it is kept once"));
        assert_eq!(pending.await, Ok("done"));
        assert!(start.elapsed() >= delay);
    });
}

#[test]
fn a_pending_that_is_dropped_at_every_poll_loses_nothing_of_the_others() {
    in_each_flavour(async || {
        let (promise, pending) = promise::<i32, String>();
        let polls = AtomicUsize::new(0);
        let mut waiting: Vec<_> = (0..10).map(|_| Box::pin(pending.clone())).collect();
        std::future::poll_fn(|cx| {
            for (number, future) in waiting.iter_mut().enumerate() {
                for _ in 0..=number % 3 {
                    polls.fetch_add(1, Ordering::Relaxed);
                    assert!(future.as_mut().poll(cx).is_pending());
                }
            }
            Poll::Ready(())
        })
        .await;
        let mut number = 0;
        waiting.retain(|_| {
            number += 1;
            number % 2 == 0
        });
        promise.set_result(3).expect("it is kept once");
        for future in waiting {
            assert_eq!(future.await, Ok(3));
        }
    });
}
