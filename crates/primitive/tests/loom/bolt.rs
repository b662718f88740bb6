//! The word of a short lock.

use kasasagi_primitive::bolt::Bolt;
use kasasagi_primitive::explore::explore;
use kasasagi_primitive::sync::Arc;
use kasasagi_primitive::sync::atomic::{AtomicU32, Ordering};
use kasasagi_primitive::thread;

#[derive(Default)]
struct Guarded {
    bolt: Bolt,
    // Read and written in two steps, of which none orders anything: what the bolt does not do goes wrong.
    value: AtomicU32,
}

impl Guarded {
    /// With the bolt shut.
    fn add(&self) -> u32 {
        let sum = self.value.load(Ordering::Relaxed) + 1;
        self.value.store(sum, Ordering::Relaxed);
        self.bolt.open();
        sum
    }
}

/// Race: two shut it at once; one after the other is inside, and sees what was done before. (Of three, two that wait could
/// let each other run for ever.)
///
/// Mutations `primitive-bolt-opened-relaxed` and `primitive-bolt-shut-relaxed`: it is opened without Release, or shut
/// without Acquire: a sum is lost.
#[test]
fn bolt_lets_one_in_after_the_other() {
    explore("bolt_lets_one_in_after_the_other", || {
        let guarded = Arc::new(Guarded::default());
        let theirs = Arc::clone(&guarded);
        let other = thread::spawn(move || {
            theirs.bolt.shut();
            theirs.add()
        });
        guarded.bolt.shut();
        let ours = guarded.add();
        let mut sums = [ours, other.join().expect("the other does not panic")];
        sums.sort_unstable();
        assert_eq!(sums, [1, 2]);
    });
}

/// Race: one tries, and does not wait, while another is inside, or has been.
///
/// Mutation `primitive-bolt-two-steps`: whether it is open is asked first, and it is shut after that: both are inside.
#[test]
fn bolt_is_tried() {
    explore("bolt_is_tried", || {
        let guarded = Arc::new(Guarded::default());
        let threads: Vec<_> = (0..2)
            .map(|_| {
                let guarded = Arc::clone(&guarded);
                thread::spawn(move || guarded.bolt.try_shut().then(|| guarded.add()).is_some())
            })
            .collect();
        let ours = guarded.bolt.try_shut().then(|| guarded.add()).is_some();
        let theirs = threads.into_iter().map(|thread| thread.join().expect("nobody panics"));
        let inside = theirs.filter(|inside| *inside).count() + usize::from(ours);
        assert!(inside > 0, "the first one gets in");
        assert_eq!(guarded.value.load(Ordering::Relaxed) as usize, inside);
    });
}
