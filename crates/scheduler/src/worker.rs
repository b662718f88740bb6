//! The loop of a seat: find a task, run it, look outside from time to time, sleep.

use crate::chaos::{REQUEUE, SPURIOUS};
use crate::driver::NEVER;
use crate::idle::Risen;
use crate::seat::{Help, Local, Wakes};
use crate::shared::{Keeper, Shared};
use kasasagi_primitive::MODEL;
use kasasagi_primitive::chaos::{self, CHAOS};
use kasasagi_primitive::sync::Arc;
use kasasagi_primitive::sync::atomic::Ordering;
use kasasagi_primitive::task_context;
use kasasagi_primitive::tell::tell;
use kasasagi_task::{Joiner, Ran, Runnable};

/// Events that a busy worker takes at a look, and one that attends takes at once: a busy worker's queue must
/// not be flooded in front of what it has (tokio learned this with 1,024 into a ring of 256).
const LOOK_EVENTS: usize = 64;
const ATTEND_EVENTS: usize = 256;

/// Timers that a worker with nothing else to do fires at once. One that is busy fires as many as it has polled tasks
/// since it looked last: so its queue does not grow by timers faster than it shrinks.
pub(crate) const FIRED_IDLE: usize = 512;

/// Polls between two looks outside; adapted within these bounds to the time they take.
const CHECK_MIN: u32 = 8;
pub(crate) const CHECK_MAX: u32 = 512;
/// The most of them before the first look after a sleep.
const CHECK_AWAKE: u32 = 16;

/// How soon a check may follow another for the sake of a timer: it takes some 0.5 µs.
const CHECK_SPACING: u64 = 25_000;

/// Tasks a busy worker takes out of the injector at a check.
const CHECK_INJECTED: usize = 8;

/// So few polls of others' tasks do not tell how large their tasks are.
const FEW: u64 = 8;

/// The time between two trims of a seat's heap: what was not used in between goes back to the system.
const TRIM_PERIOD: u64 = 50_000_000;

/// Trims in a row by a seat that has nothing to do: the first marks what is empty, the second gives it back.
pub(crate) const TRIMS: u32 = 2;

/// How long a seat sleeps at most while the scheduler drains, before it looks again for tasks to cancel.
const DRAIN_PERIOD: u64 = 5_000_000;

/// Ends the process if the scheduler itself panics while a thread sits in a seat.
struct AbortOnUnwind;

impl Drop for AbortOnUnwind {
    fn drop(&mut self) {
        tell("the scheduler panicked; this is a bug, please report it");
        std::process::abort();
    }
}

/// A seat that a thread may take: `run` lends it the thread.
#[derive(Debug)]
#[must_use = "a seat without a thread runs nothing: call `run` on a thread of its own"]
pub struct Worker {
    shared: Arc<Shared>,
    index: usize,
    _keeper: Arc<Keeper>,
}

impl Worker {
    pub(crate) fn new(shared: Arc<Shared>, keeper: Arc<Keeper>, index: usize) -> Self {
        Self { shared, index, _keeper: keeper }
    }

    /// The number of the seat.
    pub fn index(&self) -> usize {
        self.index
    }

    /// Runs tasks on this thread until the scheduler is closed and no task is left.
    pub fn run(self) {
        let Some(local) = Local::take(&self.shared, self.index) else {
            unreachable!("a seat's worker is made once, and consumed by its run")
        };
        local.seated(|| local.run_until(|| local.closing.get() && local.shared.live() == 0));
        local.leave();
        self.shared.left(self.index);
    }
}

impl Local {
    pub(crate) fn run_until(&self, mut done: impl FnMut() -> bool) {
        // A task may borrow from this thread's stack, and nobody would sit here any more: what is queued and
        // what is pinned would wait for ever.
        let bomb = AbortOnUnwind;
        while !done() {
            self.turn();
        }
        std::mem::forget(bomb);
    }

    /// Runs one task, or sleeps once.
    #[inline]
    pub(crate) fn turn(&self) {
        if CHAOS {
            self.stir();
        }
        let left = self.until_check.get() - 1;
        self.until_check.set(left);
        if left == 0 && self.check() {
            // It has slept, and those who run it may be done.
            return;
        }
        match self.next().or_else(|| self.find()) {
            Some(task) => self.execute(task),
            None => self.sleep(),
        }
    }

