//! What does it cost to send one value to one, a message to a hundred, and to change a value that somebody watches?

use kasasagi_benches::{Channels, Peer, Reader, Row, Suite, per_op};
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// How many readers a message has.
const READERS: usize = 100;
/// How many messages the channel keeps.
const ROOM: usize = 128;
/// How many are sent before the readers have to have got them: so nobody misses any.
const BATCH: u64 = 64;

/// It is there before it is awaited.
struct Sent;

impl Row for Sent {
    fn name(&self) -> String {
        "oneshot, sent, then received".into()
    }

    fn ops(&self) -> u64 {
        200_000
    }

    fn run<P: Peer>(&self, peer: P, ops: u64) -> f64 {
        peer.inside(async move {
            let start = Instant::now();
            for i in 0..ops {
                let (send, receiver) = P::Channels::oneshot();
                send(black_box(i));
                assert_eq!(receiver.await, i);
            }
            per_op(start, ops)
        })
    }
}

/// A task waits, and another one sends it.
struct Awaited;

impl Row for Awaited {
    fn name(&self) -> String {
        "oneshot, awaited, sent by a task".into()
    }

    fn ops(&self) -> u64 {
        50_000
    }

    fn run<P: Peer>(&self, peer: P, ops: u64) -> f64 {
        peer.inside(async move {
            let start = Instant::now();
            for i in 0..ops {
                let (send, receiver) = P::Channels::oneshot();
                P::detach(peer.spawn(async move { send(i) }));
                assert_eq!(receiver.await, i);
            }
            per_op(start, ops)
        })
    }
}

/// A message to each of a hundred tasks.
struct Broadcast;

impl Row for Broadcast {
    fn name(&self) -> String {
        format!("broadcast to {READERS} tasks, per message")
    }

    fn ops(&self) -> u64 {
        2_000
    }

    fn run<P: Peer>(&self, peer: P, ops: u64) -> f64 {
        peer.inside(async move {
            let (send, readers) = P::Channels::broadcast(ROOM, READERS);
            let got = Arc::new(AtomicU64::new(0));
            let tasks: Vec<_> = readers
                .into_iter()
                .map(|mut reader| {
                    let got = Arc::clone(&got);
                    peer.spawn(async move {
                        while let Some(number) = reader.next().await {
                            // Once a batch, so that this is not what is measured.
                            if number % BATCH == BATCH - 1 || number == ops - 1 {
                                got.fetch_add(1, Ordering::Release);
                            }
                        }
                    })
                })
                .collect();
            let start = Instant::now();
            let mut batches = 0;
            for number in 0..ops {
                send(black_box(number));
                if number % BATCH == BATCH - 1 || number == ops - 1 {
                    batches += 1;
                    while got.load(Ordering::Acquire) < batches * READERS as u64 {
                        P::yield_now().await;
                    }
                }
            }
            let time = per_op(start, ops);
            drop(send);
            for task in tasks {
                task.await;
            }
            time
        })
    }
}

/// A value that is changed, and seen by the same task.
struct Watch;

impl Row for Watch {
    fn name(&self) -> String {
        "watch, changed, then seen".into()
    }

    fn ops(&self) -> u64 {
        200_000
    }

    fn run<P: Peer>(&self, peer: P, ops: u64) -> f64 {
        peer.inside(async move {
            let (set, mut readers) = P::Channels::watch(1);
            let start = Instant::now();
            for i in 1..=ops {
                set(black_box(i));
                assert_eq!(readers[0].next().await, Some(i));
            }
            per_op(start, ops)
        })
    }
}

/// Two tasks that answer each other by values that both watch.
struct WatchPingPong;

impl Row for WatchPingPong {
    fn name(&self) -> String {
        "watch, ping-pong of two tasks".into()
    }

    fn ops(&self) -> u64 {
        50_000
    }

    fn run<P: Peer>(&self, peer: P, ops: u64) -> f64 {
        peer.inside(async move {
            let (ping, mut pinged) = P::Channels::watch(1);
            let (pong, mut ponged) = P::Channels::watch(1);
            let answers = peer.spawn(async move {
                while let Some(number) = pinged[0].next().await {
                    pong(number);
                }
            });
            let start = Instant::now();
            for i in 1..=ops {
                ping(i);
                assert_eq!(ponged[0].next().await, Some(i));
            }
            let time = per_op(start, ops);
            drop(ping);
            answers.await;
            time
        })
    }
}

pub(crate) fn rows(suite: &Suite) {
    suite.row(&Sent);
    suite.row(&Awaited);
    suite.row(&Broadcast);
    suite.row(&Watch);
    suite.row(&WatchPingPong);
}
