//! What can be handed to a thread: a closure, or a closure with a name.

use std::fmt;
use std::sync::Arc;

/// A closure for another thread; with a name, if [`JobExt::named`] gave it one.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no closure that can be handed to another thread",
    label = "a closure without arguments that is `Send` and `'static`, as what it returns is, is wanted here",
    note = "`move || …` takes along what it uses"
)]
pub trait IntoJob {
    /// What the closure returns.
    type Output: Send + 'static;
    /// The closure.
    type Closure: FnOnce() -> Self::Output + Send + 'static;
    /// The closure, and its name.
    fn into_job(self) -> (Self::Closure, Option<Arc<str>>);
}

impl<F, T> IntoJob for F
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    type Output = T;
    type Closure = F;

    fn into_job(self) -> (F, Option<Arc<str>>) {
        (self, None)
    }
}

/// What can be said about a closure before it is handed to a thread.
pub trait JobExt: IntoJob + Sized {
    /// Names it: its task, if it becomes one, and the line about it if a shutdown has to leave it behind.
    ///
    /// # Examples
    /// ```
    /// use kasasagi::{JobExt, to_thread};
    ///
    /// kasasagi::run(async {
    ///     let task = to_thread((|| 6 * 7).named("multiply"));
    ///     assert_eq!(&*task.name(), "multiply");
    ///     assert_eq!(task.await.expect("it ends"), 42);
    /// });
    /// ```
    fn named(self, name: impl fmt::Display) -> NamedJob<Self> {
        NamedJob { job: self, name: name.to_string().into() }
    }
}

impl<F, T> JobExt for F
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
}

/// A closure with a name; made by [`JobExt::named`].
#[must_use = "it does nothing until it is handed to a thread"]
pub struct NamedJob<F> {
    job: F,
    name: Arc<str>,
}

impl<F: IntoJob> IntoJob for NamedJob<F> {
    type Output = F::Output;
    type Closure = F::Closure;

    fn into_job(self) -> (F::Closure, Option<Arc<str>>) {
        (self.job.into_job().0, Some(self.name))
    }
}

impl<F> fmt::Debug for NamedJob<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NamedJob").field("name", &self.name).finish_non_exhaustive()
    }
}
