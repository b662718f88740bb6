//! Tasks that stay on one thread, woken from others; and the front seat without main.

use super::wakes::Bell;
use super::*;
use std::rc::Rc;

/// Tasks of the front seat that are woken by tasks elsewhere and by a stranger: their inbox is never forgotten.
#[test]
fn pinned_tasks_are_woken_on_their_own_thread() {
    schedules("pinned", 120, || {
        let house = House::new(SEATS);
        let ledger = Ledger::new();
        let bells: Vec<_> = (0..3).map(|_| Arc::new(Bell::default())).collect();
        let stranger = {
            let bells = bells.clone();
            thread::spawn(move || bells.iter().for_each(|bell| bell.ring()))
        };
        house.run(async {
            let home = thread::current();
            let mut tasks = Vec::new();
            for bell in &bells {
                let (bell, here) = (Arc::clone(bell), Rc::new(()));
                let future = Probe::new(&ledger, async move {
                    bell.heard(2).await;
                    drop(here);
                });
                let task = house.spawner.spawn_local(Location::caller(), future);
                tasks.push(task.expect("main sits in a seat"));
            }
            for bell in bells.iter().rev() {
                let bell = Arc::clone(bell);
                drop(house.spawn(&ledger, async move { bell.ring() }));
            }
            for task in tasks {
                task.await.expect("it ends");
            }
            drop(home);
        });
        stranger.join().expect("no panic");
        house.end();
        ledger.all_ended();
    });
}

/// Main leaves while its pinned tasks are being woken from elsewhere: they end with the run, wherever they stand.
#[test]
fn pinned_tasks_end_when_main_leaves() {
    schedules("pinned_end", 110, || {
        let house = House::new(SEATS);
        let ledger = Ledger::new();
        let bell = Arc::new(Bell::default());
        let stranger = {
            let bell = Arc::clone(&bell);
            thread::spawn(move || (0..3).for_each(|_| bell.ring()))
        };
        house.run(async {
            for i in 0..2 {
                let (bell, here) = (Arc::clone(&bell), Rc::new(()));
                let future = Probe::new(&ledger, async move {
                    bell.heard(3 + i).await;
                    drop(here);
                });
                let task = house.spawner.spawn_local(Location::caller(), future);
                drop(task.expect("main sits in a seat"));
            }
            yield_now().await;
        });
        stranger.join().expect("no panic");
        house.end();
        ledger.all_gone();
    });
}

/// Nobody runs main: tasks and a guest are looked after by a caretaker, who leaves for main and comes back.
#[test]
fn main_and_the_caretaker_take_turns() {
    schedules("caretaker", 110, || {
        let bell = Arc::new((Mutex::new((false, false)), Condvar::new()));
        let ring = Arc::clone(&bell);
        let mut config = Config::with_seats(1);
        config.on_vacant = Some(Arc::new(move || {
            ring.0.lock().0 = true;
            ring.1.notify_one();
        }));
        let (spawner, _) = new(config, Box::new(house::Shared::default()));
        let ledger = Ledger::new();
        let caretaker = {
            let (spawner, bell) = (spawner.clone(), Arc::clone(&bell));
            thread::spawn(move || {
                loop {
                    let mut state = bell.0.lock();
                    while !state.0 && !state.1 {
                        bell.1.wait(&mut state);
                    }
                    if !state.0 {
                        return;
                    }
                    state.0 = false;
                    drop(state);
                    spawner.caretake();
                }
            })
        };
        let left = Arc::new((Mutex::new(4), Condvar::new()));
        let strangers: Vec<_> = (0..2)
            .map(|_| {
                let (spawner, ledger, left) =
                    (spawner.clone(), Arc::clone(&ledger), Arc::clone(&left));
                thread::spawn(move || {
                    for _ in 0..2 {
                        let left = Arc::clone(&left);
                        drop(house::spawn(&spawner, &ledger, async move {
                            yield_now().await;
                            *left.0.lock() -= 1;
                            left.1.notify_one();
                        }));
                    }
                })
            })
            .collect();
        for _ in 0..2 {
            let seat = spawner.enter().expect("only the caretaker sits there, and it leaves");
            seat.run_until(Location::caller(), Attributes::default(), yield_now()).expect("ends");
        }
        let mut now = left.0.lock();
        while *now > 0 {
            left.1.wait(&mut now);
        }
        drop(now);
        strangers.into_iter().for_each(|stranger| stranger.join().expect("no panic"));
        spawner.close();
        spawner.enter().expect("only the caretaker sits there, and it leaves").drain(|| false);
        bell.0.lock().1 = true;
        bell.1.notify_one();
        caretaker.join().expect("no panic");
        ledger.all_ended();
    });
}
