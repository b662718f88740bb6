//! A flag that tasks wait for.
//!
//! One word tells whether somebody waits, and how often the event was set and cleared: an odd number of times if it is
//! set. While nobody waits, setting and clearing are one access each. Who comes to wait notes the count, and a `set`
//! serves all who noted less than it made of it, batch by batch. So a `clear` in the middle of it holds nobody back who
//! waited, and who comes after it is not let through by mistake.

mod wait;

pub use wait::EventWait;

use kasasagi_primitive::const_new;
use kasasagi_primitive::sync::ShortLock;
use kasasagi_primitive::sync::atomic::{AtomicUsize, Ordering};
use kasasagi_primitive::wait_list::{Turn, WaitList, Waiter};
use kasasagi_primitive::wake_batch::{Lead, WakeBatch};
use std::fmt;
use std::mem;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Somebody is in line. Set and cleared under the line's lock only.
const WAITERS: usize = 1;
/// It is set: the lowest bit of the count. To add it is to set what is clear, and to clear what is set.
const SET: usize = 2;

/// How often it was set and cleared.
const fn count(word: usize) -> usize {
    word & !WAITERS
}

/// A flag that is set by one and waited for by many.
///
/// Not for handing something over: use a queue or a [`promise`](crate::promise()). Not for waiting until a value has
/// changed: what is set and cleared again may have been missed, and is still set for who comes too late.
///
/// [`set`](Self::set) lets all through who wait, in the order in which they came, even if [`clear`](Self::clear) follows
/// at once; and all who come, until it is cleared. It may be called from any thread, and in a `drop`. What was done
/// before `set` happens before what is done after the wait that it ended. Works under any executor.
///
/// # Examples
/// ```
/// use kasasagi_sync::Event;
/// static READY: Event = Event::new();
/// assert!(!READY.is_set());
/// READY.set();
/// assert!(READY.is_set());
/// ```
///
/// Counterpart: `asyncio.Event`.
pub struct Event {
    word: AtomicUsize,
    // With the count that each found.
    line: ShortLock<WaitList<usize>>,
}

impl Event {
    const_new! {
        /// An event that is not set.
        pub const fn new() -> Self {
            Self { word: AtomicUsize::new(0), line: ShortLock::new(WaitList::new()) }
        }
    }

    /// Sets it: wakes all who wait, and holds nobody up until it is cleared.
    ///
    /// Counterpart: `asyncio.Event.set`.
    #[inline]
    pub fn set(&self) {
        let mut word = self.word.load(Ordering::Relaxed);
        loop {
            let next = if word & SET == 0 { word.wrapping_add(SET) } else { word };
            // Release: what was done before is seen by whoever finds it set. Also if it is set already, so not just a
            // load.
            match self.word.compare_exchange_weak(word, next, Ordering::Release, Ordering::Relaxed)
            {
                Ok(_) if next & WAITERS != 0 => return self.serve(count(next)),
                Ok(_) => return,
                Err(now) => word = now,
            }
        }
    }

    /// Clears it: who comes from now on waits.
    ///
    /// What was done before the `set` that it undoes is seen after it: so who clears it, looks for work and waits again
    /// misses nothing.
    ///
    /// Counterpart: `asyncio.Event.clear`.
    #[inline]
    pub fn clear(&self) {
        let mut word = self.word.load(Ordering::Acquire);
        while word & SET != 0 {
            // Acquire: what was done before the `set` that is undone here is seen by whoever undoes it.
            match self.word.compare_exchange_weak(
                word,
                word.wrapping_add(SET),
                Ordering::Acquire,
                Ordering::Acquire,
            ) {
                Ok(_) => return,
                Err(now) => word = now,
            }
        }
    }

    /// Whether it is set.
    ///
    /// Counterpart: `asyncio.Event.is_set`.
    #[inline]
    pub fn is_set(&self) -> bool {
        self.word.load(Ordering::Acquire) & SET != 0
    }

