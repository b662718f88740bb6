//! Seats turned by hand on one thread, so that each step of a race is a line.

use crate::driver::{Driver, NEVER};
use crate::seat::Local;
use crate::shared::Shared;
use crate::{Config, NoDriver, Spawner, new};
use kasasagi_primitive::sync::{Arc, Mutex};
use std::future::poll_fn;
use std::panic::Location;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::task::{Poll, Waker};

mod held;
mod worth;

fn scheduler(seats: usize) -> Spawner {
    new(Config::with_seats(seats), Box::new(NoDriver::new())).0
}

fn sit<const N: usize>(shared: &Arc<Shared>) -> [Local; N] {
    std::array::from_fn(|i| Local::take(shared, i).expect("nobody sits here"))
}

/// Ends what the seats hold, and leaves them.
fn end(spawner: &Spawner, seats: impl IntoIterator<Item = Local>) {
    spawner.close();
    for local in seats {
        local.seated(|| local.run_until(|| local.closing.get() && local.shared.live() == 0));
        local.leave();
    }
}

fn spawn(spawner: &Spawner, future: impl Future<Output = ()> + Send + 'static) {
    drop(spawner.spawn(Location::caller(), future));
}

#[test]
fn a_busy_seat_that_steals_is_no_searcher_while_it_runs() {
    let spawner = scheduler(2);
    let [victim, thief] = sit(&spawner.shared);
    let searching = Arc::new(AtomicUsize::new(usize::MAX));
    // It has run a task, and so does not come from its sleep.
    spawn(&spawner, async {});
    thief.seated(|| thief.turn());
    victim.seated(|| {
        for _ in 0..4 {
            let (searching, shared) = (Arc::clone(&searching), Arc::clone(&spawner.shared));
            spawn(&spawner, async move {
                searching.store(shared.idle.searchers(), Ordering::Relaxed);
            });
        }
    });
    thief.seated(|| thief.turn());
    assert_eq!(thief.seat().counters.read().steals, 1);
    assert_eq!(searching.load(Ordering::Relaxed), 0, "pushes wake nobody while one searches");
    end(&spawner, [victim, thief]);
}

#[test]
fn who_leaves_a_seat_searches_and_watches_no_more() {
    let spawner = scheduler(3);
    let [front, _runs, sleeper] = sit(&spawner.shared);
    // It goes to sleep while others run, and takes the watch.
    spawner.shared.park(0, false, false);
    let _ = front.watch_until(0);
    assert!(spawner.shared.idle.is_watched());
    // It is woken for work, and asked to leave before it looks.
    spawner.shared.park(2, false, false);
    assert_eq!(spawner.shared.idle.choose(), Some(0));
    front.rise();
    front.leave();
    assert!(!spawner.shared.idle.is_watched());
    // The sleeper was woken as the heir of the watch, and so searches; the one that left does not.
    assert_eq!(spawner.shared.idle.parked(), 0);
    assert_eq!(spawner.shared.idle.searchers(), 1);
    sleeper.rise();
    sleeper.leave();
    assert_eq!(spawner.shared.idle.searchers(), 0);
}

#[test]
fn the_watch_goes_on_to_a_sleeper_without_limit_however_recent_the_last_time() {
    let spawner = scheduler(3);
    let idle = &spawner.shared.idle;
    let [_runs, first, second] = sit(&spawner.shared);
    // Both sleep without limit, since the watch was passed on last long ago.
    spawner.shared.last_watch.store(1, Ordering::Relaxed);
    spawner.shared.park(2, false, false);
    idle.stop_watching();
    spawner.shared.park(1, false, false);
    let late = 1_000_000_000;
    assert!(first.watch_until(late) < NEVER, "the first has the watch");
    assert_eq!(second.watch_until(late), NEVER);
    // Somebody passes it on just now; then the first finds work.
    spawner.shared.last_watch.store(late, Ordering::Relaxed);
    first.rise();
    first.last_check.set(late + 1);
    first.leave_idle();
    assert_eq!(idle.parked(), 0, "the second is woken, and will watch");
    // Was there one that looks again by itself, it would do.
    second.rise();
    second.leave_idle();
    spawner.shared.park(2, false, false);
    assert!(idle.try_watch());
    assert!(second.watch_until(late + 2) < NEVER);
    idle.stop_watching();
    first.leave_idle();
    assert_eq!(idle.parked(), 1 << 2, "nobody is woken for nothing");
}

