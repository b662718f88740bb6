//! Review: a queued future that is polled with another waker clones it under the lock of the primitive.
#![allow(unsafe_code)]
use kasasagi_sync::{Event, Lock};
use std::future::Future;
use std::sync::mpsc::channel;
use std::task::{Context, RawWaker, RawWakerVTable, Waker};
use std::time::Duration;

static VTABLE: RawWakerVTable = RawWakerVTable::new(clone, |_| (), |_| (), |_| ());

struct Look(Box<dyn Fn() + Sync>);

fn raw(look: *const ()) -> RawWaker {
    RawWaker::new(look, &VTABLE)
}
fn clone(look: *const ()) -> RawWaker {
    // SAFETY: made below of a leaked `Look`.
    unsafe { (*look.cast::<Look>()).0() };
    raw(look)
}
fn waker(look: impl Fn() + Sync + 'static) -> Waker {
    let look: &'static Look = Box::leak(Box::new(Look(Box::new(look))));
    // SAFETY: it is never freed.
    unsafe { Waker::from_raw(raw(std::ptr::from_ref(look).cast())) }
}

fn ends(run: impl FnOnce() + Send + 'static) -> bool {
    let (send, receive) = channel();
    std::thread::spawn(move || {
        run();
        let _ = send.send(());
    });
    receive.recv_timeout(Duration::from_secs(5)).is_ok()
}

#[test]
fn a_waker_whose_clone_looks_at_the_lock_does_not_hang() {
    assert!(ends(|| {
        static LOCK: Lock<u32> = Lock::new(0);
        let _held = LOCK.try_lock().expect("nobody has it");
        let mut wait = Box::pin(LOCK.lock());
        assert!(wait.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        let waker = waker(|| assert!(!format!("{LOCK:?}").is_empty()));
        assert!(wait.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    }));
}

#[test]
fn a_waker_whose_clone_sets_the_event_does_not_hang() {
    assert!(ends(|| {
        static EVENT: Event = Event::new();
        let mut wait = Box::pin(EVENT.wait());
        assert!(wait.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        let waker = waker(|| EVENT.set());
        let _ = wait.as_mut().poll(&mut Context::from_waker(&waker));
    }));
}
