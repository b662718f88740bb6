//! Timer slack: a thread that waits for its timers has none, and has it again when it leaves.
#![cfg(any(target_os = "linux", target_os = "android"))]

use crate::hand::{Counted, poll, run};
use kasasagi_primitive::thread;
use kasasagi_reactor::{Reactor, time};
use rustix::thread::{current_timer_slack, set_current_timer_slack};
use std::num::NonZeroU64;
use std::time::Duration;

fn slack() -> u64 {
    current_timer_slack().expect("a thread may ask for its slack")
}

/// On a thread of its own, whose slack is `ns`.
fn with_slack(ns: u64, test: impl FnOnce() + Send + 'static) {
    let body = move || {
        set_current_timer_slack(NonZeroU64::new(ns)).expect("a thread may set its slack");
        test();
    };
    thread::spawn(body).join().expect("the test does not panic");
}

#[test]
fn a_seats_thread_gives_its_slack_up_for_a_timer_and_gets_it_back() {
    with_slack(40_000, || {
        let reactor = Reactor::new(1).expect("a poller opens");
        let entered = reactor.timers().enter(Some(0));
        assert_eq!(slack(), 40_000, "nobody waits yet");
        run(&reactor, time::sleep(Duration::from_micros(100)));
        assert_eq!(slack(), 1);
        {
            // A runtime inside, as in a callback.
            let inner = Reactor::new(1).expect("a poller opens");
            let _entered = inner.timers().enter(Some(0));
            run(&inner, time::sleep(Duration::from_micros(100)));
        }
        assert_eq!(slack(), 1);
        drop(entered);
        assert_eq!(slack(), 40_000);
    });
}

#[test]
fn a_thread_without_a_seat_keeps_its_slack() {
    with_slack(40_000, || {
        let reactor = Reactor::new(1).expect("a poller opens");
        let _entered = reactor.timers().enter(None);
        let (_, waker) = Counted::new();
        let mut sleep = Box::pin(time::sleep(Duration::from_secs(1)));
        assert!(poll(sleep.as_mut(), &waker).is_pending());
        let _ = reactor.deadline(0);
        assert_eq!(slack(), 40_000);
    });
}
