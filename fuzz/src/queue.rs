//! One seat's queues (slot, deque, pinned tasks, injector) against the promises of their order.
//!
//! A task is polled when it is due, never otherwise, and once for any number of wakes; newborn tasks run in the order
//! of their spawns, but for the one that a wake displaced from the slot; and nobody who is due is passed over for more than a bounded number of polls.

use arbitrary::Arbitrary;
use kasasagi_scheduler::{Config, NoDriver, Spawner, new};
use kasasagi_task::{Attributes, yield_now};
use std::cell::{Cell, RefCell};
use std::panic::Location;
use std::pin::pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

/// What a task does in one of its polls.
#[derive(Arbitrary, Debug, Clone, Copy)]
pub enum Op {
    /// Spawns a task.
    Spawn,
    /// One that is pinned to this thread.
    SpawnPinned,
    /// One, as a thread without a seat.
    SpawnOutside,
    /// Wakes one of those that wait.
    Wake(u8),
    /// Wakes it as a thread without a seat.
    WakeOutside(u8),
    /// Yields, and so ends the poll.
    Yield,
    /// Waits, and so ends the poll.
    Wait,
    /// Is ready.
    Finish,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Seat,
    Pinned,
    Outside,
}

/// What is known of a task.
struct Known {
    kind: Kind,
    polls: usize,
    ended: bool,
    /// Since which poll of the seat it has been due; `None`: it waits.
    due: Option<usize>,
    /// How many were due when it became so.
    before: usize,
    waker: Option<Waker>,
}

/// What all tasks share: their script and the naive model.
struct World {
    spawner: Spawner,
    script: RefCell<std::vec::IntoIter<Op>>,
    known: RefCell<Vec<Known>>,
    polls: Cell<usize>,
    main: Arc<Mutex<Option<Waker>>>,
    /// The first thing that was not as it should be.
    wrong: RefCell<Option<String>>,
}

/// A task may be passed over by so many polls for each that was due before it, and for each born meanwhile: every turn
/// of a queue may be preceded by `lifo_limit` (4) turns of the slot, and pinned and other tasks take turns.
const TURNS: usize = 2 * (4 + 1);
/// And by so many at first: the injector is looked at every 8 to 512 polls.
const LOOK: usize = 512;

thread_local! {
    static WORLD: RefCell<Option<Rc<World>>> = const { RefCell::new(None) };
}

fn world() -> Rc<World> {
    WORLD.with(|world| world.borrow().clone()).expect("only asked while a script is played")
}

impl World {
    fn due_now(&self) -> usize {
        self.known.borrow().iter().filter(|task| task.due.is_some()).count()
    }

    /// It becomes due, if it is not.
    fn make_due(&self, number: usize) {
        let before = self.due_now();
        let mut known = self.known.borrow_mut();
        let task = &mut known[number];
        if !task.ended && task.due.is_none() {
            (task.due, task.before) = (Some(self.polls.get()), before);
        }
    }

    /// A panic amid a poll would be the task's own affair: what is wrong is kept, and told at the end.
    fn expect(&self, right: bool, wrong: impl FnOnce() -> String) {
        if !right && self.wrong.borrow().is_none() {
            *self.wrong.borrow_mut() = Some(wrong());
        }
    }

    fn polled(&self, number: usize) {
        self.polls.set(self.polls.get() + 1);
        let born = self.known.borrow().len();
        let mut known = self.known.borrow_mut();
        let task = &mut known[number];
        self.expect(!task.ended, || format!("task {number} polled after its end"));
        let due = task.due.take();
        self.expect(due.is_some(), || format!("task {number} polled for nothing"));
        let waited = self.polls.get() - due.unwrap_or_default();
        let bound = (task.before + born + 2) * TURNS + LOOK;
        self.expect(waited <= bound, || {
            format!("task {number} was passed over {waited} times, bound {bound}")
        });
        task.polls += 1;
        let (kind, first) = (task.kind, task.polls == 1);
        if first {
            let older = known[..number].iter().enumerate();
            let skipped: Vec<_> =
                older.filter(|(_, o)| o.kind == kind && o.polls == 0).map(|(n, _)| n).collect();
            // One newborn may lie in the slot; a wake displaces it to the end of the queue.
            self.expect(skipped.len() <= usize::from(kind == Kind::Seat), || {
                format!("{kind:?} task {number} ran before the older {skipped:?}")
            });
        }
    }

    fn spawn(&self, kind: Kind) {
        let number = self.known.borrow().len();
        if number >= 60 {
            return;
        }
        let (due, before) = (Some(self.polls.get()), self.due_now());
        let task = Known { kind, polls: 0, ended: false, due, before, waker: None };
        self.known.borrow_mut().push(task);
        let place = Location::caller();
        match kind {
            Kind::Seat => drop(self.spawner.spawn(place, live(number))),
            Kind::Pinned => drop(self.spawner.spawn_local(place, live(number))),
            Kind::Outside => {
                let spawner = &self.spawner;
                outside(|| drop(spawner.spawn(place, live(number))));
            }
        }
    }

