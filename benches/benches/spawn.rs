//! What does a task cost, from its spawn to its end, joined or not, from inside and from outside?
//!
//! The tasks do nothing: the number says nothing of a scheduler that has to share out real work.

use kasasagi_benches::{Peer, Row, Suite, per_op};
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// Batches of tasks, spawned by a task and joined by it.
struct Join {
    batch: u64,
}

impl Row for Join {
    fn name(&self) -> String {
        format!("spawn {} and join, inside", self.batch)
    }

    fn ops(&self) -> u64 {
        50_000
    }

    fn run<P: Peer>(&self, peer: P, ops: u64) -> f64 {
        let batch = self.batch.min(ops);
        let rounds = ops / batch;
        peer.inside(async move {
            let start = Instant::now();
            for _ in 0..rounds {
                let tasks: Vec<_> = (0..batch).map(|i| peer.spawn(async move { i })).collect();
                let mut sum = 0;
                for task in tasks {
                    sum += task.await;
                }
                assert_eq!(sum, batch * (batch - 1) / 2, "each task gave its number");
            }
            per_op(start, ops)
        })
    }
}

/// One task, awaited, and the next.
struct Await;

impl Row for Await {
    fn name(&self) -> String {
        "spawn, await, repeat, inside".into()
    }

    fn ops(&self) -> u64 {
        50_000
    }

    fn run<P: Peer>(&self, peer: P, ops: u64) -> f64 {
        peer.inside(async move {
            let start = Instant::now();
            for i in 0..ops {
                assert_eq!(peer.spawn(async move { i }).await, i);
            }
            per_op(start, ops)
        })
    }
}

/// Detached tasks, spawned by a task.
struct Detached;

impl Row for Detached {
    fn name(&self) -> String {
        "spawn 1000 detached, inside".into()
    }

    fn ops(&self) -> u64 {
        50_000
    }

    fn run<P: Peer>(&self, peer: P, ops: u64) -> f64 {
        let batch = ops.min(1_000);
        peer.inside(async move {
            let start = Instant::now();
            for _ in 0..ops / batch {
                let (last, ended) = last_of(batch, start);
                for _ in 0..batch {
                    P::detach(peer.spawn(async move { last.tell() }));
                }
                ended.recv().await.expect("the last one tells");
            }
            per_op(start, ops)
        })
    }
}

/// Counts detached tasks; leaked, since a shared count for each task would cost more than the task.
struct Last {
    left: AtomicU64,
    start: Instant,
    done: async_channel::Sender<f64>,
}

impl Last {
    fn tell(&self) {
        if self.left.fetch_sub(1, Ordering::AcqRel) == 1 {
            let _ = self.done.try_send(self.start.elapsed().as_nanos() as f64);
        }
    }
}

fn last_of(tasks: u64, start: Instant) -> (&'static Last, async_channel::Receiver<f64>) {
    let (done, ended) = async_channel::bounded(1);
    (Box::leak(Box::new(Last { left: AtomicU64::new(tasks), start, done })), ended)
}

/// Spawned by a thread that is not the runtime's, while another thread is in `block_on`.
struct Outside {
    joined: bool,
}

impl Row for Outside {
    fn name(&self) -> String {
        let how = if self.joined { "joined" } else { "detached" };
        format!("spawn from a foreign thread, {how}")
    }

    fn ops(&self) -> u64 {
        20_000
    }

    fn run<P: Peer>(&self, peer: P, ops: u64) -> f64 {
        let (done, all) = async_channel::bounded::<f64>(1);
        let joined = self.joined;
        let thread = std::thread::spawn(move || {
            let start = Instant::now();
            if joined {
                let tasks: Vec<_> = (0..ops).map(|i| peer.spawn(async move { i })).collect();
                for task in tasks {
                    futures_lite::future::block_on(task);
                }
                let _ = done.send_blocking(per_op(start, ops));
                return;
            }
            let (last, ended) = last_of(ops, start);
            for _ in 0..ops {
                P::detach(peer.spawn(async move { last.tell() }));
            }
            let took = ended.recv_blocking().expect("the last one tells");
            let _ = done.send_blocking(took / ops as f64);
        });
        let figure = peer.block_on(async { all.recv().await }).expect("the last one sends");
        thread.join().expect("it does not panic");
        figure
    }
}

/// The shortest program: enter, spawn, await, leave.
struct Enter;

impl Row for Enter {
    fn name(&self) -> String {
        "run(spawn.await) on a runtime that exists".into()
    }

    fn ops(&self) -> u64 {
        2_000
    }

    fn run<P: Peer>(&self, peer: P, ops: u64) -> f64 {
        let start = Instant::now();
        for i in 0..ops {
            assert_eq!(peer.block_on(async { peer.spawn(async move { i }).await }), i);
        }
        per_op(start, ops)
    }
}

/// Each task spawns the next.
struct Chain;

fn link<P: Peer>(peer: P, left: u64, end: async_channel::Sender<()>) {
    P::detach(peer.spawn(async move {
        match left {
            0 => drop(end),
            _ => link(peer, left - 1, end),
        }
    }));
}

impl Row for Chain {
    fn name(&self) -> String {
        "chained spawn".into()
    }

    fn ops(&self) -> u64 {
        50_000
    }

    fn run<P: Peer>(&self, peer: P, ops: u64) -> f64 {
        peer.inside(async move {
            let start = Instant::now();
            let (end, ended) = async_channel::bounded(1);
            link(peer, ops, end);
            assert!(ended.recv().await.is_err(), "nothing is ever sent");
            per_op(start, ops)
        })
    }
}

/// A tree: one half spawned, the other here.
struct ForkJoin;

/// fib(n) spawns fib(n + 1) - 1 tasks this way.
fn fib<P: Peer>(peer: P, n: u64) -> Pin<Box<dyn Future<Output = u64> + Send>> {
    Box::pin(async move {
        if n < 2 {
            return n;
        }
        let left = peer.spawn(fib(peer, n - 1));
        let right = fib(peer, n - 2).await;
        left.await + right
    })
}

fn fib_number(n: u64) -> u64 {
    (0..n).fold((0, 1), |(a, b), _| (b, a + b)).0
}

impl Row for ForkJoin {
    fn name(&self) -> String {
        "fork-join tree, fib".into()
    }

    fn ops(&self) -> u64 {
        fib_number(22) - 1
    }

    fn run<P: Peer>(&self, peer: P, ops: u64) -> f64 {
        let n = (2..).find(|n| fib_number(n + 1) > ops).expect("the numbers grow");
        let spawns = fib_number(n + 1) - 1;
        peer.inside(async move {
            let start = Instant::now();
            assert_eq!(fib(peer, n).await, fib_number(n));
            per_op(start, spawns)
        })
    }
}

fn main() {
    let suite = Suite::new("spawn");
    suite.row(&Join { batch: 1_000 });
    suite.row(&Join { batch: 10_000 });
    suite.row(&Await);
    suite.row(&Detached);
    suite.row(&Outside { joined: false });
    suite.row(&Outside { joined: true });
    suite.row(&Enter);
    suite.row(&Chain);
    suite.row(&ForkJoin);
}
