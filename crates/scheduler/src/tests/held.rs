//! What is held together, and when it is no longer: seats turned by hand, under a clock that is set by hand.

use super::*;
use crate::worker::CHECK_MAX;

/// A clock that stands until it is set.
#[derive(Default)]
pub(super) struct Clock(Arc<AtomicU64>);

impl Clock {
    pub(super) fn shared(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.0)
    }
}

impl Driver for Arc<Clock> {
    fn now(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
    fn deadline(&self, _: usize) -> u64 {
        NEVER
    }
    fn fire(&self, _: usize, _: u64, _: usize) -> usize {
        0
    }
    fn look(&self, _: usize) -> usize {
        0
    }
    fn attend(&self, _: u64, _: usize) -> usize {
        0
    }
    fn unpark(&self) {}
}

pub(super) const MS: u64 = 1_000_000;

pub(super) fn clocked(seats: usize) -> (Spawner, Arc<Clock>) {
    let clock = Arc::new(Clock::default());
    clock.0.store(1_000 * MS, Ordering::Relaxed);
    (new(Config::with_seats(seats), Box::new(Arc::clone(&clock))).0, clock)
}

/// Spawns a task of one poll that takes `time`.
fn spawn_of(spawner: &Spawner, clock: &Arc<Clock>, time: u64) {
    let clock = Arc::clone(clock);
    spawn(spawner, async move {
        clock.0.fetch_add(time, Ordering::Relaxed);
    });
}

/// Runs what is left, the seats by turns, and leaves them.
pub(super) fn finish<const N: usize>(spawner: &Spawner, seats: [Local; N]) {
    spawner.close();
    while spawner.live() > 0 {
        seats.iter().for_each(|local| local.seated(|| local.turn()));
    }
    seats.into_iter().for_each(Local::leave);
}

/// Sits down, and has been at work for a while.
pub(super) fn sit_at<const N: usize>(spawner: &Spawner, clock: &Clock) -> [Local; N] {
    let seats = sit(&spawner.shared);
    for local in &seats {
        let local: &Local = local;
        local.last_check.set(clock.0.load(Ordering::Relaxed));
        local.until_check.set(CHECK_MAX);
        local.planned.set(CHECK_MAX);
        local.check_interval.set(CHECK_MAX);
    }
    seats
}

/// Goes to sleep as one that was of no use.
pub(super) fn sleep_holding(local: &Local) {
    let now = local.shared.driver.now();
    local.shared.idle.wake_was_futile(now);
    local.shared.park(local.index, false, true);
    local.was_idle.set(true);
}

/// Wakes by itself, at the end of its limit.
fn wake_at(local: &Local, clock: &Clock, until: u64) {
    clock.0.fetch_max(until, Ordering::Relaxed);
    local.rise();
    local.watch(until);
}

#[test]
fn small_tasks_are_kept_together_once_help_was_of_no_use() {
    let (spawner, clock) = clocked(2);
    let [busy, helper] = sit_at(&spawner, &clock);
    spawner.shared.park(1, false, false);
    helper.was_idle.set(true);
    let small_ones = || busy.seated(|| (0..200).for_each(|_| spawn_of(&spawner, &clock, 50)));
    small_ones();
    assert_eq!(spawner.shared.idle.parked(), 0, "nobody knows that they are small");
    helper.rise();
    while !spawner.shared.idle.is_held() {
        assert!(spawner.live() > 0, "it is judged after what it took at once");
        // It has a limit, and this clock stands meanwhile.
        helper.seated(|| helper.turn());
    }
    assert_eq!(helper.seat().counters.read().steals, 1);
    spawner.shared.park(1, false, false);
    small_ones();
    assert_eq!(spawner.shared.idle.parked(), 1 << 1, "it is left asleep");
    busy.seated(|| busy.run_until(|| busy.core.deque.is_empty()));
    assert_eq!(helper.seat().counters.read().steals, 1);
    finish(&spawner, [busy, helper]);
}

#[test]
fn what_is_held_and_has_grown_is_shared_at_the_next_look_of_the_watch() {
    let (spawner, clock) = clocked(2);
    let [busy, helper] = sit_at(&spawner, &clock);
    // Small ones until now: it looks outside once in 512 polls.
    sleep_holding(&helper);
    assert!(spawner.shared.idle.is_held());
    let until = helper.watch_until(clock.0.load(Ordering::Relaxed));
    busy.seated(|| {
        (0..100).for_each(|_| spawn_of(&spawner, &clock, MS));
        while clock.0.load(Ordering::Relaxed) < until {
            busy.turn();
        }
    });
    wake_at(&helper, &clock, until);
    helper.seated(|| helper.turn());
    assert_eq!(helper.seat().counters.read().steals, 1, "an idle seat looks on");
    finish(&spawner, [busy, helper]);
}

#[test]
fn what_is_held_and_small_is_not_shared_by_the_watch() {
    let (spawner, clock) = clocked(2);
    let [busy, helper] = sit_at(&spawner, &clock);
    sleep_holding(&helper);
    let until = helper.watch_until(clock.0.load(Ordering::Relaxed));
    busy.seated(|| {
        // Nothing outside, and no end of the hold, meets them on the way.
        busy.check_interval.set(u32::MAX);
        busy.until_check.set(u32::MAX);
        (0..50_000).for_each(|_| spawn_of(&spawner, &clock, 100));
        while clock.0.load(Ordering::Relaxed) < until {
            busy.turn();
        }
        (0..100).for_each(|_| spawn_of(&spawner, &clock, 100));
    });
    spawner.shared.idle.wake_was_futile(until);
    wake_at(&helper, &clock, until);
    assert!(spawner.shared.idle.is_held());
    busy.seated(|| busy.run_until(|| busy.core.deque.is_empty()));
    finish(&spawner, [busy, helper]);
}

#[test]
fn who_is_woken_for_a_timer_of_a_vacant_seat_is_not_judged() {
    let spawner = scheduler(3);
    let [vacant, busy, sleeper] = sit(&spawner.shared);
    vacant.leave();
    spawner.shared.park(2, false, false);
    spawner.shared.hurry(0);
    assert_eq!(spawner.shared.idle.parked(), 0, "the sleeper has it in view");
    sleeper.rise();
    sleeper.was_idle.set(true);
    assert!(!sleeper.judge(true), "it was not called for tasks");
    finish(&spawner, [busy, sleeper]);
}

#[test]
fn a_small_task_from_outside_says_nothing_about_what_the_others_have() {
    let (spawner, clock) = clocked(2);
    let [busy, helper] = sit_at(&spawner, &clock);
    busy.seated(|| (0..10).for_each(|_| spawn_of(&spawner, &clock, MS)));
    spawner.shared.park(1, false, false);
    // Woken for it; there is more in a queue.
    spawn_of(&spawner, &clock, 100);
    helper.rise();
    helper.was_idle.set(true);
    helper.seated(|| (0..2).for_each(|_| helper.turn()));
    assert_eq!(helper.seat().counters.read().steals, 1, "it looks on");
    assert!(!spawner.shared.idle.is_held());
    finish(&spawner, [busy, helper]);
}

#[test]
fn what_came_from_outside_while_it_was_held_wakes_a_seat_when_the_hold_is_over() {
    let (spawner, clock) = clocked(4);
    let [busy, first, second, third] = sit_at(&spawner, &clock);
    for helper in [&second, &third] {
        spawner.shared.park(helper.index, false, false);
    }
    // The watch is somebody's already: it would wake a sleeper too.
    assert!(spawner.shared.idle.try_watch());
    sleep_holding(&first);
    (0..3).for_each(|_| spawn_of(&spawner, &clock, MS));
    assert_eq!(spawner.shared.idle.searchers(), 0, "nobody is woken while it is held");
    clock.0.fetch_add(2 * MS, Ordering::Relaxed);
    busy.until_check.set(1);
    busy.seated(|| busy.turn());
    assert!(!spawner.shared.idle.is_held());
    assert_eq!(spawner.shared.idle.searchers(), 1, "somebody is woken for the others");
    finish(&spawner, [busy, first, second, third]);
}

#[test]
fn looks_come_by_time_and_not_by_polls() {
    // Looks are 25 to 100 µs apart, with 8 to 512 polls between two.
    let cases = [(20, 512, 512), (100, 250, 512), (1_000, 25, 100), (100_000, 8, 8)];
    for (time, least, most) in cases {
        let (spawner, clock) = clocked(1);
        let [local] = sit_at(&spawner, &clock);
        let polls = |n: u64| {
            for _ in 0..n {
                local.seated(|| {
                    spawn_of(&spawner, &clock, time);
                    local.turn();
                });
            }
            local.seat().counters.read().checks
        };
        let settled = polls(2_048);
        let looks = polls(51_200) - settled;
        let apart = 51_200 / looks;
        assert!((least..=most).contains(&apart), "{apart} polls of {time} ns between two looks");
        finish(&spawner, [local]);
    }
}
