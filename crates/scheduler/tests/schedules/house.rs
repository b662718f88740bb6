//! A scheduler with its threads, and a driver whose clock somebody sets.

use super::*;
use kasasagi_reactor::{Clock, Reactor};
use std::time::Duration;

/// Seats of the large models: four times what loom can explore.
pub(super) const SEATS: usize = 8;

/// A place for one to wait; timers, where a model has them, by a clock that stands still until it is set.
#[derive(Clone, Default)]
pub(super) struct Shared(Arc<Still>);

#[derive(Default)]
struct Still {
    attended: Mutex<()>,
    /// Unparked, and how often the clock was set.
    state: Mutex<(bool, u64)>,
    changed: Condvar,
    reactor: Option<Reactor>,
}

impl Driver for Shared {
    fn now(&self) -> u64 {
        self.0.reactor.as_ref().map_or(1, |reactor| reactor.now().max(1))
    }
    fn deadline(&self, seat: usize) -> u64 {
        self.0.reactor.as_ref().map_or(NEVER, |reactor| reactor.deadline(seat))
    }
    fn fire(&self, seat: usize, now: u64, max: usize) -> usize {
        self.0.reactor.as_ref().map_or(0, |reactor| reactor.fire_some(seat, now, max))
    }
    fn look(&self, _: usize) -> usize {
        0
    }
    fn attend(&self, until: u64, _: usize) -> usize {
        let _alone = self.0.attended.try_lock().expect("at most one attends");
        let mut state = self.0.state.lock();
        while !state.0 && (self.0.reactor.is_none() || self.now() < until) {
            self.0.changed.wait(&mut state);
        }
        state.0 = false;
        0
    }
    fn unpark(&self) {
        self.0.state.lock().0 = true;
        self.0.changed.notify_one();
    }
}

/// A scheduler, a thread a seat but the first, and the timers if there are any.
pub(super) struct House {
    pub(super) spawner: Spawner,
    driver: Shared,
    workers: Vec<JoinHandle<()>>,
}

impl House {
    pub(super) fn new(seats: usize) -> Self {
        Self::with(seats, Still::default())
    }

    /// With timers; the clock is set by `advance` alone.
    pub(super) fn with_timers(seats: usize) -> Self {
        let reactor = Reactor::with_clock(seats, Clock::manual()).expect("a reactor can be made");
        Self::with(seats, Still { reactor: Some(reactor), ..Still::default() })
    }

    fn with(seats: usize, driver: Still) -> Self {
        let driver = Shared(Arc::new(driver));
        let (spawner, workers) = new(Config::with_seats(seats), Box::new(driver.clone()));
        if let Some(reactor) = &driver.0.reactor {
            (0..seats).for_each(|seat| reactor.timers().bind(seat, spawner.waker_of(seat)));
        }
        let workers = workers
            .into_iter()
            .map(|worker| {
                let driver = driver.clone();
                thread::spawn(move || {
                    let seat = worker.index();
                    let _timers = driver.0.reactor.as_ref().map(|r| r.timers().enter(Some(seat)));
                    worker.run();
                })
            })
            .collect();
        Self { spawner, driver, workers }
    }

    /// Runs `future` in the front seat.
    pub(super) fn run<F: Future>(&self, future: F) -> F::Output {
        let seat = self.spawner.enter().expect("only the caretaker sits there");
        let _timers = self.driver.0.reactor.as_ref().map(|r| r.timers().enter(Some(0)));
        seat.run_until(Location::caller(), Attributes::default(), future).expect("main ends")
    }

    /// What sets the clock.
    pub(super) fn time(&self) -> Time {
        Time(Arc::clone(&self.driver.0))
    }

    /// Closes, drains, and waits for the workers: that this ends is half of what a model shows.
    pub(super) fn end(self) {
        self.spawner.close();
        self.spawner.enter().expect("only the caretaker sits there").drain(|| false);
        for worker in self.workers {
            worker.join().expect("a worker does not panic");
        }
        let metrics = self.spawner.metrics();
        let spawned = metrics.seats.iter().map(|seat| seat.spawned).sum::<u64>();
        let completed = metrics.seats.iter().map(|seat| seat.completed).sum::<u64>();
        assert_eq!(spawned + metrics.spawned_outside, completed, "{metrics:?}");
        assert_eq!(metrics.live, 0);
        if let Some(reactor) = &self.driver.0.reactor {
            assert_eq!(reactor.timers().waiting(), 0, "a timer is left");
            reactor.close();
        }
    }

    /// As `end`, while threads that spawn are under way; they are waited for last.
    pub(super) fn end_amid(self, strangers: Vec<JoinHandle<()>>) {
        let spawner = self.spawner.clone();
        spawner.close();
        spawner.enter().expect("only the caretaker sits there").drain(|| false);
        strangers.into_iter().for_each(|stranger| stranger.join().expect("no panic"));
        self.end();
    }

    pub(super) fn spawn<F>(&self, ledger: &Arc<Ledger>, future: F) -> Task<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        spawn(&self.spawner, ledger, future)
    }
}

/// Spawns a future that watches how it is treated.
pub(super) fn spawn<F>(spawner: &Spawner, ledger: &Arc<Ledger>, future: F) -> Task<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    spawner.spawn(Location::caller(), Probe::new(ledger, future))
}

/// Sets the clock of a house.
pub(super) struct Time(Arc<Still>);

impl Time {
    /// Time passes: seats with due timers are told, and who attends comes back if its moment has come.
    pub(super) fn advance(&self, time: Duration) {
        let reactor = self.0.reactor.as_ref().expect("a house with timers");
        reactor.timers().clock().advance(time);
        self.0.state.lock().1 += 1;
        self.0.changed.notify_all();
    }
}
