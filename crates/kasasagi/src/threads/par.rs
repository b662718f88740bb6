//! A function over many items on several threads at once, for what computes.

use crate::handle::Handle;
use crate::run::no_runtime;
use crate::threads::executor::Executor;
use crate::threads::lent::Origin;
use crate::threads::split::{Parts, Split, in_order};
use kasasagi_blocking::{BlockingError, JobInfo, Unblock, Work, lend};
use std::any::Any;
use std::fmt;
use std::future::Future;
use std::panic::{Location, resume_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

/// Calls `f` with each item on as many threads of the runtime's pool as the machine runs at once, and gives the values
/// in the order of the items.
///
/// For computations: the workers go on with other tasks meanwhile. The threads take the items in chunks, and the chunks
/// shrink towards the end, so that all end at about the same time. Begun by this call.
///
/// # Panics
/// Where no runtime runs. When it is awaited, with the payload of `f`, if that panics; no other item is begun then.
///
/// # Cancel safety
/// Not cancel safe: dropped, no other item is begun, and the values are lost.
///
/// # Examples
/// ```
/// use kasasagi::par_map;
///
/// kasasagi::run(async {
///     let sums = par_map(1..=4_u64, |n| (0..n * 1000).sum::<u64>()).await;
///     assert_eq!(sums[0], 499_500);
/// });
/// ```
///
/// Counterpart: `ProcessPoolExecutor.map`, where Python needs processes to compute on several cores.
#[track_caller]
pub fn par_map<I, F, U>(items: I, f: F) -> ParMap<U>
where
    I: IntoIterator,
    I::IntoIter: Send + 'static,
    I::Item: Send + 'static,
    F: Fn(I::Item) -> U + Send + Sync + 'static,
    U: Send + 'static,
{
    start(&here("par_map"), items, f)
}

/// As [`par_map`], on the threads of `executor`; under any runtime or none.
///
/// # Panics
/// When it is awaited, with the payload of `f`, if that panics.
///
/// # Cancel safety
/// Not cancel safe: dropped, no other item is begun, and the values are lost.
///
/// # Examples
/// ```
/// use kasasagi::{ThreadPool, par_map_on};
///
/// let pool = ThreadPool::new(2);
/// kasasagi::run(async {
///     assert_eq!(par_map_on(&pool, vec!["a", "bc"], str::len).await, [1, 2]);
/// });
/// ```
#[track_caller]
pub fn par_map_on<E, I, F, U>(executor: &E, items: I, f: F) -> ParMap<U>
where
    E: Executor + ?Sized,
    I: IntoIterator,
    I::IntoIter: Send + 'static,
    I::Item: Send + 'static,
    F: Fn(I::Item) -> U + Send + Sync + 'static,
    U: Send + 'static,
{
    start(executor, items, f)
}

/// Calls `f` with each item on as many threads of the runtime's pool as the machine runs at once; see [`par_map`].
///
/// # Panics
/// As [`par_map`].
///
/// # Cancel safety
/// Not cancel safe: dropped, no other item is begun.
///
/// # Examples
/// ```
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicU64, Ordering};
///
/// kasasagi::run(async {
///     let sum = Arc::new(AtomicU64::new(0));
///     let add = { let sum = Arc::clone(&sum); move |n| { sum.fetch_add(n, Ordering::Relaxed); } };
///     kasasagi::par_for_each(1..=100, add).await;
///     assert_eq!(sum.load(Ordering::Relaxed), 5050);
/// });
/// ```
#[track_caller]
pub fn par_for_each<I, F>(items: I, f: F) -> ParForEach
where
    I: IntoIterator,
    I::IntoIter: Send + 'static,
    I::Item: Send + 'static,
    F: Fn(I::Item) + Send + Sync + 'static,
{
    ParForEach(start(&here("par_for_each"), items, f))
}

/// As [`par_for_each`], on the threads of `executor`; under any runtime or none.
///
/// # Panics
/// When it is awaited, with the payload of `f`, if that panics.
///
/// # Cancel safety
/// Not cancel safe: dropped, no other item is begun.
#[track_caller]
pub fn par_for_each_on<E, I, F>(executor: &E, items: I, f: F) -> ParForEach
where
    E: Executor + ?Sized,
    I: IntoIterator,
    I::IntoIter: Send + 'static,
    I::Item: Send + 'static,
    F: Fn(I::Item) + Send + Sync + 'static,
{
    ParForEach(start(executor, items, f))
}

