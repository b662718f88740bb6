//! Events: nobody misses a set.

use crate::hand::{Data, block_on, once};
use kasasagi_primitive::explore::explore;
use kasasagi_primitive::sync::Arc;
use kasasagi_primitive::sync::atomic::{AtomicUsize, Ordering};
use kasasagi_primitive::thread;
use kasasagi_sync::Event;

/// Race: one comes to wait while another sets it; what was done before is seen after.
///
/// Mutation `sync-event-set-relaxed`: set is not Release: the data race is reported.
/// Mutation `sync-event-blind-queue`: who gets in line does not look whether it was set meanwhile: it waits for ever.
#[test]
fn evt_06_08_set_meets_wait() {
    explore("evt_06_08_set_meets_wait", || {
        let shared = Arc::new((Event::new(), Data::new()));
        let setter = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                shared.1.touch();
                shared.0.set();
            })
        };
        block_on(shared.0.wait());
        shared.1.touch();
        setter.join().expect("it does not panic");
    });
}

/// Race: two wait, one of whom leaves, while it is set by one and cleared by both: the other goes on.
#[test]
fn evt_03_set_and_clear_meet_a_drop() {
    explore("evt_03_set_and_clear_meet_a_drop", || {
        let event = Arc::new(Event::new());
        let mut leaver = Box::pin(event.wait());
        assert!(once(leaver.as_mut()).is_pending());
        let mut waiter = Box::pin(event.wait());
        assert!(once(waiter.as_mut()).is_pending());
        let setter = {
            let event = Arc::clone(&event);
            thread::spawn(move || {
                event.set();
                event.clear();
            })
        };
        event.clear();
        drop(leaver);
        block_on(waiter.as_mut());
        setter.join().expect("it does not panic");
    });
}

/// Race: one sees the event set, clears it, and waits anew, while the `set` that he saw still serves those who waited.
#[test]
fn evt_03_who_comes_after_a_clear_is_not_let_through_by_the_set_before() {
    explore("evt_03_who_comes_after_a_clear_is_not_let_through_by_the_set_before", || {
        let event = Arc::new(Event::new());
        let mut first = Box::pin(event.wait());
        assert!(once(first.as_mut()).is_pending());
        let setter = {
            let event = Arc::clone(&event);
            thread::spawn(move || event.set())
        };
        if once(first.as_mut()).is_ready() && event.is_set() {
            event.clear();
            let mut second = Box::pin(event.wait());
            assert!(once(second.as_mut()).is_pending());
            setter.join().expect("it does not panic");
            assert!(!event.is_set());
            assert!(once(second.as_mut()).is_pending(), "nobody set it after the clear");
        } else {
            setter.join().expect("it does not panic");
        }
    });
}

/// Race: one clears the event and looks for work while another leaves some and sets it again: it is found, or the event
/// is set.
///
/// Mutation `sync-event-clear-relaxed`: a clear does not acquire: work is overlooked, and nobody says that there is some.
#[test]
fn evt_08_who_clears_a_set_sees_what_was_done_before_it() {
    explore("evt_08_who_clears_a_set_sees_what_was_done_before_it", || {
        let shared = Arc::new((Event::new(), AtomicUsize::new(0)));
        shared.0.set();
        let producer = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                shared.1.store(1, Ordering::Relaxed);
                shared.0.set();
            })
        };
        shared.0.clear();
        let seen = shared.1.load(Ordering::Relaxed);
        producer.join().expect("it does not panic");
        if seen == 0 {
            assert!(shared.0.is_set(), "the clear undid a set whose work was not seen");
        }
    });
}
