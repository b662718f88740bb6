//! Every order of what can be done to a task, five steps long, against a naive model of what a task is.

use crate::support::{Count, Token, World, poll};
use kasasagi_primitive::sync::{Arc, Mutex};
use kasasagi_task::{Task, all, yield_now};
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Poll, Wake, Waker};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Step {
    Run,
    WakeByRef,
    WakeByValue,
    CloneWaker,
    DropWaker,
    Cancel,
    PollJoin,
    PollJoinAnew,
    DropJoin,
}

const STEPS: [Step; 9] = [
    Step::Run,
    Step::WakeByRef,
    Step::WakeByValue,
    Step::CloneWaker,
    Step::DropWaker,
    Step::Cancel,
    Step::PollJoin,
    Step::PollJoinAnew,
    Step::DropJoin,
];

/// What a poll does.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Turn {
    Wait,
    WakeSelf,
    Yield,
    Finish,
    Panic,
}

/// Steps in an order. 9^5 orders a life: under a second.
const LENGTH: u32 = if cfg!(miri) { 2 } else { 5 };

/// How a task ended.
#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    Output,
    Cancelled,
    Panicked,
}

/// A waker of the handle's: counts its wakes, and by its share who holds it.
#[derive(Default)]
struct Join {
    wakes: AtomicUsize,
}

impl Wake for Join {
    fn wake(self: std::sync::Arc<Self>) {
        self.wakes.fetch_add(1, Ordering::Relaxed);
    }
}

/// What a task is, said simply.
struct Model {
    life: &'static [Turn],
    polls: usize,
    end: Option<End>,
    due: bool,
    cancel: bool,
    wakers: usize,
    handle: bool,
    taken: bool,
    /// Which of the two join wakers is in place.
    waits: Option<usize>,
    join_wakes: [usize; 2],
    outputs_dropped: usize,
}

impl Model {
    fn new(life: &'static [Turn]) -> Self {
        Self {
            life,
            polls: 0,
            end: None,
            due: true,
            cancel: false,
            wakers: 0,
            handle: true,
            taken: false,
            waits: None,
            join_wakes: [0; 2],
            outputs_dropped: 0,
        }
    }

    fn run(&mut self) {
        if !self.due {
            return;
        }
        if self.cancel {
            return self.finish(End::Cancelled);
        }
        let turn = self.life[self.polls];
        self.polls += 1;
        self.wakers += 1;
        match turn {
            Turn::Wait => self.due = false,
            Turn::WakeSelf | Turn::Yield => {}
            Turn::Finish => self.finish(End::Output),
            Turn::Panic => self.finish(End::Panicked),
        }
    }

    fn finish(&mut self, end: End) {
        (self.end, self.due) = (Some(end), false);
        if let Some(waker) = self.waits.take() {
            self.join_wakes[waker] += 1;
        }
        if !self.handle {
            self.drop_output();
        }
    }

    fn drop_output(&mut self) {
        self.outputs_dropped += usize::from(self.end == Some(End::Output));
    }

    fn wake(&mut self) {
        self.due |= self.end.is_none();
    }
}

/// The task, and all that holds on to it.
struct Real<'a> {
    world: &'a World,
    wakers: Arc<Mutex<Vec<Waker>>>,
    task: Option<Task<Token>>,
    futures: Count,
    outputs: Count,
    joins: [std::sync::Arc<Join>; 2],
}

fn born<'a>(world: &'a World, life: &'static [Turn]) -> Real<'a> {
    let (futures, outputs) = (Count::default(), Count::default());
    let wakers = Arc::new(Mutex::new(Vec::new()));
    let (kept, token, output) = (Arc::clone(&wakers), futures.token(), outputs.clone());
    let mut turns = life.iter();
    let task = world.spawn(std::future::poll_fn(move |cx| {
        let _ = &token;
        kept.lock().push(cx.waker().clone());
        match turns.next().expect("no life is that long") {
            Turn::Wait => Poll::Pending,
            Turn::WakeSelf => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Turn::Yield => pin!(yield_now()).poll(cx).map(|()| output.token()),
            Turn::Finish => Poll::Ready(output.token()),
            Turn::Panic => std::panic::resume_unwind(Box::new("a turn that panics")),
        }
    }));
    Real { world, wakers, task: Some(task), futures, outputs, joins: Default::default() }
}

/// Takes a waker out: its wake or drop may free the task, and runs unlocked.
fn pop(wakers: &Mutex<Vec<Waker>>) -> Option<Waker> {
    wakers.lock().pop()
}

fn poll_join(real: &mut Real<'_>, model: &mut Model, which: usize) {
    let Some(task) = real.task.as_mut().filter(|_| !model.taken) else { return };
    let waker = Waker::from(std::sync::Arc::clone(&real.joins[which]));
    match (poll(&waker, task), model.end) {
        (Poll::Pending, None) => model.waits = Some(which),
        (Poll::Ready(answer), Some(end)) => {
            model.taken = true;
            model.drop_output();
            match answer {
                Ok(output) => {
                    assert_eq!(end, End::Output);
                    drop(output);
                }
                Err(error) => {
                    assert_eq!(error.is_cancelled(), end == End::Cancelled);
                    assert_eq!(error.is_panic(), end == End::Panicked);
                }
            }
        }
        (polled, end) => panic!("{:?} although it ended as {end:?}", polled.map(|_| ())),
    }
}

