//! Wakers that come back to what wakes them: no lock is held while one is woken or dropped.
//!
//! A lock that is held there is a deadlock with a waker that takes it again; this test then never ends, and the limit
//! below says so.

mod channels;
mod clones;
mod ended;
mod left;

use kasasagi_sync::{PriorityQueue, Queue, Semaphore};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

/// A waker that looks at the semaphore, takes and gives a permit, and says so; when it is dropped it does so again.
struct Nosy {
    semaphore: Arc<Semaphore>,
    came_back: Arc<AtomicUsize>,
}

impl Nosy {
    fn waker(semaphore: &Arc<Semaphore>, came_back: &Arc<AtomicUsize>) -> Waker {
        let (semaphore, came_back) = (Arc::clone(semaphore), Arc::clone(came_back));
        Arc::new(Self { semaphore, came_back }).into()
    }

    fn come_back(&self) {
        // Its `Debug` asks for the length of the line, under the line's lock.
        let _ = format!("{:?}", self.semaphore);
        drop(self.semaphore.try_acquire());
        self.came_back.fetch_add(1, Ordering::Relaxed);
    }
}

impl Wake for Nosy {
    fn wake(self: Arc<Self>) {
        self.come_back();
    }
}

impl Drop for Nosy {
    fn drop(&mut self) {
        self.come_back();
    }
}

/// Runs `f` on a thread of its own, and fails if it has not ended in ten seconds.
fn within_limit(f: impl FnOnce() + Send + 'static) {
    let (over, ended) = mpsc::channel();
    let thread = thread::spawn(move || {
        f();
        let _ = over.send(());
    });
    match ended.recv_timeout(Duration::from_secs(10)) {
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("a waker was called under a lock"),
        _ => thread.join().expect("the thread's own panic"),
    }
}

fn poll<F: Future>(future: Pin<&mut F>, waker: &Waker) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(waker))
}

#[test]
fn a_waker_that_comes_back_to_its_semaphore_finds_it_unlocked() {
    within_limit(|| {
        let semaphore = Arc::new(Semaphore::new(0));
        let came_back = Arc::new(AtomicUsize::new(0));
        let mut first = Box::pin(semaphore.acquire());
        let mut second = Box::pin(semaphore.acquire());
        for future in [&mut first, &mut second] {
            let waker = Nosy::waker(&semaphore, &came_back);
            assert!(poll(future.as_mut(), &waker).is_pending());
        }
        // Woken by a release, replaced by a poll, dropped with its future, and woken by the close.
        semaphore.add_permits(1);
        let permit = poll(first.as_mut(), Waker::noop());
        assert!(permit.is_ready());
        assert!(poll(second.as_mut(), Waker::noop()).is_pending());
        drop(second);
        let mut third = Box::pin(semaphore.acquire());
        assert!(poll(third.as_mut(), &Nosy::waker(&semaphore, &came_back)).is_pending());
        drop(third);
        drop(permit);
        let mut fourth = Box::pin(semaphore.acquire_many(2));
        assert!(poll(fourth.as_mut(), &Nosy::waker(&semaphore, &came_back)).is_pending());
        semaphore.close();
        assert!(poll(fourth.as_mut(), Waker::noop()).is_ready());
        drop(fourth);
        assert!(came_back.load(Ordering::Relaxed) >= 5, "each waker came back");
    });
}

/// A waker that looks at the queue, and says so; when it is dropped it does so again.
struct NosyAtQueue {
    queue: Queue<u32>,
    came_back: Arc<AtomicUsize>,
}

impl NosyAtQueue {
    fn waker(queue: &Queue<u32>, came_back: &Arc<AtomicUsize>) -> Waker {
        let (queue, came_back) = (queue.clone(), Arc::clone(came_back));
        Arc::new(Self { queue, came_back }).into()
    }

    fn come_back(&self) {
        // Both take the lock.
        let _ = (format!("{:?}", self.queue), self.queue.len());
        self.came_back.fetch_add(1, Ordering::Relaxed);
    }
}

impl Wake for NosyAtQueue {
    fn wake(self: Arc<Self>) {
        self.come_back();
    }
}

impl Drop for NosyAtQueue {
    fn drop(&mut self) {
        self.come_back();
    }
}

