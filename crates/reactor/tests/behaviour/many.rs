//! Many timers and many sources.

use crate::hand::{Counted, for_each_poller, poll, turn_until};
use kasasagi_primitive::thread;
use kasasagi_reactor::{Async, Clock, Reactor, time};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::panic::Location;
use std::task::{Context, Poll};
use std::time::Duration;

#[test]
fn a_hundred_thousand_timers_are_fired_in_turns_that_stay_short() {
    let clock = Clock::manual();
    let reactor = Reactor::with_clock(1, clock.clone()).expect("a poller opens");
    let _timers = reactor.timers().enter(Some(0));
    let (count, waker) = Counted::new();
    let mut sleeps: Vec<_> = (0..100_000_u64)
        .map(|n| {
            let mut sleep = Box::pin(time::sleep(Duration::from_nanos(1 + n * 7919 % 10_000_000)));
            assert!(poll(sleep.as_mut(), &waker).is_pending());
            sleep
        })
        .collect();
    clock.advance(Duration::from_millis(10));
    let mut fired = 0;
    while reactor.deadline(0) <= clock.now_ns() {
        let some = reactor.fire(0, clock.now_ns());
        assert!(some <= 10_000, "{some} in one turn");
        fired += some;
    }
    assert_eq!((fired, count.wakes()), (100_000, 100_000));
    assert!(sleeps.iter_mut().all(|sleep| poll(sleep.as_mut(), &waker).is_ready()));
}

#[test]
fn who_fires_a_few_at_a_time_is_told_of_the_rest() {
    let clock = Clock::manual();
    let reactor = Reactor::with_clock(1, clock.clone()).expect("a poller opens");
    let _timers = reactor.timers().enter(Some(0));
    let (count, waker) = Counted::new();
    // All at one moment, as many as no turn may fire.
    let mut sleeps: Vec<_> = (0..20_000)
        .map(|_| {
            let mut sleep = Box::pin(time::sleep(Duration::from_millis(500)));
            assert!(poll(sleep.as_mut(), &waker).is_pending());
            sleep
        })
        .collect();
    // A tick later: so many at one moment are a crowd, which is fired when its tick is over.
    clock.advance(Duration::from_micros(500_066));
    let mut fired = 0;
    while reactor.deadline(0) <= clock.now_ns() {
        let some = reactor.fire_some(0, clock.now_ns(), 50);
        assert!(some <= 50, "{some} at once");
        assert_eq!(count.wakes(), fired + some);
        fired += some;
    }
    assert_eq!(fired, 20_000);
    assert!(sleeps.iter_mut().all(|sleep| poll(sleep.as_mut(), &waker).is_ready()));
}

#[test]
fn threads_set_and_drop_timers_of_each_others_seats() {
    let reactor = Reactor::new(2).expect("a poller opens");
    let threads: Vec<_> = (0..2)
        .map(|seat| {
            let reactor = reactor.clone();
            thread::spawn(move || {
                let _timers = reactor.timers().enter(Some(seat));
                let (count, waker) = Counted::new();
                let mut handed = Vec::new();
                for round in 0..20_000_u64 {
                    let mut sleep =
                        Box::pin(time::sleep(Duration::from_nanos(1 + round * 31 % 50_000)));
                    let pending = poll(sleep.as_mut(), &waker).is_pending();
                    assert!(pending);
                    handed.push(sleep);
                    if round % 16 == 0 {
                        reactor.fire(0, reactor.now());
                        reactor.fire(1, reactor.now());
                        handed.retain_mut(|sleep| poll(sleep.as_mut(), &waker).is_pending());
                    }
                    if round % 64 == 0 {
                        let half = handed.split_off(handed.len() / 2);
                        thread::spawn(move || drop(half)).join().expect("dropping does not panic");
                    }
                }
                count.wakes()
            })
        })
        .collect();
    let woken: usize = threads.into_iter().map(|thread| thread.join().expect("no panic")).sum();
    assert!(woken > 0);
    assert_eq!(reactor.timers().waiting(), 0);
}

#[test]
fn hundreds_of_sources_are_all_heard() {
    for_each_poller(|reactor| {
        let mut pairs: Vec<_> = (0..300)
            .map(|_| {
                let (ours, theirs) = UnixStream::pair().expect("a pair is made");
                (Async::new(ours).expect("a registry was entered"), theirs)
            })
            .collect();
        for round in 0..3 {
            let wakers: Vec<_> = pairs.iter().map(|_| Counted::new()).collect();
            let read = |at: usize, pairs: &[(Async<UnixStream>, UnixStream)]| {
                let mut cx = Context::from_waker(&wakers[at].1);
                let mut buf = [0; 8];
                pairs[at].0.poll_read(&mut cx, Location::caller(), 8, |mut io| io.read(&mut buf))
            };
            (0..pairs.len()).for_each(|at| assert!(read(at, &pairs).is_pending()));
            pairs.iter_mut().for_each(|(_, theirs)| theirs.write_all(b"x").expect("it is sent"));
            let mut left: Vec<usize> = (0..pairs.len()).collect();
            turn_until(reactor, || {
                left.retain(|at| {
                    wakers[*at].0.wakes() == 0 || !matches!(read(*at, &pairs), Poll::Ready(Ok(1)))
                });
                left.is_empty()
            });
            // Slots are given back and taken again.
            let keep = pairs.len() - 50;
            pairs.truncate(keep);
            assert!(pairs.len() >= 100, "round {round}");
        }
    });
}
