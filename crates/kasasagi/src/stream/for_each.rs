//! A task for each item of a stream, so many at a time.

use crate::run::spawn_at;
use futures_core::stream::Stream;
use kasasagi_primitive::sync::Mutex;
use kasasagi_sync::{OwnedPermit, Semaphore};
use kasasagi_task::TaskRef;
use std::any::Any;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;

/// Calls `f` with each item of a stream and runs the futures as tasks, at most `limit` at a time, until all have ended.
///
/// The next item is taken when there is room for its task. Futures-util's `for_each_concurrent` polls them in one task;
/// here each has its own. A panic of one cancels the others and is raised here, once they have ended.
///
/// # Panics
/// If `limit` is 0: nothing would ever run. If one of the futures panics, with its payload. Where no runtime runs.
///
/// # Cancel safety
/// Not cancel safe: dropped part way, the tasks that have not ended are cancelled, and the items that they had are gone.
///
/// # Examples
/// ```
/// use futures_util::stream as futures;
/// use kasasagi::stream;
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicU32, Ordering};
///
/// kasasagi::run(async {
///     let sum = Arc::new(AtomicU32::new(0));
///     stream::for_each_concurrent(futures::iter(1..=10), 3, |i| {
///         let sum = Arc::clone(&sum);
///         async move {
///             sum.fetch_add(i, Ordering::Relaxed);
///         }
///     })
///     .await;
///     assert_eq!(sum.load(Ordering::Relaxed), 55);
/// });
/// ```
#[track_caller]
pub fn for_each_concurrent<S, F, B>(stream: S, limit: usize, f: F) -> impl Future<Output = ()>
where
    S: Stream,
    F: FnMut(S::Item) -> B,
    B: Future<Output = ()> + Send + 'static,
{
    assert!(
        limit > 0,
        "`stream::for_each_concurrent` with a limit of 0 would run nothing: give 1 or more"
    );
    run(stream, limit, f, Location::caller())
}

async fn run<S, F, B>(stream: S, limit: usize, mut f: F, place: &'static Location<'static>)
where
    S: Stream,
    F: FnMut(S::Item) -> B,
    B: Future<Output = ()> + Send + 'static,
{
    let limit = limit.min(Semaphore::MAX_PERMITS);
    let room = Arc::new(Semaphore::new(limit));
    let failed = Arc::new(Failed::default());
    // Declared before the stream: on a drop the stream goes first, then the tasks are cancelled.
    let mut crew = Crew { tasks: Vec::new(), prune_at: limit.saturating_mul(2).max(16) };
    let mut stream = pin!(stream);
    while let Ok(permit) = Semaphore::acquire_owned(Arc::clone(&room)).await {
        if failed.is_set() {
            break;
        }
        let Some(item) = poll_fn(|cx| stream.as_mut().poll_next(cx)).await else { break };
        let one = One { future: Box::pin(f(item)), failed: Arc::clone(&failed), _permit: permit };
        crew.add(spawn_at(place, one).handle());
    }
    if failed.is_set() {
        crew.cancel("another item's task panicked");
    }
    // All permits are here when all tasks have ended.
    let _ = room.acquire_many(limit).await;
    if let Some(payload) = failed.take() {
        resume_unwind(payload);
    }
}

/// The first panic.
#[derive(Default)]
struct Failed(Mutex<Option<Box<dyn Any + Send>>>);

impl Failed {
    fn is_set(&self) -> bool {
        self.0.lock().is_some()
    }

    fn take(&self) -> Option<Box<dyn Any + Send>> {
        self.0.lock().take()
    }

    fn set(&self, payload: Box<dyn Any + Send>) {
        let mut first = self.0.lock();
        let second = if first.is_none() {
            *first = Some(payload);
            None
        } else {
            Some(payload)
        };
        drop(first);
        drop(second);
    }
}

/// One item's future; its permit returns after everything else of it is gone.
struct One<B> {
    future: Pin<Box<B>>,
    failed: Arc<Failed>,
    _permit: OwnedPermit,
}

impl<B: Future<Output = ()>> Future for One<B> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> Poll<()> {
        let this = &mut *self;
        match catch_unwind(AssertUnwindSafe(|| this.future.as_mut().poll(cx))) {
            Ok(polled) => polled,
            Err(payload) => {
                this.failed.set(payload);
                Poll::Ready(())
            }
        }
    }
}

/// The tasks that may be running; cancelled when this is dropped.
struct Crew {
    tasks: Vec<TaskRef>,
    prune_at: usize,
}

impl Crew {
    fn add(&mut self, task: TaskRef) {
        if self.tasks.len() == self.prune_at {
            self.tasks.retain(|task| !task.is_finished());
        }
        self.tasks.push(task);
    }

    fn cancel(&self, reason: &'static str) {
        for task in &self.tasks {
            task.cancel_with(reason);
        }
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        self.cancel("`for_each_concurrent` was dropped");
    }
}
