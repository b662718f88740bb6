//! The futures that make the value, or wait until somebody else has.

use super::OnceCell;
use crate::{Acquire, Permit};
use kasasagi_primitive::task_context;
use kasasagi_primitive::wait_site::WaitKind;
use pin_project_lite::pin_project;
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

pin_project! {
    /// How far one who asks has come.
    #[project = StepProjection]
    enum Step<'a, F, Fut> {
        // In line for the right to make the value.
        Queue { #[pin] acquire: Acquire<'a>, init: Option<F> },
        // It makes the value. What it has made so far is dropped before the permit goes to the next.
        Make { #[pin] future: Fut, permit: Option<Permit<'a>> },
        Over,
    }
}

pin_project! {
    /// One who asks.
    struct Asking<'a, T, F, Fut> {
        cell: &'a OnceCell<T>,
        place: &'static Location<'static>,
        #[pin]
        step: Step<'a, F, Fut>,
    }
}

/// What one who asks gets.
enum Answer<'a, T, R> {
    /// The value that another one has made.
    There(&'a T),
    /// What its own function gave, and the right to put it into the cell.
    Made(R, Permit<'a>),
}

impl<'a, T, F, Fut> Asking<'a, T, F, Fut>
where
    F: FnOnce() -> Fut,
    Fut: Future,
{
    #[track_caller]
    fn new(cell: &'a OnceCell<T>, init: F, place: &'static Location<'static>) -> Self {
        let step = Step::Queue { acquire: cell.gate.acquire(), init: Some(init) };
        Self { cell, place, step }
    }

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Answer<'a, T, Fut::Output>> {
        let mut this = self.project();
        let cell: &'a OnceCell<T> = this.cell;
        loop {
            match this.step.as_mut().project() {
                StepProjection::Queue { acquire, init } => {
                    if let Some(value) = cell.get() {
                        this.step.set(Step::Over);
                        return Poll::Ready(Answer::There(value));
                    }
                    let Poll::Ready(turn) = acquire.poll(cx) else {
                        let resource = std::ptr::from_ref(cell).addr();
                        task_context::waiting(WaitKind::Once, resource, this.place);
                        return Poll::Pending;
                    };
                    // Closed: it was made meanwhile.
                    let Ok(permit) = turn else { continue };
                    let init = init.take().expect("it is called once");
                    this.step.as_mut().set(Step::Over);
                    let future = init();
                    this.step.as_mut().set(Step::Make { future, permit: Some(permit) });
                }
                StepProjection::Make { future, permit } => {
                    let made = ready!(future.poll(cx));
                    let permit = permit.take().expect("it gives its result once");
                    this.step.set(Step::Over);
                    return Poll::Ready(Answer::Made(made, permit));
                }
                StepProjection::Over => panic!("a future is not polled after it gave its result"),
            }
        }
    }
}

pin_project! {
    /// Makes the value, or waits until somebody else has; made by [`OnceCell::get_or_init`].
    ///
    /// # Cancel safety
    /// Cancel safe, but gives up its place in the line; if it was the one that made the value, its function is dropped with
    /// it, and the next in line begins anew with its own.
    #[must_use = "it makes nothing until it is awaited"]
    pub struct GetOrInit<'a, T, F, Fut> {
        #[pin]
        asking: Asking<'a, T, F, Fut>,
    }
}

impl<'a, T, F: FnOnce() -> Fut, Fut: Future<Output = T>> GetOrInit<'a, T, F, Fut> {
    #[track_caller]
    pub(super) fn new(cell: &'a OnceCell<T>, init: F, place: &'static Location<'static>) -> Self {
        Self { asking: Asking::new(cell, init, place) }
    }
}

impl<'a, T, F: FnOnce() -> Fut, Fut: Future<Output = T>> Future for GetOrInit<'a, T, F, Fut> {
    type Output = &'a T;

    /// # Panics
    /// When it is polled after it gave its result.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<&'a T> {
        let asking = self.project().asking;
        let cell = asking.cell;
        Poll::Ready(match ready!(asking.poll(cx)) {
            Answer::There(value) => value,
            Answer::Made(value, _permit) => cell.make(value),
        })
    }
}

pin_project! {
    /// Makes the value, or waits until somebody else has; made by [`OnceCell::get_or_try_init`].
    ///
    /// # Cancel safety
    /// Cancel safe, but gives up its place in the line; if it was the one that made the value, its function is dropped with
    /// it, and the next in line begins anew with its own.
    #[must_use = "it makes nothing until it is awaited"]
    pub struct GetOrTryInit<'a, T, F, Fut> {
        #[pin]
        asking: Asking<'a, T, F, Fut>,
    }
}

impl<'a, T, E, F, Fut> GetOrTryInit<'a, T, F, Fut>
where
    F: FnOnce() -> Fut,
    Fut: Future<Output = Result<T, E>>,
{
    #[track_caller]
    pub(super) fn new(cell: &'a OnceCell<T>, init: F, place: &'static Location<'static>) -> Self {
        Self { asking: Asking::new(cell, init, place) }
    }
}

impl<'a, T, E, F, Fut> Future for GetOrTryInit<'a, T, F, Fut>
where
    F: FnOnce() -> Fut,
    Fut: Future<Output = Result<T, E>>,
{
    type Output = Result<&'a T, E>;

    /// # Panics
    /// When it is polled after it gave its result.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<&'a T, E>> {
        let asking = self.project().asking;
        let cell = asking.cell;
        Poll::Ready(match ready!(asking.poll(cx)) {
            Answer::There(value) => Ok(value),
            Answer::Made(made, _permit) => made.map(|value| cell.make(value)),
        })
    }
}

impl<T, F, Fut> fmt::Debug for GetOrInit<'_, T, F, Fut> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GetOrInit").finish_non_exhaustive()
    }
}

impl<T, F, Fut> fmt::Debug for GetOrTryInit<'_, T, F, Fut> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GetOrTryInit").finish_non_exhaustive()
    }
}
