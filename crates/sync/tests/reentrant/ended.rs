//! Wakers that end the line while it is served.

use kasasagi_primitive::offers;
use kasasagi_primitive::task_context::{self, TaskContext};
use kasasagi_sync::{AcquireOwned, Semaphore};
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

type Futures = Vec<Pin<Box<AcquireOwned>>>;

/// Drops the futures when it is woken.
struct Ender(Mutex<Futures>);

impl Wake for Ender {
    fn wake(self: Arc<Self>) {
        let futures = mem::take(&mut *self.0.lock().expect("nobody panics with it"));
        drop(futures);
    }
}

/// So many wait that they are served in two batches.
const ALL: usize = 40;
/// These are served in the first, and the others leave as they are woken.
const FIRST: usize = 33;

#[test]
fn a_line_that_ends_between_two_batches_loses_no_permit() {
    let semaphore = Arc::new(Semaphore::new(0));
    let ender = Arc::new(Ender(Mutex::default()));
    let waker = Waker::from(Arc::clone(&ender));
    let mut cx = Context::from_waker(&waker);
    let mut futures = Futures::new();
    for _ in 0..ALL {
        let mut future = Box::pin(Semaphore::acquire_owned(Arc::clone(&semaphore)));
        assert!(future.as_mut().poll(&mut cx).is_pending());
        futures.push(future);
    }
    *ender.0.lock().expect("nobody panics with it") = futures.split_off(FIRST);
    semaphore.add_permits(ALL);
    let mut permits = Vec::new();
    for future in &mut futures {
        match future.as_mut().poll(&mut cx) {
            Poll::Ready(permit) => permits.push(permit.expect("it is open")),
            Poll::Pending => panic!("it was served"),
        }
    }
    assert_eq!(semaphore.available_permits(), ALL - FIRST);
    drop(permits);
    assert_eq!(semaphore.available_permits(), ALL);
    assert!(semaphore.try_acquire().is_ok());
}

/// A task that is polled when it is woken, looks at none of its futures, and ends the poll; it notes whether it found that
/// it was offered something.
struct Blind {
    context: TaskContext,
    found: Mutex<Vec<bool>>,
}

impl Blind {
    #[expect(unsafe_code, reason = "this is the runner")]
    fn poll<R>(&self, f: impl FnOnce() -> R) -> R {
        // SAFETY: the context outlives the guard, and this thread alone polls.
        let _entered = unsafe { task_context::enter(&raw const self.context) };
        self.context.begin();
        f()
    }
}

impl Wake for Blind {
    fn wake(self: Arc<Self>) {
        let found = self.poll(|| !self.context.end_looks() && offers::take_back());
        self.context.renew_looks();
        self.found.lock().expect("nobody panics with it").push(found);
    }
}

#[test]
fn who_is_woken_between_two_batches_finds_its_offer() {
    let semaphore = Arc::new(Semaphore::new(0));
    let task = Arc::new(Blind { context: TaskContext::new(7), found: Mutex::default() });
    let waker = Waker::from(Arc::clone(&task));
    let mut futures = Futures::new();
    task.poll(|| {
        for _ in 0..ALL {
            let mut future = Box::pin(Semaphore::acquire_owned(Arc::clone(&semaphore)));
            assert!(future.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
            futures.push(future);
        }
    });
    assert!(task.context.end_looks(), "all were looked at");
    semaphore.add_permits(ALL);
    let found = mem::take(&mut *task.found.lock().expect("nobody panics with it"));
    assert!(found[0], "the first who is woken finds what was offered");
    task.poll(|| drop(futures));
    assert_eq!(semaphore.available_permits(), ALL);
}
