//! Wakers that panic while this thread unwinds already: a second panic would end the process, so each test runs in one
//! of its own.

use kasasagi_sync::{Barrier, Condition, Event, Lock, RwLock, Semaphore};
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::process::Command;
use std::sync::Arc;
use std::task::{Context, Wake, Waker};

struct Panics;
impl Wake for Panics {
    fn wake(self: Arc<Self>) {
        panic!("a waker panics");
    }
}

/// Waits with a waker that panics.
fn waiting<F: Future>(future: F) -> Pin<Box<F>> {
    let waker = Waker::from(Arc::new(Panics));
    let mut future = Box::pin(future);
    assert!(future.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    future
}

fn panics(f: impl FnOnce()) {
    assert!(catch_unwind(AssertUnwindSafe(f)).is_err());
}

fn event() {
    let event = Event::new();
    let waits: Vec<_> = (0..100).map(|_| waiting(event.wait())).collect();
    panics(|| event.set());
    drop(waits);
    assert!(event.is_set());
}

fn semaphore() {
    let semaphore = Semaphore::new(0);
    let waits: Vec<_> = (0..100).map(|_| waiting(semaphore.acquire())).collect();
    panics(|| semaphore.add_permits(100));
    drop(waits);
    assert_eq!(semaphore.available_permits(), 100);
}

fn guards() {
    let (lock, rw_lock, semaphore) = (Lock::new(0), RwLock::new(0), Semaphore::new(1));
    panics(|| {
        let guard = lock.try_lock().expect("nobody has it");
        let writing = rw_lock.try_write().expect("nobody has it");
        let permit = semaphore.try_acquire().expect("one is free");
        let waits = (waiting(lock.lock()), waiting(rw_lock.read()), waiting(semaphore.acquire()));
        let reading = waiting(rw_lock.read());
        // The first panics, and all others are dropped by that panic.
        let _all = (guard, writing, permit, waits, reading);
    });
    assert!(!lock.is_locked() && rw_lock.try_write().is_ok() && semaphore.try_acquire().is_ok());
}

fn futures() {
    let (barrier, lock, condition) = (Barrier::new(2), Lock::new(0), Condition::new());
    panics(|| {
        let next = waiting(lock.lock());
        drop(next);
        let wait = || waiting(condition.wait(lock.try_lock().expect("nobody has it")));
        let waits = (wait(), wait());
        let leaver = Box::pin(barrier.wait());
        let mut first = Box::pin(barrier.wait());
        let noop = &mut Context::from_waker(Waker::noop());
        assert!(first.as_mut().poll(noop).is_pending());
        let mut last = Box::pin(barrier.wait());
        assert!(last.as_mut().poll(noop).is_ready());
        // It waits outside, and is woken when the first one is dropped.
        let outside = waiting(barrier.wait());
        let guard = lock.try_lock().expect("nobody has it");
        let _all = (guard, first, waits, outside, leaver);
        panics(|| condition.notify_all());
        panic!("under the guard");
    });
    assert!(!lock.is_locked() && barrier.n_waiting() == 0);
}

fn in_a_process(name: &str, run: fn()) {
    let name = format!("unwinding::{name}");
    if std::env::var("UNWINDING").as_deref() == Ok(&name) {
        return run();
    }
    let status = Command::new(std::env::current_exe().expect("a test"))
        .args(["--exact", &name])
        .env("UNWINDING", &name)
        .status()
        .expect("it starts");
    assert!(status.success(), "wakers that panic ended the process: {status}");
}

#[test]
fn an_event_survives_wakers_that_all_panic() {
    in_a_process("an_event_survives_wakers_that_all_panic", event);
}

#[test]
fn a_semaphore_survives_wakers_that_all_panic() {
    in_a_process("a_semaphore_survives_wakers_that_all_panic", semaphore);
}

#[test]
fn guards_dropped_by_a_panic_survive_wakers_that_panic() {
    in_a_process("guards_dropped_by_a_panic_survive_wakers_that_panic", guards);
}

#[test]
fn futures_dropped_by_a_panic_survive_wakers_that_panic() {
    in_a_process("futures_dropped_by_a_panic_survive_wakers_that_panic", futures);
}
