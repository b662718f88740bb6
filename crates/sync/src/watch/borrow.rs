//! A look at the value.

use kasasagi_primitive::sync::RwLockReadGuard;
use std::fmt;
use std::ops::Deref;

/// A look at the value, which nobody changes meanwhile.
///
/// Whoever wants to change it waits with its thread, so it is to be dropped soon, and cannot be kept over an `await` in a
/// task that may move to another thread. Looks of several receivers at once, also on one thread, do not get in each
/// other's way.
#[must_use = "nobody can change the value while somebody looks at it: look, or drop it"]
pub struct Ref<'a, T> {
    value: RwLockReadGuard<'a, T>,
}

impl<'a, T> Ref<'a, T> {
    pub(super) fn new(value: RwLockReadGuard<'a, T>) -> Self {
        Self { value }
    }
}

impl<T> Deref for Ref<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: fmt::Debug> fmt::Debug for Ref<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        T::fmt(self, f)
    }
}
