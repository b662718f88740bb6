//! Locks and semaphores against a number of free permits and a line.
//!
//! One model for all: a lock is taken by whoever takes all permits there can be, a reader takes one. Compared are every
//! answer, how often each waker was woken, the value that a lock guards, and all that each tells of itself.

use crate::waits::Count;
use arbitrary::Arbitrary;
use kasasagi_sync::{
    BoundedSemaphore, Lock, LockGuard, MappedLockGuard, OwnedLockGuard, OwnedMappedLockGuard,
    OwnedPermit, OwnedReadGuard, OwnedWriteGuard, Permit, ReadGuard, RwLock, Semaphore, WriteGuard,
};
use std::future::Future;
use std::ops::{Deref, DerefMut};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// What is done; the numbers choose how many are asked for, or among those who wait or hold something.
#[derive(Arbitrary, Debug, Clone, Copy)]
pub enum Op {
    Ask(u8),
    Try(u8),
    Poll(u8),
    Drop(u8),
    Release(u8),
    Forget(u8),
    Change(u8),
    Add(u8),
    /// Now and then: after it there is not much to see.
    Close(u8),
}

/// What a lock has: all of it is one who is alone.
const ALL: usize = Semaphore::MAX_PERMITS;

enum Real {
    Lock(Arc<Lock<u32>>),
    RwLock(Arc<RwLock<u32>>),
    Semaphore(Arc<Semaphore>),
    Bounded(Arc<BoundedSemaphore>),
}

