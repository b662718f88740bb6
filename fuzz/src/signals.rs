//! Events and barriers against a flag, a count, and who was told what.
//!
//! Compared are every answer, how often each waker was woken, and all that each tells of itself.

use crate::waits::Count;
use arbitrary::Arbitrary;
use kasasagi_sync::{Barrier, Event};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// What is done; the numbers choose among those who wait.
#[derive(Arbitrary, Debug, Clone, Copy)]
pub enum Op {
    /// So many come.
    Ask(u8),
    Poll(u8),
    Drop(u8),
    /// Sets an event; resets a barrier.
    Set,
    /// Clears an event; breaks a barrier, now and then.
    Clear(u8),
}

/// What a wait ends with: for a barrier a number, or that it is broken.
type Answer = Option<usize>;

/// Where one who waits is.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Place {
    Line,
    /// At a barrier that has not emptied yet.
    Outside,
    /// It was told, and has not looked; and whether it counts as one who is still inside.
    Told(Answer, bool),
}

struct Waiter<'a> {
    future: Pin<Box<dyn Future<Output = Answer> + 'a>>,
    wakes: Arc<Count>,
    /// How often the model says that it was woken, and whether it would be now.
    woken: usize,
    is_armed: bool,
    place: Place,
    /// Since when it has its place: who has been there longer is before it.
    since: u64,
}

impl Waiter<'_> {
    fn wake(&mut self) {
        self.woken += usize::from(std::mem::replace(&mut self.is_armed, false));
    }
}

