//! Models of the protocols, each cut down to the steps that race: a whole seat has too many.
//!
//! Time does not pass: a sleep with a limit ends by a wake or never, and loom reports the deadlock.

mod lull;

use crate::driver::{Driver, NEVER};
use crate::seat::Local;
use crate::shared::Shared;
use crate::sleeper::Sleeper;
use crate::{Config, Spawner, new};
use kasasagi_primitive::explore::explore;
use kasasagi_primitive::sync::atomic::{AtomicUsize, Ordering};
use kasasagi_primitive::sync::{Arc, Condvar, Mutex};
use kasasagi_primitive::thread;
use std::panic::Location;

/// A place for one to wait, and a clock that stands still.
#[derive(Default)]
struct Still {
    attended: Mutex<()>,
    unparked: Mutex<bool>,
    changed: Condvar,
}

impl Driver for Still {
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
    fn attend(&self, _: u64, _: usize) -> usize {
        let _alone = self.attended.try_lock().expect("at most one attends");
        let mut unparked = self.unparked.lock();
        while !*unparked {
            self.changed.wait(&mut unparked);
        }
        *unparked = false;
        0
    }
    fn unpark(&self) {
        *self.unparked.lock() = true;
        self.changed.notify_one();
    }
}

fn scheduler(seats: usize) -> Spawner {
    scheduler_with(seats, Box::new(Still::default()))
}

fn scheduler_with(seats: usize, driver: Box<dyn Driver>) -> Spawner {
    new(Config::with_seats(seats), driver).0
}

fn sit(shared: &Arc<Shared>, seat: usize) -> Local {
    Local::take(shared, seat).expect("nobody sits here")
}

fn spawn(spawner: &Spawner, future: impl Future<Output = ()> + Send + 'static) {
    drop(spawner.spawn(Location::caller(), future));
}

/// Runs what is left.
fn end(spawner: &Spawner, local: Local) {
    local.seated(|| local.run_until(|| local.shared.live() == 0));
    local.leave();
    assert_eq!(spawner.live(), 0);
}

/// P5: the owner puts two tasks and takes, a thief takes: each task runs once. Fails if `take` loads and stores.
#[test]
fn loom_each_task_in_a_slot_is_taken_once() {
    explore("slot", || {
        let spawner = scheduler(1);
        let runs = Arc::new(AtomicUsize::new(0));
        let local = sit(&spawner.shared, 0);
        let make = || {
            let runs = Arc::clone(&runs);
            local.seated(|| {
                spawn(&spawner, async move {
                    runs.fetch_add(1, Ordering::Relaxed);
                });
            });
            local.seat().slot.take().or_else(|| local.core.deque.pop()).expect("just spawned")
        };
        let (one, two) = (make(), make());
        assert!(local.seat().slot.put(one).is_none());
        let thief = {
            let shared = Arc::clone(&spawner.shared);
            thread::spawn(move || {
                if let Some(task) = shared.seats[0].slot.take() {
                    shared.injector.push(task);
                }
            })
        };
        if let Some(displaced) = local.seat().slot.put(two) {
            local.core.deque.push(displaced);
        }
        if let Some(task) = local.seat().slot.take() {
            local.core.deque.push(task);
        }
        thief.join().expect("no panic");
        assert_eq!(
            local.core.deque.len() + spawner.shared.injector.len(),
            2,
            "neither lost nor doubled"
        );
        end(&spawner, local);
        assert_eq!(runs.load(Ordering::Relaxed), 2);
    });
}

/// P7: a push from outside, which wakes nobody because one seat searches, against that seat's end of the search: it
/// has found other work, and does not come back for long. Fails if it does not look again, or without its fence.
#[test]
fn loom_the_last_searcher_looks_again() {
    explore("last_searcher", || {
        let spawner = scheduler(2);
        let idle = &spawner.shared.idle;
        spawner.shared.park(1, false, false);
        let searcher = sit(&spawner.shared, 0);
        assert!(idle.try_search(2));
        searcher.searching.set(true);
        // The watch is somebody's already: it would wake the sleeper too.
        assert!(idle.try_watch());
        let stranger = {
            let spawner = spawner.clone();
            thread::spawn(move || spawn(&spawner, async {}))
        };
        searcher.leave_idle();
        stranger.join().expect("no panic");
        assert_eq!(idle.parked(), 0, "the sleeper is woken for the task");
        end(&spawner, searcher);
    });
}

/// P8: a seat that pushes two tasks and blocks, against a seat that goes to sleep. Fails without the fence at the
/// push, or without the sleeper's last look.
#[test]
fn loom_the_push_that_makes_two_wakes_a_seat() {
    explore("push_inside_steps", || {
        let spawner = scheduler(2);
        let sleeper = {
            let shared = Arc::clone(&spawner.shared);
            thread::spawn(move || {
                let local = sit(&shared, 1);
                local.seated(|| local.sleep());
            })
        };
        let owner = sit(&spawner.shared, 0);
        owner.seated(|| {
            spawn(&spawner, async {});
            spawn(&spawner, async {});
        });
        // In a long poll: nothing of its turn's end.
        sleeper.join().expect("no panic");
        end(&spawner, owner);
    });
}

