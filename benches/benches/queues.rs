//! What does it cost to hand items over: through a bounded queue, through an unbounded one, from plain threads?
//!
//! The peers' own: tokio's `mpsc`, and async-channel, which is what smol's users take. A kasasagi queue serves those
//! who wait in their order, and counts what is not done yet; the others do neither.

use futures_lite::future::block_on;
use kasasagi_benches::column::THREADS;
use kasasagi_benches::{Beside, Peer, Row, Suite, per_op};
use std::hint::black_box;
use std::thread;
use std::time::Instant;

/// Room in a bounded queue.
const ROOM: usize = 100;

/// So many producers, one consumer.
struct Producers(u64);

impl Row for Producers {
    fn name(&self) -> String {
        match self.0 {
            1 => format!("queue({ROOM}), one producer"),
            many => format!("queue({ROOM}), {many} producers"),
        }
    }

    fn ops(&self) -> u64 {
        100_000
    }

    fn run<P: Peer>(&self, peer: P, ops: u64) -> f64 {
        let each = (ops / self.0).max(1);
        let producers = ops / each;
        peer.inside(async move {
            let (sender, mut receiver) = P::channel(Some(ROOM));
            let start = Instant::now();
            for _ in 0..producers {
                let sender = sender.clone();
                P::detach(peer.spawn(async move {
                    for i in 0..each {
                        P::send(&sender, i).await;
                    }
                }));
            }
            for _ in 0..producers * each {
                black_box(P::receive(&mut receiver).await);
            }
            per_op(start, producers * each)
        })
    }
}

/// A pair of tasks that exchange a message over two queues with room for one.
struct PingPong;

impl Row for PingPong {
    fn name(&self) -> String {
        "queue(1), ping-pong".into()
    }

    fn ops(&self) -> u64 {
        20_000
    }

    fn run<P: Peer>(&self, peer: P, ops: u64) -> f64 {
        peer.inside(async move {
            let (ping, mut pinged) = P::channel(Some(1));
            let (pong, mut ponged) = P::channel(Some(1));
            let start = Instant::now();
            let answers = peer.spawn(async move {
                for _ in 0..ops {
                    let i = P::receive(&mut pinged).await;
                    P::send(&pong, i).await;
                }
            });
            for i in 0..ops {
                P::send(&ping, i).await;
                assert_eq!(P::receive(&mut ponged).await, i);
            }
            answers.await;
            per_op(start, ops)
        })
    }
}

/// One producer that never waits, one consumer.
struct Unbounded;

impl Row for Unbounded {
    fn name(&self) -> String {
        "unbounded queue, a pair".into()
    }

    fn ops(&self) -> u64 {
        100_000
    }

    fn run<P: Peer>(&self, peer: P, ops: u64) -> f64 {
        peer.inside(async move {
            let (sender, mut receiver) = P::channel(None);
            let start = Instant::now();
            let producer = peer.spawn(async move {
                for i in 0..ops {
                    P::send(&sender, i).await;
                }
            });
            for i in 0..ops {
                assert_eq!(P::receive(&mut receiver).await, i);
            }
            producer.await;
            per_op(start, ops)
        })
    }
}

/// One thread that is no worker puts and takes in turn: nobody waits.
struct Alone;

impl Row for Alone {
    fn name(&self) -> String {
        format!("queue({ROOM}), a thread puts and takes")
    }

    fn ops(&self) -> u64 {
        500_000
    }

    fn run<P: Peer>(&self, _: P, ops: u64) -> f64 {
        let (sender, mut receiver) = P::channel(Some(ROOM));
        block_on(async move {
            let start = Instant::now();
            for i in 0..ops {
                P::send(&sender, i).await;
                assert_eq!(P::receive(&mut receiver).await, i);
            }
            per_op(start, ops)
        })
    }

    fn beside(&self) -> Vec<Beside> {
        let channel = |ops| {
            let (sender, receiver) = crossbeam_channel::bounded(ROOM);
            let start = Instant::now();
            for i in 0..ops {
                sender.send(black_box(i)).expect("it is open");
                assert_eq!(receiver.recv(), Ok(i));
            }
            per_op(start, ops)
        };
        vec![Beside::new(THREADS, channel)]
    }
}

/// One thread puts, another one takes; each sleeps when it has to.
struct Threads;

impl Row for Threads {
    fn name(&self) -> String {
        format!("queue({ROOM}), from a thread to another")
    }

    fn ops(&self) -> u64 {
        100_000
    }

    fn run<P: Peer>(&self, _: P, ops: u64) -> f64 {
        let (sender, mut receiver) = P::channel(Some(ROOM));
        let start = Instant::now();
        let producer = thread::spawn(move || {
            block_on(async {
                for i in 0..ops {
                    P::send(&sender, i).await;
                }
            });
        });
        block_on(async {
            for i in 0..ops {
                assert_eq!(P::receive(&mut receiver).await, i);
            }
        });
        producer.join().expect("no panic");
        per_op(start, ops)
    }

    fn beside(&self) -> Vec<Beside> {
        let channel = |ops| {
            let (sender, receiver) = crossbeam_channel::bounded(ROOM);
            let start = Instant::now();
            let producer = thread::spawn(move || {
                for i in 0..ops {
                    sender.send(i).expect("it is open");
                }
            });
            for i in 0..ops {
                assert_eq!(receiver.recv(), Ok(i));
            }
            producer.join().expect("no panic");
            per_op(start, ops)
        };
        vec![Beside::new(THREADS, channel)]
    }
}

pub(crate) fn rows(suite: &Suite) {
    for producers in [1, 10, 1_000] {
        suite.row(&Producers(producers));
    }
    suite.row(&PingPong);
    suite.row(&Unbounded);
    suite.row(&Alone);
    suite.row(&Threads);
}
