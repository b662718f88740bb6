//! What does a spawn cost in a tree of tasks that wait for each other?
//!
//! Nothing is computed: where leaves have work to do, sharing it out matters more than what a spawn costs.

use kasasagi_benches::column::{FLOOR, RAYON};
use kasasagi_benches::{Beside, Peer, Row, by_hand, per_op, pool};
use std::pin::Pin;
use std::time::Instant;

/// A tree: one half spawned, the other here.
pub(crate) struct ForkJoin;

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

/// Without an allocation: the other half is on the stack.
fn fib_of_rayon(n: u64) -> u64 {
    if n < 2 {
        return n;
    }
    let (left, right) = rayon::join(|| fib_of_rayon(n - 1), || fib_of_rayon(n - 2));
    left + right
}

/// Boxed futures, polled where they are awaited.
fn fib_in_place(n: u64) -> Pin<Box<dyn Future<Output = u64>>> {
    Box::pin(async move {
        if n < 2 {
            return n;
        }
        fib_in_place(n - 1).await + fib_in_place(n - 2).await
    })
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

    fn beside(&self) -> Vec<Beside> {
        let tree = |solve: fn(u64) -> u64| {
            move |ops: u64| {
                let n = (2..).find(|n| fib_number(n + 1) > ops).expect("the numbers grow");
                let start = Instant::now();
                assert_eq!(solve(n), fib_number(n));
                per_op(start, fib_number(n + 1) - 1)
            }
        };
        vec![
            Beside::new(RAYON, tree(|n| pool::rayon().install(|| fib_of_rayon(n)))),
            Beside::new(FLOOR, tree(|n| by_hand::run_one(fib_in_place(n)))),
        ]
    }
}
