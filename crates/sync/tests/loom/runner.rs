//! The runner of a task, made by hand.

use crate::hand::{Data, block_on};
use kasasagi_primitive::offers;
use kasasagi_primitive::park::Parker;
use kasasagi_primitive::sync::Arc;
use kasasagi_primitive::sync::atomic::{AtomicBool, Ordering};
use kasasagi_primitive::task_context::{self, TaskContext};
use kasasagi_primitive::thread::{self, JoinHandle};
use kasasagi_sync::Lock;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering as Real};
use std::task::{Context, Poll, Wake, Waker};

/// A task: this thread polls it.
#[repr(C)]
pub(crate) struct Hand {
    // First: a task's waker is made of where its context is.
    context: TaskContext,
    pub(crate) waker: Waker,
    // Not one that loom sees: that a wake was made happens before what follows, by whatever else is seen of it.
    woken: std::sync::Arc<Woken>,
    parker: Parker,
}

struct Woken {
    count: AtomicUsize,
    inner: Waker,
}

impl Wake for Woken {
    fn wake(self: std::sync::Arc<Self>) {
        self.count.fetch_add(1, Real::SeqCst);
        self.inner.wake_by_ref();
    }
}

/// A waker of the hand with this context.
#[expect(unsafe_code, reason = "as the task cell does it")]
unsafe fn waker_of(context: *const TaskContext) -> Waker {
    // SAFETY: only hands are entered here, and begin with their context.
    unsafe { &*context.cast::<Hand>() }.waker.clone()
}

impl Hand {
    pub(crate) fn new() -> Self {
        Self::of(7)
    }

    /// One of this number.
    #[expect(unsafe_code, reason = "this is the runner")]
    pub(crate) fn of(number: u64) -> Self {
        // SAFETY: only hands are entered here.
        unsafe { task_context::set_make_waker(waker_of) };
        let parker = Parker::new();
        let inner = parker.unparker().into_waker();
        let woken = std::sync::Arc::new(Woken { count: AtomicUsize::new(0), inner });
        let waker = Waker::from(std::sync::Arc::clone(&woken));
        Self { context: TaskContext::new(number), waker, woken, parker }
    }

    /// Does something as this task.
    #[expect(unsafe_code, reason = "this is the runner")]
    pub(crate) fn inside<R>(&self, f: impl FnOnce() -> R) -> R {
        // SAFETY: as in `poll`.
        let _entered = unsafe { task_context::enter(std::ptr::from_ref(self).cast()) };
        f()
    }

    /// One poll; says what it gave, and whether the task is to be polled again at once.
    #[expect(unsafe_code, reason = "this is the runner")]
    pub(crate) fn poll<R>(&self, f: impl FnOnce(&mut Context<'_>) -> Poll<R>) -> (Poll<R>, bool) {
        let before = self.woken.count.load(Real::SeqCst);
        // SAFETY: the context outlives the guard, and this thread alone polls.
        let entered = unsafe { task_context::enter(std::ptr::from_ref(self).cast()) };
        self.context.begin();
        let polled = f(&mut Context::from_waker(&self.waker));
        let is_woken = || self.woken.count.load(Real::SeqCst) != before;
        let ends = || self.context.end_looks() || !offers::take_back();
        let again = polled.is_pending() && (is_woken() || !ends() || is_woken());
        self.context.renew_looks();
        drop(entered);
        (polled, again)
    }

    /// Polls, and waits for wakes, until it is ready.
    pub(crate) fn run<R>(&self, mut f: impl FnMut(&mut Context<'_>) -> Poll<R>) -> R {
        loop {
            match self.poll(&mut f) {
                (Poll::Ready(result), _) => return result,
                (Poll::Pending, true) => {}
                (Poll::Pending, false) => self.parker.park(),
            }
        }
    }

    /// Has a future begin to wait.
    pub(crate) fn begin<F: Future>(&self, future: Pin<&mut F>) {
        self.begin_under(future, &self.waker);
    }

    /// The same, under this waker.
    pub(crate) fn begin_under<F: Future>(&self, mut future: Pin<&mut F>, waker: &Waker) {
        let (polled, _) = self.poll(|_| {
            assert!(future.as_mut().poll(&mut Context::from_waker(waker)).is_pending());
            Poll::<()>::Pending
        });
        assert!(polled.is_pending());
    }
}

/// A flag that wakes the task.
pub(crate) struct Done(pub(crate) AtomicBool, pub(crate) Waker);

impl Done {
    pub(crate) fn set(&self) {
        self.0.store(true, Ordering::Release);
        self.1.wake_by_ref();
    }

    pub(crate) fn poll(&self) -> Poll<()> {
        if self.0.load(Ordering::Acquire) { Poll::Ready(()) } else { Poll::Pending }
    }
}

/// Another thread gets in line for the lock; says so to the task once it has had it.
pub(crate) fn other_in_line(lock: &Arc<Lock<Data>>, hand: &Hand) -> (Arc<Done>, JoinHandle<()>) {
    let done = Arc::new(Done(AtomicBool::new(false), hand.waker.clone()));
    let (lock, of_other) = (Arc::clone(lock), Arc::clone(&done));
    let other = thread::spawn(move || {
        block_on(lock.lock()).touch();
        of_other.set();
    });
    (done, other)
}
