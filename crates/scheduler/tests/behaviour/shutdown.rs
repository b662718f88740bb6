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

#[test]
fn close_ends_a_task_that_never_waits() {
    for_each_flavour(|house| {
        let task = house.spawn(async {
            loop {
                yield_now().await;
            }
        });
        house.spawner.close();
        let limit = std::time::Instant::now() + std::time::Duration::from_secs(10);
        house
            .spawner
            .enter()
            .expect("nobody else runs")
            .drain(|| std::time::Instant::now() > limit);
        assert!(task.is_cancelled());
    });
}

#[test]
fn the_last_task_is_ended_without_a_sleep() {
    let house = House::new(1);
    let task = house.spawn(std::future::pending::<()>());
    house.run(yield_now());
    house.spawner.close();
    let slept = house.spawner.metrics().seats[0].parks;
    house.spawner.enter().expect("nobody else runs").drain(|| false);
    assert!(task.is_cancelled());
    assert_eq!(house.spawner.metrics().seats[0].parks, slept);
}

#[test]
fn who_is_called_for_a_vacant_seat_finds_it_free() {
    let (called, calls) = std::sync::mpsc::channel();
    let mut config = Config::default();
    config.on_vacant = Some(Arc::new(move || {
        let (ask, answer) = std::sync::mpsc::channel();
        called.send(ask).expect("the test listens");
        answer.recv().expect("the caretaker answers");
    }));
    let (spawner, _) = new(config, Box::new(NoDriver::new()));
    let caretaker = {
        let spawner = spawner.clone();
        std::thread::spawn(move || {
            let ask = calls.recv().expect("it is called");
            spawner.caretake();
            let left = spawner.live();
            ask.send(()).expect("the caller waits");
            drop(calls);
            left
        })
    };
    let seat = spawner.enter().expect("nobody else runs");
    let spawned = spawner.clone();
    let run = seat.run_until(Location::caller(), Attributes::default(), async move {
        drop(spawned.spawn(Location::caller(), async {}));
    });
    run.expect("main ends");
    drop(seat);
    assert_eq!(caretaker.join().expect("no panic"), 0, "the task that main left behind has run");
}
