//! Review: clear, look, wait: the idiom of who consumes what a set tells of.
#![cfg(kasasagi_loom)]
#[path = "loom/hand.rs"]
#[allow(dead_code)]
mod hand;
use hand::once;
use kasasagi_primitive::explore::explore;
use kasasagi_primitive::sync::Arc;
use kasasagi_primitive::sync::atomic::{AtomicUsize, Ordering};
use kasasagi_primitive::thread;
use kasasagi_sync::Event;

/// Whose clear undoes a set, sees what was done before that set; else he looks, finds nothing, and waits for ever.
#[test]
fn review_who_clears_a_set_sees_what_was_done_before_it() {
    explore("review_who_clears_a_set_sees_what_was_done_before_it", || {
        let shared = Arc::new((Event::new(), AtomicUsize::new(0)));
        // Of something earlier.
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
            let mut wait = Box::pin(shared.0.wait());
            assert!(once(wait.as_mut()).is_ready(), "the clear undid a set whose work was not seen: it waits for ever");
        }
    });
}
