//! Intervals: the first tick, the next, and those that were missed.

use crate::hand::{Counted, poll};
use kasasagi_reactor::time::{Interval, MissedTicks};
use kasasagi_reactor::{Clock, Reactor, time};
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

const SECOND: Duration = Duration::from_secs(1);

fn by_hand(test: impl Fn(&Reactor, &Clock)) {
    let clock = Clock::manual();
    let reactor = Reactor::with_clock(1, clock.clone()).expect("a poller opens");
    let _timers = reactor.timers().enter(Some(0));
    test(&reactor, &clock);
}

fn tick(interval: &mut Interval) -> Poll<Instant> {
    interval.poll_tick(&mut Context::from_waker(Waker::noop()))
}

/// The ticks that come, in milliseconds after `start`, when the clock stands at each of `times`.
fn ticks(missed: MissedTicks, times: &[u64]) -> Vec<Vec<u64>> {
    let clock = Clock::manual();
    let reactor = Reactor::with_clock(1, clock.clone()).expect("a poller opens");
    let _timers = reactor.timers().enter(Some(0));
    let start = clock.now();
    let mut interval = time::interval(SECOND);
    interval.set_missed_ticks(missed);
    times
        .iter()
        .map(|ms| {
            clock.set(ms * 1_000_000);
            reactor.fire(0, clock.now_ns());
            let mut came = Vec::new();
            while let Poll::Ready(due) = tick(&mut interval) {
                came.push((due - start).as_millis() as u64);
            }
            came
        })
        .collect()
}

#[test]
fn the_first_tick_is_now_and_the_next_a_period_later() {
    by_hand(|reactor, clock| {
        let mut interval = time::interval(SECOND);
        assert_eq!(tick(&mut interval), Poll::Ready(clock.now()));
        let (count, waker) = Counted::new();
        {
            let mut next = pin!(interval.tick());
            assert!(poll(next.as_mut(), &waker).is_pending());
        }
        // Dropped, the tick is still to come.
        let mut next = pin!(interval.tick());
        assert!(poll(next.as_mut(), &waker).is_pending());
        clock.advance(SECOND);
        assert_eq!(reactor.fire(0, clock.now_ns()), 1);
        assert_eq!(count.wakes(), 1);
        assert_eq!(poll(next.as_mut(), &waker), Poll::Ready(clock.now()));
    });
}

#[test]
fn missed_ticks_come_in_a_burst_later_or_not_at_all() {
    let times = [0, 1000, 3500, 4000, 4500, 5000];
    let burst = ticks(MissedTicks::Burst, &times);
    assert_eq!(burst, [vec![0], vec![1000], vec![2000, 3000], vec![4000], vec![], vec![5000]]);
    let delay = ticks(MissedTicks::Delay, &times);
    assert_eq!(delay, [vec![0], vec![1000], vec![2000], vec![], vec![4500], vec![]]);
    let skip = ticks(MissedTicks::Skip, &times);
    assert_eq!(skip, [vec![0], vec![1000], vec![2000], vec![4000], vec![], vec![5000]]);
}

#[test]
fn an_interval_begins_when_it_is_told_and_can_be_set_back() {
    by_hand(|reactor, clock| {
        let mut interval = time::interval_at(clock.now() + 3 * SECOND, SECOND);
        assert!(tick(&mut interval).is_pending());
        clock.advance(3 * SECOND);
        reactor.fire(0, clock.now_ns());
        assert!(tick(&mut interval).is_ready());
        clock.advance(SECOND / 2);
        interval.reset();
        assert!(tick(&mut interval).is_pending());
        assert_eq!(reactor.deadline(0), 4_500_000_000);
    });
}

#[test]
#[should_panic(expected = "a period above zero")]
fn a_period_of_nothing_is_refused() {
    by_hand(|_, _| drop(time::interval(Duration::ZERO)));
}
