//! Made once: by one of those who ask at once, or by the next if that one goes.

use crate::by_hand::block_on;
use kasasagi_primitive::explore::explore;
use kasasagi_primitive::sync::Arc;
use kasasagi_primitive::sync::atomic::{AtomicUsize, Ordering};
use kasasagi_primitive::thread;
use kasasagi_sync::OnceCell;
use std::future::pending;
use std::pin::pin;
use std::task::{Context, Waker};

/// Race: two ask for it while a third looks: one of them makes it, and all see it whole.
///
/// Mutation `sync-once-cell-open`: the line is not closed once it is made: another one makes it again.
/// Mutation `primitive-once-relaxed`: it is published without Release: the data race is reported.
#[test]
fn once_cell_two_ask_and_one_makes_it() {
    explore("once_cell_two_ask_and_one_makes_it", || {
        let cell = Arc::new(OnceCell::<Arc<usize>>::new());
        let made = Arc::new(AtomicUsize::new(0));
        let threads: Vec<_> = (0..2)
            .map(|number| {
                let (cell, made) = (Arc::clone(&cell), Arc::clone(&made));
                thread::spawn(move || {
                    let make = || async move {
                        made.fetch_add(1, Ordering::Relaxed);
                        Arc::new(number)
                    };
                    **block_on(cell.get_or_init(make))
                })
            })
            .collect();
        let seen = cell.get().map(|value| **value);
        let got: Vec<_> = threads.into_iter().map(|it| it.join().expect("no panic")).collect();
        assert_eq!(got[0], got[1]);
        assert!(seen.is_none_or(|seen| seen == got[0]));
        assert_eq!(made.load(Ordering::Relaxed), 1, "it is made once");
    });
}

/// Race: the one who makes it goes while two ask: one of them makes it, and the other gets it.
///
/// Mutation `sync-once-cell-keeps-turn`: who goes part way keeps the right to make it: the others wait for ever.
/// Mutation `sync-semaphore-close-relaxed`: who is told that the line is closed does not see what was done before.
#[test]
fn once_cell_drop_meets_waiters() {
    explore("once_cell_drop_meets_waiters", || {
        let cell = Arc::new(OnceCell::<usize>::new());
        let threads = {
            let mut first = Box::pin(cell.get_or_init(pending));
            assert!(first.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
            let threads: Vec<_> = (1..3)
                .map(|number| {
                    let cell = Arc::clone(&cell);
                    thread::spawn(move || *block_on(cell.get_or_init(|| async move { number })))
                })
                .collect();
            drop(first);
            threads
        };
        let got: Vec<_> = threads.into_iter().map(|it| it.join().expect("no panic")).collect();
        assert!(got[0] == got[1] && Some(&got[0]) == cell.get());
    });
}

/// Race: one fails to make it while another one who waits leaves: a third gets its turn all the same.
///
/// Mutation `sync-once-cell-failure-keeps-turn`: who fails keeps the right to make it.
#[test]
fn once_cell_failure_meets_one_who_leaves() {
    explore("once_cell_failure_meets_one_who_leaves", || {
        let cell = Arc::new(OnceCell::<usize>::new());
        let fails = {
            let cell = Arc::clone(&cell);
            thread::spawn(move || block_on(cell.get_or_try_init(|| async { Err(()) })).is_err())
        };
        let makes = {
            let cell = Arc::clone(&cell);
            thread::spawn(move || *block_on(cell.get_or_init(|| async { 3 })))
        };
        {
            let mut leaves = pin!(cell.get_or_init(pending));
            let _ = leaves.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        }
        fails.join().expect("who fails does not panic");
        assert_eq!(makes.join().expect("who makes it does not panic"), 3);
        assert_eq!(cell.get(), Some(&3));
    });
}

/// Race: it is set while another one asks: one of the two is the value, and both know which.
///
/// Mutation `sync-once-cell-set-blind`: who sets it does so without the right to.
#[test]
fn once_cell_set_meets_init() {
    explore("once_cell_set_meets_init", || {
        let cell = Arc::new(OnceCell::<usize>::new());
        let asks = {
            let cell = Arc::clone(&cell);
            thread::spawn(move || *block_on(cell.get_or_init(|| async { 1 })))
        };
        let set = cell.set(2).is_ok();
        let got = asks.join().expect("who asks does not panic");
        assert_eq!((got, cell.get()), if set { (2, Some(&2)) } else { (1, Some(&1)) });
    });
}
