//! In which order tasks run.

use super::*;

#[test]
fn main_runs_on_the_calling_thread_and_gives_its_output() {
    for_each_flavour(|house| {
        let here = std::thread::current().id();
        let there = house.run(async {
            yield_now().await;
            std::thread::current().id()
        });
        assert_eq!(here, there);
    });
}

#[test]
fn spawns_run_in_their_order_on_one_seat() {
    let house = House::new(1);
    let seen = Arc::new(Mutex::new(Vec::new()));
    house.run(async {
        let tasks: Vec<_> = (0..100)
            .map(|i| {
                let seen = Arc::clone(&seen);
                house.spawn(async move { seen.lock().expect("no panic").push(i) })
            })
            .collect();
        for task in tasks {
            task.await.expect("it ends");
        }
    });
    assert_eq!(*seen.lock().expect("no panic"), (0..100).collect::<Vec<_>>());
}

#[test]
fn yielding_tasks_take_turns() {
    let house = House::new(1);
    let seen = Arc::new(Mutex::new(Vec::new()));
    house.run(async {
        let tasks: Vec<_> = (0..3)
            .map(|i| {
                let seen = Arc::clone(&seen);
                house.spawn(async move {
                    for _ in 0..3 {
                        seen.lock().expect("no panic").push(i);
                        yield_now().await;
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.expect("it ends");
        }
    });
    assert_eq!(*seen.lock().expect("no panic"), [0, 1, 2, 0, 1, 2, 0, 1, 2]);
}

#[test]
fn a_thousand_tasks_from_inside_and_outside_all_end() {
    for_each_flavour(|house| {
        let ended = Arc::new(AtomicUsize::new(0));
        let count = |ended: &Arc<AtomicUsize>| {
            let ended = Arc::clone(ended);
            async move {
                yield_now().await;
                ended.fetch_add(1, Ordering::Relaxed);
            }
        };
        let outside: Vec<_> = (0..500).map(|_| house.spawn(count(&ended))).collect();
        house.run(async {
            let inside: Vec<_> = (0..500).map(|_| house.spawn(count(&ended))).collect();
            for task in outside.into_iter().chain(inside) {
                task.await.expect("it ends");
            }
        });
        assert_eq!(ended.load(Ordering::Relaxed), 1000);
    });
}
