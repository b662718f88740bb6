//! A future that is a cleanup, once it is a task.

use crate::meta::{Attributes, Spawn};
use std::fmt;

/// A cleanup: no request to cancel ends it, not even one that comes before its first poll, when it had no time to enter a
/// scope. At the end of the grace period it is cut off like everything else.
#[derive(Debug)]
#[must_use = "it does nothing until it is given to `spawn`"]
pub struct Deaf<W>(pub W);

impl<W: Spawn> Spawn for Deaf<W> {
    type Output = W::Output;
    type Future = W::Future;

    fn into_parts(self) -> (W::Future, Attributes) {
        let (future, mut attributes) = self.0.into_parts();
        attributes.deaf = true;
        (future, attributes)
    }

    fn failure(output: &Self::Output) -> Option<&dyn fmt::Display> {
        W::failure(output)
    }
}
