//! A scheduler of one locked queue, and counts of what came and went.
//!
//! Counts are std's atomics, which the model does not see: they cost no interleavings, and are read when all
//! threads are joined.
#![allow(unsafe_code, reason = "a scheduler promises to outlive its tasks")]

use kasasagi_primitive::sync::atomic::AtomicBool;
use kasasagi_primitive::sync::{Arc, Condvar, Mutex};
use kasasagi_primitive::{thread, thread_local};
use kasasagi_task::slab::Heap;
use kasasagi_task::{Attributes, Birth, Home, JoinError, Ran, Runnable, Schedule, Task};
use std::cell::Cell;
use std::collections::VecDeque;
use std::panic::Location;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll, Wake, Waker};

thread_local! {
    static RUNNING: Cell<bool> = Cell::new(false)
}

#[derive(Default)]
struct Due {
    tasks: VecDeque<Runnable>,
    /// Tasks that have not completed yet.
    live: usize,
}

/// One queue for all runners.
pub(crate) struct Queue {
    due: Mutex<Due>,
    more: Condvar,
}

// SAFETY: the tests hold the queue until every task of it is complete.
unsafe impl Schedule for Queue {
    fn schedule(task: Runnable, home: Home<Self>) {
        // Held: once the task is pushed, it may be the last of its queue.
        home.hold().push(task);
    }
}

impl Queue {
    /// A queue whose runners stay until `live` tasks have completed.
    pub(crate) fn new(live: usize) -> Arc<Self> {
        let due = Due { live, ..Due::default() };
        Arc::new(Self { due: Mutex::new(due), more: Condvar::new() })
    }

    pub(crate) fn push(&self, task: Runnable) {
        self.due.lock().tasks.push_back(task);
        self.more.notify_one();
    }

    fn next(&self) -> Option<Runnable> {
        let mut due = self.due.lock();
        loop {
            if due.live == 0 {
                return None;
            }
            if let Some(task) = due.tasks.pop_front() {
                return Some(task);
            }
            self.more.wait(&mut due);
        }
    }

    /// Runs tasks until all have completed; a task that nobody wakes any more is a deadlock.
    pub(crate) fn run(&self) {
        while let Some(task) = self.next() {
            match run_once(task) {
                Ran::Pending => {}
                Ran::Requeue(task) => self.push(task),
                Ran::Complete(_) => {
                    let mut due = self.due.lock();
                    due.live = due.live.checked_sub(1).expect("a task completes once");
                    if due.live == 0 {
                        self.more.notify_all();
                    }
                }
            }
        }
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        assert!(
            self.due.get_mut().tasks.is_empty(),
            "a task is queued once, and not after its end"
        );
    }
}

pub(crate) fn run_once(task: Runnable) -> Ran {
    let before = RUNNING.with(|running| running.replace(true));
    let ran = task.run();
    RUNNING.with(|running| running.set(before));
    ran
}

/// How often something was dropped: in all, and by whom no runner was.
#[derive(Default)]
pub(crate) struct Drops {
    all: AtomicUsize,
    outside: AtomicUsize,
}

impl Drops {
    pub(crate) fn new() -> std::sync::Arc<Self> {
        std::sync::Arc::default()
    }
    pub(crate) fn token(self: &std::sync::Arc<Self>) -> Token {
        Token(std::sync::Arc::clone(self))
    }
    pub(crate) fn all(&self) -> usize {
        self.all.load(Relaxed)
    }
    pub(crate) fn outside(&self) -> usize {
        self.outside.load(Relaxed)
    }
}

/// Counts its drop.
pub(crate) struct Token(std::sync::Arc<Drops>);

impl Drop for Token {
    fn drop(&mut self) {
        self.0.all.fetch_add(1, Relaxed);
        if !RUNNING.with(Cell::get) {
            self.0.outside.fetch_add(1, Relaxed);
        }
    }
}

/// Spawns `future` on `heap`.
pub(crate) fn spawn<F>(
    heap: &Heap,
    queue: &Arc<Queue>,
    id: u64,
    future: F,
) -> (Runnable, Task<F::Output>)
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let place = Location::caller();
    Birth { heap, home: queue, id, pin: None, place, attributes: Attributes::default() }
        .spawn(future)
}