    #[inline]
    fn execute(&self, task: Runnable) {
        if self.was_idle.get() {
            self.leave_idle();
        }
        if chaos::one_in(REQUEUE) {
            return self.again(task);
        }
        let pinned = task.pin().is_some();
        let counters = &self.seat().counters;
        counters.polls.add(1);
        let spurious = chaos::one_in(SPURIOUS).then(|| task.waker());
        let ran = task.run();
        if let Some(waker) = spurious {
            waker.wake();
        }
        match ran {
            Ran::Pending => {}
            Ran::Requeue(task) => self.again(task),
            Ran::Complete(joiner) => {
                counters.completed.add(1);
                if pinned {
                    self.pinned_live.set(self.pinned_live.get() - 1);
                }
                if !joiner.is_nobody() {
                    self.wake_joiner(joiner);
                }
            }
        }
        let count = self.core.deque.len() + usize::from(!self.seat().slot.is_empty());
        if count >= 2 {
            if self.seat().asked.load(Ordering::Relaxed) {
                self.share();
            }
            self.shared.maybe_wake();
        }
    }

    /// Wakes who awaits a task that has just ended.
    ///
    /// Behind the queue, if there is one: a parent of many awaits them one after the other, and would otherwise have
    /// a turn after each, to wait for the next. When its turn comes, all that were queued before it have ended.
    #[inline]
    fn wake_joiner(&self, joiner: Joiner) {
        let last = self.core.deque.is_empty();
        let wakes = if last { Wakes::Joiner } else { Wakes::LateJoiner };
        self.with_wakes(wakes, || drop(joiner));
    }

    /// From idle to running: no searcher any more, and somebody else has the watch.
    #[cold]
    pub(crate) fn leave_idle(&self) {
        self.was_idle.set(false);
        self.trims_left.set(TRIMS);
        if self.helps.get() {
            let counters = &self.seat().counters;
            self.help.set(Help {
                at: self.shared.driver.now(),
                polls: counters.polls.get(),
                completed: counters.completed.get(),
            });
        }
        if self.searching.replace(false) && self.shared.idle.stop_searching() {
            // Pushes woke nobody while this seat searched: what they left is seen now, after the fence. In the
            // others' queues too, whose owners may not come to the end of their polls for long.
            if self.sees_work() || !self.core.deque.is_empty() {
                self.shared.maybe_wake();
            }
        }
        self.pass_watch_on();
    }

    /// Runs `f`; the tasks that it wakes go where `wakes` says.
    pub(crate) fn with_wakes<R>(&self, wakes: Wakes, f: impl FnOnce() -> R) -> R {
        let before = self.wakes.replace(wakes);
        let result = f();
        self.wakes.set(before);
        result
    }

    /// Fires the timers of this seat, and of those that nobody sits in.
    pub(crate) fn fire_timers(&self, now: u64, max: usize, wakes: Wakes) {
        let driver = &self.shared.driver;
        let mut seats = self.shared.vacant.load(Ordering::Relaxed) | (1 << self.index);
        while seats != 0 {
            let seat = seats.trailing_zeros() as usize;
            seats &= seats - 1;
            if driver.deadline(seat) <= now {
                self.with_wakes(wakes, || driver.fire(seat, now, max));
            }
        }
    }

