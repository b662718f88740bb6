//! Orphans: brought while their keeper goes, and while a shutdown waits for all.

use crate::orphans::{Ends, Orphans};
use kasasagi_primitive::explore::explore;
use kasasagi_primitive::sync::Arc;
use kasasagi_primitive::sync::atomic::{AtomicUsize, Ordering};
use kasasagi_primitive::thread;

/// Runs, and ends at once when it is waited for; which somebody must do.
struct Magpie {
    waited: Arc<AtomicUsize>,
    is_alive: bool,
}

impl Magpie {
    fn new(waited: &Arc<AtomicUsize>) -> Self {
        Self { waited: Arc::clone(waited), is_alive: true }
    }
}

impl Ends for Magpie {
    fn has_ended(&mut self) -> bool {
        false
    }

    fn wait(mut self) {
        self.is_alive = false;
        self.waited.fetch_add(1, Ordering::Relaxed);
    }
}

impl Drop for Magpie {
    fn drop(&mut self) {
        assert!(!self.is_alive, "nobody waits for it");
    }
}

/// Race: one is brought while the keeper has waited for the last and goes: it stays, or another comes.
///
/// Mutation `process-pool-keeper-goes-late`: a keeper that has found nobody says so under another lock.
#[test]
fn loom_orphans_brought_to_a_keeper_that_goes() {
    explore("orphans_brought_to_a_keeper_that_goes", || {
        let waited = Arc::new(AtomicUsize::new(0));
        let orphans = Orphans::new();
        // The second has the keeper of the first, or one of its own.
        orphans.take(Magpie::new(&waited));
        orphans.take(Magpie::new(&waited));
    });
}

/// Race: a shutdown waits for all while the keeper goes: it has waited for all, and not for ever.
///
/// Mutation `process-pool-keeper-tells-nobody`: a keeper that goes leaves those who wait for it.
#[test]
fn loom_orphans_settle_meets_the_keeper() {
    explore("orphans_settle_meets_the_keeper", || {
        let waited = Arc::new(AtomicUsize::new(0));
        let orphans = Orphans::new();
        orphans.take(Magpie::new(&waited));
        orphans.settle();
        assert_eq!(waited.load(Ordering::Relaxed), 1);
        assert!(orphans.is_empty());
    });
}

/// Race: two shutdowns, and the keeper: each has waited for all.
///
/// Mutation `process-pool-settle-trusts-the-list`: a shutdown is content with an empty list, while a keeper waits for
/// what was in it.
#[test]
fn loom_orphans_two_settle() {
    explore("orphans_two_settle", || {
        let waited = Arc::new(AtomicUsize::new(0));
        let orphans = Orphans::new();
        orphans.take(Magpie::new(&waited));
        let other = (std::sync::Arc::clone(&orphans), Arc::clone(&waited));
        let other = thread::spawn(move || {
            other.0.settle();
            other.1.load(Ordering::Relaxed)
        });
        orphans.settle();
        assert_eq!(waited.load(Ordering::Relaxed), 1);
        assert_eq!(other.join().expect("it does not panic"), 1);
    });
}
