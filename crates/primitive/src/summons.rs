//! Summons: what is woken for one who was served.

use crate::wake_batch::{wake, wake_caught};
use std::task::Waker;

/// The waker of one who was served; and its task's, if the first may not lead there.
///
/// To be woken, or dropped, with no lock held.
#[derive(Debug)]
#[must_use = "who was served is to be woken"]
pub struct Summons {
    pub(crate) waker: Waker,
    pub(crate) task: Option<Waker>,
}

impl Summons {
    /// Wakes both, the task last: then whatever the first waker keeps is there when the task is polled.
    ///
    /// # Panics
    /// If a waker panics, when both have been woken; not while this thread unwinds.
    #[inline]
    pub fn wake(self) {
        let task = Last(self.task);
        wake(self.waker);
        drop(task);
    }

    /// Wakes both, and lets their panics end here.
    pub fn wake_caught(self) {
        let task = Last(self.task);
        wake_caught(self.waker);
        drop(task);
    }
}

impl From<Waker> for Summons {
    #[inline]
    fn from(waker: Waker) -> Self {
        Self { waker, task: None }
    }
}

/// A task that is woken when this is dropped, also by a panic.
struct Last(Option<Waker>);

impl Drop for Last {
    #[inline]
    fn drop(&mut self) {
        if let Some(waker) = self.0.take() {
            wake_last(waker);
        }
    }
}

#[cold]
fn wake_last(waker: Waker) {
    // A task's own, which does not panic.
    wake_caught(waker);
}
