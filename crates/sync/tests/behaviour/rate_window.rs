//! Never more starts than allowed in any window, whoever waits, leaves or fails; by moments that the tests make.

use crate::polled::{Polled, ready};
use kasasagi_sync::RateWindow;
use std::task::Poll;
use std::time::{Duration, Instant};

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Starts one after the other, as if by a clock that stands still until it has to go on.
fn starts(window: &RateWindow, mut now: Instant, many: usize) -> Vec<Instant> {
    let mut moments = Vec::new();
    for _ in 0..many {
        let turn = ready(window.turn());
        let permit = loop {
            match turn.start(now) {
                Ok(permit) => break permit,
                Err(moment) => {
                    assert!(moment > now, "it asks to wait for what has been");
                    now = moment;
                }
            }
        };
        moments.push(permit.start());
    }
    moments
}

#[test]
fn rate_02_the_next_starts_when_the_one_before_the_window_leaves_it() {
    let window = RateWindow::new(5, ms(400));
    let begin = Instant::now();
    for at in [0, 100, 200, 300, 380] {
        assert!(ready(window.turn()).start(begin + ms(at)).is_ok());
    }
    let next = starts(&window, begin + ms(380), 5);
    let expected = [400, 500, 600, 700, 780].map(|at| begin + ms(at));
    assert_eq!(next, expected);
}

/// Any rate, any gaps: no window has more than it may.
#[test]
fn rate_02_no_window_has_more_starts_than_it_may() {
    let mut random = 7_u64;
    let mut next = |limit: u64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (random >> 33) % limit
    };
    for _ in 0..200 {
        let (max, period) = (1 + next(6) as usize, ms(1 + next(50)));
        let window = RateWindow::new(max, period);
        let mut now = Instant::now();
        let mut moments = Vec::new();
        for _ in 0..60 {
            now += ms(next(20));
            match window.try_start(now) {
                Ok(permit) => moments.push(permit.start()),
                Err(moment) => assert!(moment > now),
            }
            let used = moments.iter().filter(|start| **start + period > now).count();
            assert_eq!(window.available(now), max - used);
        }
        for (first, last) in moments.iter().zip(moments.iter().skip(max)) {
            assert!(*last - *first >= period, "{} starts within {period:?}", max + 1);
        }
    }
}

#[test]
fn rate_03_who_leaves_has_counted_nothing_and_gives_its_turn_up() {
    let window = RateWindow::new(1, ms(100));
    let now = Instant::now();
    let turn = ready(window.turn());
    let waiting = Polled::waiting(window.turn());
    let mut behind = Polled::waiting(window.turn());
    drop(turn);
    assert_eq!(waiting.wakes(), 1);
    // It has its turn, and does not know yet.
    drop(waiting);
    assert_eq!(behind.wakes(), 1);
    let Poll::Ready(turn) = behind.poll() else { panic!("it is its turn") };
    assert_eq!(window.available(now), 1);
    assert!(turn.start(now).is_ok());
    // One that sleeps until there is room, and leaves.
    assert_eq!(turn.start(now), Err(now + ms(100)));
    drop(turn);
    assert_eq!((window.available(now), window.available(now + ms(100))), (0, 1));
    assert!(window.try_start(now + ms(100)).is_ok());
}

#[test]
fn rate_04_what_was_started_counts_whatever_becomes_of_it() {
    let window = RateWindow::new(1, ms(100));
    let now = Instant::now();
    let _ended = window.try_start(now).expect("there is room");
    assert_eq!(window.try_start(now + ms(99)), Err(now + ms(100)));
    // And it holds nobody up who may start, though it runs on.
    let _runs_on = window.try_start(now + ms(100)).expect("there is room");
    assert!(window.try_start(now + ms(200)).is_ok());
}

#[test]
fn rate_05_a_clock_that_goes_back_opens_no_window() {
    let window = RateWindow::new(2, ms(100));
    let now = Instant::now() + ms(1000);
    assert!(window.try_start(now).is_ok());
    let permit = window.try_start(now - ms(500)).expect("there is room for two");
    assert_eq!(permit.start(), now, "it is counted where the last one was");
    assert_eq!(window.try_start(now - ms(500)), Err(now + ms(100)));
    assert_eq!(window.try_start(now + ms(99)), Err(now + ms(100)));
}

#[test]
fn rate_06_turns_are_taken_in_order_and_nobody_overtakes() {
    let window = RateWindow::new(9, ms(100));
    let first = ready(window.turn());
    let mut second = Polled::waiting(window.turn());
    let mut third = Polled::waiting(window.turn());
    let now = Instant::now();
    assert_eq!(window.try_start(now), Err(now), "there is room, but others wait");
    drop(first);
    assert_eq!((second.wakes(), third.wakes()), (1, 0));
    assert!(third.poll().is_pending());
    let turn = second.poll();
    assert!(turn.is_ready());
    drop(turn);
    assert!(third.poll().is_ready());
}

#[test]
fn a_period_that_is_longer_than_time_allows_the_first_few_only() {
    let window = RateWindow::new(2, Duration::MAX);
    let now = Instant::now();
    assert!(window.try_start(now).is_ok() && window.try_start(now).is_ok());
    let never = window.try_start(now).expect_err("two were allowed");
    assert!(never > now + Duration::from_secs(1_000_000_000));
    assert_eq!(window.available(now), 0);
    let window = RateWindow::new(1, Duration::ZERO);
    assert!(window.try_start(now).is_ok() && window.try_start(now).is_ok());
    assert_eq!((window.max(), window.period()), (1, Duration::ZERO));
}

#[test]
#[should_panic(expected = "a rate of 0 lets nobody start")]
fn a_rate_of_0_is_refused() {
    let _ = RateWindow::new(0, ms(1));
}
