//! Where a worker looks for its next task, and in which order.

use crate::chaos::INSOMNIA;
use crate::seat::{Local, Seat};
use kasasagi_primitive::chaos;
use kasasagi_primitive::deque::Steal;
use kasasagi_primitive::sync::atomic::Ordering;
use kasasagi_task::Runnable;

/// How long a thief waits for an answer to its question, in turns of a spin: a microsecond or two. Who polls for
/// longer loses no race for its queue, and is stolen from.
const ASK_SPINS: usize = if kasasagi_primitive::MODEL { 1 } else { 64 };

/// The most tasks one look takes out of the injector when there is nothing else to do.
const INJECT_LIMIT: usize = 32;

impl Local {
    /// The next task of this seat's own.
    #[inline]
    pub(crate) fn next(&self) -> Option<Runnable> {
        let left = self.lifo_left.get();
        if left > 0 {
            if let Some(task) = self.upcoming.take() {
                self.lifo_left.set(left - 1);
                return Some(task);
            }
            if let Some(task) = self.seat().slot.take() {
                self.lifo_left.set(left - 1);
                return Some(task);
            }
        }
        self.lifo_left.set(self.shared.config.lifo_limit);
        // Pinned tasks have every second turn of the queues, so that neither kind starves the other. By the
        // poll count's parity it would not do: turns of the slot in between can give one kind all the even ones.
        if self.pinned_turn.replace(!self.pinned_turn.get()) && !self.pinned.is_empty() {
            return self.pinned.pop();
        }
        if let Some(task) = self.core.deque.pop() {
            self.count_for_the_late();
            return Some(task);
        }
        // Nothing is queued that the late could wait for; thieves may have taken it.
        self.pinned.append(&self.late);
        self.seat().slot.take().or_else(|| self.pinned.pop())
    }

    /// A pinned task that is to wait for all that is queued now, as if it went behind it.
    pub(crate) fn push_late(&self, task: Runnable) {
        if self.late.is_empty() {
            let queued = self.core.deque.len();
            if queued == 0 {
                return self.pinned.push(task);
            }
            self.late_after.set(queued);
        }
        self.late.push(task);
    }

    /// One of those has had its turn for which the late wait.
    #[inline]
    fn count_for_the_late(&self) {
        if !self.late.is_empty() {
            let left = self.late_after.get().saturating_sub(1);
            self.late_after.set(left);
            if left == 0 {
                self.pinned.append(&self.late);
            }
        }
    }

    /// A task from elsewhere: the inbox, the injector, the other seats.
    pub(crate) fn find(&self) -> Option<Runnable> {
        self.empty_inbox();
        if let Some(task) = self.pinned.pop() {
            return Some(task);
        }
        if let Some(task) = self.take_injected(INJECT_LIMIT) {
            return Some(task);
        }
        let seats = self.shared.seats.len();
        if seats == 1 {
            return None;
        }
        if !self.searching.get() {
            // Between two helpings of others' tasks: were they worth it?
            if self.helps.get() && !self.was_idle.get() && self.judge(false) {
                self.futile.set(true);
            }
            if self.futile.get() || !self.shared.idle.try_search(seats) {
                return None;
            }
            self.searching.set(true);
            // Also for a seat that ran a task just now: who finds work is no searcher any more, or nobody
            // would be woken for as long as it runs.
            self.was_idle.set(true);
        }
        // Two rounds: the first may only have met other thieves.
        (0..2).find_map(|_| self.steal().or_else(|| self.take_injected(INJECT_LIMIT)))
    }

    /// Takes a fair share of the injector, `limit` at most: the first is returned.
    fn take_injected(&self, limit: usize) -> Option<Runnable> {
        self.take_from_injector(self.share_of_injector(limit)?)
    }

    /// Takes a fair share of the injector, `limit` at most, behind what is queued here.
    pub(crate) fn queue_injected(&self, limit: usize) {
        let Some(share) = self.share_of_injector(limit) else { return };
        let injector = &self.shared.injector;
        while injector.steal_batch_with_limit(&self.core.deque, share).is_retry() {
            kasasagi_primitive::hint::spin_loop();
        }
    }

