//! Channels and cells whose wakers come back to them, woken or dropped: no lock is held then.

use crate::{poll, within_limit};
use kasasagi_sync::{OnceCell, RateWindow, broadcast, oneshot, watch};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Wake, Waker};
use std::time::{Duration, Instant};

/// A waker that does something when it is woken, and again when it is dropped.
struct Nosy<F: Fn() + Send + Sync + 'static> {
    comes_back: F,
    times: Arc<AtomicUsize>,
}

impl<F: Fn() + Send + Sync + 'static> Nosy<F> {
    fn come_back(&self) {
        (self.comes_back)();
        self.times.fetch_add(1, Ordering::Relaxed);
    }
}

impl<F: Fn() + Send + Sync + 'static> Wake for Nosy<F> {
    fn wake(self: Arc<Self>) {
        self.come_back();
    }
}

impl<F: Fn() + Send + Sync + 'static> Drop for Nosy<F> {
    fn drop(&mut self) {
        self.come_back();
    }
}

/// Makes such wakers, and counts how often they came back.
fn nosy(f: impl Fn() + Clone + Send + Sync + 'static) -> (impl Fn() -> Waker, Arc<AtomicUsize>) {
    let times = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&times);
    let waker =
        move || Waker::from(Arc::new(Nosy { comes_back: f.clone(), times: Arc::clone(&times) }));
    (waker, count)
}

#[test]
fn a_waker_that_comes_back_to_its_broadcast_finds_it_unlocked() {
    within_limit(|| {
        let (sender, mut receiver) = broadcast::channel(2);
        let mut other = sender.subscribe();
        let theirs = sender.clone();
        let (waker, came_back) = nosy(move || {
            let mut new = theirs.subscribe();
            let _ = theirs.send(0);
            let _ = (new.try_recv(), theirs.receiver_count());
        });
        // Woken by a message, replaced by a poll, dropped with its future.
        let mut first = Box::pin(receiver.recv());
        assert!(poll(first.as_mut(), &waker()).is_pending());
        assert!(poll(first.as_mut(), &waker()).is_pending());
        assert!(sender.send(1).is_ok());
        assert!(poll(first.as_mut(), Waker::noop()).is_ready());
        drop(first);
        while other.try_recv() != Err(broadcast::TryRecvError::Empty) {}
        let mut second = Box::pin(other.recv());
        assert!(poll(second.as_mut(), &waker()).is_pending());
        drop(second);
        assert!(came_back.load(Ordering::Relaxed) >= 4);
    });
}

#[test]
fn a_waker_that_comes_back_to_its_watch_finds_it_unlocked() {
    within_limit(|| {
        let (sender, mut receiver) = watch::channel(0);
        let theirs = sender.clone();
        let (waker, came_back) = nosy(move || {
            let value = *theirs.borrow();
            theirs.send_if_modified(|_| value > 100);
            let _ = theirs.subscribe();
        });
        let mut waiting = Box::pin(receiver.changed());
        assert!(poll(waiting.as_mut(), &waker()).is_pending());
        assert!(poll(waiting.as_mut(), &waker()).is_pending());
        sender.send_modify(|value| *value += 1);
        assert!(poll(waiting.as_mut(), Waker::noop()).is_ready());
        drop(waiting);
        let mut waiting = Box::pin(receiver.wait_for(|value| *value > 9));
        assert!(poll(waiting.as_mut(), &waker()).is_pending());
        drop(waiting);
        assert!(came_back.load(Ordering::Relaxed) >= 4);
    });
}

#[test]
fn a_waker_that_comes_back_to_its_oneshot_finds_it_whole() {
    within_limit(|| {
        let place = Arc::new(Mutex::new(None::<oneshot::Receiver<u8>>));
        let theirs = Arc::clone(&place);
        let (waker, came_back) = nosy(move || {
            // Whoever holds it at this moment is the test itself, which then needs no visit.
            if let Some(receiver) = theirs.try_lock().ok().as_mut().and_then(|it| it.as_mut()) {
                let _ = receiver.try_recv();
                receiver.close();
            }
        });
        for sends in [false, true] {
            let (sender, mut receiver) = oneshot::channel();
            assert!(poll(std::pin::Pin::new(&mut receiver), &waker()).is_pending());
            assert!(poll(std::pin::Pin::new(&mut receiver), &waker()).is_pending());
            *place.lock().expect("no panic") = Some(receiver);
            if sends {
                sender.send(1).expect("it is there");
            } else {
                drop(sender);
            }
            drop(place.lock().expect("no panic").take());
        }
        assert!(came_back.load(Ordering::Relaxed) >= 6);
    });
}

#[test]
fn a_waker_that_comes_back_to_its_cell_or_window_finds_it_unlocked() {
    within_limit(|| {
        let shared =
            Arc::new((OnceCell::<u8>::new(), RateWindow::new(1, Duration::from_millis(1))));
        let theirs = Arc::clone(&shared);
        let (waker, came_back) = nosy(move || {
            let _ = (theirs.0.set(1), theirs.0.get());
            let _ = theirs.1.try_start(Instant::now());
        });
        let (cell, window) = &*shared;
        let mut first = Box::pin(cell.get_or_init(std::future::pending));
        assert!(poll(first.as_mut(), Waker::noop()).is_pending());
        let mut second = Box::pin(cell.get_or_init(|| async { 2 }));
        assert!(poll(second.as_mut(), &waker()).is_pending());
        drop(first);
        assert!(poll(second.as_mut(), Waker::noop()).is_ready());
        let turn = poll(Box::pin(window.turn()).as_mut(), Waker::noop());
        let mut waiting = Box::pin(window.turn());
        assert!(poll(waiting.as_mut(), &waker()).is_pending());
        drop(turn);
        assert!(poll(waiting.as_mut(), Waker::noop()).is_ready());
        assert!(came_back.load(Ordering::Relaxed) >= 4);
    });
}
