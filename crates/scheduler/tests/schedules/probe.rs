//! A future that watches how it is treated.

use super::*;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize as Count};
use std::task::Context;

/// What was made, ended and dropped in one execution. Std's atomics: counting is no place to switch threads.
#[derive(Default)]
pub(super) struct Ledger {
    made: Count,
    ended: Count,
    dropped: Count,
}

impl Ledger {
    pub(super) fn new() -> Arc<Self> {
        Arc::default()
    }

    /// How many ran to their end.
    pub(super) fn ended(&self) -> usize {
        self.ended.load(Ordering::Relaxed)
    }

    /// Nothing that was made is left.
    pub(super) fn all_gone(&self) {
        assert_eq!(
            self.made.load(Ordering::Relaxed),
            self.dropped.load(Ordering::Relaxed),
            "made, and dropped"
        );
    }

    /// Everything ran to its end, and is gone.
    pub(super) fn all_ended(&self) {
        assert_eq!(self.made.load(Ordering::Relaxed), self.ended(), "made, and ran to the end");
        self.all_gone();
    }
}

/// Asserts that it is polled by one thread at a time, not after its end, and dropped once, not amid a poll.
pub(super) struct Probe<F> {
    inner: Pin<Box<F>>,
    ledger: Arc<Ledger>,
    polling: AtomicBool,
    over: AtomicBool,
    dropped: AtomicBool,
    /// Touched amid each poll, so that another thread gets its chance.
    middle: AtomicUsize,
}

impl<F: Future> Probe<F> {
    pub(super) fn new(ledger: &Arc<Ledger>, inner: F) -> Self {
        ledger.made.fetch_add(1, Ordering::Relaxed);
        Self {
            inner: Box::pin(inner),
            ledger: Arc::clone(ledger),
            polling: AtomicBool::new(false),
            over: AtomicBool::new(false),
            dropped: AtomicBool::new(false),
            middle: AtomicUsize::new(0),
        }
    }
}

impl<F: Future> Future for Probe<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        assert!(!self.polling.swap(true, Ordering::Relaxed), "polled by two threads at once");
        assert!(!self.over.load(Ordering::Relaxed), "polled after its end");
        assert!(!self.dropped.load(Ordering::Relaxed), "polled after its drop");
        self.middle.store(1, Ordering::Relaxed);
        let poll = self.inner.as_mut().poll(cx);
        if poll.is_ready() {
            self.over.store(true, Ordering::Relaxed);
            self.ledger.ended.fetch_add(1, Ordering::Relaxed);
        }
        self.polling.store(false, Ordering::Relaxed);
        poll
    }
}

impl<F> Drop for Probe<F> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        assert!(!self.polling.load(Ordering::Relaxed), "dropped amid a poll");
        assert!(!self.dropped.swap(true, Ordering::Relaxed), "dropped twice");
        self.ledger.dropped.fetch_add(1, Ordering::Relaxed);
    }
}
