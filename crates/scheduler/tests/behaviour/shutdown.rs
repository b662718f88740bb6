//! That nothing is left.

use super::*;

#[test]
fn close_cancels_what_waits_for_ever() {
    for seats in [1, 2, 4] {
        let house = House::new(seats);
        let tasks: Vec<_> = (0..100).map(|_| house.spawn(std::future::pending::<()>())).collect();
        house.run(async {
            for _ in 0..10 {
                yield_now().await;
            }
        });
        let spawner = house.spawner.clone();
        drop(house);
        assert_eq!(spawner.live(), 0);
        for task in tasks {
            assert!(task.is_cancelled());
        }
        let late = spawner.spawn(Location::caller(), async {});
        assert!(late.is_cancelled());
    }
}

#[test]
fn local_tasks_end_with_the_run() {
    let house = House::new(2);
    let guard = Arc::new(());
    let held = Arc::clone(&guard);
    house.run(async {
        let local = std::rc::Rc::new(held);
        let task = house.spawner.spawn_local(Location::caller(), async move {
            let _held = local;
            std::future::pending::<()>().await;
        });
        drop(task.expect("main sits in a seat"));
        yield_now().await;
    });
    assert_eq!(Arc::strong_count(&guard), 1);
}
