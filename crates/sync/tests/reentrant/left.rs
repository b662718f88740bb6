//! Offers that were left, and wakers that do more than to wake.

use kasasagi_primitive::offers;
use kasasagi_primitive::task_context::{self, TaskContext};
use kasasagi_sync::{Condition, Lock, Semaphore};
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, RawWaker, RawWakerVTable, Wake, Waker};

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

/// While it is woken, another task is polled a few times for something else.
struct Between(Arc<TaskContext>);

impl Wake for Between {
    fn wake(self: Arc<Self>) {
        for _ in 0..4 {
            end(&self.0);
        }
    }
}

struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn the_first_of_several_keeps_its_turn_until_it_is_woken() {
    let semaphore = Semaphore::new(0);
    let (first_task, giver) = (Arc::new(TaskContext::new(7)), TaskContext::new(8));
    let woken = Arc::new(Woken(AtomicBool::new(false)));
    let waker = Waker::from(Arc::clone(&woken));
    let mut first = pin!(semaphore.acquire());
    let mut cx = Context::from_waker(&waker);
    inside(&first_task, || assert!(first.as_mut().poll(&mut cx).is_pending()));
    assert!(!end(&first_task));
    let between = Waker::from(Arc::new(Between(Arc::clone(&first_task))));
    let mut second = pin!(semaphore.acquire());
    assert!(second.as_mut().poll(&mut Context::from_waker(&between)).is_pending());
    let mut third = pin!(semaphore.acquire());
    assert!(third.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    // In a task the first is woken last.
    inside(&giver, || semaphore.add_permits(2));
    assert!(woken.0.load(Ordering::Relaxed), "it is woken now");
    let permit = inside(&first_task, || first.as_mut().poll(&mut cx));
    assert!(permit.is_ready(), "it is looked at as soon as it was woken");
    assert!(third.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    // That is over, and what is left later is taken back.
    let mut left = pin!(semaphore.acquire());
    inside(&first_task, || assert!(left.as_mut().poll(&mut cx).is_pending()));
    assert!(!end(&first_task));
    semaphore.add_permits(2);
    for again in [true, true, false] {
        assert_eq!(end(&first_task), again);
    }
    assert!(semaphore.try_acquire().is_ok(), "the fourth has missed its turn");
}