#[test]
fn a_task_woken_on_the_way_to_sleep_keeps_its_seat_awake() {
    let spawner = scheduler(2);
    let [first, second] = sit(&spawner.shared);
    second.seated(|| second.turn());
    spawner.close();
    first.seated(|| first.turn());
    // The second has not seen the close yet, and its task is not cancelled when the first has.
    second.seated(|| {
        spawn(&spawner, std::future::pending());
        second.turn();
    });
    assert_eq!(spawner.live(), 1);
    // It cancels the task on its way to sleep, and so has it in its slot.
    first.seated(|| first.turn());
    assert_eq!(first.seat().counters.read().parks, 0);
    first.seated(|| first.turn());
    assert_eq!(spawner.live(), 0);
    end(&spawner, [first, second]);
}

/// Tells that it was dropped, and so whether the scheduler's memory is gone.
struct Watched(Arc<AtomicBool>);

impl Driver for Watched {
    fn now(&self) -> u64 {
        1
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

impl Drop for Watched {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_scheduler_outlives_its_handles_while_a_task_has_not_ended() {
    for ends in [true, false] {
        let gone = Arc::new(AtomicBool::new(false));
        let (spawner, workers) = new(Config::with_seats(2), Box::new(Watched(Arc::clone(&gone))));
        let waker = Arc::new(std::sync::Mutex::new(None::<Waker>));
        let slot = Arc::clone(&waker);
        spawn(
            &spawner,
            std::future::poll_fn(move |cx| {
                *slot.lock().expect("no panic") = Some(cx.waker().clone());
                if ends { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
            }),
        );
        let seat = spawner.enter().expect("nobody else runs");
        seat.drain(|| waker.lock().expect("no panic").is_some());
        drop(seat);
        drop((spawner, workers));
        assert_eq!(gone.load(Ordering::Relaxed), ends);
        // It goes to the injector of a scheduler that nobody runs, or nowhere.
        waker.lock().expect("no panic").take().expect("it was polled").wake();
    }
}

/// A timer of seat 0.
struct OneTimer(AtomicU64);

impl Driver for OneTimer {
    fn now(&self) -> u64 {
        1
    }
    fn deadline(&self, seat: usize) -> u64 {
        if seat == 0 { self.0.load(Ordering::Relaxed) } else { NEVER }
    }
    fn fire(&self, _: usize, _: u64, _: usize) -> usize {
        self.0.store(NEVER, Ordering::Relaxed);
        1
    }
    fn look(&self, _: usize) -> usize {
        0
    }
    fn attend(&self, _: u64, _: usize) -> usize {
        0
    }
    fn unpark(&self) {}
}

#[test]
fn the_caretaker_fires_the_timers_of_threads_without_a_seat() {
    let (spawner, _) = new(Config::with_seats(1), Box::new(OneTimer(AtomicU64::new(1))));
    spawner.caretake();
    assert_eq!(spawner.driver().deadline(0), NEVER);
}

/// A clock set by hand, and a timer of seat 0: when it is due, and when it was fired.
#[derive(Default)]
struct ByHand {
    now: AtomicU64,
    due: AtomicU64,
    fired: AtomicU64,
    waker: Mutex<Option<Waker>>,
}

struct HandDriver(Arc<ByHand>);

impl Driver for HandDriver {
    fn now(&self) -> u64 {
        self.0.now.load(Ordering::Relaxed)
    }
    fn deadline(&self, _: usize) -> u64 {
        self.0.due.load(Ordering::Relaxed)
    }
    fn fire(&self, _: usize, now: u64, _: usize) -> usize {
        self.0.due.store(NEVER, Ordering::Relaxed);
        self.0.fired.store(now, Ordering::Relaxed);
        self.0.waker.lock().take().into_iter().for_each(Waker::wake);
        1
    }
    fn look(&self, _: usize) -> usize {
        0
    }
    fn attend(&self, _: u64, _: usize) -> usize {
        0
    }
    fn unpark(&self) {}
}

#[test]
fn timers_wait_for_one_poll_of_a_seat_whose_polls_are_long() {
    let poll = 50_000;
    for due in [1_010_000, 1_049_000, 1_234_567, 2_000_000] {
        let hand = Arc::new(ByHand::default());
        hand.due.store(due, Ordering::Relaxed);
        let driver = Box::new(HandDriver(Arc::clone(&hand)));
        let (spawner, _) = new(Config::with_seats(1), driver);
        let [local] = sit(&spawner.shared);
        let clock = Arc::clone(&hand);
        spawn(&spawner, async move {
            while clock.fired.load(Ordering::Relaxed) == 0 {
                clock.now.fetch_add(poll, Ordering::Relaxed);
                kasasagi_task::yield_now().await;
            }
        });
        local.seated(|| local.run_until(|| spawner.live() == 0));
        let late = hand.fired.load(Ordering::Relaxed) - due;
        assert!(late < poll, "a timer due at {due} was late by {late}");
        end(&spawner, [local]);
    }
}

#[test]
fn who_waits_for_a_timer_is_next_when_it_is_due() {
    let poll = 50_000;
    let hand = Arc::new(ByHand::default());
    hand.due.store(NEVER, Ordering::Relaxed);
    let (spawner, _) = new(Config::with_seats(1), Box::new(HandDriver(Arc::clone(&hand))));
    let [local] = sit(&spawner.shared);
    let woken = Arc::new(AtomicU64::new(0));
    let (clock, ran) = (Arc::clone(&hand), Arc::clone(&woken));
    spawn(&spawner, async move {
        poll_fn(|cx| {
            if clock.fired.load(Ordering::Relaxed) != 0 {
                return Poll::Ready(());
            }
            *clock.waker.lock() = Some(cx.waker().clone());
            clock.due.store(1_000_000, Ordering::Relaxed);
            Poll::Pending
        })
        .await;
        ran.store(clock.now.load(Ordering::Relaxed), Ordering::Relaxed);
    });
    for _ in 0..4 {
        let (clock, ran) = (Arc::clone(&hand), Arc::clone(&woken));
        spawn(&spawner, async move {
            while ran.load(Ordering::Relaxed) == 0 {
                clock.now.fetch_add(poll, Ordering::Relaxed);
                kasasagi_task::yield_now().await;
            }
        });
    }
    local.seated(|| local.run_until(|| spawner.live() == 0));
    let late = woken.load(Ordering::Relaxed) - 1_000_000;
    assert!(late <= poll, "late by {late}, with four others queued");
    end(&spawner, [local]);
}

#[test]
fn a_seat_that_is_asked_shares_half_of_its_queue_after_the_turn() {
    let spawner = scheduler(2);
    let [asked, thief] = sit(&spawner.shared);
    asked.seated(|| (0..9).for_each(|_| spawn(&spawner, async {})));
    // As a thief does that lost the race for the front.
    asked.seat().asked.store(true, Ordering::Relaxed);
    asked.seated(|| asked.turn());
    assert!(!asked.seat().asked.load(Ordering::Relaxed), "it is answered once");
    assert_eq!((asked.core.deque.len(), spawner.shared.injector.len()), (4, 4));
    asked.seated(|| asked.turn());
    assert_eq!(spawner.shared.injector.len(), 4);
    end(&spawner, [asked, thief]);
}
