//! Events: who is let through, and in what order.

use crate::hand::{Hand, ready, wakes};
use kasasagi_sync::{Event, EventWait};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Wake, Waker};

fn line(event: &Event, n: usize) -> Vec<Hand<EventWait<'_>>> {
    (0..n).map(|_| Hand::waiting(event.wait())).collect()
}

#[test]
fn evt_01_a_wait_for_what_is_set_is_over_at_once() {
    static EVENT: Event = Event::new();
    EVENT.set();
    ready(EVENT.wait());
    assert!(EVENT.is_set());
}

#[test]
fn evt_02_set_wakes_all_who_wait_more_than_a_batch() {
    let event = Event::new();
    let mut hands = line(&event, 100);
    event.set();
    assert_eq!(wakes(&hands), [1; 100]);
    hands.iter_mut().for_each(Hand::ready);
}

#[test]
fn evt_03_set_and_clear_at_once_let_all_through_who_waited() {
    let event = Event::new();
    let mut hands = line(&event, 70);
    event.set();
    event.clear();
    assert!(!event.is_set());
    assert_eq!(wakes(&hands), [1; 70]);
    let mut late = Hand::waiting(event.wait());
    hands.iter_mut().for_each(Hand::ready);
    assert!(late.poll().is_pending());
    assert_eq!(late.wakes(), 0);
}

/// In the middle of a `set`, a waker clears the event, waits anew, and finds itself in line for the next `set`.
#[test]
fn evt_03_who_comes_while_others_are_woken_is_not_let_through() {
    struct Meddler {
        event: Arc<Event>,
        late: std::sync::Mutex<Option<Hand<EventWait<'static>>>>,
    }
    impl Wake for Meddler {
        fn wake(self: Arc<Self>) {
            self.event.clear();
            // The test below keeps the event alive for as long as the future.
            let event: &'static Event = Box::leak(Box::new(Arc::clone(&self.event)));
            let mut late = self.late.lock().expect("nobody panics with it");
            *late = Some(Hand::waiting(event.wait()));
        }
    }
    let event = Arc::new(Event::new());
    let meddler =
        Arc::new(Meddler { event: Arc::clone(&event), late: std::sync::Mutex::new(None) });
    let mut first = Box::pin(event.wait());
    let waker = Waker::from(Arc::clone(&meddler));
    assert!(first.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    let mut others = line(&event, 40);
    event.set();
    let mut late = meddler.late.lock().expect("nobody panics with it").take().expect("it came");
    assert_eq!((late.wakes(), wakes(&others)), (0, vec![1; 40]));
    assert!(late.poll().is_pending());
    others.iter_mut().for_each(Hand::ready);
    event.set();
    late.ready();
}

#[test]
fn evt_04_clear_holds_later_ones_up_and_a_second_set_wakes_nobody_twice() {
    let event = Event::new();
    event.set();
    event.clear();
    let mut hands = line(&event, 2);
    event.set();
    event.set();
    assert_eq!(wakes(&hands), [1, 1]);
    event.clear();
    event.clear();
    event.set();
    assert_eq!(wakes(&hands), [1, 1]);
    hands.iter_mut().for_each(Hand::ready);
}

#[test]
fn evt_05_one_who_leaves_holds_nobody_up() {
    let event = Event::new();
    let mut hands = line(&event, 3);
    drop(hands.remove(1));
    assert!(format!("{event:?}").contains("waiters: 2"));
    event.set();
    drop(hands.remove(0));
    hands[0].ready();
    drop(hands);
    event.clear();
    drop(line(&event, 2));
    assert_eq!(format!("{event:?}"), "Event { set: false, waiters: 0 }");
}

#[test]
fn evt_07_it_is_set_in_a_drop_and_from_another_thread() {
    struct SetsIt(Arc<Event>);
    impl Drop for SetsIt {
        fn drop(&mut self) {
            self.0.set();
        }
    }
    let event = Arc::new(Event::new());
    let mut hand = Hand::waiting(event.wait());
    let sets_it = SetsIt(Arc::clone(&event));
    std::thread::spawn(move || drop(sets_it)).join().expect("it does not panic");
    assert_eq!(hand.wakes(), 1);
    hand.ready();
}

#[test]
fn evt_09_debug_tells_whether_it_is_set_and_how_many_wait() {
    let event = Event::new();
    let hands = line(&event, 2);
    assert_eq!(format!("{event:?}"), "Event { set: false, waiters: 2 }");
    event.set();
    assert_eq!(format!("{event:?}"), "Event { set: true, waiters: 0 }");
    drop(hands);
}

#[test]
fn a_waiter_that_was_polled_again_is_woken_by_its_last_waker() {
    let event = Event::new();
    let mut hand = Hand::new(event.wait());
    assert!(hand.future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    assert!(hand.poll().is_pending());
    event.set();
    assert_eq!(hand.wakes(), 1);
}

#[test]
fn a_waker_that_panics_leaves_nobody_behind() {
    struct Bad(AtomicUsize);
    impl Wake for Bad {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
            panic!("a bad waker");
        }
    }
    let event = Event::new();
    let bad = Arc::new(Bad(AtomicUsize::new(0)));
    let mut future = Box::pin(event.wait());
    let waker = Waker::from(Arc::clone(&bad));
    assert!(future.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    let hands = line(&event, 100);
    let set = || event.set();
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(set)).is_err());
    assert_eq!((bad.0.load(Ordering::Relaxed), wakes(&hands)), (1, vec![1; 100]));
}
