//! What does a timeout cost that many tasks set and cancel at once, and how late is a sleep when workers are busy?
//!
//! The load is four tasks that work for 50 µs and yield: a runtime whose timers wait for an idle moment shows it here.

use kasasagi_benches::column::FLOOR;
use kasasagi_benches::{Beside, Peer, Row, Suite, per_op, percentile};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Timeouts around a future that is ready after one turn, set by many tasks.
struct Registered {
    tasks: u64,
}

impl Row for Registered {
    fn name(&self) -> String {
        format!("timeout, registered, then ready, {} tasks", self.tasks)
    }

    fn ops(&self) -> u64 {
        200_000
    }

    fn run<P: Peer>(&self, peer: P, ops: u64) -> f64 {
        let each = (ops / self.tasks).max(1);
        let tasks = ops / each;
        peer.inside(async move {
            let start = Instant::now();
            let task = |_| {
                peer.spawn(async move {
                    for _ in 0..each {
                        let in_time = P::timeout(Duration::from_secs(10), P::yield_now()).await;
                        assert!(in_time, "ten seconds are enough");
                    }
                })
            };
            let tasks: Vec<_> = (0..tasks).map(task).collect();
            for task in tasks {
                task.await;
            }
            per_op(start, ops)
        })
    }
}

/// Tasks that sleep, all asked to end, and waited for; their spawns are not in it.
struct CancelAll {
    tasks: u64,
}

impl Row for CancelAll {
    fn name(&self) -> String {
        format!("cancel {} sleeping tasks", self.tasks)
    }

    fn ops(&self) -> u64 {
        self.tasks
    }

    fn has_cpu(&self) -> bool {
        false
    }

    fn run<P: Peer>(&self, peer: P, ops: u64) -> f64 {
        let asleep = Arc::new(AtomicU64::new(0));
        peer.inside(async move {
            let sleeper = |_| {
                let asleep = Arc::clone(&asleep);
                peer.spawn(async move {
                    asleep.fetch_add(1, Ordering::Relaxed);
                    P::sleep(Duration::from_secs(3600)).await;
                })
            };
            let tasks: Vec<_> = (0..ops).map(sleeper).collect();
            while asleep.load(Ordering::Relaxed) < ops {
                P::yield_now().await;
            }
            // The last may be on their way to sleep.
            P::sleep(Duration::from_millis(5)).await;
            let start = Instant::now();
            P::cancel_all(tasks).await;
            per_op(start, ops)
        })
    }
}

/// How much later than asked a sleep ends, with nothing else to do or with tasks that work.
struct Late {
    busy: bool,
}

const TIME: Duration = Duration::from_millis(1);

impl Row for Late {
    fn name(&self) -> String {
        let how = if self.busy { "under load" } else { "idle" };
        format!("sleep(1 ms) is late by, {how}")
    }

    fn ops(&self) -> u64 {
        200
    }

    fn unit(&self) -> &'static str {
        "ns p50"
    }

    fn has_cpu(&self) -> bool {
        !self.busy
    }

    fn run<P: Peer>(&self, peer: P, ops: u64) -> f64 {
        let over = Arc::new(AtomicBool::new(!self.busy));
        peer.inside(async move {
            let work = |_| {
                let over = Arc::clone(&over);
                peer.spawn(async move {
                    while !over.load(Ordering::Relaxed) {
                        let start = Instant::now();
                        while start.elapsed() < Duration::from_micros(50) {
                            std::hint::spin_loop();
                        }
                        P::yield_now().await;
                    }
                })
            };
            let working: Vec<_> = (0..4).map(work).collect();
            let mut late = Vec::new();
            for _ in 0..ops {
                let start = Instant::now();
                P::sleep(TIME).await;
                late.push(start.elapsed().saturating_sub(TIME).as_nanos() as f64);
            }
            over.store(true, Ordering::Relaxed);
            for task in working {
                task.await;
            }
            percentile(&mut late, 0.5)
        })
    }

    fn beside(&self) -> Vec<Beside> {
        let thread = |ops: u64| {
            let late = |_| {
                let start = Instant::now();
                std::thread::sleep(TIME);
                start.elapsed().saturating_sub(TIME).as_nanos() as f64
            };
            percentile(&mut (0..ops).map(late).collect::<Vec<_>>(), 0.5)
        };
        if self.busy { Vec::new() } else { vec![Beside::new(FLOOR, thread)] }
    }
}

pub(crate) fn rows(suite: &Suite) {
    suite.row(&Registered { tasks: 1_000 });
    suite.row(&CancelAll { tasks: 100_000 });
    suite.row(&Late { busy: false });
    suite.row(&Late { busy: true });
}
