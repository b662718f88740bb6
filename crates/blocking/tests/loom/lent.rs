//! Model of what `scoped_map` lends: a closure that borrows, on a thread that knows nothing of it.

use crate::scope::scope;
use kasasagi_blocking::JobInfo;
use kasasagi_primitive::explore::explore;
use kasasagi_primitive::sync::Arc;
use kasasagi_primitive::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use kasasagi_primitive::thread;
use std::panic::Location;

/// Race: the scope ends while the thread that a closure was lent to has not begun, runs it, or has just ended it; the
/// closure is never touched after that.
///
/// Mutation `scope-does-not-wait`: the scope ends although a closure is out.
/// Mutation `scope-told-too-early`: the closure is said to be gone before it is called.
#[test]
fn pool_scope_waits_for_what_it_lent() {
    for takes_back in [true, false] {
        explore("pool_scope_waits_for_what_it_lent", move || {
            // Kept until the other thread has ended, so that a mistake is seen and not felt.
            let (is_over, runs) = (AtomicBool::new(false), AtomicUsize::new(0));
            let work = || {
                assert!(!is_over.load(Ordering::Relaxed), "what is borrowed is used after its end");
                runs.fetch_add(1, Ordering::Relaxed);
                assert!(!is_over.load(Ordering::Relaxed), "what is borrowed is used after its end");
            };
            let mut other = None;
            scope(|scope| {
                let lent = scope.lend(
                    |task| other = Some(thread::spawn(move || task.run())),
                    JobInfo::new(Location::caller()),
                    &work,
                );
                if takes_back {
                    drop(lent);
                } else {
                    lent.detach();
                }
            });
            is_over.store(true, Ordering::Relaxed);
            let other = other.expect("it was handed on");
            other.join().expect("it does not panic");
            let runs = runs.load(Ordering::Relaxed);
            assert!(runs == 1 || takes_back && runs == 0);
        });
    }
}

/// Race: an executor drops what it was lent, on another thread, while the scope ends.
///
/// Mutation `scope-does-not-wait` as well.
#[test]
fn pool_scope_waits_for_what_is_dropped() {
    explore("pool_scope_waits_for_what_is_dropped", || {
        let dropped = Arc::new(AtomicBool::new(false));
        let nothing = || ();
        let mut other = None;
        scope(|scope| {
            let lent = scope.lend(
                |task| {
                    let dropped = Arc::clone(&dropped);
                    other = Some(thread::spawn(move || {
                        dropped.store(true, Ordering::Relaxed);
                        drop(task);
                    }));
                },
                JobInfo::new(Location::caller()),
                &nothing,
            );
            lent.detach();
        });
        assert!(dropped.load(Ordering::Relaxed), "the scope ended before the closure was gone");
        other.expect("it was handed on").join().expect("it does not panic");
    });
}
