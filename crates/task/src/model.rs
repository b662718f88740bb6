//! A model of the state word and the join cell alone: the completer is held between its copy and its exchange, where
//! loom does not stop by itself.
#![allow(unsafe_code, reason = "wakers are put together from the words of the cell")]

use crate::join_cell::JoinCell;
use crate::state::{AfterReady, BIRTH, COMPLETE, Join, State};
use kasasagi_primitive::explore::explore;
use kasasagi_primitive::sync::Arc;
use kasasagi_primitive::sync::atomic::AtomicU64;
use kasasagi_primitive::{hint, thread};
use std::task::{Wake, Waker};

struct Counted;

impl Wake for Counted {
    fn wake(self: std::sync::Arc<Self>) {}
}

/// Leaves a waker, and says whether the task had not ended.
fn leave((state, cell): &(State, JoinCell), waker: &std::sync::Arc<Counted>) -> bool {
    cell.put(Waker::from(std::sync::Arc::clone(waker)));
    match state.set_waits() {
        Join::Pending => true,
        Join::Complete => {
            // SAFETY: the completer saw no WAITS: the waker is ours again.
            drop(unsafe { cell.peek().into_waker() });
            false
        }
    }
}

/// Race: the handle takes its waker back and leaves another while the completer has copied the first. Each waker is
/// dropped once.
///
/// Mutation `task-renewed-waker-unseen`: the handle does not set RENEWED, and the word looks as it did before.
#[test]
fn loom_join_cell_a_copy_of_a_renewed_waker_is_thrown_away() {
    explore("join_cell_renewed", || {
        let shared = Arc::new((State(AtomicU64::new(BIRTH)), JoinCell::new()));
        let wakers = [(), ()].map(|()| std::sync::Arc::new(Counted));
        assert!(leave(&shared, &wakers[0]));
        let completer = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                let (state, cell) = &*shared;
                let peek = || {
                    let words = cell.peek();
                    hint::spin_loop();
                    words
                };
                match state.complete(COMPLETE, peek) {
                    // SAFETY: the exchange made the waker ours.
                    AfterReady::WakeJoiner(words) => drop(unsafe { words.into_waker() }),
                    // SAFETY: as above, and nobody writes any more.
                    AfterReady::WakeRenewed => drop(unsafe { cell.peek().into_waker() }),
                    AfterReady::Done => {}
                    AfterReady::DropOutput => unreachable!("the handle lives"),
                    AfterReady::Calls => unreachable!("it has no callbacks"),
                }
            })
        };
        if let Join::Pending = shared.0.clear_waits() {
            // SAFETY: WAITS was set, and the exchange that cleared it made the waker ours.
            drop(unsafe { shared.1.peek().into_waker() });
            leave(&shared, &wakers[1]);
        }
        completer.join().expect("no panic");
        let left = wakers.map(|waker| std::sync::Arc::strong_count(&waker));
        assert_eq!(left, [1, 1], "each is dropped once");
    });
}
