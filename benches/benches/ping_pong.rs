//! What does it cost to hand something to another task and get an answer?
//!
//! The channel is the same for all (async-channel, tokio's oneshot), and is a good part of the figure.

use kasasagi_benches::{Peer, Row, Suite, per_op};
use std::time::Instant;

/// Pairs of tasks over two channels of capacity one.
struct Pairs {
    pairs: u64,
}

impl Row for Pairs {
    fn name(&self) -> String {
        match self.pairs {
            1 => "ping-pong, one pair".into(),
            pairs => format!("ping-pong, {pairs} pairs"),
        }
    }

    fn ops(&self) -> u64 {
        if self.pairs == 1 { 20_000 } else { 100_000 }
    }

    fn run<P: Peer>(&self, peer: P, ops: u64) -> f64 {
        let each = (ops / self.pairs).max(1);
        let pairs = ops / each;
        peer.inside(async move {
            let start = Instant::now();
            let tasks: Vec<_> = (0..pairs)
                .map(|_| {
                    let (ping, pinged) = async_channel::bounded(1);
                    let (pong, ponged) = async_channel::bounded(1);
                    P::detach(peer.spawn(async move {
                        while let Ok(i) = pinged.recv().await {
                            if pong.send(i).await.is_err() {
                                break;
                            }
                        }
                    }));
                    peer.spawn(async move {
                        for i in 0..each {
                            ping.send(i).await.expect("the partner lives");
                            assert_eq!(ponged.recv().await, Ok(i));
                        }
                    })
                })
                .collect();
            for task in tasks {
                task.await;
            }
            per_op(start, ops)
        })
    }
}

/// Two spawned tasks that speak once, by two oneshot channels.
struct Oneshots;

impl Row for Oneshots {
    fn name(&self) -> String {
        "two spawns, two oneshots".into()
    }

    fn ops(&self) -> u64 {
        20_000
    }

    fn run<P: Peer>(&self, peer: P, ops: u64) -> f64 {
        let batch = ops.min(1_000);
        peer.inside(async move {
            let start = Instant::now();
            for _ in 0..ops / batch {
                let (done, all) = async_channel::bounded::<()>(1);
                for _ in 0..batch {
                    let done = done.clone();
                    P::detach(peer.spawn(async move {
                        let (ping, pinged) = tokio::sync::oneshot::channel();
                        let (pong, ponged) = tokio::sync::oneshot::channel();
                        P::detach(peer.spawn(async move {
                            pinged.await.expect("the partner lives");
                            let _ = pong.send(());
                        }));
                        let _ = ping.send(());
                        ponged.await.expect("the partner lives");
                        drop(done);
                    }));
                }
                drop(done);
                assert!(all.recv().await.is_err(), "nothing is ever sent");
            }
            per_op(start, ops)
        })
    }
}

fn main() {
    let suite = Suite::new("ping_pong");
    suite.row(&Pairs { pairs: 1 });
    suite.row(&Pairs { pairs: 1_000 });
    suite.row(&Oneshots);
}