    fn share_of_injector(&self, limit: usize) -> Option<usize> {
        let injector = &self.shared.injector;
        if injector.is_empty() {
            return None;
        }
        Some((injector.len() / self.shared.seats.len() + 1).min(limit))
    }

    fn take_from_injector(&self, limit: usize) -> Option<Runnable> {
        loop {
            let injector = &self.shared.injector;
            match injector.steal_batch_with_limit_and_pop(&self.core.deque, limit) {
                Steal::Success(task) => return Some(task),
                Steal::Empty => return None,
                Steal::Retry => kasasagi_primitive::hint::spin_loop(),
            }
        }
    }

    fn steal(&self) -> Option<Runnable> {
        let seats = self.shared.seats.len();
        let start = (self.next_random() >> 32) as usize % seats;
        let vacant = self.shared.vacant.load(Ordering::Relaxed);
        let limit = self.shared.config.steal_limit;
        let mut faster = None;
        for victim in (start..seats).chain(0..start) {
            if victim == self.index {
                continue;
            }
            let seat = &self.shared.seats[victim];
            if !seat.stealable(vacant & (1 << victim) != 0) {
                continue;
            }
            match seat.stealer.steal_batch_with_limit_and_pop(&self.core.deque, limit) {
                Steal::Success(task) => {
                    self.stole();
                    return Some(task);
                }
                Steal::Retry => faster = Some(seat),
                Steal::Empty => {}
            }
        }
        self.ask(faster?)
    }

    fn stole(&self) {
        self.seat().counters.steals.add(1);
        self.helps.set(true);
    }

    /// Asks a seat whose owner pops faster than this thread can steal to share by itself.
    ///
    /// A steal copies a batch and then moves the front over all of it at once, if the front stands where it
    /// stood. Under an owner with turns of some ten nanoseconds it never does: thieves would go on for ever and
    /// only take the owner's cache line away. The question is a hint: nobody sleeps because of it.
    fn ask(&self, seat: &Seat) -> Option<Runnable> {
        seat.asked.store(true, Ordering::Relaxed);
        for _ in 0..ASK_SPINS {
            if !seat.asked.load(Ordering::Relaxed) {
                let task = self.take_from_injector(self.shared.config.steal_limit);
                if task.is_some() {
                    self.stole();
                }
                return task;
            }
            kasasagi_primitive::hint::spin_loop();
        }
        None
    }

    /// Answers a thief: the first half of the queue goes to the injector.
    #[cold]
    pub(crate) fn share(&self) {
        self.seat().asked.store(false, Ordering::Relaxed);
        let half = self.core.deque.len().div_ceil(2).min(self.shared.config.steal_limit);
        (0..half)
            .map_while(|_| self.core.deque.pop())
            .for_each(|task| self.shared.injector.push(task));
    }

    /// Whether there is work in this seat's own queues. What asks tasks to end may have put one into the slot.
    pub(crate) fn has_own_work(&self) -> bool {
        let seat = self.seat();
        !seat.slot.is_empty()
            || !self.core.deque.is_empty()
            || !self.pinned.is_empty()
            || !self.late.is_empty()
            || !seat.inbox.is_empty()
    }

    /// Whether there is work elsewhere that this seat could take. Looked at once more before it sleeps.
    pub(crate) fn sees_work(&self) -> bool {
        if chaos::one_in(INSOMNIA) {
            return true;
        }
        if self.shared.idle.is_held() {
            // Whoever is awake sees to it.
            return false;
        }
        if !self.shared.injector.is_empty() {
            return true;
        }
        let vacant = self.shared.vacant.load(Ordering::Relaxed);
        self.shared
            .seats
            .iter()
            .enumerate()
            .any(|(i, seat)| i != self.index && seat.stealable(vacant & (1 << i) != 0))
    }
}
