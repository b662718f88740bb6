//! Promises: set from any thread, everybody is woken once, and nobody waits for ever (FUT-23).

use kasasagi_primitive::explore::explore;
use kasasagi_primitive::park::Parker;
use kasasagi_primitive::sync::Arc;
use kasasagi_primitive::sync::atomic::{AtomicUsize, Ordering};
use kasasagi_primitive::thread;
use kasasagi_sync::{PromiseError, promise};
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Wake, Waker};

fn block_on<F: Future>(future: F) -> F::Output {
    let parker = Parker::new();
    let waker = parker.unparker().into_waker();
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        parker.park();
    }
}

/// Counts how often it is woken.
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: std::sync::Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &std::sync::Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Race: a value is set while one begins to wait: it gets it, and does not wait for ever.
///
/// Mutation `sync-promise-noted-unlocked`: who waits notes it before it takes the lock of the list.
#[test]
fn fut_23_a_promise_set_elsewhere_meets_who_awaits_it() {
    explore("fut_23_a_promise_set_elsewhere_meets_who_awaits_it", || {
        let (promise, pending) = promise::<u32, ()>();
        let other = pending.clone();
        let setter = thread::spawn(move || promise.set_result(7).is_ok());
        let other = thread::spawn(move || block_on(other));
        assert_eq!(block_on(pending), Ok(7));
        assert_eq!(other.join().expect("the other does not panic"), Ok(7));
        assert!(setter.join().expect("the setter does not panic"));
    });
}

/// Race: a value is set while one of two that wait leaves: the other one is woken once, and nobody twice.
///
/// Mutation `sync-promise-leaves-for-another`: who leaves takes the first waker out, whosever it is.
#[test]
fn fut_23_everybody_who_waits_is_woken_once() {
    explore("fut_23_everybody_who_waits_is_woken_once", || {
        let (promise, mut stays) = promise::<u32, ()>();
        let mut leaves = stays.clone();
        let counts = [(); 2].map(|()| std::sync::Arc::new(Count(AtomicUsize::new(0))));
        for (future, count) in [&mut stays, &mut leaves].into_iter().zip(&counts) {
            let waker = Waker::from(std::sync::Arc::clone(count));
            assert!(pin!(future).poll(&mut Context::from_waker(&waker)).is_pending());
        }
        let setter = thread::spawn(move || promise.set_result(7).is_ok());
        drop(leaves);
        assert!(setter.join().expect("the setter does not panic"));
        assert_eq!(counts[0].0.load(Ordering::Relaxed), 1, "who stays is woken once");
        assert!(counts[1].0.load(Ordering::Relaxed) <= 1, "who leaves is woken once at most");
        assert_eq!(stays.result(), Ok(7));
    });
}

/// Race: the one side sets, the other cancels: one of them is in time, and the other is told so.
///
/// Mutation `sync-promise-cancel-claims`: who cancels does not look whether the other side was first.
#[test]
fn fut_05_a_cancel_meets_a_set_and_one_of_them_wins() {
    explore("fut_05_a_cancel_meets_a_set_and_one_of_them_wins", || {
        let (promise, pending) = promise::<u32, ()>();
        let canceller = pending.clone();
        let canceller = thread::spawn(move || canceller.cancel());
        let set = promise.set_result(7).is_ok();
        let cancelled = canceller.join().expect("the canceller does not panic");
        assert!(set != cancelled, "one of them wins");
        assert_eq!(promise.is_cancelled(), cancelled);
        let result = if set { Ok(7) } else { Err(PromiseError::Cancelled) };
        assert_eq!(pending.result(), result);
    });
}

/// Race: the promise is broken while a callback is registered: it is called once, there or here.
///
/// Mutation `sync-promise-late-callback-kept`: a callback that comes while the value is written is put into the list.
#[test]
fn fut_08_a_callback_meets_the_end_and_is_called_once() {
    explore("fut_08_a_callback_meets_the_end_and_is_called_once", || {
        let (promise, pending) = promise::<u32, ()>();
        let calls = Arc::new(AtomicUsize::new(0));
        let breaker = thread::spawn(move || drop(promise));
        let count = Arc::clone(&calls);
        pending.on_done(move |pending| {
            assert_eq!(pending.result(), Err(PromiseError::Broken));
            count.fetch_add(1, Ordering::Relaxed);
        });
        breaker.join().expect("the breaker does not panic");
        assert_eq!(calls.load(Ordering::Relaxed), 1);
    });
}

/// Race: one waits with another waker than before while the value is set: that one is woken, or it sees the value.
///
/// Mutation `sync-promise-second-waker-ignored`: who is in the list already keeps the waker that it left first.
#[test]
fn fut_23_a_waker_that_is_replaced_is_not_the_one_that_is_woken() {
    explore("fut_23_a_waker_that_is_replaced", || {
        let (promise, mut pending) = promise::<u32, ()>();
        let first = Waker::noop();
        assert!(pin!(&mut pending).poll(&mut Context::from_waker(first)).is_pending());
        let setter = thread::spawn(move || promise.set_result(7).is_ok());
        assert_eq!(block_on(&mut pending), Ok(7));
        assert!(setter.join().expect("the setter does not panic"));
    });
}

/// Race: the value is set, and its side goes, while the one who waits for it goes too: value and waker are dropped
/// once. loom reports the block if it is leaked.
///
/// Mutation `primitive-settle-value-kept`: the last who goes frees the block and leaves the value.
#[test]
fn fut_23_both_sides_go_and_leave_nothing() {
    explore("fut_23_both_sides_go_and_leave_nothing", || {
        let (promise, mut pending) = promise::<std::sync::Arc<()>, ()>();
        let value = std::sync::Arc::new(());
        let count = std::sync::Arc::new(Count(AtomicUsize::new(0)));
        let waker = Waker::from(std::sync::Arc::clone(&count));
        assert!(pin!(&mut pending).poll(&mut Context::from_waker(&waker)).is_pending());
        drop(waker);
        let promised = std::sync::Arc::clone(&value);
        let setter = thread::spawn(move || promise.set_result(promised).is_ok());
        drop(pending);
        assert!(setter.join().expect("the setter does not panic"));
        assert_eq!(std::sync::Arc::strong_count(&value), 1, "the value is dropped once");
        assert_eq!(std::sync::Arc::strong_count(&count), 1, "the waker is dropped once");
    });
}

/// Race: it is broken, cancelled and awaited at once: one of the first two is in time, and the third is told which.
///
/// Mutation `sync-promise-broken-tells-nobody`: the promise that goes tells nobody.
#[test]
fn fut_05_a_broken_promise_meets_a_cancel_and_who_awaits_it() {
    explore("fut_05_a_broken_promise_meets_a_cancel", || {
        let (promise, pending) = promise::<u32, ()>();
        let canceller = pending.clone();
        let breaker = thread::spawn(move || drop(promise));
        let canceller = thread::spawn(move || canceller.cancel());
        let result = block_on(pending);
        let cancelled = canceller.join().expect("the canceller does not panic");
        breaker.join().expect("the breaker does not panic");
        let reason = if cancelled { PromiseError::Cancelled } else { PromiseError::Broken };
        assert_eq!(result, Err(reason));
    });
}
