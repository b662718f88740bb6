//! What tests need at hand: futures that count, wakers that misbehave, waits with a limit.

use kasasagi::time;
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::task::{Poll, Wake, Waker};
use std::time::{Duration, Instant};

/// How long a test waits for something that has to happen.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);

/// Waits until `done`, on a thread.
#[track_caller]
pub(crate) fn eventually(what: &str, done: impl Fn() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < LIMIT, "{what}: not within {} s", LIMIT.as_secs());
        // It looks now and then: what a test counts tells nobody.
        std::thread::sleep(Duration::from_micros(200));
    }
}

/// Waits until all workers sleep until they are called: for a while after work they look again by themselves, every 50 ms.
pub(crate) fn all_asleep(handle: &kasasagi::Handle) {
    let sleeps = || handle.metrics().seats.iter().map(|seat| seat.parks).sum::<u64>();
    let (mut seen, mut since, start) = (sleeps(), Instant::now(), Instant::now());
    while since.elapsed() < Duration::from_millis(200) {
        assert!(start.elapsed() < LIMIT, "they go on to look again");
        // Time is the subject: nothing has happened for longer than such a sleep.
        std::thread::sleep(Duration::from_millis(5));
        let now = sleeps();
        if now != seen {
            (seen, since) = (now, Instant::now());
        }
    }
}

/// How often the worker that main runs on has gone to sleep.
pub(crate) fn sleeps_of_main(handle: &kasasagi::Handle) -> u64 {
    handle.metrics().seats[0].parks
}

/// Waits until `done`, in a task.
pub(crate) async fn until(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < LIMIT, "{what}: not within {} s", LIMIT.as_secs());
        time::sleep(Duration::from_micros(200)).await;
    }
}

/// Adds one when it is dropped.
#[derive(Clone)]
pub(crate) struct CountDrop(pub(crate) Arc<AtomicUsize>);

impl CountDrop {
    pub(crate) fn new() -> (Self, Arc<AtomicUsize>) {
        let count = Arc::new(AtomicUsize::new(0));
        (Self(Arc::clone(&count)), count)
    }
}

impl Drop for CountDrop {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// Suspends once, with nobody to wake it, after it has shown its waker to `f`.
pub(crate) async fn suspend_with(f: impl FnOnce(&Waker)) {
    let mut f = Some(f);
    poll_fn(move |cx| match f.take() {
        Some(f) => {
            f(cx.waker());
            Poll::Pending
        }
        None => Poll::Ready(()),
    })
    .await;
}

/// A waker that tells a thread when it is woken.
pub(crate) struct Telling(Sender<Instant>);

impl Telling {
    pub(crate) fn waker() -> (Waker, Receiver<Instant>) {
        let (tell, told) = channel();
        (Arc::new(Self(tell)).into(), told)
    }
}

impl Wake for Telling {
    fn wake(self: Arc<Self>) {
        let _ = self.0.send(Instant::now());
    }
}

/// A waker that counts its wakes, and by its `Arc` who has it.
#[derive(Default)]
pub(crate) struct Counted(AtomicUsize);

impl Counted {
    pub(crate) fn waker() -> (Waker, Arc<Self>) {
        let counted = Arc::new(Self::default());
        (Arc::clone(&counted).into(), counted)
    }

    pub(crate) fn wakes(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl Wake for Counted {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// The middle one.
pub(crate) fn median<T: Ord + Copy>(values: &[T]) -> T {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    sorted[sorted.len() / 2]
}

/// Spins for about `time`: a task that computes.
pub(crate) fn compute(time: Duration) {
    let start = Instant::now();
    while start.elapsed() < time {
        std::hint::spin_loop();
    }
}

/// What a panic said.
pub(crate) fn text_of(payload: &(dyn std::any::Any + Send)) -> String {
    payload
        .downcast_ref::<&'static str>()
        .map(|text| (*text).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_default()
}

/// What `f` panics with.
#[track_caller]
pub(crate) fn panic_of<R>(f: impl FnOnce() -> R) -> String {
    match std::panic::catch_unwind(std::panic::AssertUnwindSafe(f)) {
        Ok(_) => panic!("it was expected to panic, and did not"),
        Err(payload) => text_of(&*payload),
    }
}
