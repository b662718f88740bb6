//! One closure, from the hand-in to the result.
//!
//! ```text
//!   waiting ──run──► running ──► done ──poll──► over
//!      │ cancel (by the pool) ────►┘             ▲
//!      └─ abandon (the future was dropped) ──────┘  also from running and done
//! ```
//! Who moves it on does so under its lock; closures, results and wakers run and are dropped outside.

use crate::error::{BlockingError, Panic};
use kasasagi_primitive::report::{self, Hook, Report, ReportKind};
use kasasagi_primitive::sync::Mutex;
use kasasagi_primitive::wake_batch::wake_caught;
use std::any::Any;
use std::fmt;
use std::mem;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

/// What a closure is called in reports: its name, and where it was handed in.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct JobInfo {
    /// Its name, if it was given one.
    pub name: Option<Arc<str>>,
    /// Where it was handed in.
    pub place: &'static Location<'static>,
}

impl JobInfo {
    /// A closure without a name, handed in at `place`.
    pub fn new(place: &'static Location<'static>) -> Self {
        Self { name: None, place }
    }

    /// Says its name.
    #[must_use]
    pub fn named(mut self, name: Option<Arc<str>>) -> Self {
        self.name = name;
        self
    }
}

impl fmt::Display for JobInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "`{name}`, handed in at {}", self.place),
            None => write!(f, "a closure handed in at {}", self.place),
        }
    }
}

/// What the pool sees of a job.
pub(crate) trait Run: Send + Sync {
    /// Runs the closure, unless its future was dropped; `quietly`: who waits for it is not told before
    /// [`tell`](Self::tell).
    fn run(&self, quietly: bool);
    /// Wakes who waits for it.
    fn tell(&self);
    /// Ends it with an error, unless it has started; says whether it did.
    fn cancel(&self, error: BlockingError) -> bool;
    /// Whether it has given its result, or nobody wants it.
    fn is_over(&self) -> bool;
    /// What it is called.
    fn info(&self) -> &JobInfo;
}

/// What the future sees of a job.
pub(crate) trait Outcome<T>: Run {
    /// Takes the result, or leaves a waker.
    fn poll(&self, cx: &mut Context<'_>) -> Poll<Result<T, BlockingError>>;
    /// Nobody wants the result: one that has not started is taken back.
    fn abandon(&self);
    /// Nobody wants the result, and it is run all the same. A panic of it is reported.
    fn detach(&self);
    /// The same job, as the pool sees it.
    fn as_run(self: Arc<Self>) -> AnyJob;
}

/// A job in the queue. std's `Arc`, since the model's cannot be unsized; the state inside is the model's to see.
pub(crate) type AnyJob = Arc<dyn Run>;

enum State<F, T> {
    Waiting(F),
    Running,
    Done(Result<T, BlockingError>),
    Over,
}

struct Inside<F, T> {
    state: State<F, T>,
    waker: Option<Waker>,
    /// Nobody will ask; a panic goes to this hook.
    detached: Option<Option<Hook>>,
}

impl<F, T> Inside<F, T> {
    /// The result, if it is there.
    fn take_result(&mut self) -> Option<Result<T, BlockingError>> {
        if !matches!(self.state, State::Done(_)) {
            return None;
        }
        match mem::replace(&mut self.state, State::Over) {
            State::Done(result) => Some(result),
            _ => None,
        }
    }
}

pub(crate) struct Job<F, T> {
    info: JobInfo,
    inside: Mutex<Inside<F, T>>,
}

impl<F, T> Job<F, T> {
    pub(crate) fn new(info: JobInfo, f: F) -> Self {
        let inside = Inside { state: State::Waiting(f), waker: None, detached: None };
        Self { info, inside: Mutex::new(inside) }
    }