/// A task that was polled once and is idle, and `N` wakers of it; from then on `poll` is its poll.
pub(crate) fn idle<const N: usize, T: Send + 'static>(
    heap: &Heap,
    queue: &Arc<Queue>,
    token: Token,
    mut poll: impl FnMut(&mut Context<'_>) -> Poll<T> + Send + 'static,
) -> (Task<T>, [Waker; N]) {
    let kept = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let mut shelf = Some(std::sync::Arc::clone(&kept));
    let future = std::future::poll_fn(move |cx| {
        let _ = &token;
        match shelf.take() {
            Some(shelf) => {
                let mut shelf = shelf.lock().expect("nobody panics here");
                shelf.extend((0..N).map(|_| cx.waker().clone()));
                Poll::Pending
            }
            None => poll(cx),
        }
    });
    let (due, task) = spawn(heap, queue, 1, future);
    assert!(matches!(run_once(due), Ran::Pending), "the first poll leaves it idle");
    let wakers = std::mem::take(&mut *kept.lock().expect("nobody panics here"));
    (task, wakers.try_into().expect("as many as asked for"))
}

/// As `idle`, of a task that is ready once all of `flags` are seen, which are Relaxed: only the wake publishes them.
pub(crate) fn waits_for<const N: usize>(
    heap: &Heap,
    queue: &Arc<Queue>,
    token: Token,
    flags: [&Arc<AtomicBool>; N],
) -> (Task<()>, [Waker; N]) {
    let flags = flags.map(Arc::clone);
    idle(heap, queue, token, move |_| {
        if flags.iter().all(|flag| flag.load(Relaxed)) { Poll::Ready(()) } else { Poll::Pending }
    })
}

/// Blocks the thread of whoever joins; counts who holds it.
#[derive(Default)]
pub(crate) struct Joiner {
    woken: Mutex<bool>,
    more: Condvar,
}

impl Wake for Joiner {
    fn wake(self: std::sync::Arc<Self>) {
        self.wake_by_ref();
    }
    fn wake_by_ref(self: &std::sync::Arc<Self>) {
        *self.woken.lock() = true;
        self.more.notify_one();
    }
}

impl Joiner {
    pub(crate) fn new() -> (std::sync::Arc<Self>, Waker) {
        let joiner = std::sync::Arc::<Self>::default();
        let waker = Waker::from(std::sync::Arc::clone(&joiner));
        (joiner, waker)
    }

    pub(crate) fn wait(&self) {
        let mut woken = self.woken.lock();
        while !*woken {
            self.more.wait(&mut woken);
        }
        *woken = false;
    }

    /// Polls `task` with `waker`, which is this joiner's, whenever that was woken.
    pub(crate) fn join<T>(&self, waker: &Waker, task: &mut Task<T>) -> Result<T, JoinError> {
        loop {
            if let Poll::Ready(output) = poll(waker, task) {
                return output;
            }
            self.wait();
        }
    }

    /// How many wakers of it there are.
    pub(crate) fn wakers(self: &std::sync::Arc<Self>) -> usize {
        std::sync::Arc::strong_count(self) - 1
    }
}

/// Polls `task` once.
pub(crate) fn poll<T>(waker: &Waker, mut task: &mut Task<T>) -> Poll<Result<T, JoinError>> {
    std::pin::Pin::new(&mut task).poll(&mut Context::from_waker(waker))
}

/// Every block came back, once.
#[track_caller]
pub(crate) fn assert_no_blocks(heap: &Heap) {
    heap.collect();
    assert_eq!(heap.usage().blocks, 0, "each block is freed once");
}

/// A runner dropped the future, once, and the block came back.
#[track_caller]
pub(crate) fn assert_gone(futures: &Drops, heap: &Heap) {
    assert_eq!((futures.all(), futures.outside()), (1, 0), "a runner drops the future, once");
    assert_no_blocks(heap);
}

pub(crate) fn join_all<const N: usize>(threads: [thread::JoinHandle<()>; N]) {
    threads.into_iter().for_each(|thread| thread.join().expect("the thread does not panic"));
}
