//! A closure as a task: the closure runs on a thread of somebody's, the task waits for it.
//!
//! So it has the handle, the name, the place and the entry in lists that every task has, and is cancelled at once: one
//! that has not started is taken back, one that runs is left to run to its end.

use crate::handle::Handle;
use crate::threads::job::IntoJob;
use crate::threads::stay;
use kasasagi_blocking::{BlockingError, JobInfo, Unblock, Work, lend};
use kasasagi_primitive::task_context;
use kasasagi_primitive::vars::{self, Context as Vars};
use kasasagi_task::{Attributes, Spawn, Task, panic_site, try_current};
use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

/// What a closure on a thread sees of whoever handed it in: the runtime, and a copy of the context variables.
pub(crate) struct Origin {
    handle: Option<Handle>,
    vars: Option<Vars>,
}

impl Origin {
    /// Of the code that runs here.
    pub(crate) fn here() -> Self {
        Self { handle: Handle::try_current().ok(), vars: vars::inherit() }
    }

    fn of(handle: &Handle) -> Self {
        Self { handle: Some(handle.clone()), vars: vars::inherit() }
    }

    /// Runs `f` as if it were there. What it sets of the variables stays in it.
    pub(crate) fn run<R>(self, f: impl FnOnce() -> R) -> R {
        let _within = stay::enter(self.handle.as_ref());
        let _vars = vars::enter(self.vars);
        f()
    }

    /// As `run`, for one that is shared.
    pub(crate) fn run_shared<R>(&self, f: impl FnOnce() -> R) -> R {
        let vars = self.vars.as_ref().map(Vars::copy);
        Self { handle: self.handle.clone(), vars }.run(f)
    }
}

/// A panic of a closure, on its way to whoever awaits the task.
struct Caught {
    payload: Box<dyn Any + Send>,
    place: Option<Arc<str>>,
}

/// The future of such a task.
struct Lent<T> {
    result: Unblock<Result<T, Caught>>,
    /// It is part of a cleanup, and hears no request, not even its own.
    deaf: bool,
    /// The closure was not run, and the task is to end for that.
    not_run: Option<Box<BlockingError>>,
}

/// What is spawned.
struct LentTask<T> {
    future: Lent<T>,
    name: Option<Arc<str>>,
}

impl<T> Future for Lent<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        if self.not_run.is_none() {
            match ready!(Pin::new(&mut self.result).poll(cx)) {
                Ok(Ok(value)) => return Poll::Ready(value),
                Ok(Err(Caught { payload, place })) => {
                    panic_site::put(place);
                    resume_unwind(payload)
                }
                Err(why) => self.not_run = Some(Box::new(why)),
            }
        }
        if let Some(why) = &self.not_run {
            give_up(why, self.deaf);
            // Whoever takes the request back does not take back that there is nothing to wait for: it is made again.
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }
}

/// The closure was not run, and so its task ends as one that was cancelled, for this reason.
fn give_up(why: &BlockingError, deaf: bool) {
    if deaf {
        resume_unwind(Box::new(why.to_string()));
    }
    if let Some(task) = try_current() {
        task.cancel_with(why);
    }
}

impl<T> Spawn for LentTask<T> {
    type Output = T;
    type Future = Lent<T>;

    fn into_parts(self) -> (Lent<T>, Attributes) {
        let mut attributes = Attributes::default();
        attributes.name = self.name;
        // It has nothing to do but to say what it waits for: not worth a turn of its own.
        attributes.eager = true;
        attributes.deaf = self.future.deaf;
        (self.future, attributes)
    }
}

/// Makes a task of a closure, and has `hand_in` find a thread for it.
pub(crate) fn lend_task<J: IntoJob>(
    handle: &Handle,
    place: &'static Location<'static>,
    job: J,
    hand_in: impl FnOnce(Work),
) -> Task<J::Output> {
    let (f, name) = job.into_job();
    let origin = Origin::of(handle);
    let run = move || {
        origin.run(|| {
            catch_unwind(AssertUnwindSafe(f))
                .map_err(|payload| Caught { payload, place: panic_site::take() })
        })
    };
    let (result, work) = lend(JobInfo::new(place).named(name.clone()), run);
    let spawner = &handle.engines().spawner;
    // What a task does while its runtime shuts down is its cleanup, which may need a thread, too.
    let deaf = spawner.is_closed() && spawner.is_current() && task_context::current_id().is_some();
    let lent = LentTask { future: Lent { result, deaf, not_run: None }, name };
    let task = if deaf { spawner.spawn_owed(place, lent) } else { spawner.spawn(place, lent) };
    // Refused, it ended unpolled: the closure is gone, and does not run.
    if !task.is_finished() {
        hand_in(work);
    }
    task
}
