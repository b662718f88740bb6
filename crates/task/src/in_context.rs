//! A future that runs in a given context: as a task of its own, or awaited where it stands.

use crate::eager::Eager;
use crate::meta::{Attributes, Named, Spawn};
use kasasagi_primitive::vars::{self, Context as Vars};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

/// A future that runs in a given context; made by [`FutureExt::in_context`](crate::FutureExt::in_context).
#[derive(Debug)]
#[must_use = "it does nothing until it is given to `spawn` or awaited"]
pub struct InContext<W> {
    what: W,
    context: Vars,
}

impl<W> InContext<W> {
    pub(crate) fn new(what: W, context: &Vars) -> Self {
        Self { what, context: context.clone() }
    }
}

impl<W: Spawn> Spawn for InContext<W> {
    type Output = W::Output;
    type Future = W::Future;

    fn into_parts(self) -> (W::Future, Attributes) {
        let (future, mut attributes) = self.what.into_parts();
        attributes.context = Some(self.context);
        (future, attributes)
    }

    fn failure(output: &Self::Output) -> Option<&dyn fmt::Display> {
        W::failure(output)
    }
}

impl<W> InContext<W> {
    /// Has it begin inside the spawn; see [`FutureExt::eager`](crate::FutureExt::eager).
    pub fn eager(self) -> Eager<Self> {
        Eager::new(self)
    }
}

impl<F: Future> InContext<F> {
    /// Names the task that it will be.
    pub fn named(self, name: impl fmt::Display) -> InContext<Named<F>> {
        InContext { what: Named::new(self.what, name), context: self.context }
    }
}

impl<W: IntoFuture> IntoFuture for InContext<W> {
    type Output = W::Output;
    type IntoFuture = Within<W::IntoFuture>;

    fn into_future(self) -> Within<W::IntoFuture> {
        Within { future: Box::pin(self.what.into_future()), context: self.context }
    }
}

/// A future that is polled in a context; what `.await` makes of an [`InContext`].
///
/// # Cancel safety
/// Cancel safe if the future is.
#[must_use = "futures do nothing unless awaited"]
pub struct Within<F> {
    future: Pin<Box<F>>,
    context: Vars,
}

impl<F: Future> Future for Within<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let _entered = vars::enter(Some(self.context.clone()));
        self.future.as_mut().poll(cx)
    }
}

impl<F> fmt::Debug for Within<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Within").field("context", &self.context).finish_non_exhaustive()
    }
}
