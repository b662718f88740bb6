//! What does it cost to hand something to another task and get an answer?
//!
//! The channel is the same for all, and belongs to no runtime: async-channel's, and futures-channel's, which costs
//! less. It is a good part of the figure: the floor is the same channel driven by hand on one thread.

use futures_channel::{mpsc, oneshot};
use futures_lite::StreamExt;
use kasasagi_benches::column::FLOOR;
use kasasagi_benches::{Beside, Peer, Row, Suite, by_hand, per_op};
use std::pin::Pin;
use std::time::Instant;

/// One of a pair.
type Side = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A pair that exchanges so many messages over two channels of capacity one: who begins, and who answers.
type Pair = fn(u64) -> (Side, Side);

fn async_channel_pair(each: u64) -> (Side, Side) {
    let (ping, pinged) = async_channel::bounded(1);
    let (pong, ponged) = async_channel::bounded(1);
    let begins = async move {
        for i in 0..each {
            ping.send(i).await.expect("the partner lives");
            assert_eq!(ponged.recv().await, Ok(i));
        }
    };
    let answers = async move {
        while let Ok(i) = pinged.recv().await {
            if pong.send(i).await.is_err() {
                break;
            }
        }
    };
    (Box::pin(begins), Box::pin(answers))
}

fn futures_channel_pair(each: u64) -> (Side, Side) {
    // Room for one of each sender, and none besides.
    let (mut ping, mut pinged) = mpsc::channel(0);
    let (mut pong, mut ponged) = mpsc::channel(0);
    let begins = async move {
        for i in 0..each {
            send(&mut ping, i).await.expect("the partner lives");
            assert_eq!(ponged.next().await, Some(i));
        }
    };
    let answers = async move {
        while let Some(i) = pinged.next().await {
            if send(&mut pong, i).await.is_err() {
                break;
            }
        }
    };
    (Box::pin(begins), Box::pin(answers))
}

async fn send(to: &mut mpsc::Sender<u64>, message: u64) -> Result<(), mpsc::SendError> {
    std::future::poll_fn(|cx| to.poll_ready(cx)).await?;
    to.start_send(message)
}

/// Pairs of tasks over two channels of capacity one.
struct Pairs {
    pairs: u64,
    channel: &'static str,
    pair: Pair,
}

impl Row for Pairs {
    fn name(&self) -> String {
        match self.pairs {
            1 => format!("ping-pong, one pair, {}", self.channel),
            pairs => format!("ping-pong, {pairs} pairs, {}", self.channel),
        }
    }

    fn ops(&self) -> u64 {
        if self.pairs == 1 { 20_000 } else { 100_000 }
    }

    fn run<P: Peer>(&self, peer: P, ops: u64) -> f64 {
        let each = (ops / self.pairs).max(1);
        let pairs = ops / each;
        let pair = self.pair;
        peer.inside(async move {
            let start = Instant::now();
            let tasks: Vec<_> = (0..pairs)
                .map(|_| {
                    let (begins, answers) = pair(each);
                    P::detach(peer.spawn(answers));
                    peer.spawn(begins)
                })
                .collect();
            for task in tasks {
                task.await;
            }
            per_op(start, ops)
        })
    }

    fn beside(&self) -> Vec<Beside> {
        let (all, pair) = (self.pairs, self.pair);
        let by_turns = move |ops: u64| {
            let each = (ops / all).max(1);
            let start = Instant::now();
            let mut queue = by_hand::Queue::new();
            for _ in 0..ops / each {
                let (begins, answers) = pair(each);
                queue.push_back(begins);
                queue.push_back(answers);
            }
            by_hand::run(queue);
            per_op(start, ops)
        };
        vec![Beside::new(FLOOR, by_turns)]
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
                        let (ping, pinged) = oneshot::channel();
                        let (pong, ponged) = oneshot::channel();
                        P::detach(peer.spawn(answer(pinged, pong)));
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

    fn beside(&self) -> Vec<Beside> {
        let by_turns = |ops: u64| {
            let start = Instant::now();
            for _ in 0..ops {
                let (ping, pinged) = oneshot::channel();
                let (pong, ponged) = oneshot::channel();
                let mut queue = by_hand::Queue::new();
                queue.push_back(Box::pin(async move {
                    let _ = ping.send(());
                    ponged.await.expect("the partner lives");
                }));
                queue.push_back(Box::pin(answer(pinged, pong)));
                by_hand::run(queue);
            }
            per_op(start, ops)
        };
        vec![Beside::new(FLOOR, by_turns)]
    }
}

async fn answer(asked: oneshot::Receiver<()>, answer: oneshot::Sender<()>) {
    asked.await.expect("the partner lives");
    let _ = answer.send(());
}

pub(crate) fn rows(suite: &Suite) {
    let channels: [(&str, Pair); 2] =
        [("async-channel", async_channel_pair), ("futures-channel", futures_channel_pair)];
    for pairs in [1, 1_000] {
        for (channel, pair) in channels {
            suite.row(&Pairs { pairs, channel, pair });
        }
    }
    suite.row(&Oneshots);
}
