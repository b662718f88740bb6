//! Models of the lull: time moves only when nobody has anything to do, and then it does.
//!
//! `owed` counts what has to happen before the clock may be moved. It is relaxed: who moves the clock has to see it all
//! by the protocol's own means.

use super::{Still, end, scheduler_with, sit, spawn};
use crate::driver::{Driver, NEVER};
use crate::shared::Shared;
use kasasagi_primitive::explore::explore;
use kasasagi_primitive::sync::Arc;
use kasasagi_primitive::sync::atomic::{AtomicUsize, Ordering};
use kasasagi_primitive::thread;

/// The world outside, with a clock that stands.
#[derive(Default)]
struct World {
    place: Still,
    /// An event that nobody has looked for.
    event: AtomicUsize,
    held: AtomicUsize,
    owed: AtomicUsize,
    jumps: AtomicUsize,
}

impl World {
    fn new(owed: usize) -> Arc<Self> {
        let world = Self::default();
        world.owed.store(owed, Ordering::Relaxed);
        Arc::new(world)
    }

    fn pay(&self) {
        self.owed.fetch_sub(1, Ordering::Relaxed);
    }

    fn has_jumped(&self) -> bool {
        self.jumps.load(Ordering::Relaxed) > 0
    }
}

struct Stopped(Arc<World>);

impl Driver for Stopped {
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
        self.0.event.swap(0, Ordering::AcqRel)
    }
    fn attend(&self, until: u64, max_events: usize) -> usize {
        self.0.place.attend(until, max_events)
    }
    fn unpark(&self) {
        self.0.place.unpark();
    }
    fn stands_still(&self) -> bool {
        true
    }
    fn is_held(&self) -> bool {
        self.0.held.load(Ordering::Acquire) > 0
    }
    fn jump(&self, held: bool) -> bool {
        if held {
            return false;
        }
        assert_eq!(self.0.owed.load(Ordering::Relaxed), 0, "somebody has something to do");
        assert_eq!(self.0.event.load(Ordering::Relaxed), 0, "nobody has looked for the event");
        // The clock moves. No `yield_now`, which would let the others come to their ends in between.
        assert_eq!(self.0.owed.load(Ordering::Relaxed), 0, "somebody got up meanwhile");
        self.0.jumps.fetch_add(1, Ordering::Relaxed);
        true
    }
}

fn scheduler(seats: usize, world: &Arc<World>) -> crate::Spawner {
    scheduler_with(seats, Box::new(Stopped(Arc::clone(world))))
}

/// A seat runs until the clock was moved.
fn run_until_moved(shared: &Arc<Shared>, world: &World) {
    let local = sit(shared, 0);
    local.seated(|| local.run_until(|| world.has_jumped() && shared.live() == 0));
    local.leave();
}

/// A seat gets up, takes a task, runs it and goes, while another one decides. Fails if who decides takes hold of the
/// lull whoever got up.
#[test]
fn loom_a_task_in_a_seats_hands_holds_the_time() {
    explore("lull_task", || {
        let world = World::new(1);
        let spawner = scheduler(2, &world);
        let paid = Arc::clone(&world);
        spawn(&spawner, async move { paid.pay() });
        let decides = sit(&spawner.shared, 0);
        let other = {
            let shared = Arc::clone(&spawner.shared);
            thread::spawn(move || {
                let local = sit(&shared, 1);
                local.seated(|| {
                    if let Some(task) = local.find() {
                        let _ = task.run();
                        local.seat().counters.completed.add(1);
                    }
                });
                local.leave();
            })
        };
        let _ = decides.seated(|| decides.move_on());
        other.join().expect("no panic");
        spawner.shared.lull.get_up(0);
        end(&spawner, decides);
    });
}

/// A seat gets up, has something to do, writes to a socket and rests again, while another one decides. Fails if it does
/// not count that it got up, and if it does not wait for the end of a move.
#[test]
fn loom_an_event_that_came_between_look_and_move_holds_the_time() {
    explore("lull_event", || {
        let world = World::new(0);
        let spawner = scheduler(2, &world);
        let decides = sit(&spawner.shared, 0);
        let other = {
            let (shared, world) = (Arc::clone(&spawner.shared), Arc::clone(&world));
            thread::spawn(move || {
                let local = sit(&shared, 1);
                world.owed.fetch_add(1, Ordering::Relaxed);
                world.event.store(1, Ordering::Release);
                world.pay();
                local.leave();
            })
        };
        let _ = decides.move_on();
        other.join().expect("no panic");
        spawner.shared.lull.get_up(0);
        end(&spawner, decides);
    });
}