enum Held<'a> {
    Lock(LockGuard<'a, u32>),
    Part(MappedLockGuard<'a, u32>),
    OwnedLock(OwnedLockGuard<u32>),
    OwnedPart(OwnedMappedLockGuard<u32, u32>),
    Read(ReadGuard<'a, u32>),
    OwnedRead(OwnedReadGuard<u32>),
    Write(WriteGuard<'a, u32>),
    OwnedWrite(OwnedWriteGuard<u32>),
    Permit(Permit<'a>),
    OwnedPermit(OwnedPermit),
}

impl Held<'_> {
    /// The value, for one who is alone.
    fn value(&mut self) -> Option<&mut u32> {
        match self {
            Self::Lock(guard) => Some(guard.deref_mut()),
            Self::Part(guard) => Some(guard.deref_mut()),
            Self::OwnedLock(guard) => Some(guard.deref_mut()),
            Self::OwnedPart(guard) => Some(guard.deref_mut()),
            Self::Write(guard) => Some(guard.deref_mut()),
            Self::OwnedWrite(guard) => Some(guard.deref_mut()),
            _ => None,
        }
    }

    /// The value, for one who looks.
    fn seen(&self) -> Option<u32> {
        match self {
            Self::Read(guard) => Some(*guard.deref()),
            Self::OwnedRead(guard) => Some(*guard.deref()),
            _ => None,
        }
    }

    /// Goes on with less, where there is less; whether it is a reader from now on.
    fn change(self) -> (Self, bool) {
        match self {
            Self::Lock(guard) => (Self::Part(LockGuard::map(guard, |value| value)), false),
            Self::Part(guard) => (Self::Part(MappedLockGuard::map(guard, |value| value)), false),
            Self::OwnedLock(guard) => {
                (Self::OwnedPart(OwnedLockGuard::map(guard, |value| value)), false)
            }
            Self::Write(guard) => (Self::Read(WriteGuard::downgrade(guard)), true),
            Self::OwnedWrite(guard) => (Self::OwnedRead(OwnedWriteGuard::downgrade(guard)), true),
            Self::Read(guard) => (Self::Read(ReadGuard::map(guard, |value| value)), false),
            other => (other, false),
        }
    }

    /// Takes it out of circulation, where that can be done; whether it was.
    fn forget(self) -> bool {
        match self {
            Self::Permit(permit) => permit.forget(),
            Self::OwnedPermit(permit) => permit.forget(),
            _ => return false,
        }
        true
    }
}

type Answer<'a> = Result<Held<'a>, ()>;

#[derive(Clone, Copy, PartialEq, Debug)]
enum State {
    InLine,
    /// It has what it wants, and was woken.
    Served,
    /// It was told that there is nothing any more, and was woken.
    Away,
}

struct Waiter<'a> {
    want: usize,
    future: Pin<Box<dyn Future<Output = Answer<'a>> + 'a>>,
    wakes: Arc<Count>,
    state: State,
}

struct Model {
    free: usize,
    bound: usize,
    closed: bool,
    value: u32,
}

impl Model {
    /// Whether one who comes now can have so many.
    fn takes(&mut self, want: usize, waiters: &[Waiter<'_>]) -> bool {
        let is_free = waiters.iter().all(|one| one.state != State::InLine)
            && !self.closed
            && want <= self.free;
        if is_free {
            self.free -= want;
        }
        is_free
    }

    fn give_back(&mut self, permits: usize) {
        self.free += permits.min(self.bound - self.free);
    }

    /// Serves the line.
    fn settle(&mut self, waiters: &mut [Waiter<'_>]) {
        for one in waiters.iter_mut().filter(|one| one.state == State::InLine) {
            if self.closed {
                one.state = State::Away;
            } else if one.want <= self.free {
                self.free -= one.want;
                one.state = State::Served;
            } else {
                return;
            }
        }
    }
}

struct World<'a> {
    real: &'a Real,
    model: Model,
    waiters: Vec<Waiter<'a>>,
    held: Vec<(Held<'a>, usize)>,
}

fn future<'a>(real: &'a Real, want: usize, owned: bool) -> Waiter<'a> {
    let future: Pin<Box<dyn Future<Output = Answer<'a>> + 'a>> =
        match real {
            Real::Lock(lock) if owned => {
                let lock = Lock::lock_owned(Arc::clone(lock));
                Box::pin(async { Ok(Held::OwnedLock(lock.await)) })
            }
            Real::Lock(lock) => Box::pin(async { Ok(Held::Lock(lock.lock().await)) }),
            Real::RwLock(lock) if owned && want == ALL => {
                let lock = RwLock::write_owned(Arc::clone(lock));
                Box::pin(async { Ok(Held::OwnedWrite(lock.await)) })
            }
            Real::RwLock(lock) if owned => {
                let lock = RwLock::read_owned(Arc::clone(lock));
                Box::pin(async { Ok(Held::OwnedRead(lock.await)) })
            }
            Real::RwLock(lock) if want == ALL => {
                Box::pin(async { Ok(Held::Write(lock.write().await)) })
            }
            Real::RwLock(lock) => Box::pin(async { Ok(Held::Read(lock.read().await)) }),
            Real::Semaphore(semaphore) if owned => {
                let permit = Semaphore::acquire_owned(Arc::clone(semaphore));
                Box::pin(async { permit.await.map(Held::OwnedPermit).map_err(drop) })
            }
            Real::Semaphore(semaphore) => Box::pin(async move {
                semaphore.acquire_many(want).await.map(Held::Permit).map_err(drop)
            }),
            Real::Bounded(semaphore) if owned => {
                let permit = BoundedSemaphore::acquire_owned(Arc::clone(semaphore));
                Box::pin(async { permit.await.map(Held::OwnedPermit).map_err(drop) })
            }
            Real::Bounded(semaphore) => Box::pin(async move {
                semaphore.acquire_many(want).await.map(Held::Permit).map_err(drop)
            }),
        };
    Waiter { want, future, wakes: Arc::default(), state: State::InLine }
}

/// The same at once, or not at all; of permits, one.
fn tried(real: &Real, want: usize, owned: bool) -> Option<Held<'_>> {
    match real {
        Real::Lock(lock) if owned => Lock::try_lock_owned(lock).ok().map(Held::OwnedLock),
        Real::Lock(lock) => lock.try_lock().ok().map(Held::Lock),
        Real::RwLock(lock) if want == ALL => lock.try_write().ok().map(Held::Write),
        Real::RwLock(lock) => lock.try_read().ok().map(Held::Read),
        Real::Semaphore(semaphore) if owned => {
            Semaphore::try_acquire_owned(semaphore).ok().map(Held::OwnedPermit)
        }
        Real::Semaphore(semaphore) => semaphore.try_acquire().ok().map(Held::Permit),
        Real::Bounded(semaphore) => semaphore.try_acquire().ok().map(Held::Permit),
    }
}

impl<'a> World<'a> {
    /// How many the number asks for, and whether it is to be owned.
    fn want(&self, number: u8) -> (usize, bool) {
        let owned = number >= 128;
        let want = match self.real {
            Real::Lock(_) => ALL,
            Real::RwLock(_) if number % 3 == 0 => ALL,
            Real::RwLock(_) => 1,
            Real::Semaphore(_) | Real::Bounded(_) if owned => 1,
            Real::Semaphore(_) => usize::from(number % 4),
            Real::Bounded(_) => usize::from(number % 4).min(self.model.bound),
        };
        (want, owned)
    }

    /// One has it: the value is as the last one who was alone left it.
    fn hold(&mut self, mut held: Held<'a>, want: usize) {
        if let Some(value) = held.value() {
            assert_eq!(*value, self.model.value);
            *value += 1;
            self.model.value += 1;
        }
        assert!(held.seen().is_none_or(|seen| seen == self.model.value));
        self.held.push((held, want));
    }

    fn poll(&mut self, at: usize, is_new: bool) {
        let mut one = self.waiters.remove(at);
        let expected = match one.state {
            State::Served => Some(true),
            State::Away => Some(false),
            State::InLine if !is_new => None,
            State::InLine if self.model.closed => Some(false),
            State::InLine => self.model.takes(one.want, &self.waiters).then_some(true),
        };
        let waker = one.wakes.waker();
        let answer = one.future.as_mut().poll(&mut Context::from_waker(&waker));
        match (answer, expected) {
            (Poll::Ready(Ok(held)), Some(true)) => self.hold(held, one.want),
            (Poll::Ready(Err(())), Some(false)) => {}
            (Poll::Pending, None) => self.waiters.insert(at, one),
            (Poll::Pending, _) => panic!("it waits, not {expected:?}"),
            (Poll::Ready(answer), _) => panic!("served: {}, not {expected:?}", answer.is_ok()),
        }
    }

    fn step(&mut self, op: Op) {
        match op {
            Op::Ask(number) => {
                let (want, owned) = self.want(number);
                self.waiters.push(future(self.real, want, owned));
                self.poll(self.waiters.len() - 1, true);
            }
            Op::Try(number) => {
                let (want, owned) = self.want(number);
                let want =
                    if matches!(self.real, Real::Lock(_) | Real::RwLock(_)) { want } else { 1 };
                let expected = self.model.takes(want, &self.waiters);
                let held = tried(self.real, want, owned);
                assert_eq!(held.is_some(), expected);
                if let Some(held) = held {
                    self.hold(held, want);
                }
            }
            Op::Poll(at) if !self.waiters.is_empty() => {
                self.poll(usize::from(at) % self.waiters.len(), false);
            }
            Op::Drop(at) if !self.waiters.is_empty() => {
                let one = self.waiters.remove(usize::from(at) % self.waiters.len());
                if one.state == State::Served {
                    self.model.give_back(one.want);
                }
            }
            Op::Add(number) => self.add(usize::from(number % 4)),
            Op::Close(n) if n % 8 == 0 => {
                match self.real {
                    Real::Semaphore(semaphore) => semaphore.close(),
                    Real::Bounded(semaphore) => semaphore.close(),
                    _ => return,
                }
                self.model.closed = true;
            }
            Op::Release(at) | Op::Forget(at) | Op::Change(at) if !self.held.is_empty() => {
                let at = usize::from(at) % self.held.len();
                let (held, want) = self.held.remove(at);
                self.use_up(op, held, want);
            }
            _ => {}
        }
        self.model.settle(&mut self.waiters);
    }

    fn use_up(&mut self, op: Op, mut held: Held<'a>, want: usize) {
        if let Some(value) = held.value() {
            assert_eq!(*value, self.model.value, "another one was here");
        }
        assert!(held.seen().is_none_or(|seen| seen == self.model.value), "somebody wrote");
        match op {
            Op::Forget(_) => {
                if !held.forget() {
                    self.model.give_back(want);
                }
            }
            Op::Change(_) => {
                let (held, is_reader) = held.change();
                if is_reader {
                    self.model.give_back(ALL - 1);
                }
                self.held.push((held, if is_reader { 1 } else { want }));
            }
            _ => {
                drop(held);
                self.model.give_back(want);
            }
        }
    }

    fn add(&mut self, permits: usize) {
        match self.real {
            Real::Semaphore(semaphore) => semaphore.add_permits(permits),
            Real::Bounded(semaphore) => {
                let expected = self.model.free + permits <= self.model.bound;
                assert_eq!(semaphore.add_permits(permits).is_ok(), expected);
                if !expected {
                    return;
                }
            }
            _ => return,
        }
        self.model.free += permits;
    }

    fn compare(&self) {
        let Model { free, closed, bound, .. } = self.model;
        let in_line = self.waiters.iter().filter(|one| one.state == State::InLine).count();
        let (text, expected) = match self.real {
            Real::Lock(lock) => {
                assert_eq!(lock.is_locked(), free == 0);
                (format!("{lock:?}"), format!("locked: {}, waiters: {in_line}", free == 0))
            }
            Real::RwLock(lock) => {
                let readers = if free == 0 { 0 } else { ALL - free };
                let tells =
                    format!("readers: {readers}, writing: {}, waiters: {in_line}", free == 0);
                (format!("{lock:?}"), tells)
            }
            Real::Semaphore(semaphore) => {
                assert_eq!((semaphore.available_permits(), semaphore.is_closed()), (free, closed));
                (format!("{semaphore:?}"), format!("permits: {free}, waiters: {in_line}"))
            }
            Real::Bounded(semaphore) => {
                assert_eq!((semaphore.available_permits(), semaphore.is_closed()), (free, closed));
                let tells = format!("permits: {free}, bound: {bound}, waiters: {in_line}");
                (format!("{semaphore:?}"), tells)
            }
        };
        assert!(text.contains(&expected), "{text}, not {expected}");
        for one in &self.waiters {
            assert_eq!(one.wakes.get(), usize::from(one.state != State::InLine));
        }
    }
}

/// Plays the operations that the bytes spell; the first byte says with what.
pub fn run(bytes: &[u8]) {
    let Some((kind, bytes)) = bytes.split_first() else { return };
    let permits = usize::from(kind / 4 % 5);
    let (real, free, bound) = match kind % 4 {
        0 => (Real::Lock(Arc::new(Lock::new(0))), ALL, ALL),
        1 => (Real::RwLock(Arc::new(RwLock::new(0))), ALL, ALL),
        2 => (Real::Semaphore(Arc::new(Semaphore::new(permits))), permits, ALL),
        _ => (Real::Bounded(Arc::new(BoundedSemaphore::new(permits))), permits, permits),
    };
    let model = Model { free, bound, closed: false, value: 0 };
    let mut world = World { real: &real, model, waiters: Vec::new(), held: Vec::new() };
    for op in crate::operations::<Op>(bytes, 300) {
        world.step(op);
        world.compare();
    }
}