    fn wake(&self, which: u8, from_outside: bool) {
        let waiting: Vec<_> = (0..self.known.borrow().len())
            .filter(|n| self.known.borrow()[*n].waker.is_some())
            .collect();
        if waiting.is_empty() {
            return;
        }
        let number = waiting[which as usize % waiting.len()];
        self.make_due(number);
        let waker = self.known.borrow()[number].waker.clone();
        let wake = || waker.iter().for_each(Waker::wake_by_ref);
        if from_outside { outside(wake) } else { wake() }
    }

    /// One poll of a task: the script goes on where the last poll left it.
    fn play(&self, number: usize, cx: &mut Context<'_>) -> Poll<()> {
        self.polled(number);
        self.known.borrow_mut()[number].waker = Some(cx.waker().clone());
        loop {
            let op = self.script.borrow_mut().next();
            match op {
                Some(Op::Spawn) => self.spawn(Kind::Seat),
                Some(Op::SpawnPinned) => self.spawn(Kind::Pinned),
                Some(Op::SpawnOutside) => self.spawn(Kind::Outside),
                Some(Op::Wake(which)) => self.wake(which, false),
                Some(Op::WakeOutside(which)) => self.wake(which, true),
                Some(Op::Yield) => {
                    self.make_due(number);
                    let mut turn = pin!(yield_now());
                    let _ = turn.as_mut().poll(cx);
                    return Poll::Pending;
                }
                Some(Op::Wait) => return Poll::Pending,
                Some(Op::Finish) | None => {
                    let mut known = self.known.borrow_mut();
                    let task = &mut known[number];
                    (task.ended, task.due, task.waker) = (true, None, None);
                    let all = known.iter().all(|task| task.due.is_none());
                    drop(known);
                    if all {
                        // Nobody is due: main says what comes next.
                        let main = self.main.lock().expect("no panic under it").take();
                        main.into_iter().for_each(Waker::wake);
                    }
                    return Poll::Ready(());
                }
            }
        }
    }
}

/// A task: what it does is in the script.
async fn live(number: usize) {
    std::future::poll_fn(|cx| world().play(number, cx)).await;
}

/// Runs `f` on a thread that sits in no seat.
fn outside(f: impl FnOnce() + Send) {
    std::thread::scope(|scope| {
        scope.spawn(f);
    });
}

/// Plays what the bytes say.
pub fn run(bytes: &[u8]) {
    let ops: Vec<Op> = crate::operations(bytes, 300);
    let (spawner, _) = new(Config::with_seats(1), Box::new(NoDriver::new()));
    let world_of = Rc::new(World {
        spawner: spawner.clone(),
        script: RefCell::new(ops.into_iter()),
        known: RefCell::new(Vec::new()),
        polls: Cell::new(0),
        main: Arc::default(),
        wrong: RefCell::new(None),
    });
    WORLD.with(|world| *world.borrow_mut() = Some(Rc::clone(&world_of)));
    let seat = spawner.enter().expect("nobody sits there");
    let place = Location::caller();
    // Main spawns a task whenever none is due, until the script is over; then it wakes each that waits, once.
    let main = std::future::poll_fn(|cx| {
        let world = world();
        if world.due_now() > 0 {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if world.script.borrow().len() > 0 {
            *world.main.lock().expect("no panic under it") = Some(cx.waker().clone());
            world.spawn(Kind::Seat);
            if world.due_now() == 0 {
                return Poll::Ready(());
            }
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let waits = world.known.borrow().iter().any(|task| task.waker.is_some());
        if !waits {
            return Poll::Ready(());
        }
        world.wake(0, false);
        cx.waker().wake_by_ref();
        Poll::Pending
    });
    seat.run_until(place, Attributes::default(), main).expect("main ends");
    let wrong = world_of.wrong.borrow_mut().take();
    assert!(wrong.is_none(), "{}", wrong.unwrap_or_default());
    let known = world_of.known.borrow();
    assert!(known.iter().all(|task| task.ended || task.due.is_none()), "a due task was not run");
    assert!(known.iter().all(|task| task.polls > 0), "a task was never run");
    let live = known.iter().filter(|task| !task.ended).count() as u64;
    assert_eq!(spawner.live(), live, "counted as live");
    drop(known);
    spawner.close();
    seat.drain(|| false);
    assert_eq!(spawner.live(), 0);
    drop(seat);
    WORLD.with(|world| *world.borrow_mut() = None);
}
