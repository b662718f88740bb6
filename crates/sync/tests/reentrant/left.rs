//! Offers that were left, and wakers that do more than to wake.

use kasasagi_primitive::offers;
use kasasagi_primitive::task_context::{self, TaskContext};
use kasasagi_sync::{Condition, Lock};
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::{Context, RawWaker, RawWakerVTable, Waker};

#[expect(unsafe_code, reason = "this is the runner")]
fn inside<R>(context: &TaskContext, f: impl FnOnce() -> R) -> R {
    // SAFETY: the context outlives the guard, and this thread alone polls.
    let _entered = unsafe { task_context::enter(context) };
    f()
}

/// Ends a poll with no wake to come; says whether there is another at once.
fn end(context: &TaskContext) -> bool {
    let again = !context.end_looks() && inside(context, offers::take_back);
    context.renew_looks();
    again
}

/// A waker that cannot be cloned.
fn no_clones() -> Waker {
    static TABLE: RawWakerVTable = RawWakerVTable::new(|_| panic!("no"), |_| (), |_| (), |_| ());
    #[expect(unsafe_code, reason = "a foreign waker")]
    // SAFETY: nothing is done with the pointer.
    unsafe {
        Waker::from_raw(RawWaker::new(std::ptr::null(), &TABLE))
    }
}

#[test]
fn one_who_missed_its_turn_and_whose_waker_panics_passes_its_notification_on() {
    let (lock, condition) = (Lock::new(()), Condition::new());
    let context = TaskContext::new(7);
    let mut cx = Context::from_waker(Waker::noop());
    let mut left = Box::pin(condition.wait(lock.try_lock().expect("nobody has it")));
    inside(&context, || assert!(left.as_mut().poll(&mut cx).is_pending()));
    let mut next = pin!(condition.wait(lock.try_lock().expect("nobody has it")));
    assert!(next.as_mut().poll(&mut cx).is_pending());
    let guard = lock.try_lock().expect("nobody has it");
    condition.notify_one();
    // From here on it stands in the line of the lock.
    inside(&context, || assert!(left.as_mut().poll(&mut cx).is_pending()));
    assert!(!end(&context));
    drop(guard);
    assert!(end(&context), "it is left for the first time");
    end(&context);
    assert!(!lock.is_locked(), "it has missed its turn");
    let waker = no_clones();
    let polled = catch_unwind(AssertUnwindSafe(|| {
        inside(&context, || left.as_mut().poll(&mut Context::from_waker(&waker)).is_ready())
    }));
    assert!(polled.is_err(), "the clone panics");
    inside(&context, || drop(left));
    assert!(next.as_mut().poll(&mut cx).is_ready(), "it is notified instead");
}
