//! The task under test, and what is counted of it.

use crate::LIMIT;
use crate::axes::{Cancel, Case, Flavour, Panics, Wakers};
use kasasagi::Task;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread::ThreadId;
use std::time::Instant;

/// Something that comes to pass once.
#[derive(Default)]
pub(crate) struct Event(AtomicBool);

impl Event {
    pub(crate) fn set(&self) {
        self.0.store(true, Ordering::Release);
    }

    pub(crate) fn is_set(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    /// Waits for it on a thread that has nothing else to do.
    pub(crate) fn wait(&self) {
        let start = Instant::now();
        while !self.is_set() {
            assert!(start.elapsed() < LIMIT, "it did not happen");
            std::thread::yield_now();
        }
    }
}

/// How many there were made, and how many have gone.
#[derive(Default)]
pub(crate) struct Tally {
    made: AtomicUsize,
    gone: AtomicUsize,
}

impl Tally {
    pub(crate) fn made(&self) {
        self.made.fetch_add(1, Ordering::AcqRel);
    }

    pub(crate) fn lost(&self) {
        self.gone.fetch_add(1, Ordering::AcqRel);
    }

    pub(crate) fn counts(&self) -> (usize, usize) {
        (self.made.load(Ordering::Acquire), self.gone.load(Ordering::Acquire))
    }
}

/// What is known of one task. Nothing of it is a lock that a drop may find taken.
pub(crate) struct Probe {
    pub(crate) case: Case,
    main: ThreadId,
    pub(crate) polls: AtomicUsize,
    pub(crate) futures: Tally,
    pub(crate) outputs: Tally,
    pub(crate) payloads: Tally,
    pub(crate) join_wakers: Tally,
    /// A drop or a poll on a thread where it must not be.
    pub(crate) astray: AtomicBool,
    /// A panic came out of the drop of the handle, which keeps all of them to itself.
    pub(crate) loud: AtomicBool,
    pub(crate) in_poll: Event,
    pub(crate) cancelled: Event,
    /// The waker of the first poll, for whoever ends the wait.
    pub(crate) waker: Mutex<Option<Waker>>,
    pub(crate) kept: Mutex<Option<Waker>>,
    /// The task's own handle, for it to drop.
    pub(crate) own_handle: Mutex<Option<Task<Output>>>,
}

pub(crate) fn take<T>(slot: &Mutex<Option<T>>) -> Option<T> {
    slot.lock().unwrap_or_else(PoisonError::into_inner).take()
}

pub(crate) fn put<T>(slot: &Mutex<Option<T>>, value: T) {
    *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(value);
}

impl Probe {
    /// Of a task that the calling thread spawns.
    pub(crate) fn new(case: Case) -> Self {
        Self {
            case,
            main: std::thread::current().id(),
            polls: AtomicUsize::new(0),
            futures: Tally::default(),
            outputs: Tally::default(),
            payloads: Tally::default(),
            join_wakers: Tally::default(),
            astray: AtomicBool::new(false),
            loud: AtomicBool::new(false),
            in_poll: Event::default(),
            cancelled: Event::default(),
            waker: Mutex::new(None),
            kept: Mutex::new(None),
            own_handle: Mutex::new(None),
        }
    }

    /// Foreign code of the task runs: on the thread that spawned it, or, unless it has to stay there, on a worker.
    fn is_here(&self) {
        let thread = std::thread::current();
        let worker = thread.name().is_some_and(|name| name.starts_with("matrix-"));
        if thread.id() != self.main && !(worker && self.case.flavour != Flavour::Local) {
            self.astray.store(true, Ordering::Release);
        }
    }

    /// How often the future was dropped.
    pub(crate) fn is_over(&self) -> bool {
        self.futures.counts().1 > 0
    }
}

/// What a planted panic carries.
pub(crate) struct Payload(Arc<Probe>);

impl Payload {
    fn new(probe: &Arc<Probe>) -> Self {
        probe.payloads.made();
        Self(Arc::clone(probe))
    }
}

impl Drop for Payload {
    fn drop(&mut self) {
        self.0.payloads.lost();
        self.0.is_here();
        if self.0.case.panics == Panics::PayloadDrop && !std::thread::panicking() {
            panic!("planted: in the payload's drop");
        }
    }
}

/// What the task gives.
pub(crate) struct Output(Arc<Probe>);

impl Output {
    pub(crate) fn new(probe: &Arc<Probe>) -> Self {
        probe.outputs.made();
        Self(Arc::clone(probe))
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        self.0.outputs.lost();
        self.0.is_here();
        if self.0.case.panics == Panics::OutputDrop && !std::thread::panicking() {
            panic!("planted: in the output's drop");
        }
    }
}

/// The task: suspended by its first poll, ended by its second.
pub(crate) struct Subject(Arc<Probe>);

impl Subject {
    pub(crate) fn new(probe: &Arc<Probe>) -> Self {
        probe.futures.made();
        Self(Arc::clone(probe))
    }

    fn first(&self, cx: &Context<'_>) {
        let probe = &self.0;
        put(&probe.waker, cx.waker().clone());
        match probe.case.wakers {
            Wakers::None => {}
            Wakers::Kept | Wakers::UsedAtTheEnd => put(&probe.kept, cx.waker().clone()),
            Wakers::DuringPoll => {
                let another = cx.waker().clone();
                cx.waker().wake_by_ref();
                another.wake();
                cx.waker().wake_by_ref();
            }
        }
        drop(take(&probe.own_handle));
        probe.in_poll.set();
        match probe.case.cancel {
            Cancel::ByItself => {
                kasasagi::task::current().cancel();
            }
            Cancel::ByAnother => probe.cancelled.wait(),
            _ => {}
        }
        if probe.case.panics.in_first_poll() {
            std::panic::panic_any(Payload::new(probe));
        }
    }
}

impl Future for Subject {
    type Output = Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Output> {
        let probe = &self.0;
        probe.is_here();
        if probe.polls.fetch_add(1, Ordering::AcqRel) == 0 {
            self.first(cx);
            return Poll::Pending;
        }
        if probe.case.cancel == Cancel::InLastPoll {
            kasasagi::task::current().cancel();
        }
        if probe.case.panics == Panics::SecondPoll {
            std::panic::panic_any(Payload::new(probe));
        }
        Poll::Ready(Output::new(probe))
    }
}

impl Drop for Subject {
    fn drop(&mut self) {
        self.0.is_here();
        self.0.futures.lost();
        let panics = matches!(self.0.case.panics, Panics::FutureDrop | Panics::PollAndDrop);
        if panics && !std::thread::panicking() {
            std::panic::panic_any(Payload::new(&self.0));
        }
    }
}
