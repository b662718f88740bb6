//! Tasks on a scheduler of single steps against a naive model: spawned, polled, woken, cancelled, detached, joined and
//! dropped in any order, several at once.

use arbitrary::Arbitrary;
use kasasagi_primitive::sync::Mutex;
use kasasagi_task::slab::Heap;
use kasasagi_task::{
    Attributes, Birth, Home, Ran, Runnable, Schedule, Task, TaskRef, all, yield_now,
};
use std::collections::VecDeque;
use std::panic::Location;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

/// What a poll of the future does, once it has left its waker.
#[derive(Arbitrary, Debug, Clone, Copy, PartialEq)]
pub enum Turn {
    /// Waits.
    Wait,
    /// Wakes itself, and waits.
    WakeSelf,
    /// Yields.
    Yield,
    /// Is ready.
    Finish,
    /// Panics.
    Panic,
}

/// What can be done.
#[derive(Arbitrary, Debug, Clone, Copy)]
pub enum Op {
    /// A task whose polls do this, and then finish.
    Spawn([Turn; 3]),
    /// The scheduler runs the first in its queue.
    Step,
    /// A waker of a task is woken by reference.
    WakeByRef(u8),
    /// And by value.
    WakeByValue(u8),
    /// Is cloned.
    CloneWaker(u8),
    /// Is dropped.
    DropWaker(u8),
    /// A task is cancelled by its handle.
    Cancel(u8),
    /// And by a reference that was taken before.
    CancelByRef(u8),
    /// A reference is taken, and kept.
    TakeRef(u8),
    /// The reference goes.
    DropRef(u8),
    /// The handle is polled under one of two wakers.
    PollJoin(u8, bool),
    /// Its output is taken, if it is there.
    TryTake(u8),
    /// The handle goes: the task is detached.
    Detach(u8),
    /// All are asked to end, as by a shutdown.
    CancelAll,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    Output,
    Cancelled,
    Panicked,
}

/// What a task is, said simply.
struct Model {
    turns: [Turn; 3],
    polls: usize,
    end: Option<End>,
    due: bool,
    cancel: bool,
    wakers: usize,
    handle: bool,
    taken: bool,
    referred: bool,
    waits: Option<usize>,
    join_wakes: [usize; 2],
    outputs_gone: usize,
}

impl Model {
    fn wake(&mut self, number: usize, queue: &mut VecDeque<usize>) {
        if self.end.is_none() && !std::mem::replace(&mut self.due, true) {
            queue.push_back(number);
        }
    }

    /// A run; says whether it goes back to the queue.
    fn run(&mut self) -> bool {
        if self.cancel {
            self.finish(End::Cancelled);
            return false;
        }
        let turn = self.turns.get(self.polls).copied().unwrap_or(Turn::Finish);
        self.polls += 1;
        self.wakers += 1;
        match turn {
            Turn::Wait => self.due = false,
            Turn::WakeSelf | Turn::Yield => return true,
            Turn::Finish => self.finish(End::Output),
            Turn::Panic => self.finish(End::Panicked),
        }
        false
    }

    fn finish(&mut self, end: End) {
        (self.end, self.due) = (Some(end), false);
        if let Some(waker) = self.waits.take() {
            self.join_wakes[waker] += 1;
        }
        if !self.handle {
            self.output_gone();
        }
    }

    fn output_gone(&mut self) {
        self.outputs_gone += usize::from(self.end == Some(End::Output));
    }

    fn is_held(&self) -> bool {
        self.end.is_none() || self.handle || self.wakers > 0 || self.referred
    }
}

#[derive(Default)]
struct Count(AtomicUsize);

