//! The parker's token.

use kasasagi_primitive::explore::explore;
use kasasagi_primitive::park::Parker;
use kasasagi_primitive::sync::Arc;
use kasasagi_primitive::sync::atomic::{AtomicUsize, Ordering};
use kasasagi_primitive::thread;

/// Race: two threads leave a token each while the owner takes them; tokens may fold into one, but what was written
/// before either must be seen before the last wait returns.
///
/// Mutation `primitive-park-two-steps`: `park` reads the token and clears it in two steps instead of one swap: the
/// second token is wiped out unseen, and the owner waits for ever.
#[test]
fn park_loses_no_token_of_two_unparkers() {
    explore("park_loses_no_token_of_two_unparkers", || {
        let parker = Parker::new();
        let done = Arc::new(AtomicUsize::new(0));
        let threads: Vec<_> = (0..2)
            .map(|_| {
                let (unparker, done) = (parker.unparker(), Arc::clone(&done));
                thread::spawn(move || {
                    done.fetch_add(1, Ordering::Relaxed);
                    unparker.unpark();
                })
            })
            .collect();
        while done.load(Ordering::Relaxed) < 2 {
            parker.park();
        }
        for thread in threads {
            thread.join().expect("an unparker does not panic");
        }
    });
}

/// Race: a token left before or while the owner goes to sleep.
///
/// Mutation `primitive-park-relaxed`: `park` takes the token without Acquire: what was written before it is not seen.
#[test]
fn park_returns_what_was_written_before_the_token() {
    explore("park_returns_what_was_written_before_the_token", || {
        let parker = Parker::new();
        let data = Arc::new(AtomicUsize::new(0));
        let other = {
            let (unparker, data) = (parker.unparker(), Arc::clone(&data));
            thread::spawn(move || {
                data.store(1, Ordering::Relaxed);
                unparker.unpark();
            })
        };
        parker.park();
        assert_eq!(data.load(Ordering::Relaxed), 1);
        other.join().expect("an unparker does not panic");
    });
}