    fn done(&self, result: Result<T, BlockingError>, quietly: bool) {
        let (unwanted, detached, waker) = {
            let mut inside = self.inside.lock();
            let detached = inside.detached.take();
            let wanted = detached.is_none() && !matches!(inside.state, State::Over);
            let (state, unwanted) =
                if wanted { (State::Done(result), None) } else { (State::Over, Some(result)) };
            inside.state = state;
            (unwanted, detached, if quietly { None } else { inside.waker.take() })
        };
        if let Some(waker) = waker {
            wake_caught(waker);
        }
        if let (Some(hook), Some(result)) = (detached, &unwanted) {
            self.report(result, hook);
        }
        drop(unwanted);
    }

    /// Tells of a panic that nobody will look at.
    fn report(&self, result: &Result<T, BlockingError>, hook: Option<Hook>) {
        let Err(BlockingError::Panicked(panic)) = result else { return };
        let report = Report::new(
            ReportKind::TaskPanic,
            format!("a closure on a pool panicked and nobody waited for it: {}", self.info),
        );
        report.error(&panic.message().unwrap_or("(no text)")).send_to_kept(hook);
    }

    /// Takes the closure out, if it is still there, and leaves `next`.
    fn take(&self, next: State<F, T>) -> Option<F> {
        let mut inside = self.inside.lock();
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
    fn run(&self, quietly: bool) {
        if let Some(f) = self.take(State::Running) {
            // The closure is gone after it; what it shares with others is theirs to keep whole.
            let result = catch_unwind(AssertUnwindSafe(f))
                .map_err(|payload| BlockingError::Panicked(Panic::new(payload)));
            self.done(result, quietly);
        }
    }

    fn tell(&self) {
        let waker = self.inside.lock().waker.take();
        if let Some(waker) = waker {
            wake_caught(waker);
        }
    }

    fn cancel(&self, error: BlockingError) -> bool {
        let Some(f) = self.take(State::Running) else { return false };
        self.done(Err(error), false);
        drop(f);
        true
    }

    fn is_over(&self) -> bool {
        matches!(self.inside.lock().state, State::Done(_) | State::Over)
    }

    fn info(&self) -> &JobInfo {
        &self.info
    }
}

impl<F, T> Outcome<T> for Job<F, T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    fn poll(&self, cx: &mut Context<'_>) -> Poll<Result<T, BlockingError>> {
        {
            let mut inside = self.inside.lock();
            if let Some(result) = inside.take_result() {
                return Poll::Ready(result);
            }
            if inside.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
                return Poll::Pending;
            }
        }
        // Cloned without the lock: it is foreign code.
        let waker = cx.waker().clone();
        let (result, unused) = {
            let mut inside = self.inside.lock();
            match inside.take_result() {
                Some(result) => (Some(result), Some(waker)),
                None => (None, inside.waker.replace(waker)),
            }
        };
        drop(unused);
        result.map_or(Poll::Pending, Poll::Ready)
    }

    fn abandon(&self) {
        let (state, waker) = {
            let mut inside = self.inside.lock();
            (mem::replace(&mut inside.state, State::Over), inside.waker.take())
        };
        drop(waker);
        drop(state);
    }

    fn detach(&self) {
        let hook = report::current();
        let (result, waker) = {
            let mut inside = self.inside.lock();
            let waker = inside.waker.take();
            match mem::replace(&mut inside.state, State::Over) {
                State::Done(result) => (Some(result), waker),
                state => {
                    inside.state = state;
                    inside.detached = Some(hook.clone());
                    (None, waker)
                }
            }
        };
        drop(waker);
        if let Some(result) = result {
            self.report(&result, hook);
        }
    }

    fn as_run(self: Arc<Self>) -> AnyJob {
        self
    }
}

/// Runs what may call foreign code; a panic there (a drop, a waker) has been reported by the panic hook, and must not
/// take the thread, or the jobs behind this one, with it.
pub(crate) fn contained<R>(f: impl FnOnce() -> R) {
    let Err(payload) = caught(|| drop(f())) else { return };
    // Its drop is foreign code as well; who panics there again is not given a third chance.
    if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        mem::forget(second);
    }
}

/// Runs foreign code, and gives a panic of it.
pub(crate) fn caught(f: impl FnOnce()) -> Result<(), Box<dyn Any + Send>> {
    catch_unwind(AssertUnwindSafe(f))
}
