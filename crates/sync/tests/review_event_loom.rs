//! Review: events under loom.
#![cfg(kasasagi_loom)]
#[path = "loom/hand.rs"]
#[allow(dead_code)]
mod hand;
use hand::once;
use kasasagi_primitive::explore::explore;
use kasasagi_primitive::sync::Arc;
use kasasagi_primitive::thread;
use kasasagi_sync::Event;

/// One who saw the event set, cleared it, and came to wait after that, is not let through by the set that he saw.
#[test]
fn review_who_comes_after_a_clear_is_not_let_through_by_the_set_before() {
    explore("review_who_comes_after_a_clear_is_not_let_through_by_the_set_before", || {
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
            let before = once(second.as_mut());
            setter.join().expect("it does not panic");
            assert!(before.is_pending());
            assert!(!event.is_set());
            assert!(once(second.as_mut()).is_pending(), "nobody set it after the clear");
        } else {
            setter.join().expect("it does not panic");
        }
    });
}
