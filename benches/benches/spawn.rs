//! What does a task cost, from its spawn to its end, joined or not, from inside and from outside?
//!
//! The tasks do nothing: the number says nothing of a scheduler that has to share out real work.

use kasasagi_benches::column::{FLOOR, RAYON, THREADS};
use kasasagi_benches::{Beside, Peer, Row, Suite, by_hand, per_op, pool};
use std::collections::VecDeque;
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

    fn beside(&self) -> Vec<Beside> {
        let batch = self.batch;
        let scopes = move |ops: u64| {
            let batch = batch.min(ops);
            let start = Instant::now();
            pool::rayon().install(|| {
                for _ in 0..ops / batch {
                    let mut numbers = vec![0; batch as usize];
                    rayon::scope(|scope| {
                        for (i, place) in numbers.iter_mut().enumerate() {
                            scope.spawn(move |_| *place = i as u64);
                        }
                    });
                    assert_eq!(numbers.iter().sum::<u64>(), batch * (batch - 1) / 2);
                }
            });
            per_op(start, ops)
        };
        vec![
            Beside::new(RAYON, scopes),
            Beside::new(FLOOR, move |ops| batches_by_hand(batch.min(ops), ops)),
        ]
    }
}

/// Boxed futures that are queued and polled once: no second thread, no waker, no handle.
fn batches_by_hand(batch: u64, ops: u64) -> f64 {
    let mut queue: VecDeque<Pin<Box<dyn Future<Output = u64>>>> = VecDeque::new();
    let start = Instant::now();
    for _ in 0..ops / batch {
        for i in 0..batch {
            queue.push_back(Box::pin(async move { std::hint::black_box(i) }));
        }
        let mut sum = 0;
        while let Some(future) = queue.pop_front() {
            sum += by_hand::run_one(future);
        }
        assert_eq!(sum, batch * (batch - 1) / 2, "each gave its number");
    }
    per_op(start, ops)
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

    fn beside(&self) -> Vec<Beside> {
        vec![Beside::new(FLOOR, |ops| batches_by_hand(1, ops))]
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

    fn beside(&self) -> Vec<Beside> {
        let jobs = |spawn: fn(&'static Last, u64)| {
            move |ops: u64| {
                let batch = ops.min(1_000);
                let start = Instant::now();
                for _ in 0..ops / batch {
                    let (last, ended) = last_of(batch, start);
                    spawn(last, batch);
                    ended.recv_blocking().expect("the last one tells");
                }
                per_op(start, ops)
            }
        };
        let rayon = jobs(|last, batch| {
            pool::rayon().spawn(move || (0..batch).for_each(|_| rayon::spawn(move || last.tell())));
        });
        let threads = jobs(|last, batch| {
            pool::threads(move || (0..batch).for_each(|_| pool::threads(move || last.tell())));
        });
        vec![Beside::new(RAYON, rayon), Beside::new(THREADS, threads)]
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

    fn beside(&self) -> Vec<Beside> {
        if self.joined {
            return Vec::new();
        }
        let jobs = |spawn: fn(&'static Last)| {
            move |ops: u64| {
                let start = Instant::now();
                let (last, ended) = last_of(ops, start);
                (0..ops).for_each(|_| spawn(last));
                ended.recv_blocking().expect("the last one tells") / ops as f64
            }
        };
        vec![
            Beside::new(RAYON, jobs(|last| pool::rayon().spawn(move || last.tell()))),
            Beside::new(THREADS, jobs(|last| pool::threads(move || last.tell()))),
        ]
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

fn rayon_link(left: u64, end: async_channel::Sender<()>) {
    pool::rayon().spawn(move || match left {
        0 => drop(end),
        _ => rayon_link(left - 1, end),
    });
}

fn threads_link(left: u64, end: async_channel::Sender<()>) {
    pool::threads(move || match left {
        0 => drop(end),
        _ => threads_link(left - 1, end),
    });
}

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

    fn beside(&self) -> Vec<Beside> {
        let jobs = |next: fn(u64, async_channel::Sender<()>)| {
            move |ops: u64| {
                let start = Instant::now();
                let (end, ended) = async_channel::bounded(1);
                next(ops, end);
                assert!(ended.recv_blocking().is_err(), "nothing is ever sent");
                per_op(start, ops)
            }
        };
        let boxes = |ops: u64| {
            let start = Instant::now();
            for i in 0..ops {
                let link: Pin<Box<dyn Future<Output = u64>>> =
                    Box::pin(async move { std::hint::black_box(i) });
                assert_eq!(by_hand::run_one(link), i);
            }
            per_op(start, ops)
        };
        vec![
            Beside::new(RAYON, jobs(rayon_link)),
            Beside::new(THREADS, jobs(threads_link)),
            Beside::new(FLOOR, boxes),
        ]
    }
}

pub(crate) fn rows(suite: &Suite) {
    suite.row(&Join { batch: 1_000 });
    suite.row(&Join { batch: 10_000 });
    suite.row(&Await);
    suite.row(&Detached);
    suite.row(&Outside { joined: false });
    suite.row(&Outside { joined: true });
    suite.row(&Enter);
    suite.row(&Chain);
    suite.row(&crate::fork_join::ForkJoin);
}