#[test]
fn a_waker_that_comes_back_to_its_queue_finds_it_unlocked() {
    within_limit(|| {
        let queue = Queue::bounded(1);
        let came_back = Arc::new(AtomicUsize::new(0));
        let nosy = || NosyAtQueue::waker(&queue, &came_back);
        // Woken by a put, replaced by a poll, dropped with its future: those who get, put and join.
        let mut gets = [(); 3].map(|()| Box::pin(queue.get()));
        for get in &mut gets {
            assert!(poll(get.as_mut(), &nosy()).is_pending());
        }
        assert!(queue.try_put(1).is_ok());
        let [first, second, _] = &mut gets;
        assert!(poll(first.as_mut(), Waker::noop()).is_ready());
        assert!(poll(second.as_mut(), Waker::noop()).is_pending());
        drop(gets);
        assert!(queue.try_put(1).is_ok());
        let mut puts = [2, 3, 4].map(|item| Box::pin(queue.put(item)));
        let mut joins = [(); 3].map(|()| Box::pin(queue.join()));
        for (put, join) in puts.iter_mut().zip(&mut joins) {
            assert!(poll(put.as_mut(), &nosy()).is_pending());
            assert!(poll(join.as_mut(), &nosy()).is_pending());
        }
        assert_eq!(queue.try_get(), Ok(1));
        let [first, second, third] = puts;
        drop(first);
        let [mut second, third] = [second, third];
        assert!(poll(second.as_mut(), Waker::noop()).is_ready());
        drop(third);
        let [mut first, second, third] = joins;
        assert!(poll(first.as_mut(), Waker::noop()).is_pending());
        drop((first, second));
        let mut last = Box::pin(queue.put(5));
        assert!(poll(last.as_mut(), &nosy()).is_pending());
        // One item is thrown away, one was taken and is not done.
        queue.shutdown(true);
        assert!(poll(last.as_mut(), Waker::noop()).is_ready());
        assert!(queue.task_done().is_ok() && queue.task_done().is_ok());
        drop((last, third));
        assert!(came_back.load(Ordering::Relaxed) >= 10, "each waker came back");
    });
}

/// Its order is foreign, and so is its drop: the one panics, and the other then uses the queue.
struct Job {
    number: u32,
    queue: PriorityQueue<Self>,
    breaks: Arc<AtomicBool>,
}

impl Drop for Job {
    fn drop(&mut self) {
        let _ = self.queue.len();
    }
}

impl PartialEq for Job {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Job {}

impl PartialOrd for Job {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Job {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        assert!(!self.breaks.load(Ordering::Relaxed), "it cannot be compared");
        self.number.cmp(&other.number)
    }
}

#[test]
fn an_item_whose_order_panics_is_dropped_outside_the_lock() {
    within_limit(|| {
        let queue = PriorityQueue::unbounded();
        let breaks = Arc::new(AtomicBool::new(false));
        for number in [3, 1, 2, 0] {
            let job = Job { number, queue: queue.clone(), breaks: Arc::clone(&breaks) };
            assert!(queue.try_put(job).is_ok());
        }
        breaks.store(true, Ordering::Relaxed);
        assert!(catch_unwind(AssertUnwindSafe(|| queue.try_get().is_ok())).is_err());
        breaks.store(false, Ordering::Relaxed);
        assert_eq!((queue.len(), queue.unfinished()), (3, 3));
        queue.shutdown(true);
    });
}

/// A waker whose clone looks at the queue.
#[expect(unsafe_code, reason = "only a waker that is made by hand has a clone that can be seen")]
mod cloned {
    use super::Queue;
    use std::task::{RawWaker, RawWakerVTable, Waker};

    static VTABLE: RawWakerVTable = RawWakerVTable::new(clone, |_| (), |_| (), |_| ());

    fn raw(queue: *const Queue<u32>) -> RawWaker {
        RawWaker::new(queue.cast(), &VTABLE)
    }

    fn clone(queue: *const ()) -> RawWaker {
        let queue = queue.cast::<Queue<u32>>();
        // SAFETY: the queue outlives its wakers: the test drops them first.
        let len = unsafe { (*queue).len() };
        assert!(len <= 1);
        raw(queue)
    }

    pub(super) fn waker(queue: &Queue<u32>) -> Waker {
        // SAFETY: the table's functions do what a waker's have to, on any thread.
        unsafe { Waker::from_raw(raw(queue)) }
    }
}

#[test]
fn a_waker_that_looks_at_its_queue_as_it_is_cloned_finds_it_unlocked() {
    within_limit(|| {
        let queue = Queue::bounded(1);
        let mut get = Box::pin(queue.get());
        assert!(poll(get.as_mut(), &cloned::waker(&queue)).is_pending());
        drop(get);
        assert!(queue.try_put(1).is_ok());
        let (mut put, mut join) = (Box::pin(queue.put(2)), Box::pin(queue.join()));
        assert!(poll(put.as_mut(), &cloned::waker(&queue)).is_pending());
        assert!(poll(join.as_mut(), &cloned::waker(&queue)).is_pending());
    });
}
