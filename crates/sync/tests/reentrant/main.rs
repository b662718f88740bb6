//! Wakers that come back to what wakes them: no lock is held while one is woken or dropped.
//!
//! A lock that is held there is a deadlock with a waker that takes it again; this test then never ends, and the limit
//! below says so.

mod cloned;

use kasasagi_sync::Semaphore;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
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