impl Count {
    fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Counts its drop.
struct Token(Arc<Count>);

impl Drop for Token {
    fn drop(&mut self) {
        self.0.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[derive(Default)]
struct Queue(Mutex<VecDeque<Runnable>>);

// SAFETY: the queue lives in an `Arc` of the world, which outlives its tasks: `run` ends them all.
unsafe impl Schedule for Queue {
    fn schedule(task: Runnable, home: Home<Self>) {
        home.hold().0.lock().push_back(task);
    }
}

/// The task, and all that holds on to it.
struct Real {
    wakers: Arc<Mutex<Vec<Waker>>>,
    task: Option<Task<Token>>,
    reference: Option<TaskRef>,
    future: Arc<Count>,
    output: Arc<Count>,
    joins: [Arc<Count>; 2],
}

struct World {
    heap: Heap,
    queue: kasasagi_primitive::sync::Arc<Queue>,
    order: VecDeque<usize>,
    tasks: Vec<(Real, Model)>,
}

impl World {
    fn spawn(&mut self, turns: [Turn; 3]) {
        let (future, output) = (Arc::new(Count::default()), Arc::new(Count::default()));
        let wakers = Arc::new(Mutex::new(Vec::new()));
        let (kept, token, given) =
            (Arc::clone(&wakers), Token(Arc::clone(&future)), Arc::clone(&output));
        let mut polls = 0;
        let life = std::future::poll_fn(move |cx: &mut Context<'_>| {
            let _ = &token;
            kept.lock().push(cx.waker().clone());
            let turn = turns.get(polls).copied().unwrap_or(Turn::Finish);
            polls += 1;
            match turn {
                Turn::Wait => Poll::Pending,
                Turn::WakeSelf => {
                    cx.waker().wake_by_ref();
                    Poll::Pending
                }
                Turn::Yield => pin!(yield_now()).poll(cx).map(|()| Token(Arc::clone(&given))),
                Turn::Finish => Poll::Ready(Token(Arc::clone(&given))),
                Turn::Panic => std::panic::resume_unwind(Box::new("a turn that panics")),
            }
        });
        let number = self.tasks.len();
        let birth = Birth {
            heap: &self.heap,
            home: &self.queue,
            id: number as u64 + 1,
            pin: None,
            place: Location::caller(),
            attributes: Attributes::default(),
        };
        let (due, task) = birth.spawn(life);
        self.queue.0.lock().push_back(due);
        self.order.push_back(number);
        let real = Real {
            wakers,
            task: Some(task),
            reference: None,
            future,
            output,
            joins: Default::default(),
        };
        let model = Model {
            turns,
            polls: 0,
            end: None,
            due: true,
            cancel: false,
            wakers: 0,
            handle: true,
            taken: false,
            referred: false,
            waits: None,
            join_wakes: [0; 2],
            outputs_gone: 0,
        };
        self.tasks.push((real, model));
    }

    fn step(&mut self) {
        let due = self.queue.0.lock().pop_front();
        let first = self.order.pop_front();
        assert_eq!(due.as_ref().map(|task| task.id().as_u64() as usize - 1), first, "who is first");
        let (Some(due), Some(number)) = (due, first) else { return };
        let again = self.tasks[number].1.run();
        match due.run() {
            Ran::Requeue(task) => {
                assert!(again, "queued again for nothing");
                self.queue.0.lock().push_back(task);
                self.order.push_back(number);
            }
            Ran::Pending => {
                let model = &self.tasks[number].1;
                assert!(!again && model.end.is_none(), "taken for waiting");
            }
            Ran::Complete(_) => assert!(self.tasks[number].1.end.is_some(), "taken for complete"),
        }
    }

    fn poll_join(&mut self, number: usize, which: usize) {
        let (real, model) = &mut self.tasks[number];
        let Some(mut task) = real.task.as_mut().filter(|_| !model.taken) else { return };
        let waker = Waker::from(Arc::clone(&real.joins[which]));
        match (Pin::new(&mut task).poll(&mut Context::from_waker(&waker)), model.end) {
            (Poll::Pending, None) => model.waits = Some(which),
            (Poll::Ready(answer), Some(end)) => give(model, answer, end),
            (polled, end) => panic!("{:?} although it ended as {end:?}", polled.map(|_| ())),
        }
    }

    fn with(&mut self, which: u8, f: impl FnOnce(usize, &mut Self)) {
        if !self.tasks.is_empty() {
            f(which as usize % self.tasks.len(), self);
        }
    }

    fn woken(&mut self, number: usize) {
        self.tasks[number].1.wake(number, &mut self.order);
    }

    fn cancel(&mut self, number: usize, by: impl FnOnce(&Real) -> Option<bool>) {
        let Some(asked) = by(&self.tasks[number].0) else { return };
        assert_eq!(asked, self.tasks[number].1.end.is_none(), "asked, and live");
        if asked {
            self.tasks[number].1.cancel = true;
            self.woken(number);
        }
    }

    fn apply(&mut self, op: Op) {
        match op {
            Op::Spawn(turns) if self.tasks.len() < 12 => self.spawn(turns),
            Op::Spawn(_) | Op::Step => self.step(),
            Op::WakeByRef(which) => self.with(which, |n, world| {
                // Out of the lock: a wake may run anything.
                let waker = world.tasks[n].0.wakers.lock().pop();
                if let Some(waker) = waker {
                    waker.wake_by_ref();
                    world.woken(n);
                    world.tasks[n].0.wakers.lock().push(waker);
                }
            }),
            Op::WakeByValue(which) => self.with(which, |n, world| {
                let waker = world.tasks[n].0.wakers.lock().pop();
                if let Some(waker) = waker {
                    waker.wake();
                    world.tasks[n].1.wakers -= 1;
                    world.woken(n);
                }
            }),
            Op::CloneWaker(which) => self.with(which, |n, world| {
                let (real, model) = &mut world.tasks[n];
                let waker = real.wakers.lock().last().cloned();
                model.wakers += usize::from(waker.is_some());
                real.wakers.lock().extend(waker);
            }),
            Op::DropWaker(which) => self.with(which, |n, world| {
                let waker = world.tasks[n].0.wakers.lock().pop();
                world.tasks[n].1.wakers -= usize::from(waker.is_some());
            }),
            Op::Cancel(which) => self.with(which, |n, world| {
                world.cancel(n, |real| real.task.as_ref().map(Task::cancel));
            }),
            Op::CancelByRef(which) => self.with(which, |n, world| {
                world.cancel(n, |real| real.reference.as_ref().map(TaskRef::cancel));
            }),
            Op::TakeRef(which) => self.with(which, |n, world| {
                let (real, model) = &mut world.tasks[n];
                if let (Some(task), None) = (&real.task, &real.reference) {
                    (real.reference, model.referred) = (Some(task.handle()), true);
                }
            }),
            Op::DropRef(which) => self.with(which, |n, world| {
                let (real, model) = &mut world.tasks[n];
                (real.reference, model.referred) = (None, false);
            }),
            Op::PollJoin(which, other) => {
                self.with(which, |n, world| world.poll_join(n, usize::from(other)));
            }
            Op::TryTake(which) => self.with(which, |n, world| {
                let (real, model) = &mut world.tasks[n];
                let Some(answer) = real.task.as_mut().map(Task::try_take) else { return };
                assert_eq!(answer.is_some(), model.end.is_some() && !model.taken, "there to take");
                if let (Some(answer), Some(end)) = (answer, model.end) {
                    give(model, answer, end);
                }
            }),
            Op::Detach(which) => self.with(which, |n, world| {
                let (real, model) = &mut world.tasks[n];
                if real.task.take().is_some() {
                    (model.handle, model.waits) = (false, None);
                    if !model.taken {
                        model.output_gone();
                    }
                }
            }),
            Op::CancelAll => {
                let mut found = all(&self.heap.registry());
                let live = self.tasks.iter().filter(|task| task.1.end.is_none()).count();
                assert_eq!(found.len(), live, "found by a scan, and live");
                found.sort_by_key(|task| task.id().as_u64());
                for task in found {
                    self.cancel(task.id().as_u64() as usize - 1, |_| Some(task.cancel()));
                }
            }
        }
    }

    fn compare(&self) {
        let queued: Vec<_> =
            self.queue.0.lock().iter().map(|task| task.id().as_u64() as usize - 1).collect();
        assert_eq!(queued, Vec::from(self.order.clone()), "who is due, in which order");
        let mut blocks = 0;
        for (n, (real, model)) in self.tasks.iter().enumerate() {
            let ended = usize::from(model.end.is_some());
            assert_eq!(real.future.get(), ended, "task {n}: its future dropped");
            assert_eq!(real.output.get(), model.outputs_gone, "task {n}: its output dropped");
            if let Some(task) = &real.task {
                assert_eq!(task.is_finished(), ended == 1, "task {n}");
                assert_eq!(task.is_cancelled(), model.end == Some(End::Cancelled), "task {n}");
            }
            for (which, join) in real.joins.iter().enumerate() {
                let shares = 1 + usize::from(model.waits == Some(which));
                assert_eq!(Arc::strong_count(join), shares, "task {n}: join waker {which}");
                assert_eq!(join.get(), model.join_wakes[which], "task {n}: wakes of {which}");
            }
            blocks += usize::from(model.is_held());
        }
        assert_eq!(self.heap.usage().blocks, blocks, "blocks held");
    }
}

fn give(model: &mut Model, answer: Result<Token, kasasagi_task::JoinError>, end: End) {
    (model.taken, model.waits) = (true, None);
    match &answer {
        Ok(_) => assert_eq!(end, End::Output),
        Err(error) => {
            assert_eq!(error.is_cancelled(), end == End::Cancelled);
            assert_eq!(error.is_panic(), end == End::Panicked);
        }
    }
    model.output_gone();
}

/// Does what the bytes say to both, and then lets everything go.
pub fn run(bytes: &[u8]) {
    let ops: Vec<Op> = crate::operations(bytes, 200);
    let heap = Heap::new();
    let mut world =
        World { heap, queue: Default::default(), order: VecDeque::new(), tasks: Vec::new() };
    // The world's heap is entered through a view of it that outlives the operations.
    let heap: *const Heap = &world.heap;
    // SAFETY: `world` is neither moved nor dropped before `enter` returns, and nothing replaces its heap.
    let heap = unsafe { &*heap };
    heap.enter(|| {
        for op in ops {
            world.apply(op);
            world.compare();
        }
        world.apply(Op::CancelAll);
        while !world.order.is_empty() {
            world.step();
        }
        for n in 0..world.tasks.len() {
            let n = n as u8;
            world.apply(Op::Detach(n));
            world.apply(Op::DropRef(n));
            while world.tasks[n as usize].1.wakers > 0 {
                world.apply(Op::DropWaker(n));
            }
        }
        world.compare();
        assert_eq!(heap.usage().blocks, 0, "blocks are left");
    });
}
