//! Many threads, many schedulers, a seed: whatever is spawned ends, and is counted.
//!
//! `KASASAGI_STRESS_SECS` says for how long (2), `KASASAGI_STRESS_SEED` repeats the choices of a run, though not
//! its interleaving. If nothing ends for 20 s, the schedulers' counters are printed and the process is aborted.

use kasasagi_scheduler::{Config, NoDriver, Spawner, new};
use kasasagi_task::{Attributes, Task, yield_now};
use std::panic::Location;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, JoinHandle, Thread};
use std::time::{Duration, Instant, SystemTime};

/// How long nothing may end before this is taken for a hang.
const HANG: Duration = Duration::from_secs(20);

/// xorshift64.
#[derive(Clone)]
struct Dice(u64);

impl Dice {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn roll(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % below
    }
}

/// What was made and what is gone, over all rounds.
#[derive(Default)]
struct Tally {
    made: AtomicU64,
    gone: AtomicU64,
    finished: AtomicU64,
}

struct Guard(Arc<Tally>);

impl Guard {
    fn new(tally: &Arc<Tally>) -> Self {
        tally.made.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(tally))
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.gone.fetch_add(1, Ordering::Relaxed);
    }
}

/// A scheduler with its threads, a caretaker among them.
struct House {
    spawner: Spawner,
    workers: Vec<JoinHandle<()>>,
    caretaker: JoinHandle<()>,
    /// Called, over.
    bell: Arc<(Mutex<(bool, bool)>, Condvar)>,
}

impl House {
    fn new(seats: usize, seed: u64) -> Self {
        let bell = Arc::new((Mutex::new((false, false)), Condvar::new()));
        let mut config = Config::with_seats(seats);
        config.seed = seed;
        let ring = Arc::clone(&bell);
        config.on_vacant = Some(Arc::new(move || {
            ring.0.lock().expect("no panic").0 = true;
            ring.1.notify_one();
        }));
        let (spawner, workers) = new(config, Box::new(NoDriver::new()));
        let workers = workers.into_iter().map(|worker| thread::spawn(|| worker.run())).collect();
        let (care, called) = (spawner.clone(), Arc::clone(&bell));
        let caretaker = thread::spawn(move || {
            loop {
                let mut state = called.0.lock().expect("no panic");
                while !state.0 && !state.1 {
                    state = called.1.wait(state).expect("no panic");
                }
                if !state.0 {
                    return;
                }
                state.0 = false;
                drop(state);
                care.caretake();
            }
        });
        Self { spawner, workers, caretaker, bell }
    }

    /// Runs `future` in the front seat.
    fn run<F: Future>(&self, future: F) -> F::Output {
        let seat = self.spawner.enter().expect("only the caretaker sits there");
        seat.run_until(Location::caller(), Attributes::default(), future).expect("main ends")
    }

    fn end(self) {
        self.spawner.close();
        self.spawner.enter().expect("only the caretaker sits there").drain(|| false);
        for worker in self.workers {
            worker.join().expect("a worker does not panic");
        }
        self.bell.0.lock().expect("no panic").1 = true;
        self.bell.1.notify_one();
        self.caretaker.join().expect("the caretaker does not panic");
        let metrics = self.spawner.metrics();
        let spawned = metrics.seats.iter().map(|seat| seat.spawned).sum::<u64>();
        let completed = metrics.seats.iter().map(|seat| seat.completed).sum::<u64>();
        assert_eq!(spawned + metrics.spawned_outside, completed, "{metrics:?}");
        assert_eq!(metrics.live, 0);
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn block_on<F: Future>(future: F) -> F::Output {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        thread::park();
    }
}

/// What tasks need to make more.
#[derive(Clone)]
struct World {
    here: Spawner,
    there: Spawner,
    wakers: Sender<Waker>,
    tally: Arc<Tally>,
}

impl World {
    fn spawn(&self, mut dice: Dice, depth: u64) -> Task<()> {
        let guard = Guard::new(&self.tally);
        let world = self.clone();
        dice.roll(2);
        self.here.spawn(Location::caller(), async move {
            let tally = Arc::clone(&world.tally);
            let _guard = guard;
            Box::pin(world.live(dice, depth)).await;
            tally.finished.fetch_add(1, Ordering::Relaxed);
        })
    }

    async fn live(self, mut dice: Dice, depth: u64) {
        let seed = dice.roll(u64::MAX);
        match dice.roll(if depth == 0 { 5 } else { 8 }) {
            0 => {}
            1 => {
                for _ in 0..dice.roll(20) {
                    yield_now().await;
                }
            }
            2 => self.foreign_wake().await,
            3 => {
                for _ in 0..dice.roll(3) {
                    self.foreign_wake().await;
                    yield_now().await;
                }
            }
            // A long poll now and then.
            4 => thread::sleep(Duration::from_micros(dice.roll(16).saturating_sub(12) * 100)),
            5 => {
                let children: Vec<_> =
                    (0..dice.roll(6)).map(|i| self.spawn(Dice::new(seed ^ i), depth - 1)).collect();
                for child in children {
                    child.await.expect("nobody cancels it");
                }
            }
            6 => {
                let World { here, there, .. } = self.clone();
                let other = World { here: there, there: here, ..self };
                other.spawn(Dice::new(seed), depth - 1).await.expect("nobody cancels it");
            }
            _ => {
                let guard = Guard::new(&self.tally);
                let waits = self.here.spawn(Location::caller(), async move {
                    let _guard = guard;
                    std::future::pending::<()>().await;
                });
                if dice.roll(2) == 0 {
                    yield_now().await;
                }
                waits.cancel();
                assert!(waits.await.is_err_and(|error| error.is_cancelled()));
            }
        }
    }

