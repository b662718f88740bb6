//! Foreign code that panics: each panic ends where it belongs, and nothing is dropped twice or kept.
#![allow(unsafe_code, reason = "a foreign waker is a raw one")]

use crate::support::{Count, Token, World, answer, panic_text, poll};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Mutex;
use std::task::{Context, Poll, RawWaker, RawWakerVTable, Waker};

type Polls<T> = Box<dyn FnMut(&mut Context<'_>) -> Poll<T> + Send>;

/// A future that is told what to do, and counts, or panics in, its drop.
struct Told<T> {
    _token: Token,
    polls: Polls<T>,
}

impl<T> Future for Told<T> {
    type Output = T;
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        (self.polls)(cx)
    }
}

fn told<T>(
    token: Token,
    polls: impl FnMut(&mut Context<'_>) -> Poll<T> + Send + 'static,
) -> Told<T> {
    Told { _token: token, polls: Box::new(polls) }
}

#[test]
fn a_panic_of_a_poll_is_the_answer_even_if_the_drop_panics_too() {
    for bomb in [false, true] {
        let (world, futures) = (World::default(), Count::default());
        let token = if bomb { futures.bomb() } else { futures.token() };
        let mut task = world.spawn(told::<()>(token, |_| panic!("the poll")));
        world.queue.run();
        assert_eq!(panic_text(answer(&mut task)), "the poll");
        drop(task);
        assert_eq!((futures.get(), world.blocks()), (1, 0));
    }
}

#[test]
fn a_panic_in_the_drop_of_a_ready_future_replaces_its_output() {
    for loud in [false, true] {
        let (world, futures, outputs) = (World::default(), Count::default(), Count::default());
        let mut output = Some(if loud { outputs.bomb() } else { outputs.token() });
        let mut task = world.spawn(told(futures.bomb(), move |_| Poll::Ready(output.take())));
        world.queue.run();
        assert_eq!(panic_text(answer(&mut task)), "the drop of a bomb");
        drop(task);
        assert_eq!((futures.get(), outputs.get(), world.blocks()), (1, 1, 0));
    }
}

#[test]
fn a_panic_in_the_drop_of_a_cancelled_future_is_the_answer() {
    let (world, futures) = (World::default(), Count::default());
    let mut task = world.spawn(told::<()>(futures.bomb(), |_| Poll::Pending));
    world.queue.run();
    assert!(task.cancel());
    world.queue.run();
    assert_eq!(panic_text(answer(&mut task)), "the drop of a bomb");
    assert!(!task.is_cancelled());
    drop(task);
    assert_eq!((futures.get(), world.blocks()), (1, 0));
}

#[test]
fn a_panic_in_the_drop_of_an_output_reaches_neither_runner_nor_handle() {
    for detached in [false, true] {
        let (world, outputs) = (World::default(), Count::default());
        let output = outputs.bomb();
        let task = world.spawn(async move { output });
        if detached {
            drop(task);
            world.queue.run();
        } else {
            world.queue.run();
            drop(task);
        }
        assert_eq!((outputs.get(), world.blocks()), (1, 0));
    }
}

#[test]
fn a_panic_whose_payload_panics_as_it_is_dropped_ends_there() {
    let (world, payloads) = (World::default(), Count::default());
    let bomb = Mutex::new(Some(payloads.bomb()));
    let task = world.spawn(async move {
        let bomb = bomb.lock().expect("nobody panics here").take();
        std::panic::resume_unwind(Box::new(bomb));
    });
    drop(task);
    world.queue.run();
    assert_eq!((payloads.get(), world.blocks()), (1, 0));
}

/// What a foreign waker does, and what became of it.
#[derive(Default)]
struct Foreign {
    made: Count,
    gone: Count,
    clone_panics: bool,
    wake_panics: bool,
    drop_panics: bool,
}

static FOREIGN: RawWakerVTable = RawWakerVTable::new(
    |data| {
        let foreign = foreign(data);
        assert!(!foreign.clone_panics, "the clone of a waker");
        foreign.made.add();
        RawWaker::new(data, &FOREIGN)
    },
    |data| {
        foreign(data).gone.add();
        assert!(!foreign(data).wake_panics, "the wake of a waker");
    },
    |_| {},
    |data| {
        foreign(data).gone.add();
        assert!(!foreign(data).drop_panics, "the drop of a waker");
    },
);

fn foreign<'a>(data: *const ()) -> &'a Foreign {
    // SAFETY: each test keeps its `Foreign` until all wakers of it are gone.
    unsafe { &*data.cast::<Foreign>() }
}

/// A waker that is lent: neither counted nor dropped.
fn waker(foreign: &Foreign) -> std::mem::ManuallyDrop<Waker> {
    let data = std::ptr::from_ref(foreign).cast();
    // SAFETY: the functions keep the contract of RawWaker, as long as `foreign` lives.
    std::mem::ManuallyDrop::new(unsafe { Waker::new(data, &FOREIGN) })
}

fn panics(f: impl FnOnce()) -> bool {
    catch_unwind(AssertUnwindSafe(f)).is_err()
}

#[test]
fn a_join_waker_that_panics_when_woken_leaves_the_runner_and_the_output_alone() {
    let world = World::default();
    let foreign = Foreign { wake_panics: true, ..Foreign::default() };
    let mut task = world.spawn(async { 7 });
    assert!(poll(&waker(&foreign), &mut task).is_pending());
    world.queue.run();
    assert_eq!(answer(&mut task).expect("a value"), 7);
    drop(task);
    assert_eq!((foreign.made.get(), foreign.gone.get(), world.blocks()), (1, 1, 0));
}

#[test]
fn a_join_waker_whose_clone_panics_leaves_the_handle_as_it_was() {
    let world = World::default();
    let foreign = Foreign { clone_panics: true, ..Foreign::default() };
    let kept = Foreign::default();
    let mut task = world.spawn(async { 7 });
    assert!(panics(|| drop(poll(&waker(&foreign), &mut task))));
    assert!(poll(&waker(&kept), &mut task).is_pending());
    // The one that is there is taken out first.
    assert!(panics(|| drop(poll(&waker(&foreign), &mut task))));
    world.queue.run();
    assert_eq!(answer(&mut task).expect("a value"), 7);
    drop(task);
    assert_eq!((kept.made.get(), kept.gone.get(), world.blocks()), (1, 1, 0));
}

#[test]
fn a_join_waker_whose_drop_panics_is_dropped_once_and_its_successor_heard() {
    let world = World::default();
    let foreign = Foreign { drop_panics: true, ..Foreign::default() };
    let other = Foreign::default();
    let mut task = world.spawn(async { 7 });
    assert!(poll(&waker(&foreign), &mut task).is_pending());
    assert!(panics(|| drop(poll(&waker(&other), &mut task))), "it is replaced");
    assert_eq!(foreign.gone.get(), 1);
    assert!(poll(&waker(&other), &mut task).is_pending());
    world.queue.run();
    assert_eq!(answer(&mut task).expect("a value"), 7);
    drop(task);
    assert_eq!((foreign.gone.get(), world.blocks()), (1, 0));
    assert_eq!((other.made.get(), other.gone.get()), (1, 1));
}

#[test]
fn a_handle_dropped_with_a_join_waker_whose_drop_panics_detaches_all_the_same() {
    let (world, outputs) = (World::default(), Count::default());
    let foreign = Foreign { drop_panics: true, ..Foreign::default() };
    let output = outputs.token();
    let mut task = world.spawn(async move { output });
    assert!(poll(&waker(&foreign), &mut task).is_pending());
    drop(task);
    world.queue.run();
    assert_eq!((foreign.made.get(), foreign.gone.get()), (1, 1));
    assert_eq!((outputs.get(), world.blocks()), (1, 0));
}
