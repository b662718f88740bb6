//! What owns the semaphore of an owned permit: an `Arc` of it, or of the bounded one that it is in.

use super::Semaphore;
use crate::BoundedSemaphore;
use kasasagi_primitive::sync::Arc;
use std::ops::Deref;

pub(crate) enum Owner {
    Semaphore(Arc<Semaphore>),
    Bounded(Arc<BoundedSemaphore>),
}

impl Deref for Owner {
    type Target = Semaphore;

    #[inline]
    fn deref(&self) -> &Semaphore {
        match self {
            Self::Semaphore(semaphore) => semaphore,
            Self::Bounded(bounded) => &bounded.semaphore,
        }
    }
}
