//! The line, and what is done under its lock: by those who come with the semaphore, and by tasks that take back offers.

use super::{CLOSED, ONE, WAITERS, Wish};
use kasasagi_primitive::offers::{self, At, Taken};
use kasasagi_primitive::sync::atomic::{AtomicUsize, Ordering};
use kasasagi_primitive::sync::{ShortLock, ShortLockGuard};
use kasasagi_primitive::wait_list::WaitList;
use kasasagi_primitive::wake_batch::{Lead, WakeBatch, wake};
use std::mem;
use std::task::Waker;

pub(super) struct Line {
    /// How many offers there are, for a look without the lock.
    offers: AtomicUsize,
    inside: ShortLock<Inside>,
}

pub(super) struct Inside {
    pub(super) list: WaitList<Wish>,
    /// The free permits, while the word says WAITERS; else zero.
    pub(super) free: usize,
    pub(super) closed: bool,
    pub(super) bound: usize,
    /// How many threads wake several who were offered something: the first of those may be woken last.
    waking: usize,
}

impl Line {
    pub(super) fn new(bound: usize) -> Self {
        let inside = Inside { list: WaitList::new(), free: 0, closed: false, bound, waking: 0 };
        Self { offers: AtomicUsize::new(0), inside: ShortLock::new(inside) }
    }

    pub(super) fn lock(&self) -> ShortLockGuard<'_, Inside> {
        self.inside.lock()
    }

    /// Ends what was done under the lock. If nobody is in line, and nobody was offered anything, the free permits go
    /// back to the word, when that is at hand.
    #[inline]
    pub(super) fn settle(&self, inside: &mut Inside, word: Option<&AtomicUsize>) {
        let offers = inside.list.offers();
        self.offers.store(offers, Ordering::Relaxed);
        if let Some(word) = word.filter(|_| offers == 0 && inside.list.is_empty()) {
            inside.give_to(word);
        }
    }

    /// Serves whom it can, and wakes them outside the lock.
    pub(super) fn serve_all(&self, inside: ShortLockGuard<'_, Inside>, word: Option<&AtomicUsize>) {
        self.serve(inside, word);
    }

    /// The same, in place: for a release.
    #[inline(always)]
    pub(super) fn serve(&self, mut inside: ShortLockGuard<'_, Inside>, word: Option<&AtomicUsize>) {
        while inside.can_serve() {
            // One that has no waker was woken already, and comes by itself.
            let Some(first) = inside.serve() else { continue };
            if inside.can_serve() {
                return self.serve_many(inside, first, word);
            }
            self.settle(&mut inside, word);
            drop(inside);
            return wake(first);
        }
        self.settle(&mut inside, word);
    }

    /// The same for more than one, batch by batch.
    #[cold]
    fn serve_many<'a>(
        &'a self,
        mut inside: ShortLockGuard<'a, Inside>,
        first: Waker,
        word: Option<&AtomicUsize>,
    ) {
        inside.waking += 1;
        // Ends when all were woken, however.
        let waking = Waking(self);
        let mut lead = None;
        let mut first = Some(first);
        let mut batch = WakeBatch::new();
        loop {
            while !batch.is_full() && inside.can_serve() {
                if let Some(waker) = inside.serve() {
                    batch.push(waker);
                }
            }
            let is_over = !inside.can_serve();
            // Each time: who is woken, and does not look, has to find that it was offered something.
            self.settle(&mut inside, word);
            drop(inside);
            // Should a waker panic, the others are served and woken all the same.
            let rest = (!is_over).then(|| Rest(self, word));
            lead = lead.or_else(|| first.take().map(Lead::new));
            batch.wake_all();
            mem::forget(rest);
            if is_over {
                break;
            }
            inside = self.lock();
        }
        if let Some(lead) = lead {
            lead.follow();
        }
        drop(waking);
    }
}

impl Inside {
    fn give_to(&mut self, word: &AtomicUsize) {
        // It may not say WAITERS any more: between two batches others end what they do, and find nobody.
        if word.load(Ordering::Relaxed) & WAITERS != 0 {
            let closed = if self.closed { CLOSED } else { 0 };
            // It says WAITERS, so that nobody else writes it. Release: what was done before the permits were given back
            // happens before the acquire that takes them without the lock.
            word.store((mem::take(&mut self.free) * ONE) | closed, Ordering::Release);
        }
    }

    /// Whether the one at the front can have what it wants.
    pub(super) fn can_serve(&mut self) -> bool {
        let (free, closed) = (self.free, self.closed);
        self.list.front().is_some_and(|wish| !closed && free >= wish.value.permits)
    }

    /// Gives the one at the front what it wants.
    pub(super) fn serve(&mut self) -> Option<Waker> {
        self.free -= self.list.front()?.value.permits;
        self.list.offer_front()
    }

    /// Permits come back; others that were added meanwhile may have filled a bounded one up.
    pub(super) fn fill_up_with(&mut self, permits: usize) {
        self.free = self.free.saturating_add(permits).min(self.bound.max(self.free));
    }
}

impl offers::Line for Line {
    fn has_offers(&self) -> bool {
        self.offers.load(Ordering::Relaxed) != 0
    }

    fn take_back(&self, at: At, taken: &mut Taken) {
        let mut inside = self.lock();
        let mut permits = 0;
        let may_take = inside.waking == 0;
        taken.is_left = inside.list.withdraw(at, may_take, |want| {
            taken.missed += 1;
            permits += want.permits;
        });
        if taken.missed > 0 {
            inside.fill_up_with(permits);
            self.serve_all(inside, None);
        }
    }
}

/// Some who were offered something are still to be woken, and so nothing is taken back.
struct Waking<'a>(&'a Line);

impl Drop for Waking<'_> {
    fn drop(&mut self) {
        self.0.lock().waking -= 1;
    }
}

/// Does what is left to do, should a waker panic.
struct Rest<'a>(&'a Line, Option<&'a AtomicUsize>);

impl Drop for Rest<'_> {
    fn drop(&mut self) {
        self.0.serve_all(self.0.lock(), self.1);
    }
}
