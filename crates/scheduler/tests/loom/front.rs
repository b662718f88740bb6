//! The front seat: who sits there, and who is called when nobody does.

use super::*;

/// A caretaker that is called, and one task that it, or who runs main, has to run. Fails if who leaves the seat
/// calls nobody, or calls before the seat is free.
#[test]
fn loom_a_task_from_outside_is_never_stranded_between_main_and_caretaker() {
    explore("caretaker", || {
        // Called, over.
        let bell = Arc::new((Mutex::new((false, false)), Condvar::new()));
        let mut config = Config::default();
        let ring = std::sync::Arc::new(Arc::clone(&bell));
        config.on_vacant = Some(std::sync::Arc::new(move || {
            ring.0.lock().0 = true;
            ring.1.notify_one();
        }));
        let (spawner, _) = new(config, Box::new(Still::default()));
        let stranger = {
            let (spawner, bell) = (spawner.clone(), Arc::clone(&bell));
            thread::spawn(move || {
                spawn(&spawner, async move {
                    bell.0.lock().1 = true;
                    bell.1.notify_one();
                });
            })
        };
        let caretaker = {
            let (spawner, bell) = (spawner.clone(), Arc::clone(&bell));
            thread::spawn(move || {
                loop {
                    let mut state = bell.0.lock();
                    while !state.0 && !state.1 {
                        bell.1.wait(&mut state);
                    }
                    if state.1 {
                        return;
                    }
                    state.0 = false;
                    drop(state);
                    spawner.caretake();
                }
            })
        };
        let seat = spawner.enter().expect("only the caretaker sits there, and it leaves");
        seat.run_until(Location::caller(), Attributes::default(), async {}).expect("main ends");
        drop(seat);
        stranger.join().expect("no panic");
        caretaker.join().expect("no panic");
    });
}
