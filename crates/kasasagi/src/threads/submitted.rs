//! What a thread pool gives for a closure: its result, for tasks and for threads.

use crate::threads::job::IntoJob;
use crate::threads::thread_pool::ThreadPool;
use kasasagi_blocking::{BlockingError, Unblock};
use kasasagi_sync::OwnedPermit;
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

/// Waits for the result of a closure that was handed to a [`ThreadPool`]: awaited in a task, or with
/// [`wait`](Self::wait) on a thread.
///
/// # Cancel safety
/// Dropped without having been awaited, it detaches: the closure runs, and a panic of it is reported. Dropped by a
/// cancellation while it is awaited, it takes back a closure that has not started; one that runs does so to its end.
///
/// Counterpart: `concurrent.futures.Future`, and what `asyncio.wrap_future` makes of it.
#[must_use = "dropping it detaches the closure: write `drop(submitted)` to say so, or wait for it"]
pub struct Submitted<T> {
    // None once it was given on.
    result: Option<Unblock<T>>,
    polled: bool,
}

impl<T> Submitted<T> {
    pub(crate) fn new(result: Unblock<T>) -> Self {
        Self { result: Some(result), polled: false }
    }

    /// Whether the result is there, or was given.
    pub fn is_finished(&self) -> bool {
        self.result.as_ref().is_none_or(Unblock::is_finished)
    }

    /// Takes the closure back if it has not started: it never runs, and who waits for it gets
    /// [`BlockingError::Cancelled`]. `false` if it has started, or ended.
    ///
    /// Counterpart: `concurrent.futures.Future.cancel`.
    pub fn cancel(&self) -> bool {
        self.result.as_ref().is_some_and(Unblock::cancel)
    }

    /// Waits for the result on this thread.
    ///
    /// # Errors
    /// As the future, and [`BlockingError::Deadlock`] on the last thread of the pool itself that does not wait for one
    /// of the pool's closures: nobody would be left to run this one.
    ///
    /// # Panics
    /// Inside a task, whose worker it would block: `.await` it.
    ///
    /// # Examples
    /// ```
    /// let pool = kasasagi::ThreadPool::new(2);
    /// assert_eq!(pool.submit(|| 6 * 7).wait().ok(), Some(42));
    /// ```
    ///
    /// Counterpart: `concurrent.futures.Future.result`.
    #[track_caller]
    pub fn wait(mut self) -> Result<T, BlockingError> {
        match self.result.take() {
            Some(result) => result.wait(),
            None => unreachable!("what takes the result takes all"),
        }
    }

    /// Waits for the result on this thread, `limit` at most; `None` if that was too short. It may be asked again.
    ///
    /// # Panics
    /// Inside a task, whose worker it would block. If the result was given before.
    ///
    /// Counterpart: `concurrent.futures.Future.result(timeout)`.
    #[track_caller]
    pub fn wait_timeout(&mut self, limit: Duration) -> Option<Result<T, BlockingError>> {
        match &mut self.result {
            Some(result) => result.wait_timeout(limit),
            None => unreachable!("what takes the result takes all"),
        }
    }
}

impl<T> Future for Submitted<T> {
    type Output = Result<T, BlockingError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.polled = true;
        match &mut self.result {
            Some(result) => Pin::new(result).poll(cx),
            None => unreachable!("what takes the result takes all"),
        }
    }
}

impl<T> Drop for Submitted<T> {
    fn drop(&mut self) {
        if let Some(result) = self.result.take() {
            if !self.polled {
                result.detach();
            }
        }
    }
}

impl<T> fmt::Debug for Submitted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = self.result.as_ref().map(Unblock::place);
        f.debug_struct("Submitted").field("place", &place).finish_non_exhaustive()
    }
}

/// Waits for room in the queue of a [`ThreadPool`], and hands in; made by [`ThreadPool::submit_when_room`].
///
/// # Cancel safety
/// Dropped before it is ready, the closure was not handed in, and never runs.
#[must_use = "futures do nothing unless awaited"]
pub struct Submit<'a, J> {
    pub(super) pool: &'a ThreadPool,
    pub(super) room: Option<Pin<Box<Room>>>,
    pub(super) job: Option<J>,
    pub(super) place: &'static Location<'static>,
}

/// The wait for one place in a queue.
pub(super) type Room = kasasagi_sync::AcquireOwned;

impl<J> Unpin for Submit<'_, J> {}

impl<J: IntoJob> Future for Submit<'_, J> {
    type Output = Submitted<J::Output>;

    /// # Panics
    /// When it is polled after it was ready.
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut permit: Option<OwnedPermit> = None;
        if let Some(room) = &mut self.room {
            // The semaphore is the pool's own, and never closed.
            permit = ready!(room.as_mut().poll(cx)).ok();
        }
        self.room = None;
        let job = self.job.take().expect("a future is not polled after it gave its result");
        Poll::Ready(self.pool.hand_in(self.place, job, permit))
    }
}

impl<J> fmt::Debug for Submit<'_, J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Submit").field("place", &self.place).finish_non_exhaustive()
    }
}
