//! That work spreads.

use super::*;
use std::sync::Barrier;

#[test]
fn two_blocking_tasks_run_on_two_workers() {
    let house = House::new(2);
    let barrier = Arc::new(Barrier::new(2));
    house.run(async {
        let tasks: Vec<_> = (0..2)
            .map(|_| {
                let barrier = Arc::clone(&barrier);
                // Neither passes until both are there, each on a thread of its own.
                house.spawn(async move { barrier.wait() })
            })
            .collect();
        for task in tasks {
            task.await.expect("it ends");
        }
    });
}

#[test]
fn a_task_behind_a_blocked_main_runs_elsewhere() {
    let house = House::new(2);
    for _ in 0..20 {
        let (send, receive) = std::sync::mpsc::channel();
        house.run(async {
            // Alone in the slot of the seat that blocks: only the watch can find it.
            drop(house.spawn(async move { send.send(()) }));
            receive.recv_timeout(std::time::Duration::from_secs(5)).expect("the watch rescues it");
        });
    }
}
