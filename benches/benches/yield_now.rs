//! What does a turn of a task cost: to the end of the queue and back?
//!
//! Nothing else happens in it: no waker is registered, no data is touched.

use kasasagi_benches::column::FLOOR;
use kasasagi_benches::{Beside, Peer, Row, Suite, by_hand, per_op};
use std::pin::Pin;
use std::time::Instant;

struct Yield {
    tasks: u64,
}

impl Row for Yield {
    fn name(&self) -> String {
        match self.tasks {
            1 => "yield_now, one task".into(),
            tasks => format!("yield_now, {tasks} tasks"),
        }
    }

    fn ops(&self) -> u64 {
        if self.tasks == 1 { 100_000 } else { 500_000 }
    }

    fn run<P: Peer>(&self, peer: P, ops: u64) -> f64 {
        let each = (ops / self.tasks).max(1);
        let tasks = ops / each;
        peer.inside(async move {
            let start = Instant::now();
            let tasks: Vec<_> = (0..tasks)
                .map(|_| {
                    peer.spawn(async move {
                        for _ in 0..each {
                            P::yield_now().await;
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

    fn beside(&self) -> Vec<Beside> {
        let tasks = self.tasks;
        let turns = move |ops: u64| {
            let each = (ops / tasks).max(1);
            let start = Instant::now();
            let task = |_| -> Pin<Box<dyn Future<Output = ()>>> {
                Box::pin(async move {
                    for _ in 0..each {
                        by_hand::yield_now().await;
                    }
                })
            };
            by_hand::run((0..ops / each).map(task).collect());
            per_op(start, ops)
        };
        vec![Beside::new(FLOOR, turns)]
    }
}

pub(crate) fn rows(suite: &Suite) {
    suite.row(&Yield { tasks: 1 });
    suite.row(&Yield { tasks: 1_000 });
}
