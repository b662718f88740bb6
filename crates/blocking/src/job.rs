//! One closure, from the hand-in to the result.
//!
//! ```text
//!   waiting ──run──► running ──► done ──poll──► over
//!      │ cancel (by the pool) ────►┘             ▲
//!      └─ abandon (the future was dropped) ──────┘  also from running and done
//! ```
//! Who moves it on does so under its lock; closures, results and wakers run and are dropped outside.

use crate::error::{BlockingError, Panic};
use kasasagi_primitive::sync::Mutex;
use kasasagi_primitive::wake_batch::wake_caught;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::{Context, Poll, Waker};

/// What the pool sees of a job.
pub(crate) trait Run: Send + Sync {
    /// Runs the closure, unless its future was dropped.
    fn run(&self);
    /// Ends it with an error, unless it has started.
    fn cancel(&self, error: BlockingError);
}

/// What the future sees of a job.
pub(crate) trait Outcome<T>: Send + Sync {
    /// Takes the result, or leaves a waker.
    fn poll(&self, cx: &mut Context<'_>) -> Poll<Result<T, BlockingError>>;
    /// Nobody wants the result.
    fn abandon(&self);
}

/// A job in the queue. std's `Arc`, since the model's cannot be unsized; the state inside is the model's to see.
pub(crate) type AnyJob = std::sync::Arc<dyn Run>;

enum State<F, T> {
    Waiting(F),
    Running,
    Done(Result<T, BlockingError>),
    Over,
}

struct Inside<F, T> {
    state: State<F, T>,
    waker: Option<Waker>,
}

pub(crate) struct Job<F, T>(Mutex<Inside<F, T>>);

impl<F, T> Job<F, T> {
    pub(crate) fn new(f: F) -> Self {
        Self(Mutex::new(Inside { state: State::Waiting(f), waker: None }))
    }

    fn done(&self, result: Result<T, BlockingError>) {
        let mut unwanted = None;
        let waker = {
            let mut inside = self.0.lock();
            if matches!(inside.state, State::Over) {
                unwanted = Some(result);
            } else {
                inside.state = State::Done(result);
            }
            inside.waker.take()
        };
        if let Some(waker) = waker {
            wake_caught(waker);
        }
        drop(unwanted);
    }

    /// Takes the closure out, if it is still there, and leaves `next`.
    fn take(&self, next: State<F, T>) -> Option<F> {
        let mut inside = self.0.lock();
        if !matches!(inside.state, State::Waiting(_)) {
            return None;
        }
        match mem::replace(&mut inside.state, next) {
            State::Waiting(f) => Some(f),
            _ => None,
        }
    }
}

impl<F, T> Run for Job<F, T>
where
    F: FnOnce() -> T + Send,
    T: Send,
{
    fn run(&self) {
        if let Some(f) = self.take(State::Running) {
            // The closure is gone after it; what it shares with others is theirs to keep whole.
            let result = catch_unwind(AssertUnwindSafe(f));
            self.done(result.map_err(|payload| BlockingError::Panicked(Panic::new(payload))));
        }
    }

    fn cancel(&self, error: BlockingError) {
        if let Some(f) = self.take(State::Running) {
            self.done(Err(error));
            drop(f);
        }
    }
}

impl<F, T> Outcome<T> for Job<F, T>
where
    F: FnOnce() -> T + Send,
    T: Send,
{
    fn poll(&self, cx: &mut Context<'_>) -> Poll<Result<T, BlockingError>> {
        let replaced = {
            let mut inside = self.0.lock();
            if matches!(inside.state, State::Done(_)) {
                let state = mem::replace(&mut inside.state, State::Over);
                let State::Done(result) = state else { unreachable!("it was looked at just now") };
                return Poll::Ready(result);
            }
            if inside.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
                return Poll::Pending;
            }
            inside.waker.replace(cx.waker().clone())
        };
        drop(replaced);
        Poll::Pending
    }

    fn abandon(&self) {
        let (state, waker) = {
            let mut inside = self.0.lock();
            (mem::replace(&mut inside.state, State::Over), inside.waker.take())
        };
        drop(waker);
        drop(state);
    }
}

/// Runs what may call foreign code; a panic there (a drop, a waker) has been reported by the panic hook, and must not
/// take the thread, or the jobs behind this one, with it.
pub(crate) fn contained(f: impl FnOnce()) {
    let Err(payload) = catch_unwind(AssertUnwindSafe(f)) else { return };
    // Its drop is foreign code as well; who panics there again is not given a third chance.
    if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        mem::forget(second);
    }
}
