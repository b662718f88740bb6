//! Hooks nest, panics of hooks end there, and a report says all it knows.

use super::*;
use std::sync::atomic::{AtomicUsize, Ordering};

fn counting() -> (Hook, Arc<AtomicUsize>) {
    let calls = Arc::new(AtomicUsize::new(0));
    let hook = {
        let calls = Arc::clone(&calls);
        Hook::new(Some(Arc::new(move |_: &Report| {
            calls.fetch_add(1, Ordering::SeqCst);
        })))
    };
    (hook, calls)
}

#[test]
fn a_report_goes_to_the_hook_entered_last_and_the_guard_puts_the_one_before_back() {
    let ((outer, at_outer), (inner, at_inner)) = (counting(), counting());
    let report = Report::new(ReportKind::Callback, "a callback panicked");
    assert!(current().is_none());
    let entered = outer.enter();
    report.send();
    let nested = inner.enter();
    report.send();
    report.send();
    drop(nested);
    report.send();
    report.send_to_kept(Some(inner));
    drop(entered);
    assert!(current().is_none());
    assert_eq!((at_outer.load(Ordering::SeqCst), at_inner.load(Ordering::SeqCst)), (2, 3));
}

#[test]
fn a_hook_that_panics_ends_there_and_another_may_be_set_from_inside() {
    let hook = Hook::new(Some(Arc::new(|_: &Report| panic!("in the hook"))));
    hook.call(&Report::new(ReportKind::Callback, "a callback panicked"));
    let (other, calls) = counting();
    let replaced = {
        let (hook, other) = (hook.clone(), other.get());
        move |_: &Report| drop(hook.set(other.clone()))
    };
    drop(hook.set(Some(Arc::new(replaced))));
    let report = Report::new(ReportKind::Callback, "a callback panicked");
    hook.call(&report);
    hook.call(&report);
    assert_eq!(calls.load(Ordering::SeqCst), 1);
    assert!(hook.set(None).is_some() && hook.get().is_none());
}

#[test]
fn a_report_says_what_where_and_with_what() {
    struct Broken;
    impl fmt::Display for Broken {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            panic!("no words")
        }
    }
    let here = Location::caller();
    let report = Report::new(ReportKind::TaskPanic, "a task panicked and nobody awaited it")
        .task(Reported::new(7, "worker".into(), here))
        .place(Some("src/a.rs:1:2".into()))
        .panic(&"boom");
    let text = format!(
        "a task panicked and nobody awaited it: task `worker`, spawned at {here}, panicked at src/a.rs:1:2: boom"
    );
    assert_eq!(report.to_string(), text);
    let report = Report::new(ReportKind::TaskError, "x").error(&Broken);
    assert_eq!(report.to_string(), "x: (its `Display` panicked: no words)");
}
