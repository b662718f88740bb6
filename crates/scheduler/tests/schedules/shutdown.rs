//! Ends: cancelled tasks, and schedulers that close amid everything.

use super::house::spawn;
use super::wakes::Bell;
use super::*;

/// Tasks that wait, run, or are about to run are cancelled from other tasks and from a stranger, while bells ring.
#[test]
fn a_cancel_storm_drops_each_future_once() {
    schedules("cancel_storm", 120, || {
        let house = House::new(SEATS);
        let ledger = Ledger::new();
        let bell = Arc::new(Bell::default());
        let tasks: Vec<_> = (0..4)
            .map(|i| {
                let bell = Arc::clone(&bell);
                house.spawn(&ledger, async move {
                    if i % 2 == 0 {
                        yield_now().await;
                    }
                    bell.heard(usize::MAX - i).await;
                })
            })
            .collect();
        let handles: Vec<_> = tasks.iter().map(Task::handle).collect();
        let stranger = {
            let (handles, bell) = (handles.clone(), Arc::clone(&bell));
            thread::spawn(move || {
                bell.ring();
                for task in &handles {
                    task.cancel();
                }
            })
        };
        house.run(async {
            let other = house.spawn(&ledger, async move {
                for task in handles.iter().rev() {
                    task.cancel();
                }
            });
            for task in tasks {
                assert!(task.await.is_err_and(|error| error.is_cancelled()));
            }
            other.await.expect("it ends");
        });
        stranger.join().expect("no panic");
        house.end();
        assert_eq!(ledger.ended(), 1);
        ledger.all_gone();
    });
}

/// The scheduler closes while strangers and tasks spawn: what comes too late is cancelled, and nothing is left.
#[test]
fn a_close_that_meets_spawns_leaves_nothing() {
    schedules("close_and_spawns", 150, || {
        let house = House::new(SEATS);
        let ledger = Ledger::new();
        let strangers: Vec<_> = (0..2)
            .map(|_| {
                let (spawner, ledger) = (house.spawner.clone(), Arc::clone(&ledger));
                thread::spawn(move || {
                    for _ in 0..2 {
                        let (again, count) = (spawner.clone(), Arc::clone(&ledger));
                        drop(spawn(&spawner, &ledger, async move {
                            drop(spawn(&again, &count, std::future::pending::<()>()));
                            yield_now().await;
                            std::future::pending::<()>().await;
                        }));
                    }
                })
            })
            .collect();
        house.end_amid(strangers);
        ledger.all_gone();
    });
}

/// Joins that wait while the scheduler closes: each is told that its task was cancelled.
#[test]
fn who_joins_a_task_hears_of_the_close() {
    schedules("close_and_joins", 90, || {
        let house = House::new(SEATS);
        let ledger = Ledger::new();
        let waits = house.spawn(&ledger, std::future::pending::<()>());
        let joins = house.spawn(&ledger, async move { waits.await.is_err() });
        let closer = {
            let spawner = house.spawner.clone();
            thread::spawn(move || spawner.close())
        };
        closer.join().expect("no panic");
        house.end();
        assert!(joins.is_finished());
        ledger.all_gone();
    });
}
