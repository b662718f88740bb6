//! TIME: when a sleep completes, whom it wakes, and what is left of it.

use crate::hand::{Counted, doing, for_each_poller, for_each_poller_with, poll, run, run_counting};
use kasasagi_primitive::sync::Mutex;
use kasasagi_primitive::thread;
use kasasagi_reactor::{Clock, NEVER, Reactor, time};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, Instant};

const MS: u64 = 1_000_000;

fn by_hand(test: impl Fn(&Reactor, &Clock)) {
    let clock = Clock::manual();
    let reactor = Reactor::with_clock(2, clock.clone()).expect("a poller opens");
    let _timers = reactor.timers().enter(Some(0));
    test(&reactor, &clock);
}

fn sleeping(ms: u64, waker: &Waker) -> Pin<Box<time::Sleep>> {
    let mut sleep = Box::pin(time::sleep(Duration::from_millis(ms)));
    assert!(poll(sleep.as_mut(), waker).is_pending());
    sleep
}

#[test]
fn time_01_two_sleeps_take_the_sum_of_their_times() {
    by_hand(|reactor, clock| {
        let begun = clock.now();
        let helper = {
            let (clock, reactor) = (clock.clone(), reactor.clone());
            // Sets the clock to each deadline, as soon as somebody waits for it.
            thread::spawn(move || {
                let mut set = 0;
                while set < 2 {
                    let deadline = reactor.deadline(0);
                    if deadline != NEVER && deadline > clock.now_ns() {
                        clock.set(deadline);
                        set += 1;
                    }
                    thread::yield_now();
                }
            })
        };
        let value = run(reactor, async {
            time::sleep(Duration::from_millis(50)).await;
            time::sleep(Duration::from_millis(50)).await;
            "yeah"
        });
        assert_eq!(value, "yeah");
        assert_eq!(clock.now() - begun, Duration::from_millis(100));
        helper.join().expect("the helper does not panic");
    });
}

#[test]
fn time_02_a_sleep_of_nothing_yields_exactly_once() {
    by_hand(|reactor, _| {
        let (count, waker) = Counted::new();
        let mut sleep = pin!(time::sleep(Duration::ZERO));
        assert!(poll(sleep.as_mut(), &waker).is_pending());
        assert_eq!(count.wakes(), 1, "it goes behind those who are ready, and waits for nothing");
        assert_eq!(reactor.deadline(0), NEVER);
        assert!(poll(sleep.as_mut(), &waker).is_ready());
        assert_eq!(count.wakes(), 1);
    });
}

#[test]
fn time_03_a_deadline_that_is_past_is_a_sleep_of_nothing() {
    by_hand(|_, clock| {
        clock.advance(Duration::from_secs(10));
        for back in [0, 1, 10_000_000_000, 20_000_000_000] {
            let (count, waker) = Counted::new();
            let past = clock.now().checked_sub(Duration::from_nanos(back));
            let mut sleep = pin!(time::sleep_until(past.expect("this machine is up that long")));
            assert!(poll(sleep.as_mut(), &waker).is_pending());
            assert_eq!(count.wakes(), 1);
            assert!(poll(sleep.as_mut(), &waker).is_ready());
        }
    });
}

#[test]
fn time_04_a_sleep_of_ages_overflows_nothing_and_never_completes() {
    for_each_poller(|reactor| {
        let (count, waker) = Counted::new();
        let ages =
            [Duration::MAX, Duration::from_secs(u64::MAX), Duration::from_secs(600 * 365 * 86_400)];
        for age in ages {
            let mut sleep = pin!(time::sleep(age));
            assert!(poll(sleep.as_mut(), &waker).is_pending());
            assert!(poll(sleep.as_mut(), &waker).is_pending());
            assert_eq!(sleep.deadline(), None);
        }
        // Long, and still a moment.
        let mut century = pin!(time::sleep(Duration::from_secs(100 * 365 * 86_400)));
        assert!(poll(century.as_mut(), &waker).is_pending());
        assert_ne!(reactor.deadline(0), NEVER);
        reactor.attend(reactor.now() + MS, 64);
        assert_eq!(reactor.fire(0, reactor.now()), 0);
        assert_eq!(count.wakes(), 0);
    });
}

#[test]
fn time_06_a_timer_is_due_at_its_nanosecond_and_not_before() {
    by_hand(|reactor, clock| {
        for ns in [1, 2, 999, 65_535, 65_536, 65_537, 4_194_303, 4_194_304, 1 << 33, (1 << 50) + 1]
        {
            clock.advance(Duration::from_nanos(12_345));
            let (count, waker) = Counted::new();
            let mut sleep = pin!(time::sleep(Duration::from_nanos(ns)));
            assert!(poll(sleep.as_mut(), &waker).is_pending());
            let due = clock.now_ns() + ns;
            assert_eq!(reactor.deadline(0), due);
            assert_eq!(reactor.fire(0, due - 1), 0);
            assert_eq!(reactor.deadline(0), due);
            assert_eq!(count.wakes(), 0);
            clock.set(due);
            assert_eq!(reactor.fire(0, clock.now_ns()), 1);
            assert_eq!(count.wakes(), 1);
            assert!(poll(sleep.as_mut(), &waker).is_ready());
            assert!(sleep.is_elapsed());
        }
    });
}