/// P7: a seat goes to sleep and leaves what there is to the other one, which leaves its seat; a task comes from
/// outside. Fails if who leaves does not take HELD out, or who sets it does not look again who is there.
#[test]
fn loom_what_is_held_is_not_left_to_a_seat_that_is_left() {
    explore("held_and_left", || {
        let spawner = scheduler(2);
        let leaves = sit(&spawner.shared, 0);
        let sleeper = {
            let shared = Arc::clone(&spawner.shared);
            thread::spawn(move || {
                let local = sit(&shared, 1);
                shared.park(1, false, true);
                local.sees_work()
            })
        };
        let stranger = {
            let spawner = spawner.clone();
            thread::spawn(move || spawn(&spawner, async {}))
        };
        leaves.leave();
        spawner.shared.left(0);
        stranger.join().expect("no panic");
        let sees = sleeper.join().expect("no panic");
        assert!(sees || spawner.shared.idle.parked() == 0, "nobody will ever look");
        end(&spawner, sit(&spawner.shared, 0));
    });
}

/// P7: as above, and the other one goes to sleep. Fails if HELD stays when the last one sleeps.
#[test]
fn loom_what_is_held_is_not_left_to_a_seat_that_sleeps() {
    explore("held_and_asleep", || {
        let spawner = scheduler(2);
        let last = sit(&spawner.shared, 0);
        let sleeper = {
            let shared = Arc::clone(&spawner.shared);
            thread::spawn(move || {
                let local = sit(&shared, 1);
                shared.park(1, false, true);
                local.sees_work()
            })
        };
        let stranger = {
            let spawner = spawner.clone();
            thread::spawn(move || spawn(&spawner, async {}))
        };
        spawner.shared.park(0, false, false);
        let last_sees = last.sees_work();
        stranger.join().expect("no panic");
        let sees = sleeper.join().expect("no panic");
        assert!(sees || last_sees || spawner.shared.idle.parked() != 0b11, "nobody will ever look");
        end(&spawner, last);
    });
}

/// P7: a seat steps back, and leaves what it has to the other one, which finds nothing and goes to sleep. Fails if HELD
/// stays when the last one sleeps.
#[test]
fn loom_what_a_seat_leaves_as_it_steps_back_is_seen() {
    explore("steps_back", || {
        let spawner = scheduler(2);
        let stayer = sit(&spawner.shared, 0);
        let other = {
            let spawner = spawner.clone();
            thread::spawn(move || {
                let local = sit(&spawner.shared, 1);
                local.seated(|| spawn(&spawner, async {}));
                spawner.shared.idle.wake_was_futile(1);
                local.leave_queue();
                spawner.shared.park(1, false, true);
                local.has_own_work() || local.sees_work()
            })
        };
        spawner.shared.park(0, false, false);
        let sees = stayer.sees_work();
        let other_sees = other.join().expect("no panic");
        assert!(sees || other_sees, "nobody will ever look");
        end(&spawner, stayer);
    });
}

/// P7: a seat wakes, keeps what there is again, and goes back to sleep as the last one; a task comes from outside. Fails
/// if HELD stays when the last one sleeps.
#[test]
fn loom_what_is_held_again_after_a_sleep_is_not_left_to_nobody() {
    explore("held_again", || {
        let spawner = scheduler(2);
        let shared = &spawner.shared;
        let local = sit(shared, 0);
        let other = sit(shared, 1);
        shared.idle.wake_was_futile(shared.driver.now());
        shared.park(1, false, false);
        let stranger = {
            let spawner = spawner.clone();
            thread::spawn(move || spawn(&spawner, async {}))
        };
        shared.idle.hold_again(shared.driver.now());
        shared.park(0, false, false);
        let sees = local.sees_work();
        stranger.join().expect("no panic");
        assert!(sees || shared.idle.parked() != 0b11, "nobody will ever look");
        shared.unpark_all();
        other.rise();
        other.leave();
        end(&spawner, local);
    });
}

fn wait_for(flag: &AtomicUsize, mut sleep: impl FnMut()) {
    while flag.load(Ordering::Relaxed) == 0 {
        sleep();
    }
}

