//! Whether it pays that several seats are awake: under a clock that goes on with each poll, by as much as it is told.

use super::held::{MS, clocked, finish, sit_at, sleep_holding};
use super::*;
use crate::worth::{Verdict, Worth};
use kasasagi_task::yield_now;

/// Tasks that yield until they are told to end, each turn of which takes so long.
struct Turns {
    time: AtomicU64,
    is_over: AtomicBool,
}

impl Turns {
    fn of(time: u64) -> Arc<Self> {
        Arc::new(Self { time: AtomicU64::new(time), is_over: AtomicBool::new(false) })
    }
}

async fn take(turns: Arc<Turns>, clock: Arc<AtomicU64>) {
    while !turns.is_over.load(Ordering::Relaxed) {
        clock.fetch_add(turns.time.load(Ordering::Relaxed), Ordering::Relaxed);
        yield_now().await;
    }
}

/// Turns the seats, one after the other, for so long, or until that is no longer to be.
fn turn(seats: &[&Local], clock: &AtomicU64, time: u64, go_on: impl Fn() -> bool) {
    let end = clock.load(Ordering::Relaxed) + time;
    while clock.load(Ordering::Relaxed) < end && go_on() {
        seats.iter().for_each(|local| local.seated(|| local.turn()));
    }
}

/// Two seats that share a hundred tasks of 60 ns, of which it is known what they take alone.
fn sharing() -> (Spawner, Arc<AtomicU64>, Arc<Turns>, [Local; 2]) {
    let (spawner, clock) = clocked(2);
    let seats: [Local; 2] = sit_at(&spawner, &clock);
    let [stayer, helper] = &seats;
    let clock = clock.shared();
    let turns = Turns::of(60);
    stayer.seated(|| {
        for _ in 0..100 {
            spawn(&spawner, take(Arc::clone(&turns), Arc::clone(&clock)));
        }
        // From here on it is no longer idle, and wakes nobody to have the watch.
        stayer.turn();
    });
    sleep_holding(helper);
    turn(&[stayer], &clock, MS / 2, || true);
    spawner.shared.idle.end_hold();
    helper.rise();
    (spawner, clock, turns, seats)
}

fn end_turns<const N: usize>(spawner: &Spawner, turns: &Turns, seats: [Local; N]) {
    turns.is_over.store(true, Ordering::Relaxed);
    finish(spawner, seats);
}

#[test]
fn seats_that_do_less_together_than_one_alone_leave_it_to_one() {
    let (spawner, clock, turns, seats) = sharing();
    let [stayer, helper] = &seats;
    // Two turns in this time are fewer than one alone has in it.
    turns.time.store(90, Ordering::Relaxed);
    turn(&[stayer, helper], &clock, 2 * MS, || !spawner.shared.idle.is_held());
    assert!(spawner.shared.idle.is_held(), "it was found out");
    assert!(helper.seat().counters.read().steals > 0, "it had helped");
    assert_eq!(helper.core.deque.len(), 0, "it leaves nothing that nobody would steal");
    turn(&[stayer], &clock, MS / 2, || true);
    assert_eq!(stayer.core.deque.len(), 100, "the other one has all");
    end_turns(&spawner, &turns, seats);
}

#[test]
fn seats_that_do_more_together_go_on() {
    let (spawner, clock, turns, seats) = sharing();
    let [stayer, helper] = &seats;
    turns.time.store(40, Ordering::Relaxed);
    turn(&[stayer, helper], &clock, 4 * MS, || true);
    assert!(!spawner.shared.idle.is_held());
    assert!(helper.core.deque.len() > 10, "it has its share");
    end_turns(&spawner, &turns, seats);
}

#[test]
fn who_has_tasks_that_nobody_else_may_run_goes_on() {
    let (spawner, clock, turns, seats) = sharing();
    let [stayer, helper] = &seats;
    helper.seated(|| {
        let own = take(Arc::clone(&turns), Arc::clone(&clock));
        drop(helper.spawn_local(Location::caller(), own));
    });
    turns.time.store(90, Ordering::Relaxed);
    turn(&[stayer, helper], &clock, 4 * MS, || true);
    assert!(!spawner.shared.idle.is_held());
    end_turns(&spawner, &turns, seats);
}

#[test]
fn what_one_would_do_alone_is_found_out_where_it_is_not_known() {
    let (spawner, clock) = clocked(2);
    let seats: [Local; 2] = sit_at(&spawner, &clock);
    let [stayer, helper] = &seats;
    let clock = clock.shared();
    let turns = Turns::of(60);
    stayer.seated(|| {
        for _ in 0..100 {
            spawn(&spawner, take(Arc::clone(&turns), Arc::clone(&clock)));
        }
    });
    turn(&[stayer, helper], &clock, 2 * MS, || !spawner.shared.idle.is_held());
    assert!(spawner.shared.idle.is_held(), "one of them is alone for a while");
    let now = clock.load(Ordering::Relaxed);
    assert!(spawner.shared.idle.is_hold_over(now + MS / 2), "and not for long");
    end_turns(&spawner, &turns, seats);
}

#[test]
fn large_steps_are_not_weighed() {
    let small = Config::default().worth_sharing;
    let judge = |step| {
        let worth = Worth::new();
        worth.note(MS, 10 * step, 10);
        // Together they do half of what one does alone.
        worth.judge(2 * MS, 100 * step, 50, small)
    };
    assert_eq!(judge(small / 2), Verdict::Futile);
    assert_eq!(judge(small * 2), Verdict::Pays);
}
