//! Wakers whose clone comes back to what it waits for: no lock is held while one is cloned.
#![allow(unsafe_code, reason = "only a table of functions can clone a waker in a way of its own")]

use super::{poll, within_limit};
use kasasagi_sync::{Barrier, Condition, Event, Lock, Queue, Semaphore, watch};
use std::any::Any;
use std::fmt::Debug;
use std::pin::Pin;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{RawWaker, RawWakerVTable, Waker};

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

/// What is leaked stays reachable from here, so that no leak check takes it for lost.
static KEPT: Mutex<Vec<&'static (dyn Any + Sync)>> = Mutex::new(Vec::new());

fn forever<T: Any + Sync>(it: T) -> &'static T {
    let it: &'static T = Box::leak(Box::new(it));
    KEPT.lock().expect("no panic").push(it);
    it
}

fn waker(look: impl Fn() + Sync + 'static) -> Waker {
    let look = forever(Look(Box::new(look)));
    // SAFETY: it is never freed.
    unsafe { Waker::from_raw(raw(std::ptr::from_ref(look).cast())) }
}

/// A future that waits is polled with another waker, whose clone looks at what it waits for; its `Debug` asks for the
/// length of the line, under the line's lock.
fn is_looked_at<T: Debug + Sync>(what: &'static T, future: impl Future) {
    static LOOKS: AtomicUsize = AtomicUsize::new(0);
    let before = LOOKS.load(Ordering::Relaxed);
    let mut future = Box::pin(future);
    assert!(poll(future.as_mut(), Waker::noop()).is_pending());
    let waker = waker(move || {
        assert!(!format!("{what:?}").is_empty());
        LOOKS.fetch_add(1, Ordering::Relaxed);
    });
    assert!(poll(Pin::as_mut(&mut future), &waker).is_pending());
    assert!(LOOKS.load(Ordering::Relaxed) > before, "it was cloned");
}

#[test]
fn a_waker_whose_clone_comes_back_finds_it_unlocked() {
    within_limit(|| {
        static LOCK: Lock<u32> = Lock::new(0);
        static SEMAPHORE: Semaphore = Semaphore::new(0);
        static EVENT: Event = Event::new();
        static CONDITION: Condition = Condition::new();
        let barrier = forever(Barrier::new(2));
        is_looked_at(&SEMAPHORE, SEMAPHORE.acquire());
        is_looked_at(&EVENT, EVENT.wait());
        is_looked_at(barrier, barrier.wait());
        is_looked_at(&CONDITION, CONDITION.wait(LOCK.try_lock().expect("nobody has it")));
        let held = LOCK.try_lock().expect("nobody has it");
        is_looked_at(&LOCK, LOCK.lock());
        drop(held);
        let queue = forever(Queue::bounded(1));
        is_looked_at(queue, queue.get());
        queue.try_put(0_u32).expect("there is room");
        is_looked_at(queue, queue.put(1));
        is_looked_at(queue, queue.join());
    });
}

#[test]
fn a_waker_whose_clone_ends_the_wait_is_not_kept() {
    within_limit(|| {
        static EVENT: Event = Event::new();
        let mut wait = Box::pin(EVENT.wait());
        assert!(poll(wait.as_mut(), Waker::noop()).is_pending());
        assert!(poll(wait.as_mut(), &waker(|| EVENT.set())).is_ready());
        let (sender, mut receiver) = watch::channel(0);
        let mut changed = Box::pin(receiver.changed());
        assert!(poll(changed.as_mut(), Waker::noop()).is_pending());
        assert!(poll(changed.as_mut(), &waker(move || assert!(sender.send(1).is_ok()))).is_ready());
    });
}