    /// Waits until it is set; not at all if it is.
    ///
    /// # Cancel safety
    /// Cancel safe, but gives up its place in the line.
    ///
    /// # Examples
    /// ```
    /// # use kasasagi_sync::Event;
    /// async fn worker(start: &Event) {
    ///     start.wait().await;
    ///     println!("off we go");
    /// }
    /// ```
    ///
    /// Counterpart: `asyncio.Event.wait`.
    #[track_caller]
    #[inline]
    pub fn wait(&self) -> EventWait<'_> {
        EventWait::new(self, Location::caller())
    }

    /// Serves all with a count below `limit`.
    fn serve(&self, limit: usize) {
        // Counts may have started anew, and are near each other.
        let is_before = |count: &mut usize| count.wrapping_sub(limit) > usize::MAX / 2;
        let mut batch = WakeBatch::new();
        let mut lead: Option<Lead> = None;
        loop {
            let mut line = self.line.lock();
            while !batch.is_full() && line.front().is_some_and(is_before) {
                if let Some(waker) = line.pop_front() {
                    batch.push(waker);
                }
            }
            self.note_empty(&line);
            drop(line);
            if batch.is_empty() {
                break;
            }
            // Should a waker panic, the others are woken all the same.
            let rest = Rest(self, limit);
            if lead.is_none() {
                lead = batch.take_first().map(Lead::new);
            }
            batch.wake_all();
            mem::forget(rest);
        }
        if let Some(lead) = lead {
            lead.follow();
        }
    }

    fn note_empty(&self, line: &WaitList<usize>) {
        if line.is_empty() {
            self.word.fetch_and(!WAITERS, Ordering::Relaxed);
        }
    }

    fn poll_wait(
        &self,
        mut waiter: Pin<&mut Option<Waiter<usize>>>,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        let standing = waiter.as_mut().as_pin_mut().filter(|waiter| !waiter.is_out());
        let Some(mut standing) = standing else { return self.queue(waiter, cx) };
        if self.is_set() {
            self.leave(standing);
            return Poll::Ready(());
        }
        // Served under the lock by whoever set it, whose deeds are seen so.
        let mut clone = None;
        loop {
            let turn = self.line.lock().poll_by(standing.as_mut(), cx.waker(), &mut clone);
            match turn {
                Some(Turn::Served(_)) => return Poll::Ready(()),
                Some(Turn::Wait(_)) => return Poll::Pending,
                None => clone = Some(cx.waker().clone()),
            }
        }
    }

    fn queue(&self, mut waiter: Pin<&mut Option<Waiter<usize>>>, cx: &mut Context<'_>) -> Poll<()> {
        let waker = cx.waker().clone();
        let mut line = self.line.lock();
        // A read-modify-write: it is set before, and seen; or after, and whoever sets it sees that somebody waits.
        let before = self.word.fetch_or(WAITERS, Ordering::Acquire);
        if before & SET != 0 {
            self.note_empty(&line);
            drop(line);
            return Poll::Ready(());
        }
        waiter.set(Some(Waiter::new(count(before))));
        if let Some(waiter) = waiter.as_pin_mut() {
            line.push_back(waiter, waker);
        }
        Poll::Pending
    }

    /// A future is dropped, or waits no longer.
    #[inline]
    fn leave(&self, waiter: Pin<&mut Waiter<usize>>) {
        if !waiter.is_out() {
            self.leave_line(waiter);
        }
    }

    fn leave_line(&self, waiter: Pin<&mut Waiter<usize>>) {
        let mut line = self.line.lock();
        let place = line.remove(waiter);
        self.note_empty(&line);
        drop(line);
        drop(place);
    }
}

struct Rest<'a>(&'a Event, usize);

impl Drop for Rest<'_> {
    fn drop(&mut self) {
        self.0.serve(self.1);
    }
}

impl Default for Event {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let waiters = self.line.lock().len();
        f.debug_struct("Event").field("set", &self.is_set()).field("waiters", &waiters).finish()
    }
}

const _: () = {
    const fn shared<T: Send + Sync>() {}
    shared::<Event>();
    shared::<EventWait<'_>>();
};
