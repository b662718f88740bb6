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

/// What the guest's caretaker is told.
#[derive(Default)]
struct Bell {
    called: bool,
    served: bool,
    over: bool,
}

/// Says when somebody attends: then a guest is served.
struct Attended(Still, Arc<(Mutex<Bell>, Condvar)>);

impl Driver for Attended {
    fn now(&self) -> u64 {
        1
    }
    fn deadline(&self, _: usize) -> u64 {
        NEVER
    }
    fn fire(&self, _: usize, _: u64, _: usize) -> usize {
        0
    }
    fn look(&self, _: usize) -> usize {
        0
    }
    fn attend(&self, until: u64, max_events: usize) -> usize {
        self.1.0.lock().served = true;
        self.1.1.notify_all();
        self.0.attend(until, max_events)
    }
    fn unpark(&self) {
        self.0.unpark();
    }
}

/// A thread without a seat that waits for an event, and main, who leaves: the caretaker attends, and goes when the guest
/// has gone. Fails if who leaves the seat does not look for guests, or if the last guest does not wake the caretaker.
#[test]
fn loom_a_guest_is_served_when_main_leaves() {
    explore("guest", || {
        let bell = Arc::new((Mutex::new(Bell::default()), Condvar::new()));
        let mut config = Config::default();
        let ring = std::sync::Arc::new(Arc::clone(&bell));
        config.on_vacant = Some(std::sync::Arc::new(move || {
            ring.0.lock().called = true;
            ring.1.notify_all();
        }));
        let driver = Attended(Still::default(), Arc::clone(&bell));
        let (spawner, _) = new(config, Box::new(driver));
        let guest = {
            let (spawner, bell) = (spawner.clone(), Arc::clone(&bell));
            thread::spawn(move || {
                let mut guest = spawner.guest();
                guest.arrive();
                let mut state = bell.0.lock();
                while !state.served {
                    bell.1.wait(&mut state);
                }
                drop(state);
                drop(guest);
                bell.0.lock().over = true;
                bell.1.notify_all();
            })
        };
        let caretaker = {
            let (spawner, bell) = (spawner.clone(), Arc::clone(&bell));
            thread::spawn(move || {
                loop {
                    let mut state = bell.0.lock();
                    while !state.called && !state.over {
                        bell.1.wait(&mut state);
                    }
                    if state.over {
                        return;
                    }
                    state.called = false;
                    drop(state);
                    spawner.caretake();
                }
            })
        };
        let seat = spawner.enter().expect("only the caretaker sits there, and it leaves");
        seat.run_until(Location::caller(), Attributes::default(), async {}).expect("main ends");
        drop(seat);
        guest.join().expect("no panic");
        caretaker.join().expect("no panic");
    });
}
