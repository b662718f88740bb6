//! Review: a waker that panics while another panic unwinds ends the process: in the second batch, or under a guard.
use kasasagi_sync::{Event, Lock, Semaphore};
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;
use std::sync::Arc;
use std::task::{Context, Wake, Waker};

struct Panics;
impl Wake for Panics {
    fn wake(self: Arc<Self>) {
        panic!("a waker panics");
    }
}

fn event() {
    let event = Event::new();
    let waker = Waker::from(Arc::new(Panics));
    let mut waits: Vec<_> = (0..40).map(|_| Box::pin(event.wait())).collect();
    for wait in &mut waits {
        assert!(wait.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    }
    assert!(catch_unwind(AssertUnwindSafe(|| event.set())).is_err());
}

fn semaphore() {
    let semaphore = Semaphore::new(0);
    let waker = Waker::from(Arc::new(Panics));
    let mut waits: Vec<_> = (0..40).map(|_| Box::pin(semaphore.acquire())).collect();
    for wait in &mut waits {
        assert!(wait.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    }
    assert!(catch_unwind(AssertUnwindSafe(|| semaphore.add_permits(40))).is_err());
}

fn guard() {
    let lock = Lock::new(0);
    let waker = Waker::from(Arc::new(Panics));
    let mut wait = Box::pin(lock.lock());
    let unwound = catch_unwind(AssertUnwindSafe(|| {
        let _guard = lock.try_lock().expect("nobody has it");
        assert!(wait.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        panic!("under the guard");
    }));
    assert!(unwound.is_err());
}

fn in_a_process(what: &str, run: fn()) {
    if std::env::var("REVIEW_CHILD").as_deref() == Ok(what) {
        return run();
    }
    let status = Command::new(std::env::current_exe().expect("a test"))
        .args(["--exact", what])
        .env("REVIEW_CHILD", what)
        .status()
        .expect("it starts");
    assert!(status.success(), "wakers that panic ended the process: {status}");
}

#[test]
fn an_event_survives_wakers_that_panic() {
    in_a_process("an_event_survives_wakers_that_panic", event);
}

#[test]
fn a_semaphore_survives_wakers_that_panic() {
    in_a_process("a_semaphore_survives_wakers_that_panic", semaphore);
}

#[test]
fn a_guard_dropped_by_a_panic_survives_a_waker_that_panics() {
    in_a_process("a_guard_dropped_by_a_panic_survives_a_waker_that_panics", guard);
}
