//! Channels and cells under many threads: nothing lost, nothing doubled, nothing out of order.

use crate::{block_on, time};
use kasasagi_sync::broadcast::RecvError;
use kasasagi_sync::{OnceCell, RateWindow, broadcast, oneshot, watch};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

/// The dice of a thread.
struct Dice(u64);

impl Dice {
    fn one_in(&mut self, n: u64) -> bool {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n == 0
    }
}

/// Values are counted as they are made and as they are dropped.
struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn new(alive: &Arc<AtomicUsize>) -> Self {
        alive.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(alive))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Pairs whose halves are on two threads, each of which ends in a way of its own: what is sent is received or comes back.
#[test]
fn a_oneshot_loses_and_doubles_nothing() {
    let end = Instant::now() + time() / 4;
    let alive = Arc::new(AtomicUsize::new(0));
    let mut dice = Dice(3);
    let mut rounds = 0;
    while Instant::now() < end {
        let mut threads = Vec::new();
        let (mut senders, mut receivers) = (Vec::new(), Vec::new());
        for _ in 0..200 {
            let (sender, receiver) = oneshot::channel();
            senders.push((sender, dice.one_in(8)));
            receivers.push((receiver, dice.one_in(4), dice.one_in(4)));
        }
        let made = Arc::clone(&alive);
        let sending = std::thread::spawn(move || {
            let mut came_back = 0;
            for (sender, goes) in senders {
                if !goes && sender.send(Counted::new(&made)).is_err() {
                    came_back += 1;
                }
            }
            came_back
        });
        threads.push(std::thread::spawn(move || {
            for (mut receiver, goes, closes) in receivers {
                let mut noop = Context::from_waker(Waker::noop());
                let _ = std::pin::Pin::new(&mut receiver).poll(&mut noop);
                if closes {
                    receiver.close();
                    let _ = receiver.try_recv();
                }
                if !goes {
                    let _ = block_on(receiver);
                }
            }
        }));
        for thread in threads {
            thread.join().expect("no panic");
        }
        sending.join().expect("no panic");
        assert_eq!(alive.load(Ordering::Relaxed), 0, "a value is kept");
        rounds += 1;
    }
    println!("{rounds} rounds of 200 pairs");
}

/// Senders, receivers that are too slow now and then, and some that leave a wait: each gets every message or is told how
/// many it missed, in one order.
#[test]
fn a_broadcast_is_in_order_and_says_what_was_missed() {
    let end = Instant::now() + time() / 4;
    let (sender, first) = broadcast::channel(16);
    let mut receivers = vec![first];
    receivers.extend((0..3).map(|_| sender.subscribe()));
    let sent = Mutex::new(0_u64);
    std::thread::scope(|scope| {
        for seed in 1..=2 {
            let (sender, sent) = (sender.clone(), &sent);
            scope.spawn(move || {
                let mut dice = Dice(seed);
                while Instant::now() < end {
                    let mut number = sent.lock().expect("no panic");
                    sender.send(*number).expect("there are receivers");
                    *number += 1;
                    drop(number);
                    if dice.one_in(4) {
                        std::thread::yield_now();
                    }
                }
            });
        }
        drop(sender);
        let counts: Vec<_> = receivers
            .into_iter()
            .enumerate()
            .map(|(seed, mut receiver)| {
                scope.spawn(move || {
                    let (mut dice, mut next, mut missed) = (Dice(seed as u64), 0, 0);
                    loop {
                        if dice.one_in(5) {
                            let mut noop = Context::from_waker(Waker::noop());
                            let mut left = Box::pin(receiver.recv());
                            match left.as_mut().poll(&mut noop) {
                                std::task::Poll::Pending => {}
                                std::task::Poll::Ready(Ok(number)) => {
                                    assert_eq!(number, next);
                                    next += 1;
                                }
                                std::task::Poll::Ready(Err(RecvError::Lagged(n))) => {
                                    next += n;
                                    missed += n;
                                }
                                std::task::Poll::Ready(Err(RecvError::Closed)) => {
                                    return (next, missed);
                                }
                            }
                            continue;
                        }
                        match block_on(receiver.recv()) {
                            Ok(number) => {
                                assert_eq!(number, next, "out of order, or missed unsaid");
                                next += 1;
                            }
                            Err(RecvError::Lagged(n)) => {
                                next += n;
                                missed += n;
                            }
                            Err(RecvError::Closed) => return (next, missed),
                        }
                        if dice.one_in(1000) {
                            // Falls behind now and then.
                            std::thread::sleep(Duration::from_micros(50));
                        }
                    }
                })
            })
            .collect();
        let all: Vec<_> = counts.into_iter().map(|it| it.join().expect("no panic")).collect();
        println!("{} messages; received and missed: {all:?}", sent.lock().expect("no panic"));
        for (next, _) in all {
            assert_eq!(next, *sent.lock().expect("no panic"));
        }
    });
}

