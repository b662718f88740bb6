//! What does it cost to promise a number, to set it and to wait for it?
//!
//! The peers' own oneshots, or the one that their users take: each has one reader and one value; a promise may have
//! many readers, and callbacks.

use kasasagi_benches::{Peer, Row, Suite, per_op};
use std::time::Instant;

/// It is there before it is awaited.
struct Kept;

impl Row for Kept {
    fn name(&self) -> String {
        "promise, set, then awaited".into()
    }

    fn ops(&self) -> u64 {
        200_000
    }

    fn run<P: Peer>(&self, peer: P, ops: u64) -> f64 {
        peer.inside(async move {
            let start = Instant::now();
            for i in 0..ops {
                let (promise, pending) = P::promise();
                P::keep(promise, std::hint::black_box(i));
                assert_eq!(pending.await, i);
            }
            per_op(start, ops)
        })
    }
}

/// A task waits, and another one sets it.
struct Awaited;

impl Row for Awaited {
    fn name(&self) -> String {
        "promise, awaited, set by a task".into()
    }

    fn ops(&self) -> u64 {
        50_000
    }

    fn run<P: Peer>(&self, peer: P, ops: u64) -> f64 {
        peer.inside(async move {
            let start = Instant::now();
            for i in 0..ops {
                let (promise, pending) = P::promise();
                P::detach(peer.spawn(async move { P::keep(promise, i) }));
                assert_eq!(pending.await, i);
            }
            per_op(start, ops)
        })
    }
}

pub(crate) fn rows(suite: &Suite) {
    suite.row(&Kept);
    suite.row(&Awaited);
}
