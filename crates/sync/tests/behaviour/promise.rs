//! Errors of promises that nobody reads are reported, once; nothing else is.

use kasasagi_primitive::report::{Hook, Report, ReportKind};
use kasasagi_sync::{Pending, Promise, PromiseError, promise};
use std::sync::{Arc, Mutex};

/// What is reported on this thread while `f` runs.
fn reports(f: impl FnOnce(Promise<i32, String>, Pending<i32, String>)) -> Vec<Report> {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let sees = Arc::clone(&seen);
    let hook = Hook::new(Some(Arc::new(move |report: &Report| {
        sees.lock().expect("nobody panics with it").push(report.clone());
    })));
    let entered = hook.enter();
    let (promise, pending) = promise();
    f(promise, pending);
    drop(entered);
    let seen = seen.lock().expect("nobody panics with it");
    seen.clone()
}

#[test]
fn fut_13_an_error_that_nobody_reads_is_reported_once_by_the_last_who_drops_it() {
    let seen = reports(|promise, pending| {
        let other = pending.clone();
        promise.set_error("spam".into()).expect("it is kept once");
        drop((promise, other));
        assert!(format!("{pending:?}").contains("spam"), "to show it is not to read it");
        drop(pending);
    });
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0].kind, ReportKind::PromiseError);
    let text = seen[0].to_string();
    assert!(text.contains("never retrieved") && text.contains("spam"), "{text}");
    assert!(text.contains(file!()), "it says where the promise was made: {text}");
}

#[test]
fn fut_13_it_is_reported_to_the_hook_where_it_was_set_also_from_another_thread() {
    let seen = reports(|promise, pending| {
        promise.set_error("spam".into()).expect("it is kept once");
        let other = std::thread::spawn(move || drop((promise, pending)));
        other.join().expect("it does not panic");
    });
    assert_eq!(seen.len(), 1);
}

#[test]
fn fut_14_nothing_else_is_reported() {
    type Case = fn(Promise<i32, String>, Pending<i32, String>);
    let cases: [Case; 7] = [
        |promise, pending| drop((promise, pending)),
        |promise, pending| {
            pending.cancel();
            assert!(promise.set_error("refused".into()).is_err());
        },
        |promise, _| promise.set_result(1).expect("it is kept once"),
        |promise, pending| {
            promise.set_result(1).expect("it is kept once");
            assert_eq!(pending.result(), Ok(1));
        },
        |promise, pending| {
            promise.set_error("read".into()).expect("it is kept once");
            assert!(pending.error().is_ok());
        },
        |promise, pending| {
            promise.set_error("read".into()).expect("it is kept once");
            assert!(pending.result().is_err());
        },
        |promise, pending| {
            promise.set_error("awaited".into()).expect("it is kept once");
            let mut pending = pending;
            let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
            assert!(std::pin::Pin::new(&mut pending).poll(&mut cx).is_ready());
        },
    ];
    for (number, case) in cases.into_iter().enumerate() {
        let seen = reports(case);
        assert!(seen.is_empty(), "case {number}: {}", seen[0]);
    }
}

#[test]
fn fut_12_the_panic_of_a_callback_is_reported() {
    let seen = reports(|promise, pending| {
        pending.on_done(|_| panic!("in a callback"));
        promise.set_result(1).expect("it is kept once");
    });
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0].kind, ReportKind::Callback);
    assert!(seen[0].to_string().contains("in a callback"));
}

/// A promise that is kept in a thread-local is broken as its thread ends, when other thread-locals are gone already: who
/// listens is called all the same.
#[test]
fn fut_08_a_promise_that_goes_with_its_thread_calls_who_listens() {
    type Kept = Option<Promise<u32, ()>>;
    thread_local! {
        static KEPT: std::cell::RefCell<Kept> = const { std::cell::RefCell::new(None) };
    }
    let (sender, called) = std::sync::mpsc::channel();
    let thread = std::thread::spawn(move || {
        // Before all that the callback needs: it is dropped last.
        KEPT.with_borrow(|kept| assert!(kept.is_none()));
        let (promise, pending) = promise::<u32, ()>();
        pending.on_done(move |pending| sender.send(pending.result()).expect("it is received"));
        KEPT.set(Some(promise));
    });
    thread.join().expect("no panic");
    assert_eq!(called.recv(), Ok(Err(PromiseError::Broken)));
}