/// A thread that holds the time hands over a task, lets go, and calls. Fails if who decides looks at the queues before
/// it asks whether the time is held, and if nobody is called.
#[test]
fn loom_who_holds_the_time_is_seen_to_have_let_go() {
    explore("lull_held", || {
        let world = World::new(1);
        world.held.store(1, Ordering::Relaxed);
        let spawner = scheduler(1, &world);
        let other = {
            let (spawner, world) = (spawner.clone(), Arc::clone(&world));
            thread::spawn(move || {
                let paid = Arc::clone(&world);
                spawn(&spawner, async move { paid.pay() });
                world.held.store(0, Ordering::Release);
                spawner.reconsider();
            })
        };
        run_until_moved(&spawner.shared, &world);
        other.join().expect("no panic");
    });
}

/// A task wakes a guest, and its seat has nothing to do from then on. Fails if a guest counts as busy only when its
/// thread is up, and if a guest that goes calls nobody.
#[test]
fn loom_a_guest_that_is_woken_holds_the_time() {
    explore("lull_guest", || {
        let world = World::new(1);
        let spawner = scheduler(1, &world);
        // It holds the time from here on.
        let mut guest = spawner.guest();
        let waker = guest.waker();
        let seat = {
            let (shared, world) = (Arc::clone(&spawner.shared), Arc::clone(&world));
            thread::spawn(move || run_until_moved(&shared, &world))
        };
        spawn(&spawner, async move { waker.wake() });
        guest.wait();
        world.pay();
        drop(guest);
        seat.join().expect("no panic");
    });
}

/// A guest is woken by somebody whom the scheduler does not know. Fails if it polls while the clock is being moved.
#[test]
fn loom_a_guest_that_a_stranger_wakes_waits_for_the_end_of_a_move() {
    explore("lull_stranger", || {
        let world = World::new(0);
        let spawner = scheduler(1, &world);
        let mut guest = spawner.guest();
        let waker = guest.waker();
        let stranger = thread::spawn(move || waker.wake());
        let seat = {
            let (shared, world) = (Arc::clone(&spawner.shared), Arc::clone(&world));
            thread::spawn(move || run_until_moved(&shared, &world))
        };
        guest.wait();
        world.owed.fetch_add(1, Ordering::Relaxed);
        world.pay();
        drop(guest);
        stranger.join().expect("no panic");
        seat.join().expect("no panic");
    });
}

/// A guest comes while the clock is being moved. Fails if it does not wait for the end of that: it would read the time
/// before, and act on it after.
#[test]
fn loom_a_guest_that_comes_waits_for_the_end_of_a_move() {
    explore("lull_arrival", || {
        let world = World::new(0);
        let spawner = scheduler(1, &world);
        let seat = {
            let (shared, world) = (Arc::clone(&spawner.shared), Arc::clone(&world));
            thread::spawn(move || run_until_moved(&shared, &world))
        };
        let guest = spawner.guest();
        world.owed.fetch_add(1, Ordering::Relaxed);
        world.pay();
        drop(guest);
        seat.join().expect("no panic");
    });
}

/// One seat attends, and another one goes to sleep as the last. Fails if that one does not call the first.
#[test]
fn loom_whoever_rests_last_calls_who_attends() {
    explore("lull_last", || {
        let world = World::new(0);
        let spawner = scheduler(2, &world);
        let other = {
            let (shared, world) = (Arc::clone(&spawner.shared), Arc::clone(&world));
            thread::spawn(move || {
                let local = sit(&shared, 1);
                local.seated(|| {
                    while !world.has_jumped() {
                        local.sleep();
                    }
                });
                local.leave();
                shared.unpark_all();
            })
        };
        run_until_moved(&spawner.shared, &world);
        spawner.shared.unpark_all();
        other.join().expect("no panic");
    });
}