/// What an operation means, by rules of a line each.
trait Model {
    /// One comes; its answer, if that is known at once, or its place.
    fn ask(&mut self, waiters: &mut [Waiter<'_>]) -> Result<Answer, Place>;
    /// One looks; the same.
    fn look(&mut self, waiters: &mut [Waiter<'_>], at: usize) -> Result<Answer, Place>;
    /// One that was told so has looked, or left.
    fn left(&mut self, waiters: &mut [Waiter<'_>], place: Place);
    /// One has left that was woken, and told nothing.
    fn left_unheard(&mut self, _: &mut [Waiter<'_>], _: Place) {}
    fn set(&mut self, waiters: &mut [Waiter<'_>]);
    fn clear(&mut self, waiters: &mut [Waiter<'_>]);
}

#[derive(Default)]
struct Flag(bool);

impl Model for Flag {
    fn ask(&mut self, _: &mut [Waiter<'_>]) -> Result<Answer, Place> {
        if self.0 { Ok(None) } else { Err(Place::Line) }
    }

    fn look(&mut self, waiters: &mut [Waiter<'_>], at: usize) -> Result<Answer, Place> {
        if waiters[at].place == Place::Line { Err(Place::Line) } else { Ok(None) }
    }

    fn left(&mut self, _: &mut [Waiter<'_>], _: Place) {}

    fn set(&mut self, waiters: &mut [Waiter<'_>]) {
        self.0 = true;
        for one in waiters.iter_mut().filter(|one| one.place == Place::Line) {
            one.place = Place::Told(None, false);
            one.wake();
        }
    }

    fn clear(&mut self, _: &mut [Waiter<'_>]) {
        self.0 = false;
    }
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Phase {
    Filling,
    Draining,
    Resetting,
    Broken,
}

struct Meeting {
    parties: usize,
    phase: Phase,
    /// Filling: one of those outside has looked since, and so all of them are in.
    came_in: bool,
}

/// Those of a place, who has been there longest first.
fn of(waiters: &[Waiter<'_>], place: Place) -> Vec<usize> {
    let mut all: Vec<_> = (0..waiters.len()).filter(|at| waiters[*at].place == place).collect();
    all.sort_by_key(|at| waiters[*at].since);
    all
}

fn inside(waiters: &[Waiter<'_>]) -> usize {
    waiters.iter().filter(|one| matches!(one.place, Place::Told(_, true))).count()
}

impl Meeting {
    /// Who has come, and waits for others: those outside came before those in line.
    fn come(&self, waiters: &[Waiter<'_>]) -> Vec<usize> {
        if self.phase != Phase::Filling {
            return Vec::new();
        }
        [of(waiters, Place::Outside), of(waiters, Place::Line)].concat()
    }

    fn let_go(&mut self, waiters: &mut [Waiter<'_>], all: &[usize]) {
        self.phase = Phase::Draining;
        self.came_in = false;
        for (number, at) in all.iter().enumerate() {
            waiters[*at].place = Place::Told(Some(number), true);
            waiters[*at].wake();
        }
    }

    fn send_away(waiters: &mut [Waiter<'_>], from: Place, was_in: bool) {
        for at in of(waiters, from) {
            waiters[at].place = Place::Told(None, was_in);
            waiters[at].wake();
        }
    }

    /// The first of those outside is to come in, for all.
    fn rouse(waiters: &mut [Waiter<'_>]) {
        if let Some(first) = of(waiters, Place::Outside).first() {
            waiters[*first].wake();
        }
    }

    /// Those who were let go and have not looked are told otherwise.
    fn take_back(waiters: &mut [Waiter<'_>]) {
        for one in waiters {
            if let Place::Told(answer, _) = &mut one.place {
                *answer = None;
            }
        }
    }
}

impl Model for Meeting {
    fn ask(&mut self, waiters: &mut [Waiter<'_>]) -> Result<Answer, Place> {
        if self.phase == Phase::Broken {
            return Ok(None);
        }
        let come = self.come(waiters);
        if come.len() >= self.parties {
            self.let_go(waiters, &come[..self.parties]);
        }
        if self.phase != Phase::Filling {
            return Err(Place::Outside);
        }
        if come.len() + 1 < self.parties {
            return Err(Place::Line);
        }
        if !come.is_empty() {
            self.let_go(waiters, &come);
        }
        Ok(Some(come.len()))
    }

    fn look(&mut self, waiters: &mut [Waiter<'_>], at: usize) -> Result<Answer, Place> {
        let place = waiters[at].place;
        if place == Place::Outside && self.phase == Phase::Filling {
            let come = self.come(waiters);
            if come.len() < self.parties {
                self.came_in = true;
                return Err(Place::Outside);
            }
            // It has left its waker anew, and is woken with the others, for nothing.
            waiters[at].is_armed = true;
            self.let_go(waiters, &come[..self.parties]);
        }
        match waiters[at].place {
            Place::Told(answer, _) => Ok(answer),
            place => Err(place),
        }
    }

    fn left(&mut self, waiters: &mut [Waiter<'_>], place: Place) {
        let is_one_of_them = matches!(place, Place::Told(_, true));
        let drains = matches!(self.phase, Phase::Draining | Phase::Resetting);
        if is_one_of_them && drains && inside(waiters) == 0 {
            self.phase = Phase::Filling;
            self.came_in = false;
            Self::rouse(waiters);
        }
    }

    fn left_unheard(&mut self, waiters: &mut [Waiter<'_>], place: Place) {
        if place == Place::Outside && self.phase == Phase::Filling && !self.came_in {
            Self::rouse(waiters);
        }
    }

    fn set(&mut self, waiters: &mut [Waiter<'_>]) {
        match self.phase {
            Phase::Filling => {
                if self.came_in {
                    Self::send_away(waiters, Place::Outside, true);
                }
                Self::send_away(waiters, Place::Line, true);
                if inside(waiters) > 0 {
                    self.phase = Phase::Resetting;
                    self.came_in = false;
                }
            }
            Phase::Draining => {
                self.phase = Phase::Resetting;
                Self::take_back(waiters);
            }
            Phase::Resetting => {}
            Phase::Broken if inside(waiters) == 0 => self.phase = Phase::Filling,
            Phase::Broken => self.phase = Phase::Resetting,
        }
    }

    fn clear(&mut self, waiters: &mut [Waiter<'_>]) {
        self.phase = Phase::Broken;
        Self::take_back(waiters);
        Self::send_away(waiters, Place::Line, true);
        Self::send_away(waiters, Place::Outside, std::mem::take(&mut self.came_in));
    }
}

struct World<'a, M> {
    model: M,
    waiters: Vec<Waiter<'a>>,
    now: u64,
}

impl<'a, M: Model> World<'a, M> {
    fn new(model: M) -> Self {
        Self { model, waiters: Vec::new(), now: 0 }
    }

    fn ask(&mut self, future: impl Future<Output = Answer> + 'a) {
        let expected = self.model.ask(&mut self.waiters);
        let one = Waiter {
            future: Box::pin(future),
            wakes: Arc::default(),
            woken: 0,
            is_armed: false,
            place: Place::Line,
            since: 0,
        };
        self.waiters.push(one);
        self.polled(self.waiters.len() - 1, expected, false);
    }

    /// Polls the real one; compares what comes of it.
    fn polled(&mut self, at: usize, expected: Result<Answer, Place>, is_told: bool) {
        self.now += 1;
        let now = self.now;
        let one = &mut self.waiters[at];
        let waker = one.wakes.waker();
        match (one.future.as_mut().poll(&mut Context::from_waker(&waker)), expected) {
            (Poll::Ready(answer), Ok(expected)) => {
                assert_eq!(answer, expected);
                let one = self.waiters.remove(at);
                assert_eq!(one.wakes.get(), one.woken);
                if is_told {
                    self.model.left(&mut self.waiters, one.place);
                }
            }
            (Poll::Pending, Err(place)) => {
                if one.place != place || !is_told {
                    one.since = now;
                }
                one.place = place;
                one.is_armed = true;
            }
            (answer, expected) => panic!("{answer:?}, not {expected:?}"),
        }
    }

    fn step(&mut self, op: Op) {
        match op {
            Op::Poll(at) if !self.waiters.is_empty() => {
                let at = usize::from(at) % self.waiters.len();
                let expected = self.model.look(&mut self.waiters, at);
                self.polled(at, expected, true);
            }
            Op::Drop(at) if !self.waiters.is_empty() => {
                let one = self.waiters.remove(usize::from(at) % self.waiters.len());
                if !one.is_armed {
                    self.model.left_unheard(&mut self.waiters, one.place);
                }
                self.model.left(&mut self.waiters, one.place);
            }
            Op::Set => self.model.set(&mut self.waiters),
            Op::Clear(_) => self.model.clear(&mut self.waiters),
            _ => {}
        }
    }

    fn compare(&self) {
        for one in &self.waiters {
            assert_eq!(one.wakes.get(), one.woken, "{:?}", one.place);
        }
    }
}

fn event(ops: &[Op]) {
    let event = Event::new();
    let mut world = World::new(Flag::default());
    for op in ops {
        match op {
            Op::Ask(n) => (0..=n % 3).for_each(|_| {
                world.ask(async {
                    event.wait().await;
                    None
                });
            }),
            Op::Set => event.set(),
            Op::Clear(_) => event.clear(),
            _ => {}
        }
        world.step(*op);
        world.compare();
        let waiters = of(&world.waiters, Place::Line).len();
        assert_eq!(event.is_set(), world.model.0);
        let tells = format!("set: {}, waiters: {waiters}", world.model.0);
        assert!(format!("{event:?}").contains(&tells), "{event:?}, not {tells}");
    }
}

fn barrier(parties: usize, ops: &[Op]) {
    let barrier = Barrier::new(parties);
    let mut world = World::new(Meeting { parties, phase: Phase::Filling, came_in: false });
    for op in ops {
        match op {
            Op::Ask(n) => {
                (0..=n % 3).for_each(|_| world.ask(async { barrier.wait().await.ok() }));
            }
            Op::Set => barrier.reset(),
            // Else it is broken most of the time.
            Op::Clear(n) if n % 4 > 0 => continue,
            Op::Clear(_) => barrier.abort(),
            _ => {}
        }
        world.step(*op);
        world.compare();
        let model = &world.model;
        assert_eq!(barrier.n_waiting(), model.come(&world.waiters).len());
        assert_eq!(barrier.broken(), model.phase == Phase::Broken);
        let tells = format!("state: {:?}", model.phase).to_lowercase();
        assert!(format!("{barrier:?}").to_lowercase().contains(&tells), "{barrier:?}, not {tells}");
    }
}

/// Plays the operations that the bytes spell; the first byte says with what.
pub fn run(bytes: &[u8]) {
    let Some((kind, bytes)) = bytes.split_first() else { return };
    let ops = crate::operations::<Op>(bytes, 300);
    match usize::from(kind % 6) {
        0 => event(&ops),
        parties => barrier(parties, &ops),
    }
}
