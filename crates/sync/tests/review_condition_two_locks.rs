//! Review: a condition whose notified waiter stands in the line of one lock lets a guard of another lock in, and then
//! moves its waiter to the wrong line.
use kasasagi_sync::{Condition, Lock};
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::process::Command;
use std::task::{Context, Poll, Waker};

fn poll<F: Future>(future: &mut Pin<Box<F>>) -> Poll<F::Output> {
    future.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn a_waiter_of_another_lock_is_not_moved_to_the_line_of_this_one() {
    let (one, two, condition) = (Lock::new(1), Lock::new(2), Condition::new());
    let mut a = Box::pin(condition.wait(one.try_lock().expect("nobody has it")));
    assert!(poll(&mut a).is_pending());
    let held = one.try_lock().expect("nobody has it");
    condition.notify_one();
    // It moves to the line of `one`; both lines of the condition are empty then, though `a` waits still.
    assert!(poll(&mut a).is_pending());
    let mut b = Box::pin(condition.wait(two.try_lock().expect("nobody has it")));
    // Either this panics, as `Condition::wait` documents ...
    if catch_unwind(AssertUnwindSafe(|| poll(&mut b))).is_err() {
        return;
    }
    // ... or it is to work: `a` leaves, its notification is for `b`, who has lock `two`, and not a place in `one`'s line.
    drop(a);
    drop(held);
    let polled = catch_unwind(AssertUnwindSafe(|| poll(&mut b).is_ready()));
    // Dropped now, it would end the process.
    let moved_to_the_wrong_line = polled.is_err();
    std::mem::forget(b);
    assert!(!moved_to_the_wrong_line, "`b` stands in the line of a lock that it did not come with");
    assert!(!one.is_locked(), "lock `one` was given to nobody");
}

/// The same, dropped instead of polled: in a process of its own, since it ends it.
#[test]
fn a_waiter_of_another_lock_may_be_dropped() {
    if std::env::var("REVIEW_CHILD").is_err() {
        let status = Command::new(std::env::current_exe().expect("a test"))
            .args(["--exact", "a_waiter_of_another_lock_may_be_dropped"])
            .env("REVIEW_CHILD", "1")
            .status()
            .expect("it starts");
        assert!(status.success(), "dropping a future ended the process: {status}");
        return;
    }
    let (one, two, condition) = (Lock::new(1), Lock::new(2), Condition::new());
    let mut a = Box::pin(condition.wait(one.try_lock().expect("nobody has it")));
    assert!(poll(&mut a).is_pending());
    let held = one.try_lock().expect("nobody has it");
    condition.notify_one();
    assert!(poll(&mut a).is_pending());
    let mut b = Box::pin(condition.wait(two.try_lock().expect("nobody has it")));
    if catch_unwind(AssertUnwindSafe(|| poll(&mut b))).is_err() {
        return;
    }
    drop(a);
    drop(held);
    let _ = catch_unwind(AssertUnwindSafe(|| drop(b)));
}
