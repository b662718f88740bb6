//! What does a timer cost that is cancelled, one that fires, and a million of them? How late does a sleep end?
//!
//! All in this process, and idle but for it: a busy runtime is later.

use kasasagi_benches::{ChildRow, Figure, Peer, Row, Suite, per_op, percentile, process};
use std::pin::pin;
use std::time::{Duration, Instant};

/// A sleep that is polled once and dropped.
struct Cancel;

impl Row for Cancel {
    fn name(&self) -> String {
        "sleep created, polled once, dropped".into()
    }

    fn ops(&self) -> u64 {
        50_000
    }

    fn run<P: Peer>(&self, peer: P, ops: u64) -> f64 {
        peer.inside(async move {
            let start = Instant::now();
            for _ in 0..ops {
                let sleep = pin!(P::sleep(Duration::from_secs(10)));
                assert!(
                    futures_lite::future::poll_once(sleep).await.is_none(),
                    "it has just begun"
                );
            }
            per_op(start, ops)
        })
    }
}

/// A timeout around a future that is ready, or that is ready after one turn.
struct Timeout {
    ready: bool,
}

impl Row for Timeout {
    fn name(&self) -> String {
        let what = if self.ready { "ready at once" } else { "registered, then ready" };
        format!("timeout, {what}")
    }

    fn ops(&self) -> u64 {
        50_000
    }

    fn run<P: Peer>(&self, peer: P, ops: u64) -> f64 {
        let ready = self.ready;
        peer.inside(async move {
            let limit = Duration::from_secs(10);
            let start = Instant::now();
            for _ in 0..ops {
                let in_time = match ready {
                    true => P::timeout(limit, async {}).await,
                    false => P::timeout(limit, P::yield_now()).await,
                };
                assert!(in_time, "ten seconds are enough");
            }
            per_op(start, ops)
        })
    }
}

/// Many tasks that sleep for the same time.
struct Gather;

impl Row for Gather {
    fn name(&self) -> String {
        "10 000 × sleep(10 ms), joined".into()
    }

    fn ops(&self) -> u64 {
        10_000
    }

    fn run<P: Peer>(&self, peer: P, ops: u64) -> f64 {
        peer.inside(async move {
            let start = Instant::now();
            let sleep = || P::sleep(Duration::from_millis(10));
            let tasks: Vec<_> = (0..ops).map(|_| peer.spawn(sleep())).collect();
            for task in tasks {
                task.await;
            }
            per_op(start, ops)
        })
    }
}

/// How much later than asked one sleep ends.
struct Late {
    time: Duration,
}

impl Row for Late {
    fn name(&self) -> String {
        format!("sleep({:?}) is late by, p50", self.time)
    }

    fn ops(&self) -> u64 {
        200
    }

    fn run<P: Peer>(&self, peer: P, ops: u64) -> f64 {
        let time = self.time;
        let mut late = peer.inside(async move {
            let mut late = Vec::new();
            for _ in 0..ops {
                let start = Instant::now();
                P::sleep(time).await;
                late.push((start.elapsed().saturating_sub(time)).as_nanos() as f64);
            }
            late
        });
        percentile(&mut late, 0.5)
    }
}

/// A million tasks, each in a sleep to a moment of one second.
struct Million;

impl ChildRow for Million {
    fn name(&self) -> String {
        "1M tasks asleep, moments within 1 s".into()
    }

    fn run<P: Peer>(&self, peer: P, test: bool) -> Vec<Figure> {
        let n: u64 = if test { 10_000 } else { 1_000_000 };
        let (base, _) = process::resident();
        let before = process::cpu_ns();
        peer.inside(async move {
            let start = Instant::now();
            // Late enough that all are asleep before the first wakes.
            let first = if test { 100 } else { 3_000 };
            let mut random = 1u64;
            let tasks: Vec<_> = (0..n)
                .map(|_| {
                    random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    let due = Duration::from_millis(first)
                        + Duration::from_nanos((random >> 32) % 1_000_000_000);
                    peer.spawn(async move { P::sleep(due.saturating_sub(start.elapsed())).await })
                })
                .collect();
            for task in tasks {
                task.await;
            }
        });
        let used = (process::cpu_ns() - before) as f64 / n as f64;
        let (_, peak) = process::resident();
        vec![
            Figure::new("ns cpu a timer", used),
            Figure::new("bytes at the peak, a timer", peak.saturating_sub(base) as f64 / n as f64),
        ]
    }
}

/// A million sleeps that end at one moment, and a task that turns: how long is it kept from its turn?
struct Stall;

impl ChildRow for Stall {
    fn name(&self) -> String {
        "1M sleeps end at one moment".into()
    }

    fn run<P: Peer>(&self, peer: P, test: bool) -> Vec<Figure> {
        let n: u64 = if test { 10_000 } else { 1_000_000 };
        let moment = Duration::from_millis(if test { 100 } else { 4_000 });
        let stall = peer.inside(async move {
            let start = Instant::now();
            let sleep = || async move { P::sleep(moment.saturating_sub(start.elapsed())).await };
            let tasks: Vec<_> = (0..n).map(|_| peer.spawn(sleep())).collect();
            let (over, is_over) = async_channel::bounded::<()>(1);
            let watch = peer.spawn(async move {
                // Sleeps until shortly before the moment: it costs what a turn costs from there.
                P::sleep(moment.mul_f64(0.95).saturating_sub(start.elapsed())).await;
                let mut longest = Duration::ZERO;
                let mut last = Instant::now();
                while !is_over.is_closed() {
                    P::yield_now().await;
                    let now = Instant::now();
                    longest = longest.max(now - last);
                    last = now;
                }
                longest
            });
            for task in tasks {
                task.await;
            }
            drop(over);
            watch.await
        });
        vec![Figure::new("ms without a turn, longest", stall.as_secs_f64() * 1e3)]
    }
}

fn main() {
    let suite = Suite::new("timers");
    suite.row(&Cancel);
    suite.row(&Timeout { ready: true });
    suite.row(&Timeout { ready: false });
    suite.row(&Gather);
    suite.row(&Late { time: Duration::from_millis(1) });
    suite.row(&Late { time: Duration::from_micros(50) });
    suite.child_row(&Million);
    suite.child_row(&Stall);
}
