//! Waiting, with a lock given up meanwhile, until something about what it guards has changed.
//!
//! Two lines under one lock: those who wait, and those who were notified. A notification moves its waiters from one to
//! the other and wakes the first of them. When that one is polled, it moves all who were notified, itself among them, to
//! the end of the lock's own line, where each is woken when the lock is his. So a hundred who are notified are not woken
//! to find the lock taken by one of them.

mod wait;

pub use wait::{ConditionWait, ConditionWaitOwned};

use crate::gate::Gate;
use crate::semaphore::Wish;
use crate::{LockGuard, OwnedLockGuard};
use kasasagi_primitive::const_new;
use kasasagi_primitive::sync::ShortLock;
use kasasagi_primitive::sync::atomic::{AtomicUsize, Ordering};
use kasasagi_primitive::wait_list::{WaitList, Waiter};
use kasasagi_primitive::wake_batch::{wake, wake_caught};
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

/// Waits until what a [`Lock`](crate::Lock) guards is as it should be.
///
/// Not for a plain flag: that is what an [`Event`](crate::Event) is for. Not for handing items over: use a queue.
///
/// [`wait`](Self::wait) takes the guard of a lock, releases it, and gives a guard back when it was notified and has the
/// lock again. A waiter may be woken for nothing, so what it waits for is looked at in a loop, or by
/// [`wait_for`](Self::wait_for). Change what the lock guards under its guard, and notify before it is dropped, or after.
/// Waiters are notified, and get the lock, first come, first served; nobody is woken before the lock is his, but for the
/// first. A notification is for those who wait at that moment; it is not remembered. Of a waiter that is dropped after it
/// was notified, the notification goes to the next one. Works under any executor.
///
/// All who wait at a time come with guards of one and the same lock.
///
/// The first of those who are notified at once gets all of them into the line of the lock, when its future is polled.
/// So a wait that was polled is to be polled on, or dropped: kept and not polled, in an arm of a `select` for example, it
/// holds up those who are notified with it, and when its turn comes for the lock, everybody who waits for the lock.
///
/// # Examples
/// ```
/// use kasasagi_sync::{Condition, Lock};
///
/// struct Tank { litres: Lock<u32>, filled: Condition }
///
/// async fn draw(tank: &Tank, litres: u32) {
///     let guard = tank.litres.lock().await;
///     let mut guard = tank.filled.wait_for(guard, |now| *now >= litres).await;
///     *guard -= litres;
/// }
///
/// async fn fill(tank: &Tank, litres: u32) {
///     *tank.litres.lock().await += litres;
///     tank.filled.notify_all();
/// }
/// ```
///
/// Counterpart: `asyncio.Condition`, whose lock is its own.
pub struct Condition {
    // How many wait, for a look without the lock. Who notifies under the guard sees all who waited before: their guards
    // were released after it was counted.
    waiting: AtomicUsize,
    line: ShortLock<Line>,
}

struct Line {
    waiting: WaitList<Wish>,
    // The first of them was woken, and will lead the others to the line of the lock.
    notified: WaitList<Wish>,
    // The address of the gate they came through; for comparison only, while somebody is here.
    gate: usize,
}

impl Condition {
    const_new! {
        /// A condition that nobody waits for.
        pub const fn new() -> Self {
            let line = Line { waiting: WaitList::new(), notified: WaitList::new(), gate: 0 };
            Self { waiting: AtomicUsize::new(0), line: ShortLock::new(line) }
        }
    }

    /// Releases the lock, waits to be notified, and takes the lock again.
    ///
    /// # Cancel safety
    /// Cancel safe, but gives up the lock and its place in the line. Dropped before its first poll it has not waited, and
    /// releases the lock; dropped when it was notified already, the notification goes to the next. Nothing of the
    /// caller's runs without the lock meanwhile: what comes after the `await` does not run at all.
    ///
    /// # Panics
    /// At its first poll, when others wait to be notified with the guard of another lock.
    ///
    /// Counterpart: `asyncio.Condition.wait`.
    #[track_caller]
    pub fn wait<'a, T: ?Sized>(&'a self, guard: LockGuard<'a, T>) -> ConditionWait<'a, T> {
        ConditionWait::new(self, guard, Location::caller())
    }