    /// Waits until a thread outside has woken this task.
    async fn foreign_wake(&self) {
        let mut sent = false;
        std::future::poll_fn(|cx| {
            if sent {
                return Poll::Ready(());
            }
            sent = true;
            self.wakers.send(cx.waker().clone()).expect("the bell rings on");
            Poll::Pending
        })
        .await;
    }
}

fn ring(wakers: &Receiver<Waker>) {
    for (i, waker) in wakers.iter().enumerate() {
        if i % 7 == 0 {
            thread::yield_now();
        }
        waker.wake();
    }
}

fn round(houses: [House; 2], dice: &mut Dice, tally: &Arc<Tally>) {
    let (wakers, bell) = channel();
    let bell = thread::spawn(move || ring(&bell));
    let world = |i: usize| World {
        here: houses[i].spawner.clone(),
        there: houses[1 - i].spawner.clone(),
        wakers: wakers.clone(),
        tally: Arc::clone(tally),
    };
    thread::scope(|scope| {
        for i in 0..2 {
            let (world, seed) = (world(i), dice.roll(u64::MAX));
            scope.spawn(move || {
                let tasks = (0..30).map(|n| world.spawn(Dice::new(seed ^ n), 3));
                for (n, task) in tasks.enumerate() {
                    if n % 3 == 0 {
                        block_on(task.into_future()).expect("nobody cancels it");
                    } else {
                        drop(task);
                    }
                }
            });
        }
        for (i, house) in houses.iter().enumerate() {
            let (world, mut dice) = (world(i), Dice::new(dice.roll(u64::MAX)));
            scope.spawn(move || {
                for _ in 0..4 {
                    let seed = dice.roll(u64::MAX);
                    house.run(async {
                        let tasks: Vec<_> =
                            (0..10).map(|n| world.spawn(Dice::new(seed ^ n), 2)).collect();
                        for (n, task) in tasks.into_iter().enumerate() {
                            if n % 2 == 0 {
                                task.await.expect("nobody cancels it");
                            }
                        }
                    });
                    // Between two runs all may fall asleep, or not.
                    thread::sleep(Duration::from_micros(dice.roll(4) * 50));
                }
            });
        }
    });
    // The detached ones end as well, and without anybody in `run`.
    while houses.iter().any(|house| house.spawner.live() > 0) {
        // It looks now and then: the end of a detached task tells nobody.
        thread::sleep(Duration::from_micros(100));
    }
    drop(wakers);
    bell.join().expect("no panic");
    houses.into_iter().for_each(House::end);
    assert_eq!(tally.made.load(Ordering::Relaxed), tally.gone.load(Ordering::Relaxed));
}

/// Spawns, and closes meanwhile: what was made is gone.
fn round_closed_early(houses: [House; 2], dice: &mut Dice, tally: &Arc<Tally>) {
    thread::scope(|scope| {
        for house in &houses {
            let spawner = house.spawner.clone();
            scope.spawn(move || {
                for _ in 0..50 {
                    let guard = Guard::new(tally);
                    drop(spawner.spawn(Location::caller(), async move {
                        let _guard = guard;
                        loop {
                            yield_now().await;
                        }
                    }));
                }
            });
        }
        // Early or late in the spawns.
        thread::sleep(Duration::from_micros(dice.roll(300)));
        houses.into_iter().for_each(House::end);
    });
    assert_eq!(tally.made.load(Ordering::Relaxed), tally.gone.load(Ordering::Relaxed));
}

/// Aborts with the counters if nothing ends for long.
fn guard_against_hangs(tally: Arc<Tally>, current: Arc<Mutex<Vec<Spawner>>>, seed: u64) {
    thread::spawn(move || {
        let (mut seen, mut since) = ((0, 0), Instant::now());
        loop {
            // A watch goes by time.
            thread::sleep(Duration::from_millis(100));
            let now = (tally.finished.load(Ordering::Relaxed), tally.gone.load(Ordering::Relaxed));
            if now != seen {
                (seen, since) = (now, Instant::now());
            } else if since.elapsed() > HANG {
                eprintln!(
                    "stress: seed {seed}: nothing has ended for {HANG:?}; finished, gone: {now:?}"
                );
                for spawner in current.lock().expect("no panic").iter() {
                    eprintln!("{:#?}", spawner.metrics());
                    for task in spawner.tasks().iter().take(20) {
                        eprintln!("  {:?}", task.info());
                    }
                }
                std::process::abort();
            }
        }
    });
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().expect("it is a number"))
}

#[test]
fn whatever_is_spawned_ends() {
    let seed = number("KASASAGI_STRESS_SEED").unwrap_or_else(|| {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        now.expect("it is after 1970").as_nanos() as u64
    });
    let secs = Duration::from_secs(number("KASASAGI_STRESS_SECS").unwrap_or(2));
    println!("stress: KASASAGI_STRESS_SEED={seed}");
    let (tally, current) = (Arc::new(Tally::default()), Arc::default());
    guard_against_hangs(Arc::clone(&tally), Arc::clone(&current), seed);
    let (mut dice, start, mut rounds) = (Dice::new(seed), Instant::now(), 0);
    while start.elapsed() < secs || rounds == 0 {
        let mut house = || House::new(1 << dice.roll(4), dice.roll(u64::MAX));
        let houses = [house(), house()];
        *current.lock().expect("no panic") =
            houses.iter().map(|house| house.spawner.clone()).collect();
        if rounds % 4 == 3 {
            round_closed_early(houses, &mut dice, &tally);
        } else {
            round(houses, &mut dice, &tally);
        }
        rounds += 1;
    }
    println!(
        "stress: {rounds} rounds, {} tasks, {} ran to their end",
        tally.made.load(Ordering::Relaxed),
        tally.finished.load(Ordering::Relaxed)
    );
}
