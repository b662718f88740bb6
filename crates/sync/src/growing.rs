//! A number that only grows, and those who wait until it does.
//!
//! One word: the number, whether somebody waits, whether it is over. While nobody waits, to let it grow is one
//! addition, and to see that it has grown one load. Who waits sets `WAITERS` by a compare-exchange that fails if the
//! number has grown meanwhile, under the lock of the line; so whoever lets it grow sees the one or the other.

use kasasagi_primitive::sync::ShortLock;
use kasasagi_primitive::sync::atomic::{AtomicU64, Ordering};
use kasasagi_primitive::wait_list::{Turn, WaitList, Waiter};
use kasasagi_primitive::wake_batch::WakeBatch;
use pin_project_lite::pin_project;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

/// It does not grow any more. Set once.
const OVER: u64 = 1;
/// Somebody is in line. Set and cleared under the line's lock only.
const WAITERS: u64 = 2;
/// One more.
const ONE: u64 = 4;

/// The number, and the line.
pub(crate) struct Growing {
    word: AtomicU64,
    line: ShortLock<WaitList<()>>,
}

/// What one who looks finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) number: u64,
    pub(crate) over: bool,
}

impl Growing {
    pub(crate) fn new() -> Self {
        Self { word: AtomicU64::new(0), line: ShortLock::new(WaitList::new()) }
    }

    /// The number; what was done before it grew to that has happened before.
    #[inline]
    pub(crate) fn look(&self) -> Seen {
        seen(self.word.load(Ordering::Acquire))
    }

    /// Lets it grow by one; says whether somebody waits, for whom [`wake`](Self::wake) is to be called.
    #[must_use = "who waits has to be woken"]
    #[inline]
    pub(crate) fn grow(&self) -> bool {
        // Release: pairs with the Acquire of `look`.
        self.word.fetch_add(ONE, Ordering::Release) & WAITERS != 0
    }

    /// Says that it does not grow any more, and wakes all who wait.
    pub(crate) fn end(&self) {
        if self.word.fetch_or(OVER, Ordering::Release) & WAITERS != 0 {
            self.wake();
        }
    }

    /// Wakes all who wait now, in the order in which they came; with no lock held.
    #[cold]
    pub(crate) fn wake(&self) {
        let mut batch = WakeBatch::new();
        let mut line = self.line.lock();
        // Those who come later have seen it grow.
        let mut left = line.len();
        loop {
            while left > 0 && !batch.is_full() {
                left -= 1;
                if let Some(waker) = line.pop_front() {
                    batch.push(waker);
                }
            }
            self.forget_line(&line);
            drop(line);
            // What one of them panics with is told by the panic hook; the others are woken all the same.
            batch.wake_all_caught();
            if left == 0 {
                return;
            }
            line = self.line.lock();
        }
    }

    /// Clears WAITERS if nobody is in line any more.
    fn forget_line(&self, line: &WaitList<()>) {
        // Under the lock WAITERS stands still; most who leave find it cleared by who woke them.
        if line.is_empty() && self.word.load(Ordering::Relaxed) & WAITERS != 0 {
            self.word.fetch_and(!WAITERS, Ordering::Relaxed);
        }
    }

    /// Waits until the number is not `known` any more, or it is over.
    fn poll(
        &self,
        known: u64,
        mut waiter: Pin<&mut Waiter<()>>,
        cx: &mut Context<'_>,
    ) -> Poll<Seen> {
        let now = self.look();
        if now.number != known || now.over {
            self.leave(waiter);
            return Poll::Ready(now);
        }
        if !waiter.is_out() {
            let mut clone = None;
            loop {
                let turn = self.line.lock().poll_by(waiter.as_mut(), cx.waker(), &mut clone);
                match turn {
                    // The waker of the poll before is dropped here, after the lock.
                    Some(Turn::Wait(_)) => return Poll::Pending,
                    // Woken for nothing, or what it was woken for came between the two looks.
                    Some(Turn::Served(())) => break,
                    None => clone = Some(cx.waker().clone()),
                }
            }
        }
        self.queue(known, waiter, cx.waker().clone())
    }

    fn queue(&self, known: u64, waiter: Pin<&mut Waiter<()>>, waker: Waker) -> Poll<Seen> {
        let mut line = self.line.lock();
        let mut word = self.word.load(Ordering::Acquire);
        loop {
            let now = seen(word);
            if now.number != known || now.over {
                drop(line);
                drop(waker);
                return Poll::Ready(now);
            }
            if word & WAITERS != 0 {
                break;
            }
            match self.word.compare_exchange_weak(
                word,
                word | WAITERS,
                Ordering::Acquire,
                Ordering::Acquire,
            ) {
                Ok(_) => break,
                Err(changed) => word = changed,
            }
        }
        line.push_back(waiter, waker);
        Poll::Pending
    }

    fn leave(&self, waiter: Pin<&mut Waiter<()>>) {
        if waiter.is_out() {
            return;
        }
        let mut line = self.line.lock();
        let place = line.remove(waiter);
        self.forget_line(&line);
        drop(line);
        // Its waker is foreign.
        drop(place);
    }
}

fn seen(word: u64) -> Seen {
    Seen { number: word / ONE, over: word & OVER != 0 }
}

pin_project! {
    /// One who waits, again and again; a pinned field of a future.
    pub(crate) struct Growth<'a> {
        growing: &'a Growing,
        #[pin]
        waiter: Waiter<()>,
    }

    impl PinnedDrop for Growth<'_> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            this.growing.leave(this.waiter);
        }
    }
}

impl<'a> Growth<'a> {
    pub(crate) fn new(growing: &'a Growing) -> Self {
        Self { growing, waiter: Waiter::new(()) }
    }

    /// Waits until the number is not `known` any more, or it is over.
    pub(crate) fn poll_past(self: Pin<&mut Self>, known: u64, cx: &mut Context<'_>) -> Poll<Seen> {
        let this = self.project();
        this.growing.poll(known, this.waiter, cx)
    }
}
