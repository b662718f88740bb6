//! Spawns from everywhere at once.

use super::house::spawn;
use super::*;

/// Tasks that make tasks, joined by whoever made them, on seats that fall asleep and are woken meanwhile.
#[test]
fn a_spawn_storm_ends() {
    schedules("spawn_storm", 130, || {
        let house = House::new(SEATS);
        let ledger = Ledger::new();
        let spawner = house.spawner.clone();
        house.run(async {
            let tasks: Vec<_> = (0..4)
                .map(|_| {
                    let (spawner, ledger) = (spawner.clone(), Arc::clone(&ledger));
                    house.spawn(&Arc::clone(&ledger), async move {
                        let one = spawn(&spawner, &ledger, async { 1 });
                        let two = spawn(&spawner, &ledger, async {
                            yield_now().await;
                            2
                        });
                        two.await.expect("it ends") + one.await.expect("it ends")
                    })
                })
                .collect();
            for task in tasks {
                assert_eq!(task.await.expect("it ends"), 3);
            }
        });
        house.end();
        assert_eq!(ledger.ended(), 12);
        ledger.all_ended();
    });
}

/// Threads without a seat spawn while the seats go to sleep, and nobody runs main any more: each task is run.
#[test]
fn spawns_from_strangers_are_never_stranded() {
    schedules("strangers", 160, || {
        let house = House::new(SEATS);
        let ledger = Ledger::new();
        let left = Arc::new((Mutex::new(6), Condvar::new()));
        let strangers: Vec<_> = (0..3)
            .map(|_| {
                let (spawner, ledger, left) =
                    (house.spawner.clone(), Arc::clone(&ledger), Arc::clone(&left));
                thread::spawn(move || {
                    for _ in 0..2 {
                        let left = Arc::clone(&left);
                        drop(spawn(&spawner, &ledger, async move {
                            *left.0.lock() -= 1;
                            left.1.notify_one();
                        }));
                    }
                })
            })
            .collect();
        // Nobody helps: no close, no main. What is not run is waited for here for ever.
        let mut now = left.0.lock();
        while *now > 0 {
            left.1.wait(&mut now);
        }
        drop(now);
        strangers.into_iter().for_each(|stranger| stranger.join().expect("no panic"));
        house.end();
        ledger.all_ended();
    });
}

/// One task makes many at once, and nobody waits for them: the others come and take them, and all are run.
#[test]
fn a_burst_is_run_to_the_last() {
    schedules("burst", 110, || {
        let house = House::new(SEATS);
        let ledger = Ledger::new();
        let left = Arc::new((Mutex::new(8), Condvar::new()));
        let (spawner, count, last) =
            (house.spawner.clone(), Arc::clone(&ledger), Arc::clone(&left));
        drop(house.spawn(&ledger, async move {
            for _ in 0..8 {
                let left = Arc::clone(&left);
                drop(spawn(&spawner, &count, async move {
                    yield_now().await;
                    *left.0.lock() -= 1;
                    left.1.notify_one();
                }));
            }
        }));
        let mut now = last.0.lock();
        while *now > 0 {
            last.1.wait(&mut now);
        }
        drop(now);
        house.end();
        ledger.all_ended();
    });
}