fn step(real: &mut Real<'_>, model: &mut Model, step: Step) {
    match step {
        Step::Run => {
            real.world.queue.run_one();
            model.run();
        }
        Step::WakeByRef => {
            let waker = pop(&real.wakers);
            waker.iter().for_each(Waker::wake_by_ref);
            if let Some(waker) = waker {
                model.wake();
                real.wakers.lock().push(waker);
            }
        }
        Step::WakeByValue => {
            if let Some(waker) = pop(&real.wakers) {
                waker.wake();
                model.wakers -= 1;
                model.wake();
            }
        }
        Step::CloneWaker => {
            let waker = real.wakers.lock().last().cloned();
            model.wakers += usize::from(waker.is_some());
            real.wakers.lock().extend(waker);
        }
        Step::DropWaker => model.wakers -= usize::from(pop(&real.wakers).is_some()),
        Step::Cancel => {
            let found = all(&real.world.heap.registry());
            assert_eq!(found.len(), usize::from(model.end.is_none()), "a scan finds what is live");
            for task in found {
                assert!(task.cancel(), "a live task can be cancelled");
                model.cancel = true;
                model.wake();
            }
        }
        Step::PollJoin => poll_join(real, model, 0),
        Step::PollJoinAnew => poll_join(real, model, 1),
        Step::DropJoin => {
            if real.task.take().is_some() {
                model.handle = false;
                model.waits = None;
                if !model.taken {
                    model.drop_output();
                }
            }
        }
    }
}

fn compare(real: &Real<'_>, model: &Model, path: &[Step]) {
    let ended = usize::from(model.end.is_some());
    assert_eq!(real.world.queue.len(), usize::from(model.due), "queued: {path:?}");
    assert_eq!(real.futures.get(), ended, "futures dropped: {path:?}");
    assert_eq!(real.outputs.get(), model.outputs_dropped, "outputs dropped: {path:?}");
    let held = ended == 0 || model.handle || model.wakers > 0;
    assert_eq!(real.world.heap.usage().blocks, usize::from(held), "blocks: {path:?}");
    for (which, join) in real.joins.iter().enumerate() {
        let shares = 1 + usize::from(model.waits == Some(which));
        assert_eq!(std::sync::Arc::strong_count(join), shares, "join waker {which}: {path:?}");
        let wakes = join.wakes.load(Ordering::Relaxed);
        assert_eq!(wakes, model.join_wakes[which], "wakes of join waker {which}: {path:?}");
    }
}

/// Everything lets go; what is left of the task is cancelled.
fn end(real: &mut Real<'_>, model: &mut Model, path: &[Step]) {
    for last in [Step::DropJoin, Step::Cancel, Step::Run] {
        step(real, model, last);
    }
    while pop(&real.wakers).is_some() {
        model.wakers -= 1;
    }
    compare(real, model, path);
    assert_eq!(real.world.heap.usage().blocks, 0, "blocks: {path:?}");
}

fn live(life: &'static [Turn], path: &[Step]) {
    let world = World::default();
    world.heap.enter(|| {
        let mut real = born(&world, life);
        let mut model = Model::new(life);
        for (n, now) in path.iter().enumerate() {
            step(&mut real, &mut model, *now);
            compare(&real, &model, &path[..=n]);
        }
        end(&mut real, &mut model, path);
    });
}

fn live_all(life: &'static [Turn]) {
    for n in 0..STEPS.len().pow(LENGTH) {
        let digit = |at| STEPS[n / STEPS.len().pow(at) % STEPS.len()];
        let path: Vec<Step> = (0..LENGTH).map(digit).collect();
        live(life, &path);
    }
}

#[test]
fn a_task_that_is_ready_at_once_does_as_the_model_whatever_the_order() {
    live_all(&[Turn::Finish]);
}

#[test]
fn a_task_that_waits_once_does_as_the_model_whatever_the_order() {
    live_all(&[Turn::Wait, Turn::Finish]);
}

#[test]
fn a_task_that_never_ends_does_as_the_model_whatever_the_order() {
    live_all(&[Turn::Wait; LENGTH as usize]);
}

#[test]
fn a_task_that_panics_does_as_the_model_whatever_the_order() {
    live_all(&[Turn::Wait, Turn::Panic]);
}

#[test]
fn a_task_that_wakes_itself_does_as_the_model_whatever_the_order() {
    live_all(&[Turn::WakeSelf, Turn::Finish]);
}

#[test]
fn a_task_that_yields_does_as_the_model_whatever_the_order() {
    live_all(&[Turn::Yield, Turn::Wait, Turn::Finish]);
}
