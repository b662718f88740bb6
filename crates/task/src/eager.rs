//! A future that begins inside the spawn.

use crate::in_context::InContext;
use crate::meta::{Attributes, Named, Spawn};
use kasasagi_primitive::vars::Context;
use std::fmt;
use std::future::{Future, IntoFuture};

/// A future whose first poll is made inside the spawn; made by [`FutureExt::eager`](crate::FutureExt::eager).
#[derive(Debug)]
#[must_use = "it does nothing until it is given to `spawn` or awaited"]
pub struct Eager<W>(W);

impl<W> Eager<W> {
    pub(crate) fn new(what: W) -> Self {
        Self(what)
    }
}

impl<W: Spawn> Spawn for Eager<W> {
    type Output = W::Output;
    type Future = W::Future;

    fn into_parts(self) -> (W::Future, Attributes) {
        let (future, mut attributes) = self.0.into_parts();
        attributes.eager = true;
        (future, attributes)
    }

    fn failure(output: &Self::Output) -> Option<&dyn fmt::Display> {
        W::failure(output)
    }
}

impl<F: Future> Eager<F> {
    /// Names the task that it will be.
    pub fn named(self, name: impl fmt::Display) -> Eager<Named<F>> {
        Eager(Named::new(self.0, name))
    }

    /// Says in which context it runs.
    pub fn in_context(self, context: &Context) -> Eager<InContext<F>> {
        Eager(InContext::new(self.0, context))
    }
}

impl<W: IntoFuture> IntoFuture for Eager<W> {
    type Output = W::Output;
    type IntoFuture = W::IntoFuture;

    fn into_future(self) -> W::IntoFuture {
        self.0.into_future()
    }
}
