//! Barriers: all or nobody.

use crate::hand::{Data, block_on, once};
use kasasagi_primitive::explore::explore;
use kasasagi_primitive::sync::Arc;
use kasasagi_primitive::thread;
use kasasagi_sync::{Barrier, Event};
use std::future::{Future, poll_fn};
use std::task::Poll;

/// Race: two meet twice; a fast one that comes again does not mix the generations.
///
/// Mutation `sync-barrier-drains-for-ever`: a barrier that all have left is not filled again: both wait for ever.
#[test]
fn barr_05_two_meet_twice() {
    explore("barr_05_two_meet_twice", || {
        let shared = Arc::new((Barrier::new(2), Data::new()));
        let meet = |shared: &(Barrier, Data), mine: usize| {
            if mine == 0 {
                shared.1.touch();
            }
            let first = block_on(shared.0.wait()).expect("nobody breaks it");
            if mine == 1 {
                shared.1.touch();
            }
            let second = block_on(shared.0.wait()).expect("nobody breaks it");
            if mine == 0 {
                shared.1.touch();
            }
            (first, second)
        };
        let other = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || meet(&shared, 1))
        };
        let (first, second) = meet(&shared, 0);
        let theirs = other.join().expect("it gets through twice");
        assert_eq!((first + theirs.0, second + theirs.1), (1, 1));
    });
}

/// Race: one of two leaves just as the last one arrives: it was counted, and the other goes on; or it was not, and the
/// other waits for one in its place.
///
/// Mutation `sync-barrier-leaves-inside`: one who was let go and is dropped does not count as having left: who comes next
/// waits outside for ever.
#[test]
fn barr_18_the_last_arrival_meets_a_drop() {
    explore("barr_18_the_last_arrival_meets_a_drop", || {
        let shared = Arc::new((Barrier::new(2), Event::new()));
        let mut leaver = Box::pin(shared.0.wait());
        assert!(once(leaver.as_mut()).is_pending());
        let last = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                assert!(block_on(shared.0.wait()).is_ok());
                shared.1.set();
            })
        };
        drop(leaver);
        // Either the last one finds one in its place, or it had passed, and says so.
        let mut substitute = Box::pin(shared.0.wait());
        let mut passed = Box::pin(shared.1.wait());
        block_on(poll_fn(|cx| match substitute.as_mut().poll(cx) {
            Poll::Ready(_) => Poll::Ready(()),
            Poll::Pending => passed.as_mut().poll(cx),
        }));
        last.join().expect("it passes");
        drop(substitute);
        assert_eq!(shared.0.n_waiting(), 0);
        let mut one = Box::pin(shared.0.wait());
        assert!(once(one.as_mut()).is_pending());
        assert!(once(Box::pin(shared.0.wait()).as_mut()).is_ready(), "it can be used again");
    });
}
