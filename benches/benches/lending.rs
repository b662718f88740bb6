//! What does it cost to have a closure run on a thread that may block, and how fast are many?
//!
//! The peers' own ways (`to_thread`, `spawn_blocking`, `unblock`), beside plain threads that take boxed jobs from one
//! crossbeam-channel, the crate threadpool, and rayon.

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use kasasagi_benches::column::{RAYON, THREADPOOL, THREADS, WORKERS};
use kasasagi_benches::{Beside, Peer, Row, Suite, median, per_op, pool};
use rayon::iter::{IntoParallelIterator, ParallelIterator};
use std::hint::black_box;
use std::time::{Duration, Instant};

/// One after the other, from a task; the median of the round trips.
struct RoundTrip;

impl Row for RoundTrip {
    fn name(&self) -> String {
        "closure lent and awaited, one by one".into()
    }

    fn ops(&self) -> u64 {
        5_000
    }

    fn run<P: Peer>(&self, peer: P, ops: u64) -> f64 {
        peer.inside(async move {
            let mut took = Vec::with_capacity(ops as usize);
            for i in 0..ops {
                let start = Instant::now();
                assert_eq!(peer.lend(move || i).await, i);
                took.push(start.elapsed().as_nanos() as f64);
            }
            median(&took)
        })
    }
}

/// All at once.
struct Burst;

impl Row for Burst {
    fn name(&self) -> String {
        "100k closures lent at once".into()
    }

    fn ops(&self) -> u64 {
        100_000
    }

    fn run<P: Peer>(&self, peer: P, ops: u64) -> f64 {
        peer.inside(async move {
            let start = Instant::now();
            let closures: Vec<_> = (0..ops).map(|i| peer.lend(move || i)).collect();
            for (i, closure) in closures.into_iter().enumerate() {
                assert_eq!(closure.await, i as u64);
            }
            per_op(start, ops)
        })
    }

    fn beside(&self) -> Vec<Beside> {
        let jobs = |spawn: fn(Box<dyn FnOnce() + Send>)| {
            move |ops: u64| {
                let start = Instant::now();
                let (tell, told) = crossbeam_channel::unbounded();
                for i in 0..ops {
                    let tell = tell.clone();
                    spawn(Box::new(move || tell.send(i).expect("somebody waits")));
                }
                assert_eq!(told.iter().take(ops as usize).sum::<u64>(), ops * (ops - 1) / 2);
                per_op(start, ops)
            }
        };
        vec![
            Beside::new(RAYON, jobs(|job| pool::rayon().spawn(job))),
            Beside::new(THREADS, jobs(pool::threads)),
            Beside::new(THREADPOOL, jobs(pool::threadpool)),
        ]
    }
}

/// A task that has sixty-four under way.
struct InFlight;

impl Row for InFlight {
    fn name(&self) -> String {
        "closures lent, 64 in flight".into()
    }

    fn ops(&self) -> u64 {
        50_000
    }

    fn run<P: Peer>(&self, peer: P, ops: u64) -> f64 {
        peer.inside(async move {
            let start = Instant::now();
            let mut sum = 0;
            let mut flying = FuturesUnordered::new();
            for i in 0..ops {
                if flying.len() == 64 {
                    sum += flying.next().await.expect("some fly");
                }
                flying.push(peer.lend(move || i));
            }
            while let Some(i) = flying.next().await {
                sum += i;
            }
            assert_eq!(sum, ops * (ops - 1) / 2);
            per_op(start, ops)
        })
    }
}

/// A hundred closures that sleep for 10 ms, on pools that are large enough.
struct Sleeps;

impl Row for Sleeps {
    fn name(&self) -> String {
        "100 closures that block for 10 ms".into()
    }

    fn ops(&self) -> u64 {
        100
    }

    fn unit(&self) -> &'static str {
        "ms"
    }

    fn run<P: Peer>(&self, peer: P, ops: u64) -> f64 {
        peer.inside(async move {
            let start = Instant::now();
            let sleep = |_| peer.lend(|| std::thread::sleep(Duration::from_millis(10)));
            for closure in (0..ops).map(sleep).collect::<Vec<_>>() {
                closure.await;
            }
            start.elapsed().as_secs_f64() * 1e3
        })
    }
}