/// The runtime's own pool, as an executor.
struct Own(Handle);

impl Executor for Own {
    fn execute(&self, work: Work) {
        self.0.engines().pool.hand_in(work);
    }
}

#[track_caller]
fn here(called: &str) -> Own {
    match Handle::try_current() {
        Ok(handle) => Own(handle),
        Err(_) => no_runtime(called, Location::caller()),
    }
}

#[track_caller]
fn start<E, I, F, U>(executor: &E, items: I, f: F) -> ParMap<U>
where
    E: Executor + ?Sized,
    I: IntoIterator,
    I::IntoIter: Send + 'static,
    I::Item: Send + 'static,
    F: Fn(I::Item) -> U + Send + Sync + 'static,
    U: Send + 'static,
{
    let place = Location::caller();
    let items = items.into_iter();
    let threads = executor.parallelism().min(items.size_hint().1.unwrap_or(usize::MAX)).max(1);
    let split = Arc::new(Split::new(items, f, threads));
    let origin = Arc::new(Origin::here());
    let start_one = |_| {
        let (split, origin) = (Arc::clone(&split), Arc::clone(&origin));
        let (parts, work) = lend(JobInfo::new(place), move || origin.run_shared(|| split.work()));
        executor.execute(work);
        Some(parts)
    };
    let threads = (0..threads).map(start_one).collect();
    let stop = Stop(Box::new(move || split.stop()));
    ParMap { threads, stop, parts: Vec::new(), panic: None, error: None, is_done: false, place }
}

/// Has no other item begun when it is dropped.
struct Stop(Box<dyn Fn() + Send + Sync>);

impl Drop for Stop {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// Waits for the values; made by [`par_map`].
#[must_use = "dropping it ends the work; await it"]
pub struct ParMap<U> {
    // None are those that have ended.
    threads: Vec<Option<Unblock<Parts<U>>>>,
    stop: Stop,
    parts: Parts<U>,
    panic: Option<Box<dyn Any + Send>>,
    error: Option<BlockingError>,
    /// A thread found nothing left to do.
    is_done: bool,
    place: &'static Location<'static>,
}

impl<U> Unpin for ParMap<U> {}

impl<U> ParMap<U> {
    /// Notes how a thread has ended.
    fn ended(&mut self, result: Result<Parts<U>, BlockingError>) {
        match result {
            Ok(mut parts) => {
                self.parts.append(&mut parts);
                self.is_done = true;
            }
            Err(BlockingError::Panicked(panic)) => {
                (self.stop.0)();
                self.panic.get_or_insert_with(|| panic.into_payload());
            }
            // It found nothing to do.
            Err(BlockingError::Cancelled) => {}
            Err(error) => self.error = Some(error),
        }
    }

    /// Nothing is left to be begun: who has not started need not.
    fn take_back(&self) {
        for thread in self.threads.iter().flatten() {
            thread.cancel();
        }
    }
}

impl<U> Future for ParMap<U> {
    type Output = Vec<U>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Vec<U>> {
        let this = &mut *self;
        let mut is_pending = false;
        for at in 0..this.threads.len() {
            let Some(thread) = &mut this.threads[at] else { continue };
            match Pin::new(thread).poll(cx) {
                Poll::Pending => is_pending = true,
                Poll::Ready(result) => {
                    this.threads[at] = None;
                    this.ended(result);
                    if this.is_done || this.panic.is_some() {
                        this.take_back();
                    }
                }
            }
        }
        if is_pending {
            return Poll::Pending;
        }
        if let Some(payload) = this.panic.take() {
            resume_unwind(payload);
        }
        if let (Some(error), false) = (this.error.take(), this.is_done) {
            panic!("`par_map` at {} has no values to give: {error}", this.place);
        }
        Poll::Ready(in_order(std::mem::take(&mut this.parts)))
    }
}

impl<U> fmt::Debug for ParMap<U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ParMap").field("place", &self.place).finish_non_exhaustive()
    }
}

/// Waits until all is done; made by [`par_for_each`].
#[derive(Debug)]
#[must_use = "dropping it ends the work; await it"]
pub struct ParForEach(ParMap<()>);

impl Future for ParForEach {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        ready!(Pin::new(&mut self.0).poll(cx));
        Poll::Ready(())
    }
}
