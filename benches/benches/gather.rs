//! What does it cost to wait for many tasks at once: all of them, each as it ends, a group of them?
//!
//! Spawn, run and end are in it. The tasks do nothing, or yield once: the number says nothing of how many are woken
//! meanwhile by the world outside.

use kasasagi_benches::{Peer, Row, Suite, per_op};
use std::time::Instant;

/// How the tasks are waited for.
#[derive(Clone, Copy)]
enum How {
    All,
    AsCompleted,
    Group,
}

struct Gather {
    how: How,
    tasks: u64,
    yields: bool,
}

impl Row for Gather {
    fn name(&self) -> String {
        let how = match self.how {
            How::All => "gather",
            How::AsCompleted => "as_completed",
            How::Group => "task group",
        };
        let what = if self.yields { "yielding" } else { "ready" };
        format!("{how}, {} {what}", self.tasks)
    }

    fn ops(&self) -> u64 {
        self.tasks.max(20_000)
    }

    fn run<P: Peer>(&self, peer: P, ops: u64) -> f64 {
        let tasks = self.tasks.min(ops);
        let rounds = ops / tasks;
        let (how, yields) = (self.how, self.yields);
        peer.inside(async move {
            let start = Instant::now();
            for _ in 0..rounds {
                let child = |n: u64| async move {
                    if yields {
                        P::yield_now().await;
                    }
                    n
                };
                let children = (0..tasks).map(child);
                match how {
                    How::All => {
                        let sum: u64 = peer.gather(children.collect()).await.into_iter().sum();
                        assert_eq!(sum, tasks * (tasks - 1) / 2, "each gave its number");
                    }
                    How::AsCompleted => {
                        assert_eq!(peer.as_completed(children.collect()).await as u64, tasks);
                    }
                    How::Group => {
                        let children = children.map(|child| async move {
                            std::hint::black_box(child.await);
                        });
                        peer.group(children.collect()).await;
                    }
                }
            }
            per_op(start, ops)
        })
    }
}

pub(crate) fn rows(suite: &Suite) {
    for tasks in [10, 1_000, 100_000] {
        for yields in [false, true] {
            suite.row(&Gather { how: How::All, tasks, yields });
        }
    }
    suite.row(&Gather { how: How::AsCompleted, tasks: 10_000, yields: false });
    suite.row(&Gather { how: How::AsCompleted, tasks: 10_000, yields: true });
    for tasks in [10, 1_000] {
        suite.row(&Gather { how: How::Group, tasks, yields: false });
        suite.row(&Gather { how: How::Group, tasks, yields: true });
    }
}