    /// A busy worker looks outside: timers, events, the inbox, the injector. Says whether it has slept instead.
    #[cold]
    fn check(&self) -> bool {
        let shared = &*self.shared;
        let now = shared.driver.now();
        task_context::set_coarse_now(now);
        let polled = self.planned.get();
        let took = now.saturating_sub(self.last_check.get());
        let poll = self.adapt_interval(now, polled);
        let ends_hold =
            shared.idle.is_held() && (self.deserves_help(poll) || shared.idle.is_hold_over(now));
        if ends_hold {
            shared.idle.end_hold();
        }
        self.seat().counters.checks.add(1);
        self.fire_timers(now, polled as usize, Wakes::Due);
        if !shared.idle.is_attended() {
            self.with_wakes(Wakes::Driver, || shared.driver.look(LOOK_EVENTS));
        }
        self.empty_inbox();
        self.queue_injected(CHECK_INJECTED);
        self.core.heap.collect_some();
        self.plan_check(now, poll);
        // A seat that never sleeps, since its tasks yield, asks them to end here.
        if shared.idle.is_closed() && !self.closing.replace(true) {
            self.cancel_all();
        }
        if self.weigh(now, took, polled) {
            self.step_back();
            return true;
        }
        // Whatever the last wakes found: a queue that is still there after a whole interval is shared. And what was
        // pushed while it was held woke nobody, here and elsewhere.
        if self.core.deque.len() >= 2 || (ends_hold && self.sees_work()) {
            shared.maybe_wake();
        }
        false
    }

    /// Says how long a poll took on average in the interval of `polled` polls that ends now.
    fn adapt_interval(&self, now: u64, polled: u32) -> u64 {
        let target = self.shared.config.check_target;
        let poll = now.saturating_sub(self.last_check.replace(now)) / u64::from(polled);
        let interval = self.check_interval.get();
        let took = poll.saturating_mul(interval.into());
        let next = if took < target / 2 {
            interval * 2
        } else if took > target * 2 {
            interval / 2
        } else {
            interval
        };
        self.check_interval.set(next.clamp(CHECK_MIN, CHECK_MAX));
        poll
    }

    /// The next check comes after an interval, or sooner, when a timer of this seat is due: with polls of 50 µs the
    /// shortest interval is 0.4 ms, and timers would be late by half of it.
    fn plan_check(&self, now: u64, poll: u64) {
        let interval = self.check_interval.get();
        let deadline = self.shared.driver.deadline(self.index);
        // What is due already has been given its share of this check.
        let left = if deadline > now { (deadline - now).max(CHECK_SPACING) } else { NEVER };
        // A clock that is set by hand stands still: polls take no time there.
        let polls = u32::try_from(left / poll.max(1)).unwrap_or(u32::MAX);
        self.plan(interval.min(polls.saturating_add(1)));
    }

    fn plan(&self, polls: u32) {
        let polls = polls - chaos::below(polls);
        self.planned.set(polls);
        self.until_check.set(polls);
    }

    /// Whether what is queued here is worth another worker's wake, if each takes as long as `poll`.
    fn deserves_help(&self, poll: u64) -> bool {
        let config = &self.shared.config;
        let queued = self.core.deque.len() as u64;
        poll >= config.worth_sharing && poll.saturating_mul(queued) >= 2 * config.worth_waking
    }

    /// Nothing to do: waits for somebody's wake, an event or a timer.
    #[cold]
    pub(crate) fn sleep(&self) {
        let shared = &*self.shared;
        let hold = self.judge(true) | self.futile.replace(false);
        if !MODEL {
            self.tell_leaves();
        }
        self.closing.set(shared.idle.is_closed());
        if self.closing.get() {
            self.cancel_all();
            // Of two workers that end the last two tasks at once, one sees that none is left, and tells all: both
            // went through the heaps' locks since, in the scan.
            if shared.live() == 0 {
                return;
            }
        }
        shared.park(self.index, self.searching.replace(false), hold);
        self.was_idle.set(true);
        // A closed flag that was missed above left its token, and the sleep below returns at once.
        if self.has_own_work() || self.sees_work() {
            self.rise();
            // Who saw work that it may not search for waits for those who may.
            kasasagi_primitive::hint::spin_loop();
            return;
        }
        let now = shared.driver.now();
        self.trim_heaps(now);
        let until = self.sleep_until(now);
        self.seat().counters.parks.add(1);
        let still = shared.driver.stands_still();
        if shared.idle.try_attend(self.index) {
            if !(still && self.move_on()) {
                self.with_wakes(Wakes::Driver, || {
                    self.seat().sleeper.attend(&*shared.driver, until, ATTEND_EVENTS)
                });
            }
            if still {
                shared.lull.get_up(self.index);
            }
            shared.idle.leave_driver();
        } else if still {
            self.park_in_lull(now, until);
        } else {
            let _ = self.seat().sleeper.park(now, until);
        }
        self.rise();
        let now = shared.driver.now();
        task_context::set_coarse_now(now);
        // The sleep was no interval; and what comes now may be of another kind than before.
        self.last_check.set(now);
        self.check_interval.set(self.check_interval.get().min(CHECK_AWAKE));
        self.plan(self.check_interval.get());
        shared.idle.hold_again(now);
        if still {
            self.fire_all(FIRED_IDLE);
        } else {
            self.fire_timers(now, FIRED_IDLE, Wakes::Driver);
        }
        self.watch(now);
        // What the driver woke goes to the queue without a wake each: one for all of it.
        if self.core.deque.len() >= 2 {
            shared.maybe_wake();
        }
    }