/// From a thread of the program's own, which waits.
struct FromThread;

impl Row for FromThread {
    fn name(&self) -> String {
        "closure lent by a thread, which waits".into()
    }

    fn ops(&self) -> u64 {
        5_000
    }

    fn run<P: Peer>(&self, peer: P, ops: u64) -> f64 {
        let start = Instant::now();
        for i in 0..ops {
            assert_eq!(peer.lend_and_wait(move || i), i);
        }
        per_op(start, ops)
    }

    fn beside(&self) -> Vec<Beside> {
        let threads = |ops: u64| {
            let start = Instant::now();
            for i in 0..ops {
                let (tell, told) = crossbeam_channel::bounded(1);
                pool::threads(move || tell.send(i).expect("somebody waits"));
                assert_eq!(told.recv(), Ok(i));
            }
            per_op(start, ops)
        };
        let rayon = |ops: u64| {
            let start = Instant::now();
            for i in 0..ops {
                assert_eq!(pool::rayon().install(move || i), i);
            }
            per_op(start, ops)
        };
        let threadpool = |ops: u64| {
            let start = Instant::now();
            for i in 0..ops {
                let (tell, told) = std::sync::mpsc::channel();
                pool::threadpool(move || tell.send(i).expect("somebody waits"));
                assert_eq!(told.recv(), Ok(i));
            }
            per_op(start, ops)
        };
        vec![
            Beside::new(RAYON, rayon),
            Beside::new(THREADS, threads),
            Beside::new(THREADPOOL, threadpool),
        ]
    }
}

/// A function over many numbers.
struct Map {
    name: &'static str,
    items: u64,
    f: fn(u64) -> u64,
}

impl Row for Map {
    fn name(&self) -> String {
        self.name.into()
    }

    fn ops(&self) -> u64 {
        self.items
    }

    fn run<P: Peer>(&self, peer: P, ops: u64) -> f64 {
        let f = self.f;
        peer.inside(async move {
            let start = Instant::now();
            let values = peer.map(ops, f).await;
            let took = per_op(start, ops);
            assert_eq!((values.len() as u64, values[0]), (ops, f(0)));
            took
        })
    }

    fn beside(&self) -> Vec<Beside> {
        let f = self.f;
        let rayon = move |ops: u64| {
            let start = Instant::now();
            let values: Vec<u64> =
                pool::rayon().install(|| (0..ops).into_par_iter().map(f).collect());
            let took = per_op(start, ops);
            assert_eq!((values.len() as u64, values[0]), (ops, f(0)));
            took
        };
        let threads = move |ops: u64| {
            let start = Instant::now();
            let size = ops.div_ceil(4 * WORKERS as u64).max(1);
            let (tell, told) = crossbeam_channel::unbounded();
            let starts: Vec<_> = (0..ops).step_by(size as usize).collect();
            for from in starts.iter().copied() {
                let tell = tell.clone();
                pool::threads(move || {
                    let chunk: Vec<u64> = (from..ops.min(from + size)).map(f).collect();
                    tell.send((from, chunk)).expect("somebody waits");
                });
            }
            let mut chunks: Vec<_> = told.iter().take(starts.len()).collect();
            chunks.sort_unstable_by_key(|(from, _)| *from);
            let values: Vec<u64> = chunks.into_iter().flat_map(|(_, chunk)| chunk).collect();
            let took = per_op(start, ops);
            assert_eq!((values.len() as u64, values[0]), (ops, f(0)));
            took
        };
        vec![Beside::new(RAYON, rayon), Beside::new(THREADS, threads)]
    }
}

fn scramble(n: u64) -> u64 {
    n.wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(17)
}

fn sum_of_squares(x: u64) -> u64 {
    (0..500_000 + x).map(black_box).fold(0, |sum, i| sum.wrapping_add(i.wrapping_mul(i)))
}

pub(crate) fn rows(suite: &Suite) {
    suite.row(&RoundTrip);
    suite.row(&Burst);
    suite.row(&InFlight);
    suite.row(&Sleeps);
    suite.row(&FromThread);
    suite.row(&Map { name: "map over 1M cheap items", items: 1_000_000, f: scramble });
    suite.row(&Map { name: "map over 20 sums of squares", items: 20, f: sum_of_squares });
}