/// One changes it, several watch: none goes back, and each sees the last.
#[test]
fn a_watch_never_goes_back_and_shows_the_last() {
    let end = Instant::now() + time() / 4;
    let (sender, first) = watch::channel((0_u64, 0_u64));
    let mut receivers = vec![first];
    receivers.extend((0..3).map(|_| sender.subscribe()));
    std::thread::scope(|scope| {
        let watchers: Vec<_> = receivers
            .into_iter()
            .map(|mut receiver| {
                scope.spawn(move || {
                    let mut last = 0;
                    while block_on(receiver.changed()).is_ok() {
                        let value = *receiver.borrow_and_update();
                        assert!(value.0 == value.1 && value.0 >= last);
                        last = value.0;
                    }
                    last
                })
            })
            .collect();
        let mut number = 0;
        while Instant::now() < end {
            number += 1;
            sender.send_modify(|value| {
                value.0 = number;
                value.1 = number;
            });
        }
        drop(sender);
        for watcher in watchers {
            assert_eq!(watcher.join().expect("no panic"), number);
        }
        println!("{number} changes");
    });
}

/// Cells that several threads want at once, while some fail and some leave: made once, and nobody waits for ever.
#[test]
fn a_cell_is_made_once_whoever_fails_or_leaves() {
    let end = Instant::now() + time() / 8;
    let mut rounds = 0_u64;
    while Instant::now() < end {
        rounds += 1;
        let (cell, made) = (OnceCell::new(), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            let threads = [0, 1, 2, 3].map(|seed: u64| {
                let (cell, made) = (&cell, &made);
                scope.spawn(move || {
                    let mut dice = Dice(seed + 4 * rounds);
                    if dice.one_in(2) {
                        let mut leaves = Box::pin(cell.get_or_init(std::future::pending));
                        let _ = leaves.as_mut().poll(&mut Context::from_waker(Waker::noop()));
                    }
                    if dice.one_in(2) {
                        let fails = cell.get_or_try_init(|| async { Err::<u64, _>("no") });
                        let _ = block_on(fails);
                    }
                    block_on(cell.get_or_init(|| async {
                        made.fetch_add(1, Ordering::Relaxed);
                        seed
                    }));
                })
            });
            // By hand: the end of a scope is not always seen by the thread sanitizer, and the next cell is at the same address.
            for thread in threads {
                thread.join().expect("no panic");
            }
        });
        assert_eq!(made.load(Ordering::Relaxed), 1);
    }
    println!("{rounds} cells");
}

/// Threads that start as fast as they may, while some leave: never more in a window.
#[test]
fn rate_02_03_a_window_has_no_more_than_it_may_under_many_threads() {
    const MAX: usize = 50;
    const PERIOD: Duration = Duration::from_millis(2);
    let end = Instant::now() + time() / 8;
    let window = RateWindow::new(MAX, PERIOD);
    let starts = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for seed in 1..=4 {
            let (window, starts) = (&window, &starts);
            scope.spawn(move || {
                let mut dice = Dice(seed);
                let mut mine = Vec::new();
                while Instant::now() < end {
                    if dice.one_in(3) {
                        let mut leaves = Box::pin(window.turn());
                        let _ = leaves.as_mut().poll(&mut Context::from_waker(Waker::noop()));
                        continue;
                    }
                    let turn = block_on(window.turn());
                    loop {
                        match turn.start(Instant::now()) {
                            Ok(permit) => break mine.push(permit.start()),
                            Err(_) => std::thread::yield_now(),
                        }
                    }
                }
                starts.lock().expect("no panic").extend(mine);
            });
        }
    });
    let mut starts = starts.into_inner().expect("no panic");
    starts.sort_unstable();
    for (first, last) in starts.iter().zip(starts.iter().skip(MAX)) {
        assert!(*last - *first >= PERIOD);
    }
    println!("{} starts", starts.len());
    assert!(starts.len() > MAX);
}