#[test]
fn time_12_timers_that_are_cancelled_are_gone_at_once() {
    by_hand(|reactor, _| {
        let (_, waker) = Counted::new();
        let mut sleeps: Vec<_> = (0..1000).map(|n| sleeping(1000 + n, &waker)).collect();
        assert_eq!(reactor.timers().waiting(), 1000);
        let mut n = 0;
        sleeps.retain(|_| {
            n += 1;
            n % 10 == 0
        });
        assert_eq!(reactor.timers().waiting(), 100);
        let fired = reactor.fire(0, 5000 * MS);
        assert_eq!(fired, 100);
        assert!(sleeps.iter_mut().all(|sleep| poll(sleep.as_mut(), &waker).is_ready()));
    });
}

#[test]
fn time_13_the_deadline_is_that_of_the_earliest_timer_that_lives() {
    by_hand(|reactor, clock| {
        let (_, waker) = Counted::new();
        let five = sleeping(5_000, &waker);
        let _ten = sleeping(10_000, &waker);
        assert_eq!(reactor.deadline(0), clock.now_ns() + 5_000 * MS);
        drop(five);
        assert_eq!(reactor.deadline(0), clock.now_ns() + 10_000 * MS);
    });
}

#[test]
fn time_16_short_sleeps_do_not_spin() {
    for_each_poller(|reactor| {
        let ((), turns) = run_counting(reactor, async {
            for micros in [10_000, 1_000, 100, 10, 1] {
                time::sleep(Duration::from_micros(micros)).await;
            }
        });
        assert!(turns <= 20, "{turns} turns for five sleeps");
    });
}

#[test]
fn time_18_overdue_timers_are_woken_in_the_order_of_their_deadlines() {
    by_hand(|reactor, _| {
        let order: Arc<Mutex<Vec<u64>>> = Arc::default();
        // From microseconds to hours, inserted in a jumble: 7 and 1999 have no divisor in common.
        let mut sleeps: Vec<_> = (0..1999_u64)
            .map(|n| {
                let micros = (n * 7) % 1999;
                let micros = micros * micros * micros;
                let order = Arc::clone(&order);
                let waker = doing(move || order.lock().push(micros));
                let mut sleep = Box::pin(time::sleep(Duration::from_micros(micros + 1)));
                assert!(poll(sleep.as_mut(), &waker).is_pending());
                sleep
            })
            .collect();
        assert_eq!(reactor.fire(0, NEVER - 1), 1999);
        let order = order.lock();
        assert_eq!(order.len(), 1999);
        assert!(order.is_sorted(), "woken out of order");
        assert!(sleeps.iter_mut().all(|sleep| poll(sleep.as_mut(), Waker::noop()).is_ready()));
    });
}

#[test]
fn time_18_any_thread_fires_the_timers_of_a_seat_that_is_stuck() {
    by_hand(|reactor, clock| {
        let (count, waker) = Counted::new();
        let mut sleep = sleeping(5, &waker);
        clock.advance(Duration::from_millis(5));
        let rescuer = reactor.clone();
        let rescue = thread::spawn(move || rescuer.fire(0, rescuer.now()));
        assert_eq!(rescue.join().expect("firing does not panic"), 1);
        assert_eq!(count.wakes(), 1);
        assert!(poll(sleep.as_mut(), &waker).is_ready());
    });
}

#[test]
fn time_19_a_dropped_sleep_is_forgotten_with_its_waker() {
    by_hand(|reactor, _| {
        let (count, waker) = Counted::new();
        let sleep = sleeping(5, &waker);
        assert_eq!(Arc::strong_count(&count), 3);
        drop(sleep);
        assert_eq!(Arc::strong_count(&count), 2);
        assert_eq!(reactor.timers().waiting(), 0);
        assert_eq!(reactor.deadline(0), NEVER);
        assert_eq!(reactor.fire(0, 10 * MS), 0);
        assert_eq!(count.wakes(), 0);
    });
}

#[test]
fn time_19_a_sleep_may_be_dropped_by_another_thread() {
    by_hand(|reactor, _| {
        let (_, waker) = Counted::new();
        let sleep = sleeping(5, &waker);
        thread::spawn(move || drop(sleep)).join().expect("dropping does not panic");
        assert_eq!(reactor.timers().waiting(), 0);
        assert_eq!(reactor.deadline(0), NEVER);
    });
}

