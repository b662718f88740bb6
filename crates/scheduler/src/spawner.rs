//! The scheduler's handle: spawns from anywhere, takes seat 0, closes, tells.

use crate::config::{Config, MAX_SEATS};
use crate::current;
use crate::driver::Driver;
use crate::front::FrontSeat;
use crate::guest::Guest;
use crate::metrics::Metrics;
use crate::shared::{Keeper, Shared};
use crate::worker::Worker;
use kasasagi_primitive::counter::Counter;
use kasasagi_primitive::sync::Arc;
use kasasagi_primitive::thread_local;
use kasasagi_task::{Birth, Runnable, Spawn, Task, TaskRef};
use std::cell::Cell;
use std::fmt;
use std::panic::Location;
use std::time::Duration;

/// Numbers the threads that spawn without a seat, so that those which come one after another use different heaps.
static STRANGERS: Counter = Counter::new(1);

thread_local! {
    static STRANGER: Cell<u64> = Cell::new(0)
}

/// Makes a scheduler: a handle, and a worker for every seat but the first.
///
/// It starts no thread: each [`Worker`] runs on the thread that calls its `run`, and seat 0 is taken by
/// [`Spawner::enter`].
///
/// # Panics
/// If `config.seats` is not between 1 and [`MAX_SEATS`]; the roof refuses such a number with an error.
pub fn new(config: Config, driver: Box<dyn Driver>) -> (Spawner, Vec<Worker>) {
    assert!(
        (1..=MAX_SEATS).contains(&config.seats),
        "a scheduler has 1 to {MAX_SEATS} seats, not {}",
        config.seats
    );
    let shared = Shared::new(config, driver);
    let keeper = Keeper::new(&shared);
    let workers = (1..shared.seats.len())
        .map(|i| Worker::new(Arc::clone(&shared), Arc::clone(&keeper), i))
        .collect();
    (Spawner { shared, keeper }, workers)
}

/// The scheduler's handle; cloned everywhere.
#[derive(Clone)]
pub struct Spawner {
    pub(crate) shared: Arc<Shared>,
    keeper: Arc<Keeper>,
}

impl Spawner {
    /// Spawns a task.
    ///
    /// From a worker of this scheduler it goes to that worker's queue, in the order of spawns; from elsewhere
    /// to the injector. On a closed scheduler the future is dropped unpolled, and the task is cancelled
    /// already, with a reason.
    #[inline]
    pub fn spawn<F>(&self, place: &'static Location<'static>, what: F) -> Task<F::Output>
    where
        F: Spawn,
        F::Future: Send + 'static,
        F::Output: Send + 'static,
    {
        current::with(|local| match local {
            Some(local) if Arc::ptr_eq(&local.shared, &self.shared) && !local.closing.get() => {
                local.spawn(place, what)
            }
            _ => self.spawn_outside(place, what),
        })
    }

    /// Spawns a cleanup that a task of this scheduler owes, and that is not complete before it is: also while the scheduler
    /// is being closed.
    pub fn spawn_owed<F>(&self, place: &'static Location<'static>, what: F) -> Task<F::Output>
    where
        F: Spawn,
        F::Future: Send + 'static,
        F::Output: Send + 'static,
    {
        current::with(|local| match local {
            Some(local) if Arc::ptr_eq(&local.shared, &self.shared) => local.spawn(place, what),
            _ => self.spawn_from_outside(place, what, true),
        })
    }

    fn spawn_outside<F>(&self, place: &'static Location<'static>, what: F) -> Task<F::Output>
    where
        F: Spawn,
        F::Future: Send + 'static,
        F::Output: Send + 'static,
    {
        self.spawn_from_outside(place, what, false)
    }

    /// `owed`: the scheduler does not end before some task that is not complete, and so takes the new one, too.
    fn spawn_from_outside<F>(
        &self,
        place: &'static Location<'static>,
        what: F,
        owed: bool,
    ) -> Task<F::Output>
    where
        F: Spawn,
        F::Future: Send + 'static,
        F::Output: Send + 'static,
    {
        let (future, attributes) = what.into_parts();
        let index = self.outside_of_thread();
        let mut outside = self.shared.outsides[index].lock();
        let id = outside.ids.take();
        let birth =
            Birth { heap: &outside.heap, home: &self.shared, id, pin: None, place, attributes };
        let (runnable, task) = birth.spawn_as::<F>(future);
        // Under the lock, so that the count has one writer; before the push, so that no end is counted first.
        let closed = self.shared.idle.is_closed() && !owed;
        if !closed {
            self.shared.spawned_outside[index].add(1);
        }
        drop(outside);
        if closed {
            reject(runnable, &task);
        } else {
            self.shared.injector.push(runnable);
            self.shared.wake_from_outside();
        }
        task
    }

    /// A task that is cancelled already: `what` is dropped unpolled. For whoever may not spawn, and says why.
    pub fn refuse<F>(
        &self,
        place: &'static Location<'static>,
        what: F,
        reason: impl fmt::Display,
    ) -> Task<F::Output>
    where
        F: Spawn,
        F::Future: Send + 'static,
        F::Output: Send + 'static,
    {
        let (future, attributes) = what.into_parts();
        let mut outside = self.shared.outsides[self.outside_of_thread()].lock();
        let id = outside.ids.take();
        let birth =
            Birth { heap: &outside.heap, home: &self.shared, id, pin: None, place, attributes };
        let (runnable, task) = birth.spawn(future);
        drop(outside);
        task.cancel_with(reason);
        // It delivers the cancellation; nothing is polled.
        let _ = runnable.run();
        task
    }

