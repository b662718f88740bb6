//! Events and barriers.

use crate::hand::{block_on, join, leave, threads};
use kasasagi_primitive::schedules::schedules;
use kasasagi_primitive::sync::Arc;
use kasasagi_primitive::sync::atomic::{AtomicUsize, Ordering};
use kasasagi_primitive::thread;
use kasasagi_sync::{Barrier, Event};
use std::future::{Future, poll_fn};
use std::pin::pin;

/// Four wait before it is set and cleared at once, two wait and leave: the four go on, and not before it was set.
#[test]
fn a_set_lets_all_through_who_wait_though_it_is_cleared() {
    schedules("event", 100, || {
        let shared = Arc::new((Event::new(), AtomicUsize::new(0), AtomicUsize::new(0)));
        let all = threads(6, &shared, |shared, number| {
            let (event, waiting, sets) = &**shared;
            if number >= 4 {
                return leave(event.wait());
            }
            let mut wait = pin!(event.wait());
            let mut is_counted = false;
            block_on(poll_fn(|cx| {
                let poll = wait.as_mut().poll(cx);
                if !std::mem::replace(&mut is_counted, true) {
                    waiting.fetch_add(1, Ordering::AcqRel);
                }
                poll
            }));
            assert_eq!(sets.load(Ordering::Acquire), 1, "it was not set");
        });
        let (event, waiting, sets) = &*shared;
        while waiting.load(Ordering::Acquire) < 4 {
            thread::yield_now();
        }
        sets.store(1, Ordering::Release);
        event.set();
        event.clear();
        join(all);
        assert!(!event.is_set());
        assert!(format!("{event:?}").contains("waiters: 0"), "{event:?}");
    });
}

/// Work is announced by sets, and looked for after clears, in the way of a bell: none is overlooked.
#[test]
fn what_was_done_before_a_set_is_found_after_the_clear() {
    schedules("bell", 100, || {
        let shared = Arc::new((Event::new(), AtomicUsize::new(0)));
        let all = threads(4, &shared, |shared, number| {
            let (bell, work) = &**shared;
            if number > 0 {
                for _ in 0..2 {
                    work.fetch_add(1, Ordering::AcqRel);
                    bell.set();
                }
                return;
            }
            let mut done = 0;
            while done < 6 {
                block_on(bell.wait());
                bell.clear();
                done += work.swap(0, Ordering::AcqRel);
            }
        });
        join(all);
    });
}

/// Four meet twice, the last one of them when the others have come to stay; one leaves before it comes to stay.
#[test]
fn generations_do_not_mix() {
    schedules("barrier", 100, || {
        let shared = Arc::new((Barrier::new(4), [const { AtomicUsize::new(0) }; 2]));
        let all = threads(4, &shared, |shared, number| {
            let (barrier, come) = &**shared;
            let mut numbers = [0; 2];
            for (round, come) in come.iter().enumerate() {
                if number == 0 {
                    while come.load(Ordering::Acquire) < 3 {
                        thread::yield_now();
                    }
                } else if number == 1 {
                    leave(barrier.wait());
                }
                come.fetch_add(1, Ordering::AcqRel);
                numbers[round] = block_on(barrier.wait()).expect("nobody breaks it");
                assert_eq!(come.load(Ordering::Acquire), 4);
            }
            numbers
        });
        let numbers = join(all);
        for round in 0..2 {
            let mut all: Vec<_> = numbers.iter().map(|numbers| numbers[round]).collect();
            all.sort_unstable();
            assert_eq!(all, [0, 1, 2, 3]);
        }
        assert_eq!(shared.0.n_waiting(), 0);
    });
}

/// Three wait at a barrier for five, at any moment of which it is aborted and reset: those are told, and it is whole again.
#[test]
fn who_waits_is_told_when_it_is_broken() {
    schedules("barrier_broken", 100, || {
        let barrier = Arc::new(Barrier::new(5));
        let all = threads(5, &barrier, |barrier, number| match number {
            // Until it is broken for good.
            0..3 => assert!(block_on(barrier.wait()).is_err()),
            3 => leave(barrier.wait()),
            _ => {
                barrier.reset();
                thread::yield_now();
                barrier.abort();
            }
        });
        join(all);
        assert!(barrier.broken());
        barrier.reset();
        assert!(!barrier.broken());
        assert_eq!(barrier.n_waiting(), 0);
        let together = threads(5, &barrier, |barrier, _| block_on(barrier.wait()).expect("whole"));
        let mut numbers = join(together);
        numbers.sort_unstable();
        assert_eq!(numbers, [0, 1, 2, 3, 4]);
    });
}
