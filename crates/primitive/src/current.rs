//! "The X of this thread": entered with a guard, found by whoever runs under it.
//!
//! Each engine has one of its own (`Timers`, `Registry`, `Pool`); no engine reads another's. They are entered
//! once a thread, by the roof, and nest: the guard puts back what was there before.

use std::cell::RefCell;
use std::fmt;

/// The X of this thread, to be put into a `thread_local!`.
pub struct Current<T>(RefCell<Option<T>>);

impl<T> Current<T> {
    /// No X yet.
    pub const fn new() -> Self {
        Self(RefCell::new(None))
    }

    /// Makes `value` the X of this thread and returns the one before it, to be given to `set` again.
    pub fn replace(&self, value: Option<T>) -> Option<T> {
        self.0.replace(value)
    }

    /// Shows the X of this thread to `f`.
    #[inline]
    pub fn with<R>(&self, f: impl FnOnce(Option<&T>) -> R) -> R {
        f(self.0.borrow().as_ref())
    }
}

impl<T> Default for Current<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> fmt::Debug for Current<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Current").finish_non_exhaustive()
    }
}
