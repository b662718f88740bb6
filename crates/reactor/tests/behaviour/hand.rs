//! A hand that turns a reactor, and wakers that tell what happened to them.

use kasasagi_primitive::sync::Mutex;
use kasasagi_primitive::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use kasasagi_reactor::{Clock, Reactor};
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

/// What nothing here may take.
pub(crate) const LIMIT: Duration = Duration::from_secs(10);

/// Runs `test` on each poller.
#[track_caller]
pub(crate) fn for_each_poller(test: impl Fn(&Reactor)) {
    for_each_poller_with(Clock::system, test);
}

/// Runs `test` on each poller, with a clock of its own.
#[track_caller]
pub(crate) fn for_each_poller_with(clock: impl Fn() -> Clock, test: impl Fn(&Reactor)) {
    let oneshot = Reactor::portable(2, clock(), false).expect("a poller opens");
    let edge = Reactor::portable(2, clock(), true).expect("a poller opens");
    let own = Reactor::with_clock(2, clock()).expect("a poller opens");
    let pollers = [
        ("own", own),
        ("portable edge", edge),
        ("portable oneshot", oneshot),
        #[cfg(any(target_os = "linux", target_os = "android"))]
        ("timerfd", Reactor::with_timerfd(2, clock()).expect("a poller opens")),
    ];
    for (name, reactor) in pollers {
        println!("poller: {name}");
        let _registry = reactor.registry().enter();
        let _timers = reactor.timers().enter(Some(0));
        test(&reactor);
    }
}

/// A waker that counts.
#[derive(Default, Debug)]
pub(crate) struct Counted(AtomicUsize);

impl Counted {
    pub(crate) fn new() -> (Arc<Counted>, Waker) {
        let counted = Arc::new(Counted::default());
        (Arc::clone(&counted), counted.into())
    }

    pub(crate) fn wakes(&self) -> usize {
        self.0.load(Ordering::Acquire)
    }
}

impl Wake for Counted {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::AcqRel);
    }
}

/// A waker that does something.
pub(crate) struct Doing<F>(pub(crate) F);

impl<F: Fn() + Send + Sync + 'static> Wake for Doing<F> {
    fn wake(self: Arc<Self>) {
        (self.0)();
    }
}

pub(crate) fn doing(action: impl Fn() + Send + Sync + 'static) -> Waker {
    Arc::new(Doing(action)).into()
}

/// Polls once.
pub(crate) fn poll<F: Future>(future: Pin<&mut F>, waker: &Waker) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(waker))
}

struct Flag {
    set: AtomicBool,
    reactor: Mutex<Reactor>,
}

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.set.store(true, Ordering::Release);
        self.reactor.lock().interrupt();
    }
}

/// Turns the reactor until `future` is done, as seat 0; also says how many turns that took.
#[track_caller]
pub(crate) fn run_counting<F: Future>(reactor: &Reactor, future: F) -> (F::Output, usize) {
    let flag = Arc::new(Flag { set: AtomicBool::new(true), reactor: Mutex::new(reactor.clone()) });
    let waker = Waker::from(Arc::clone(&flag));
    let mut future = pin!(future);
    let begun = Instant::now();
    let mut turns = 0;
    loop {
        if flag.set.swap(false, Ordering::AcqRel) {
            if let Poll::Ready(value) = poll(future.as_mut(), &waker) {
                return (value, turns);
            }
            continue;
        }
        assert!(begun.elapsed() < LIMIT, "it takes too long");
        turns += 1;
        // A wake that never comes is a failure, and not a test that hangs.
        let limit = reactor.now() + LIMIT.as_nanos() as u64;
        reactor.attend(reactor.deadline(0).min(limit), 64);
        reactor.fire(0, reactor.now());
    }
}

/// Turns the reactor until `future` is done, as seat 0.
#[track_caller]
pub(crate) fn run<F: Future>(reactor: &Reactor, future: F) -> F::Output {
    run_counting(reactor, future).0
}

/// Turns the reactor until `done`.
#[track_caller]
pub(crate) fn turn_until(reactor: &Reactor, mut done: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < LIMIT, "it takes too long");
        let soon = reactor.now() + 50_000_000;
        reactor.attend(soon, 64);
        reactor.fire(0, reactor.now());
    }
}

/// Fetches all there is now and a little after: what would come, has come.
pub(crate) fn settle(reactor: &Reactor) {
    while reactor.look(64) > 0 {}
}
