//! Timeouts: who wins, and what a future that never suspends can do about it.

use crate::hand::{Counted, poll};
use kasasagi_reactor::{Clock, NEVER, Reactor, time};
use std::future::{pending, poll_fn, ready};
use std::pin::pin;
use std::task::{Poll, Waker};
use std::time::Duration;

fn by_hand(test: impl Fn(&Reactor, &Clock)) {
    let clock = Clock::manual();
    let reactor = Reactor::with_clock(1, clock.clone()).expect("a poller opens");
    let _timers = reactor.timers().enter(Some(0));
    test(&reactor, &clock);
}

#[test]
fn a_value_that_is_there_wins_and_costs_no_timer() {
    by_hand(|reactor, _| {
        for time in [Duration::ZERO, Duration::from_secs(1), Duration::MAX] {
            let mut quick = pin!(time::timeout(time, ready(7)));
            assert_eq!(poll(quick.as_mut(), Waker::noop()), Poll::Ready(Ok(7)));
            assert_eq!(reactor.deadline(0), NEVER);
        }
    });
}

#[test]
fn a_value_that_is_fetched_late_wins_as_well() {
    by_hand(|reactor, clock| {
        let mut there = false;
        let mut late = pin!(time::timeout(
            Duration::from_secs(1),
            poll_fn(|_| if std::mem::replace(&mut there, true) {
                Poll::Ready(7)
            } else {
                Poll::Pending
            })
        ));
        assert!(poll(late.as_mut(), Waker::noop()).is_pending());
        clock.advance(Duration::from_secs(5));
        reactor.fire(0, clock.now_ns());
        assert_eq!(poll(late.as_mut(), Waker::noop()), Poll::Ready(Ok(7)));
    });
}

#[test]
fn a_future_that_is_late_is_told_so() {
    by_hand(|reactor, clock| {
        let (count, waker) = Counted::new();
        let mut slow = pin!(time::timeout(Duration::from_secs(1), pending::<()>()));
        assert!(poll(slow.as_mut(), &waker).is_pending());
        clock.advance(Duration::from_secs(1));
        reactor.fire(0, clock.now_ns());
        assert_eq!(count.wakes(), 1);
        let Poll::Ready(Err(elapsed)) = poll(slow.as_mut(), &waker) else { panic!("it is late") };
        assert_eq!(std::io::Error::from(elapsed).kind(), std::io::ErrorKind::TimedOut);
    });
}

#[test]
fn a_timeout_of_nothing_polls_once() {
    by_hand(|_, clock| {
        let mut now = pin!(time::timeout(Duration::ZERO, pending::<()>()));
        assert!(matches!(poll(now.as_mut(), Waker::noop()), Poll::Ready(Err(_))));
        let mut past = pin!(time::timeout_at(clock.now(), pending::<()>()));
        assert!(matches!(poll(past.as_mut(), Waker::noop()), Poll::Ready(Err(_))));
    });
}

#[test]
fn a_future_that_does_not_wait_needs_no_runtime_and_one_that_does_is_told_so() {
    let mut quick = pin!(time::timeout(Duration::from_secs(1), ready(7)));
    assert_eq!(poll(quick.as_mut(), Waker::noop()), Poll::Ready(Ok(7)));
    let slow = || {
        let mut slow = pin!(time::timeout(Duration::from_secs(1), pending::<()>()));
        assert!(slow.deadline().is_none());
        poll(slow.as_mut(), Waker::noop())
    };
    let panic = std::panic::catch_unwind(slow).expect_err("this thread has no timers");
    let text = panic.downcast_ref::<String>().expect("the panic has a message");
    assert!(text.contains("kasasagi::run") && text.contains("timeouts.rs"), "{text}");
}

#[test]
fn a_timeout_goes_by_the_timers_of_the_thread_that_polls_it_first() {
    let timeout = pin!(time::timeout(Duration::from_secs(1), pending::<()>()));
    by_hand(|reactor, clock| {
        let mut timeout = pin!(time::timeout(Duration::from_secs(1), pending::<()>()));
        assert!(poll(timeout.as_mut(), Waker::noop()).is_pending());
        assert_eq!(timeout.deadline(), Some(clock.now() + Duration::from_secs(1)));
        assert_eq!(reactor.timers().waiting(), 1);
    });
    assert!(timeout.deadline().is_none());
}

#[test]
fn a_future_that_spends_the_whole_budget_is_late_all_the_same() {
    use kasasagi_primitive::coop;
    by_hand(|reactor, clock| {
        let greedy = poll_fn(|cx| {
            while coop::poll_proceed(cx).is_ready() {}
            Poll::<()>::Pending
        });
        let mut timeout = pin!(time::timeout(Duration::from_secs(1), greedy));
        let previous = coop::start();
        assert!(poll(timeout.as_mut(), Waker::noop()).is_pending());
        clock.advance(Duration::from_secs(1));
        reactor.fire(0, clock.now_ns());
        coop::start();
        assert!(poll(timeout.as_mut(), Waker::noop()).is_ready());
        coop::restore(previous);
    });
}
