//! Wakes: many at once, folded into one, across seats, from strangers, by value and by reference.

use super::*;
use std::task::Context;

/// Something that a task waits for: raised a number of times by others.
#[derive(Default)]
pub(super) struct Bell {
    rung: AtomicUsize,
    waiter: Mutex<Option<Waker>>,
}

impl Bell {
    pub(super) fn ring(&self) {
        self.rung.fetch_add(1, Ordering::AcqRel);
        // The waker is cloned out of the lock: what wakes may run anything.
        let waker = self.waiter.lock().clone();
        if let Some(waker) = waker {
            waker.wake_by_ref();
        }
    }

    fn poll(&self, times: usize, cx: &mut Context<'_>) -> Poll<()> {
        if self.rung.load(Ordering::Acquire) >= times {
            return Poll::Ready(());
        }
        let old = self.waiter.lock().replace(cx.waker().clone());
        drop(old);
        // Rung between the look and the waker: seen now.
        if self.rung.load(Ordering::Acquire) >= times { Poll::Ready(()) } else { Poll::Pending }
    }

    pub(super) async fn heard(&self, times: usize) {
        std::future::poll_fn(|cx| self.poll(times, cx)).await;
    }
}

/// Three bells, each rung by a stranger and by two other tasks, while the listeners are polled, sleep or are stolen.
#[test]
fn a_wake_storm_reaches_every_listener() {
    schedules("wake_storm", 130, || {
        let house = House::new(SEATS);
        let ledger = Ledger::new();
        let bells: Vec<_> = (0..3).map(|_| Arc::new(Bell::default())).collect();
        let stranger = {
            let bells = bells.clone();
            thread::spawn(move || bells.iter().for_each(|bell| bell.ring()))
        };
        house.run(async {
            let mut tasks = Vec::new();
            for bell in &bells {
                let bell = Arc::clone(bell);
                tasks.push(house.spawn(&ledger, async move { bell.heard(3).await }));
            }
            for turn in 0..2 {
                let bells = bells.clone();
                tasks.push(house.spawn(&ledger, async move {
                    for i in 0..3 {
                        bells[(i + turn) % 3].ring();
                    }
                }));
            }
            for task in tasks {
                task.await.expect("it ends");
            }
        });
        stranger.join().expect("no panic");
        house.end();
        ledger.all_ended();
    });
}

/// A ball between two tasks, several pairs of them: each wake finds the other in the slot, in a queue or asleep.
#[test]
fn ping_pong_never_drops_the_ball() {
    schedules("ping_pong", 110, || {
        let house = House::new(SEATS);
        let ledger = Ledger::new();
        house.run(async {
            let mut tasks = Vec::new();
            for _ in 0..3 {
                let (ping, pong) = (Arc::new(Bell::default()), Arc::new(Bell::default()));
                let (a, b) = (Arc::clone(&ping), Arc::clone(&pong));
                tasks.push(house.spawn(&ledger, async move {
                    for i in 1..=3 {
                        a.ring();
                        b.heard(i).await;
                    }
                }));
                tasks.push(house.spawn(&ledger, async move {
                    for i in 1..=3 {
                        ping.heard(i).await;
                        pong.ring();
                    }
                }));
            }
            for task in tasks {
                task.await.expect("it ends");
            }
        });
        house.end();
        ledger.all_ended();
    });
}

/// A stranger wakes a task over and over while it runs, and stops: the last wake leads to a poll that sees it.
#[test]
fn the_last_of_many_wakes_is_seen() {
    schedules("last_wake", 130, || {
        let house = House::new(SEATS);
        let ledger = Ledger::new();
        let bell = Arc::new(Bell::default());
        let heard = Arc::clone(&bell);
        let task = house.spawn(&ledger, async move { heard.heard(6).await });
        let strangers: Vec<_> = (0..2)
            .map(|_| {
                let bell = Arc::clone(&bell);
                thread::spawn(move || (0..3).for_each(|_| bell.ring()))
            })
            .collect();
        house.run(async { task.await.expect("it ends") });
        strangers.into_iter().for_each(|stranger| stranger.join().expect("no panic"));
        drop(bell);
        house.end();
        ledger.all_ended();
    });
}