/// P9: an unpark is never lost, wherever the seat sleeps, and shows what was done before it. Fails if a token is
/// loaded and stored, not swapped.
#[test]
fn loom_an_unpark_reaches_its_seat() {
    explore("unpark", || {
        let driver = Arc::new(Still::default());
        let seat = Arc::new((Sleeper::new(), [AtomicUsize::new(0), AtomicUsize::new(0)]));
        let wakers: Vec<_> = (0..2)
            .map(|i| {
                let (driver, seat) = (Arc::clone(&driver), Arc::clone(&seat));
                thread::spawn(move || {
                    seat.1[i].store(1, Ordering::Relaxed);
                    seat.0.unpark(&*driver);
                })
            })
            .collect();
        seat.0.sit();
        wait_for(&seat.1[0], || {
            let _ = seat.0.attend(&*driver, NEVER, 1);
        });
        wait_for(&seat.1[1], || {
            let _ = seat.0.park(1, NEVER);
        });
        for waker in wakers {
            waker.join().expect("no panic");
        }
    });
}

/// P9: two seats go to sleep, and one of them attends the driver, either first; both are woken. Fails if the place in
/// the driver is given to both.
#[test]
fn loom_one_seat_attends_and_both_are_woken() {
    explore("attend_hand_over", || {
        let spawner = scheduler(2);
        let flag = Arc::new(AtomicUsize::new(0));
        let seats: Vec<_> = (0..2)
            .map(|i| {
                let (shared, flag) = (Arc::clone(&spawner.shared), Arc::clone(&flag));
                thread::spawn(move || {
                    let sleeper = &shared.seats[i].sleeper;
                    sleeper.sit();
                    wait_for(&flag, || {
                        if shared.idle.try_attend(i) {
                            let _ = sleeper.attend(&*shared.driver, NEVER, 1);
                            shared.idle.leave_driver();
                        } else {
                            let _ = sleeper.park(1, NEVER);
                        }
                    });
                })
            })
            .collect();
        flag.store(1, Ordering::Relaxed);
        spawner.shared.unpark_all();
        for seat in seats {
            seat.join().expect("no panic");
        }
        assert!(!spawner.shared.idle.is_attended());
    });
}

/// A moment long after the last time the watch was passed on, and one right after.
const LONG_AFTER: u64 = 1_000_000_000;

/// P10: one seat begins to run while another goes to sleep: the sleeper watches, or is woken to. Fails if the one
/// that goes to sleep does not look who runs after it has its bit set.
#[test]
fn loom_who_sleeps_beside_a_running_seat_watches_it() {
    explore("watch_taken", || {
        let spawner = scheduler(2);
        let sleeper = {
            let shared = Arc::clone(&spawner.shared);
            thread::spawn(move || {
                let local = sit(&shared, 1);
                shared.park(1, false, false);
                local.watch_until(LONG_AFTER)
            })
        };
        let runs = sit(&spawner.shared, 0);
        runs.last_check.set(LONG_AFTER);
        runs.leave_idle();
        let until = sleeper.join().expect("no panic");
        assert!(until < NEVER || spawner.shared.idle.parked() == 0, "nobody will ever look");
    });
}

/// P10: who has the watch wakes and begins to run, right after the last time it was passed on, while a second seat
/// sleeps without limit and a third goes to sleep. Fails if the third says that it will look again, and does not.
#[test]
fn loom_the_watch_is_passed_on_or_somebody_looks_again() {
    explore("watch_passed", || {
        let spawner = scheduler(3);
        let idle = &spawner.shared.idle;
        spawner.shared.last_watch.store(LONG_AFTER, Ordering::Relaxed);
        let runs = sit(&spawner.shared, 0);
        spawner.shared.park(0, false, false);
        runs.watching.set(idle.try_watch());
        runs.last_check.set(LONG_AFTER + 1);
        // Since long ago, without limit.
        spawner.shared.park(2, false, false);
        let sleeper = {
            let shared = Arc::clone(&spawner.shared);
            thread::spawn(move || {
                let local = sit(&shared, 1);
                shared.park(1, false, false);
                local.watch_until(LONG_AFTER + 1)
            })
        };
        runs.rise();
        runs.leave_idle();
        let until = sleeper.join().expect("no panic");
        let woken = idle.parked() != 0b110;
        assert!(until < NEVER || woken, "nobody will ever look");
    });
}

/// P17: two seats end the last two tasks at once, and go to sleep: one of them sees that none is left, and tells the
/// other. Fails without the look at the count between the scan and the sleep.
#[test]
fn loom_one_of_two_last_seats_sees_the_end() {
    explore("last_two", || {
        let spawner = scheduler(2);
        spawner.shared.spawned_outside[0].add(2);
        // Without the tokens that `Spawner::close` leaves.
        assert!(spawner.shared.idle.close());
        let seat = |shared: &Arc<Shared>, i| {
            let local = sit(shared, i);
            local.seat().counters.completed.add(1);
            local.seated(|| {
                local.sleep();
                while local.shared.live() > 0 {
                    local.sleep();
                }
            });
            shared.unpark_all();
        };
        let other = {
            let shared = Arc::clone(&spawner.shared);
            thread::spawn(move || seat(&shared, 1))
        };
        seat(&spawner.shared, 0);
        other.join().expect("no panic");
    });
}
