//! Events: nobody misses a set.

use crate::hand::{Data, block_on, once};
use kasasagi_primitive::explore::explore;
use kasasagi_primitive::sync::Arc;
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
///
/// Mutation `sync-event-clear-stops-set`: a set that finds the event cleared again wakes nobody more.
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
