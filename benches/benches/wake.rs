//! How long until a task runs that a foreign thread has woken, and how often do workers go to sleep when
//! small bursts come?
//!
//! Where nothing else runs. The burst's context switches say nothing of its latency, and the other way round.

use kasasagi_benches::column::FLOOR;
use kasasagi_benches::{Beside, ChildRow, Figure, Peer, Row, Suite, percentile, process};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A message from a thread to a task of an idle runtime.
struct Wake;

impl Row for Wake {
    fn name(&self) -> String {
        "wake from a foreign thread".into()
    }

    fn ops(&self) -> u64 {
        300
    }

    fn unit(&self) -> &'static str {
        "ns p50"
    }

    fn run<P: Peer>(&self, peer: P, ops: u64) -> f64 {
        let (send, receive) = async_channel::bounded::<Instant>(1);
        let thread = std::thread::spawn(move || {
            for _ in 0..ops {
                // Long enough that everybody sleeps.
                std::thread::sleep(Duration::from_micros(200));
                let _ = send.send_blocking(Instant::now());
            }
        });
        let mut latencies = peer.inside(async move {
            let mut latencies = Vec::new();
            while let Ok(sent) = receive.recv().await {
                latencies.push(sent.elapsed().as_nanos() as f64);
            }
            latencies
        });
        thread.join().expect("it does not panic");
        percentile(&mut latencies, 0.5)
    }

    fn beside(&self) -> Vec<Beside> {
        vec![Beside::new(FLOOR, wake_by_hand)]
    }
}

/// A thread that parks, woken by another: one futex call on each side.
fn wake_by_hand(ops: u64) -> f64 {
    let sent = Arc::new(Mutex::new(None));
    let place = Arc::clone(&sent);
    let sleeper = std::thread::spawn(move || {
        let mut latencies = Vec::new();
        while latencies.len() < ops as usize {
            std::thread::park();
            let sent: Option<Instant> = place.lock().expect("nobody panics").take();
            latencies.extend(sent.map(|sent| sent.elapsed().as_nanos() as f64));
        }
        percentile(&mut latencies, 0.5)
    });
    while !sleeper.is_finished() {
        std::thread::sleep(Duration::from_micros(200));
        *sent.lock().expect("nobody panics") = Some(Instant::now());
        sleeper.thread().unpark();
    }
    sleeper.join().expect("it does not panic")
}

/// A thread wakes a task every half millisecond, and that wakes a few others, which wake it: a pattern in
/// which a scheduler that calls a second worker for each small burst pays two context switches for nothing.
struct Burst {
    width: usize,
}

impl ChildRow for Burst {
    fn name(&self) -> String {
        format!("bursts of {} each 500 µs", self.width)
    }

    fn run<P: Peer>(&self, peer: P, test: bool) -> Vec<Figure> {
        let ticks: u64 = if test { 20 } else { 2_000 };
        let width = self.width;
        let (tick, ticked) = async_channel::bounded::<()>(1);
        let thread = std::thread::spawn(move || {
            let start = Instant::now();
            for i in 1..=ticks {
                let due = start + Duration::from_micros(500) * i as u32;
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
                let _ = tick.send_blocking(());
            }
        });
        let before = (process::voluntary_switches(), process::cpu_ns());
        let after = peer.inside(async move {
            let (answer, answers) = async_channel::bounded::<u64>(64);
            let workers: Vec<_> = (0..width)
                .map(|_| {
                    let (ask, asked) = async_channel::bounded::<u64>(1);
                    let answer = answer.clone();
                    P::detach(peer.spawn(async move {
                        while let Ok(i) = asked.recv().await {
                            let _ = answer.send(work(i)).await;
                        }
                    }));
                    ask
                })
                .collect();
            while ticked.recv().await.is_ok() {
                for (i, worker) in workers.iter().enumerate() {
                    worker.send(i as u64).await.expect("the worker lives");
                }
                for _ in &workers {
                    answers.recv().await.expect("the workers answer");
                }
            }
            (process::voluntary_switches(), process::cpu_ns())
        });
        thread.join().expect("it does not panic");
        let per_tick = |before: u64, after: u64| after.saturating_sub(before) as f64 / ticks as f64;
        vec![
            Figure::new(
                "context switches a tick, the ticker's included",
                per_tick(before.0, after.0),
            ),
            Figure::new("ns cpu a tick", per_tick(before.1, after.1)),
        ]
    }
}

/// A microsecond or two.
fn work(seed: u64) -> u64 {
    (0..1_000)
        .fold(seed, |x, i| std::hint::black_box(x.wrapping_mul(6_364_136_223_846_793_005) + i))
}

pub(crate) fn rows(suite: &Suite) {
    suite.row(&Wake);
    // What was reported against tokio 1.51 (its issue 8065): one short task every half millisecond.
    suite.child_row(&Burst { width: 1 });
    suite.child_row(&Burst { width: 2 });
    suite.child_row(&Burst { width: 8 });
}
