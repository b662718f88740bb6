//! hyper's tasks are kasasagi's.

use kasasagi::FutureExt;

/// Spawns hyper's background tasks as tasks named `http`.
///
/// # Panics
/// Spawning panics outside of a runtime.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct Executor;

impl Executor {
    /// The executor; it holds nothing.
    pub fn new() -> Self {
        Self
    }
}

impl<F> hyper::rt::Executor<F> for Executor
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    #[track_caller]
    fn execute(&self, future: F) {
        drop(kasasagi::spawn(future.named("http")));
    }
}