    /// As [`wait`](Self::wait), with a guard that keeps its lock alive.
    ///
    /// # Cancel safety
    /// As [`wait`](Self::wait).
    ///
    /// # Panics
    /// As [`wait`](Self::wait).
    ///
    /// # Examples
    /// ```
    /// use kasasagi_sync::{Condition, Lock, OwnedLockGuard};
    ///
    /// /// Goes on with the guard when there is something.
    /// async fn filled<T>(
    ///     mut guard: OwnedLockGuard<Vec<T>>,
    ///     changed: &Condition,
    /// ) -> OwnedLockGuard<Vec<T>> {
    ///     while guard.is_empty() {
    ///         guard = changed.wait_owned(guard).await;
    ///     }
    ///     guard
    /// }
    /// ```
    #[track_caller]
    pub fn wait_owned<T: ?Sized>(&self, guard: OwnedLockGuard<T>) -> ConditionWaitOwned<'_, T> {
        ConditionWaitOwned::new(self, guard, Location::caller())
    }

    /// Waits until `is_so` says yes of the value; not at all if it does so at once.
    ///
    /// It is asked under the lock, whenever a notification has come.
    ///
    /// # Cancel safety
    /// As [`wait`](Self::wait).
    ///
    /// # Panics
    /// As [`wait`](Self::wait).
    ///
    /// Counterpart: `asyncio.Condition.wait_for`.
    #[track_caller]
    pub fn wait_for<'a, T: ?Sized, F: FnMut(&mut T) -> bool>(
        &'a self,
        guard: LockGuard<'a, T>,
        mut is_so: F,
    ) -> impl Future<Output = LockGuard<'a, T>> + use<'a, T, F> {
        let place = Location::caller();
        async move {
            let mut guard = guard;
            while !is_so(&mut guard) {
                guard = ConditionWait::new(self, guard, place).await;
            }
            guard
        }
    }

    /// Notifies the one who has waited longest.
    ///
    /// It goes on when it has the lock; this does not wait for that, and needs no guard.
    ///
    /// Counterpart: `asyncio.Condition.notify`.
    pub fn notify_one(&self) {
        self.notify(1);
    }

    /// Notifies the `n` who have waited longest, or all if there are fewer.
    ///
    /// Counterpart: `asyncio.Condition.notify`.
    pub fn notify(&self, n: usize) {
        if n == 0 || self.waiting.load(Ordering::Relaxed) == 0 {
            return;
        }
        let mut line = self.line.lock();
        let Line { waiting, notified, .. } = &mut *line;
        let is_led = !notified.is_empty();
        for _ in 0..n {
            if !waiting.move_front(notified) {
                break;
            }
        }
        let first = if is_led { None } else { notified.rouse_front() };
        self.count(&line);
        drop(line);
        if let Some(waker) = first {
            wake(waker);
        }
    }

    /// Notifies all who wait.
    ///
    /// Counterpart: `asyncio.Condition.notify_all`.
    pub fn notify_all(&self) {
        self.notify(usize::MAX);
    }

    fn count(&self, line: &Line) {
        self.waiting.store(line.waiting.len(), Ordering::Relaxed);
    }

    /// Gets in line; the caller still holds the lock.
    #[track_caller]
    fn queue(&self, gate: &Gate, waiter: Pin<&mut Waiter<Wish>>, waker: Waker) {
        let gate = std::ptr::from_ref(gate).addr();
        let mut line = self.line.lock();
        let is_empty = line.waiting.is_empty() && line.notified.is_empty();
        if !is_empty && line.gate != gate {
            drop(line);
            panic!(
                "others wait for this condition with the guard of another lock: use one lock with a condition, or a \
                 condition for each lock"
            );
        }
        line.gate = gate;
        line.waiting.push_back(waiter, waker);
        self.count(&line);
    }

    /// Asks whether it was notified, and has the lock.
    fn poll_wait(
        &self,
        gate: &Gate,
        mut waiter: Pin<&mut Waiter<Wish>>,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        let mut clone = None;
        let mut line = loop {
            let mut line = self.line.lock();
            let waiting = &mut line.waiting;
            if !waiting.is_home_of(&waiter) || waiting.follow(waiter.as_mut()) {
                break line;
            }
            let turn = waiting.poll_by(waiter.as_mut(), cx.waker(), &mut clone);
            drop(line);
            if turn.is_some() {
                return Poll::Pending;
            }
            clone = Some(cx.waker().clone());
        };
        let mut roused = None;
        let notified = &mut line.notified;
        if notified.is_home_of(&waiter) && !notified.follow(waiter.as_mut()) {
            roused = gate.semaphore.take_in(notified);
            notified.follow(waiter.as_mut());
        }
        drop(line);
        // There it leaves its waker.
        if gate.semaphore.poll_queued(waiter, cx).is_ready() {
            // If somebody was served just now, it was this one, who need not be woken.
            return Poll::Ready(());
        }
        if let Some(waker) = roused {
            wake(waker);
        }
        Poll::Pending
    }

    /// A future is dropped. If it was notified, another is, in its place.
    fn leave(&self, gate: &Gate, mut waiter: Pin<&mut Waiter<Wish>>) {
        if waiter.is_out() {
            return;
        }
        let mut line = self.line.lock();
        let is_own = line.gate == std::ptr::from_ref(gate).addr();
        let Line { waiting, notified, .. } = &mut *line;
        if waiting.is_home_of(&waiter) && !waiting.follow(waiter.as_mut()) {
            let place = waiting.remove(waiter);
            self.count(&line);
            drop(line);
            drop(place);
            return;
        }
        let mut place = None;
        if notified.is_home_of(&waiter) && !notified.follow(waiter.as_mut()) {
            place = Some(notified.remove(waiter.as_mut()));
        }
        let is_led = !notified.is_empty();
        waiting.move_front(notified);
        let roused = if is_own {
            // It may have been the one to lead the others.
            gate.semaphore.take_in(notified)
        } else if is_led {
            None
        } else {
            // It waited for its lock already, and those who are here came with another one since.
            notified.rouse_front()
        };
        self.count(&line);
        drop(line);
        drop(place);
        if let Some(waker) = roused {
            wake_caught(waker);
        }
        // If it has the lock already, the next in line gets it.
        gate.semaphore.leave(waiter);
    }
}

impl Default for Condition {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = self.line.lock();
        let (waiting, notified) = (line.waiting.len(), line.notified.len());
        drop(line);
        f.debug_struct("Condition").field("waiters", &waiting).field("notified", &notified).finish()
    }
}

const _: () = {
    const fn shared<T: Send + Sync>() {}
    const fn moved<T: Send>() {}
    shared::<Condition>();
    moved::<ConditionWait<'_, std::cell::Cell<u32>>>();
    moved::<ConditionWaitOwned<'_, std::cell::Cell<u32>>>();
};
