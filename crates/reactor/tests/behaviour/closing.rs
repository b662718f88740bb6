//! RCT-08: what is left of a reactor that was closed.

use crate::hand::{Counted, for_each_poller, poll, settle};
use kasasagi_reactor::{Async, NEVER, Reactor, time};
use std::io::{ErrorKind, Read};
use std::os::unix::net::UnixStream;
use std::panic::Location;
use std::pin::pin;
use std::process::Command;
use std::task::{Context, Poll};
use std::time::Duration;

#[test]
fn rct_08_who_waits_is_told_of_the_close_and_new_sources_are_refused() {
    for_each_poller(|reactor| {
        let (ours, _theirs) = UnixStream::pair().expect("a pair is made");
        let (late, _late_theirs) = UnixStream::pair().expect("a pair is made");
        let ours = Async::new(ours).expect("a registry was entered");
        let (count, waker) = Counted::new();
        let read = || {
            let mut buf = [0; 8];
            let mut cx = Context::from_waker(&waker);
            ours.poll_read(&mut cx, Location::caller(), 8, |mut io| io.read(&mut buf))
        };
        assert!(read().is_pending());
        settle(reactor);
        assert!(read().is_pending());
        let before = count.wakes();
        reactor.close();
        assert_eq!(count.wakes(), before + 1);
        let Poll::Ready(Err(error)) = read() else { panic!("a closed reactor is waited for") };
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
        assert!(error.to_string().contains("shut down"), "{error}");
        let refused = Async::new(late).expect_err("the reactor is closed");
        assert_eq!(refused.kind(), ErrorKind::BrokenPipe);
        // It may be closed again, attended in vain, and its sources go as they came.
        reactor.close();
        reactor.attend(NEVER, 64);
        drop(ours);
    });
}

#[test]
fn a_sleep_of_a_closed_reactor_completes_rather_than_never() {
    for_each_poller(|reactor| {
        let (count, waker) = Counted::new();
        let mut waiting = pin!(time::sleep(Duration::from_secs(3600)));
        let mut late = pin!(time::sleep(Duration::from_secs(3600)));
        assert!(poll(waiting.as_mut(), &waker).is_pending());
        reactor.close();
        assert_eq!(count.wakes(), 1);
        assert!(poll(waiting.as_mut(), &waker).is_ready());
        assert!(poll(late.as_mut(), &waker).is_ready());
        assert_eq!(reactor.deadline(0), NEVER);
    });
}

#[test]
fn a_sleep_that_outlives_its_reactor_leaves_the_next_one_alone() {
    let first = Reactor::new(3).expect("a poller opens");
    let (_, waker) = Counted::new();
    let entered = first.timers().enter(Some(1));
    let mut old = Box::pin(time::sleep(Duration::from_secs(3600)));
    let mut unborn = Box::pin(time::sleep(Duration::from_secs(3600)));
    assert!(poll(old.as_mut(), &waker).is_pending());
    drop(entered);
    drop(first);
    // It may well be given the same shards.
    let second = Reactor::new(3).expect("a poller opens");
    let _entered = second.timers().enter(Some(1));
    let mut new = Box::pin(time::sleep(Duration::from_secs(3600)));
    assert!(poll(new.as_mut(), &waker).is_pending());
    assert!(poll(unborn.as_mut(), &waker).is_ready(), "its reactor has gone");
    assert!(poll(old.as_mut(), &waker).is_ready(), "its reactor has gone");
    drop((old, unborn));
    assert_eq!(second.timers().waiting(), 1);
    assert_ne!(second.deadline(1), NEVER);
    assert!(poll(new.as_mut(), &waker).is_pending());
}

/// In a process of its own, where nobody else opens descriptors.
#[test]
fn rct_08_a_dropped_reactor_leaves_no_descriptor_open() {
    const CHILD: &str = "KASASAGI_REACTOR_COUNTS_DESCRIPTORS";
    let open = || std::fs::read_dir("/proc/self/fd").map(Iterator::count);
    if std::env::var_os(CHILD).is_some() {
        // What the process opens once and keeps is open after the first round.
        let mut counts = [0; 4];
        for count in &mut counts {
            for_each_poller(|reactor| {
                let (ours, _theirs) = UnixStream::pair().expect("a pair is made");
                let ours = Async::new(ours).expect("a registry was entered");
                assert!(poll(pin!(ours.readable()), std::task::Waker::noop()).is_pending());
                reactor.attend(reactor.now() + 1, 64);
            });
            *count = open().expect("it was readable before");
        }
        assert_eq!(counts, [counts[0]; 4]);
        return;
    }
    if open().is_err() {
        println!("no /proc here: not checked");
        return;
    }
    let this = "closing::rct_08_a_dropped_reactor_leaves_no_descriptor_open";
    let output = Command::new(std::env::current_exe().expect("a test is a file"))
        .args(["--exact", this, "--test-threads=1", "--nocapture"])
        .env(CHILD, "1")
        .output()
        .expect("the test can be started again");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

#[test]
fn shards_that_served_another_clock_begin_again() {
    use kasasagi_reactor::Clock;
    for _ in 0..3 {
        let clock = Clock::manual();
        let reactor = Reactor::with_clock(5, clock.clone()).expect("a poller opens");
        let _timers = reactor.timers().enter(Some(4));
        let (count, waker) = Counted::new();
        let mut sleep = pin!(time::sleep(Duration::from_millis(3)));
        assert!(poll(sleep.as_mut(), &waker).is_pending());
        clock.advance(Duration::from_millis(3));
        assert_eq!(reactor.fire(4, clock.now_ns()), 1);
        assert_eq!(count.wakes(), 1);
        // Far into the future of the next clock.
        let mut century = pin!(time::sleep(Duration::from_secs(3_000_000_000)));
        assert!(poll(century.as_mut(), &waker).is_pending());
        assert_eq!(reactor.fire(4, NEVER - 1), 1);
    }
}