    pub(crate) fn rise(&self) {
        if self.shared.idle.rise(self.index) == Risen::Searcher {
            self.searching.set(true);
            // Called to look after something it may well find no task; called because all slept it was needed.
            let to_look = self.seat().called_to_look.load(Ordering::Relaxed);
            self.helps.set(!to_look && self.running_others() != 0);
        }
        self.seat().called_to_look.store(false, Ordering::Relaxed);
        if self.relooks.replace(false) {
            self.shared.idle.looks_again(self.index);
        }
    }

    /// Whether this seat was of no use where it was called to help, or helped itself, with others' tasks; `over`: and
    /// there is nothing left to do.
    ///
    /// Then they end at once and are smaller than what it costs to share them, in cache lines that change hands; or all
    /// of it took less time than the wake. They are kept together for a while. A few that are small say nothing about
    /// what else there is: unless it is over, the seat may look on, once.
    pub(crate) fn judge(&self, over: bool) -> bool {
        if !self.helps.get() {
            return false;
        }
        let shared = &*self.shared;
        let now = shared.driver.now();
        let since = self.help.get();
        let counters = &self.seat().counters;
        let polls = counters.polls.get().wrapping_sub(since.polls);
        let ended = counters.completed.get().wrapping_sub(since.completed);
        let helped = now.saturating_sub(since.at);
        // A task that goes on, here, is worth its cache lines in time; one that was polled once is not.
        let small = ended > polls / 4 && helped < polls.saturating_mul(shared.config.worth_sharing);
        let looks_on = small && polls < FEW && !over && !self.looked_on.get();
        self.looked_on.set(looks_on);
        if looks_on {
            return false;
        }
        self.helps.set(false);
        let futile = self.was_idle.get() || small || (over && helped < shared.config.worth_waking);
        if futile {
            shared.idle.wake_was_futile(now)
        } else {
            shared.idle.wake_was_worth_it()
        }
        futile
    }

    fn sleep_until(&self, now: u64) -> u64 {
        let mut until = self.watch_until(now);
        let mut seats = self.shared.vacant.load(Ordering::Relaxed) | (1 << self.index);
        while seats != 0 {
            let seat = seats.trailing_zeros() as usize;
            seats &= seats - 1;
            until = until.min(self.shared.driver.deadline(seat));
        }
        if self.closing.get() || self.leaving.get() {
            until = until.min(now.saturating_add(DRAIN_PERIOD));
        }
        if self.trims_left.get() > 0 {
            until = until.min(self.last_trim.get().saturating_add(TRIM_PERIOD));
        }
        until
    }

    /// Gives memory that a burst left behind back to the system, a while after the burst.
    fn trim_heaps(&self, now: u64) {
        let left = self.trims_left.get();
        if left == 0 || now.saturating_sub(self.last_trim.get()) < TRIM_PERIOD {
            return;
        }
        self.last_trim.set(now);
        self.trims_left.set(left - 1);
        self.core.heap.trim();
        for outside in &self.shared.outsides {
            if let Some(outside) = outside.try_lock() {
                outside.heap.trim();
            }
        }
    }

    /// Asks every task to end: those that were spawned before the close, and those that raced with it.
    pub(crate) fn cancel_all(&self) {
        for task in self.shared.tasks() {
            task.shut(kasasagi_task::SHUTDOWN);
        }
    }
}
