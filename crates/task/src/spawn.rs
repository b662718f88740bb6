//! Making tasks: the safe form, and the one for futures that stay on one thread.
#![allow(unsafe_code, reason = "a future that is not Send, or borrows, needs its caller's promise")]

use crate::cell::{self, Birth, Schedule};
use crate::handle::Task;
use crate::meta::Spawn;
use crate::run::Runnable;

impl<S: Schedule> Birth<'_, S> {
    /// Makes a task that is due at once.
    #[inline]
    pub fn spawn<F>(self, future: F) -> (Runnable, Task<F::Output>)
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.spawn_as::<F>(future)
    }

    /// Makes a task of the future of a `W`, which says what of its output is an error.
    #[inline]
    pub fn spawn_as<W>(self, future: W::Future) -> (Runnable, Task<W::Output>)
    where
        W: Spawn,
        W::Future: Send + 'static,
        W::Output: Send + 'static,
    {
        // SAFETY: the future and its output are Send and 'static.
        unsafe { self.spawn_unchecked::<W>(future) }
    }

    /// Makes a task of a future that need not be `Send` or `'static`.
    ///
    /// # Safety
    /// If the future or its output is not `Send`, `pin` names a seat that is run by the calling thread alone
    /// until the task is complete, and the handle stays on that thread. If it is not `'static`, the task is
    /// complete, its output read or dropped, before its borrows end.
    #[inline]
    pub unsafe fn spawn_unchecked<W: Spawn>(
        self,
        future: W::Future,
    ) -> (Runnable, Task<W::Output>) {
        // SAFETY: the caller's promise.
        let (runnable, task) = unsafe { cell::spawn::<W, S>(self, future) };
        // SAFETY: `spawn` made the task of a future with this output, and counted the handle.
        (runnable, unsafe { Task::new(task) })
    }
}