    /// Which heap this thread spawns from.
    fn outside_of_thread(&self) -> usize {
        let number = STRANGER.with(|stranger| {
            if stranger.get() == 0 {
                stranger.set(STRANGERS.take(1));
            }
            stranger.get()
        });
        // The remainder is below the number of heaps, which is small.
        (number % self.shared.outsides.len() as u64) as usize
    }

    /// Spawns a task that stays on this thread; `None` if the thread sits in no seat of this scheduler.
    ///
    /// When the thread leaves its seat, what is left of such tasks is cancelled.
    pub fn spawn_local<F>(
        &self,
        place: &'static Location<'static>,
        what: F,
    ) -> Option<Task<F::Output>>
    where
        F: Spawn,
        F::Future: 'static,
        F::Output: 'static,
    {
        current::with(|local| {
            let local = local.filter(|local| Arc::ptr_eq(&local.shared, &self.shared))?;
            Some(local.spawn_local(place, what))
        })
    }

    /// Whether this thread sits in a seat of this scheduler.
    pub fn is_current(&self) -> bool {
        current::with(|local| local.is_some_and(|local| Arc::ptr_eq(&local.shared, &self.shared)))
    }

    /// Takes seat 0 for the calling thread.
    ///
    /// # Errors
    /// [`Occupied`](crate::Occupied) if another thread runs in it.
    pub fn enter(&self) -> Result<FrontSeat, crate::Occupied> {
        FrontSeat::take(&self.shared, &self.keeper, || None)
    }

    /// As `enter`, and waits for the caretaker, who may be in a long poll, only as long as `left` says.
    ///
    /// # Errors
    /// [`Occupied`](crate::Occupied) if another thread runs in it, or the caretaker still sits there.
    pub fn enter_within(&self, left: impl Fn() -> Duration) -> Result<FrontSeat, crate::Occupied> {
        FrontSeat::take(&self.shared, &self.keeper, || Some(left()))
    }

    /// Has events and timers served for the calling thread, which sits in no seat, until the guest is dropped.
    ///
    /// From its [arrival](Guest::arrive) on. Where the driver's clock stands still, it does so as long as the guest does not wait.
    pub fn guest(&self) -> Guest {
        Guest::new(&self.shared)
    }

    /// Looks after seat 0 on this thread for as long as there are tasks and nobody else wants it.
    pub fn caretake(&self) {
        FrontSeat::caretake(&self.shared, &self.keeper);
    }

    /// Closes: no new tasks, and those there are asked to end. Returns at once.
    ///
    /// The workers return from `run` when the last task has ended. A scheduler with one seat drains in
    /// [`FrontSeat::drain`], or in the hands of the caretaker.
    pub fn close(&self) {
        // With all of the strangers' heaps locked: who spawns there found the scheduler open and is counted, or
        // finds it closed. Else a worker could see it closed, count nothing, and leave a task behind that was
        // about to be counted.
        let outsides: Vec<_> = self.shared.outsides.iter().map(|outside| outside.lock()).collect();
        let was_open = self.shared.idle.close();
        drop(outsides);
        if was_open {
            self.shared.unpark_all();
            if self.shared.is_deserted() {
                self.shared.call_caretaker();
            }
        }
    }

    /// Has all seats look at the driver again: its clock stands still from now on, or does so no longer.
    pub fn rouse(&self) {
        self.shared.unpark_all();
    }

    /// Has the driver's clock moved on, if nobody has anything to do: who [held](Driver::is_held) it no longer does.
    pub fn reconsider(&self) {
        if self.shared.driver.stands_still() {
            self.shared.reconsider();
        }
    }

    /// Whether it is closed.
    pub fn is_closed(&self) -> bool {
        self.shared.idle.is_closed()
    }

    /// How many tasks have not ended. Exact once the scheduler is closed.
    pub fn live(&self) -> u64 {
        self.shared.live()
    }

    /// References to all tasks that have not ended.
    pub fn tasks(&self) -> Vec<TaskRef> {
        self.shared.tasks()
    }

    /// A copy of the counters.
    pub fn metrics(&self) -> Metrics {
        self.shared.metrics()
    }

    /// How many seats there are.
    pub fn seats(&self) -> usize {
        self.shared.seats.len()
    }

    /// A waker that makes the worker in `seat` look around, if it sleeps.
    pub fn waker_of(&self, seat: usize) -> std::task::Waker {
        std::sync::Arc::new(SeatWaker { shared: Arc::clone(&self.shared), seat }).into()
    }

    /// The driver.
    pub fn driver(&self) -> &dyn Driver {
        &*self.shared.driver
    }
}

/// Spawns a task into the scheduler in whose seat this thread sits, as [`Spawner::spawn`] does.
///
/// # Errors
/// Gives `what` back if the thread sits in no seat, or the scheduler is closed.
#[inline]
pub fn spawn_in_seat<F>(place: &'static Location<'static>, what: F) -> Result<Task<F::Output>, F>
where
    F: Spawn,
    F::Future: Send + 'static,
    F::Output: Send + 'static,
{
    current::with(|local| match local {
        Some(local) if !local.closing.get() => Ok(local.spawn(place, what)),
        _ => Err(what),
    })
}

struct SeatWaker {
    shared: Arc<Shared>,
    seat: usize,
}

impl std::task::Wake for SeatWaker {
    fn wake(self: std::sync::Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &std::sync::Arc<Self>) {
        self.shared.hurry(self.seat);
    }
}

/// Ends a newborn task unpolled.
#[cold]
pub(crate) fn reject<T>(runnable: Runnable, task: &Task<T>) {
    task.cancel_with("the runtime is shut down: spawn before `shutdown`, or on another runtime");
    // It delivers the cancellation; nothing is polled.
    let _ = runnable.run();
}

impl fmt::Debug for Spawner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spawner").field("seats", &self.shared.seats.len()).finish_non_exhaustive()
    }
}