#[test]
fn a_sleep_is_counted_from_its_first_poll() {
    by_hand(|reactor, clock| {
        let mut sleep = pin!(time::sleep(Duration::from_secs(1)));
        clock.advance(Duration::from_secs(10));
        assert!(poll(sleep.as_mut(), Waker::noop()).is_pending());
        assert_eq!(reactor.deadline(0), 11_000 * MS);
        assert_eq!(sleep.deadline(), Some(clock.now() + Duration::from_secs(1)));
    });
}

#[test]
fn a_sleep_polled_with_another_waker_wakes_the_last() {
    by_hand(|reactor, _| {
        let (old, old_waker) = Counted::new();
        let (new, new_waker) = Counted::new();
        let mut sleep = sleeping(5, &old_waker);
        assert!(poll(sleep.as_mut(), &new_waker).is_pending());
        drop(old_waker);
        assert_eq!(Arc::strong_count(&old), 1, "the first waker is let go");
        reactor.fire(0, 5 * MS);
        assert_eq!((old.wakes(), new.wakes()), (0, 1));
    });
}

#[test]
fn a_sleep_may_be_polled_where_no_runtime_is_and_goes_to_its_own() {
    by_hand(|reactor, clock| {
        let (count, waker) = Counted::new();
        let mut sleep = Box::pin(time::sleep(Duration::from_millis(5)));
        let elsewhere = thread::spawn(move || {
            assert!(poll(sleep.as_mut(), &waker).is_pending());
            sleep
        });
        let sleep = elsewhere.join().expect("a thread without timers may poll it");
        assert_eq!(reactor.timers().waiting(), 1);
        assert_eq!(sleep.deadline(), Some(clock.now() + Duration::from_millis(5)));
        assert_eq!(reactor.fire(0, 5 * MS) + reactor.fire(1, 5 * MS), 1);
        assert_eq!(count.wakes(), 1);
    });
}

#[test]
fn a_sleep_can_be_set_anew_before_and_after_it_completes() {
    by_hand(|reactor, clock| {
        let (count, waker) = Counted::new();
        let mut sleep = sleeping(5, &waker);
        sleep.as_mut().reset(clock.now() + Duration::from_millis(8));
        assert!(poll(sleep.as_mut(), &waker).is_pending());
        assert_eq!(reactor.deadline(0), 8 * MS);
        clock.set(8 * MS);
        assert_eq!(reactor.fire(0, 8 * MS), 1);
        assert!(poll(sleep.as_mut(), &waker).is_ready());
        sleep.as_mut().reset(clock.now() + Duration::from_millis(1));
        assert!(poll(sleep.as_mut(), &waker).is_pending());
        assert_eq!(reactor.fire(0, 9 * MS), 1);
        assert!(poll(sleep.as_mut(), &waker).is_ready());
        assert_eq!(count.wakes(), 2);
    });
}

#[test]
fn a_strangers_timer_hurries_a_seat_and_a_seats_own_hurries_nobody() {
    for_each_poller_with(Clock::manual, |reactor| {
        let (hurried, hurry) = Counted::new();
        reactor.timers().bind(0, hurry.clone());
        reactor.timers().bind(1, hurry);
        let (_, waker) = Counted::new();
        let _own = sleeping(5, &waker);
        assert_eq!(hurried.wakes(), 0);
        let timers = reactor.timers();
        let sleeps = thread::spawn(move || {
            let _entered = timers.enter(None);
            let (_, waker) = Counted::new();
            // The second is later than the first, of which the seat knows by then.
            (sleeping(1, &waker), sleeping(2, &waker))
        });
        let sleeps = sleeps.join().expect("a stranger may sleep");
        assert_eq!(hurried.wakes(), 1);
        // The first seat's thread may have left: a stranger's timers go to another.
        assert_eq!((reactor.deadline(0), reactor.deadline(1)), (5 * MS, MS));
        drop(sleeps);
    });
}

#[test]
fn a_manual_clock_that_is_set_ends_the_wait_for_it() {
    for_each_poller_with(Clock::manual, |reactor| {
        let clock = reactor.timers().clock();
        let helper = thread::spawn(move || clock.advance(Duration::from_secs(3600)));
        let begun = Instant::now();
        run(reactor, time::sleep_until(reactor.timers().clock().instant(3_600_000 * MS)));
        assert!(begun.elapsed() < Duration::from_secs(60));
        helper.join().expect("setting a clock does not panic");
    });
}

#[test]
fn outside_a_runtime_a_sleep_says_what_to_write() {
    let panic = std::panic::catch_unwind(|| drop(time::sleep(Duration::from_secs(1))))
        .expect_err("this thread has no timers");
    let text = panic.downcast_ref::<String>().expect("the panic has a message");
    assert!(text.contains("kasasagi::run") && text.contains("`sleep`"), "{text}");
}
