//! Shield: waits for a task that goes on whatever happens to the one who waits.

use crate::children::Here;
use kasasagi_task::{IntoTask, JoinError, TaskHandle};
use std::fmt;
use std::mem;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Waits for a task, and keeps a cancellation of the one who waits away from it.
///
/// A future is spawned when the shield is first polled. Cancelled or dropped, the shield lets go of the task, which runs
/// on; only the end of the runtime ends it before its time. Who wants to wait for it again lends it:
/// `shield(task.by_ref())`.
///
/// # Errors
/// If the task was cancelled or panicked.
///
/// # Panics
/// When it is polled where no runtime runs.
///
/// # Cancel safety
/// Cancel safe if the task is lent. Dropped, it lets the task run on; of one that it owns, the output is lost.
///
/// # Examples
/// ```
/// use kasasagi::{shield, spawn, time};
/// use std::time::Duration;
///
/// kasasagi::run(async {
///     let mut save = spawn(async {
///         time::sleep(Duration::from_millis(20)).await;
///         "saved"
///     });
///     let in_time = time::timeout(Duration::from_millis(1), shield(save.by_ref())).await;
///     assert!(in_time.is_err());
///     assert_eq!(save.await.expect("it went on"), "saved");
/// });
/// ```
///
/// Counterpart: `asyncio.shield`.
#[track_caller]
pub fn shield<T: IntoTask>(what: T) -> Shield<T> {
    Shield { place: Location::caller(), state: State::Ready(what) }
}

/// What [`shield`] gives: a future of the task's output.
#[must_use = "futures do nothing unless awaited"]
pub struct Shield<T: IntoTask> {
    place: &'static Location<'static>,
    state: State<T>,
}

enum State<T: IntoTask> {
    Ready(T),
    Waiting(T::Handle),
    Done,
}

// Nothing is pinned in it: the future is spawned, handles move.
impl<T: IntoTask> Unpin for Shield<T> {}

impl<T: IntoTask> Future for Shield<T> {
    type Output = Result<T::Output, JoinError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let place = self.place;
        if let State::Ready(_) = self.state {
            if let State::Ready(what) = mem::replace(&mut self.state, State::Done) {
                self.state = State::Waiting(what.into_task(&mut Here(place)));
            }
        }
        let State::Waiting(handle) = &mut self.state else {
            panic!("a shield was polled again after it had given the task's output: await it once")
        };
        let output = std::task::ready!(handle.task().poll_output(cx, place));
        self.state = State::Done;
        Poll::Ready(output)
    }
}

impl<T: IntoTask> fmt::Debug for Shield<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shield").field("place", &self.place).finish_non_exhaustive()
    }
}
