//! The same for a closure of the pool: where it panics, and when its future is dropped.

use crate::LIMIT;
use kasasagi_blocking::{BlockingError, Config, Pool};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::time::Instant;

/// Counts its drops, and panics in them if it is told to.
pub(crate) struct Counted {
    drops: Arc<AtomicUsize>,
    panics: bool,
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.drops.fetch_add(1, Ordering::AcqRel);
        if self.panics && !std::thread::panicking() {
            std::panic::panic_any(Counted { drops: Arc::clone(&self.drops), panics: false });
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Panics {
    Nowhere,
    Closure,
    /// With a payload that panics in its drop.
    Payload,
    Result,
    Captured,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Leaves {
    Never,
    /// While the closure waits for a thread.
    Queued,
    Running,
    Done,
}

#[test]
fn whatever_happens_to_a_closure_everything_is_dropped_once() {
    crate::quiet();
    for panics in
        [Panics::Nowhere, Panics::Closure, Panics::Payload, Panics::Result, Panics::Captured]
    {
        for leaves in [Leaves::Never, Leaves::Queued, Leaves::Running, Leaves::Done] {
            for closes in [false, true] {
                one(panics, leaves, closes);
            }
        }
    }
}

fn one(panics: Panics, leaves: Leaves, closes: bool) {
    let case = format!("{panics:?} {leaves:?} {closes}");
    let mut config = Config::default();
    config.max_threads = 1;
    let pool = Pool::new(config);
    let (hold, held) = channel::<()>();
    let blocker = pool.unblock(move || held.recv().is_ok());
    let drops: [Arc<AtomicUsize>; 3] = std::array::from_fn(|_| Arc::default());
    let captured = Counted { drops: Arc::clone(&drops[0]), panics: panics == Panics::Captured };
    let (payload, result) = (Arc::clone(&drops[1]), Arc::clone(&drops[2]));
    let (begin, begun) = channel::<()>();
    let (release, released) = channel::<()>();
    let future = pool.unblock(move || {
        let captured = captured;
        let _ = begin.send(());
        let _ = released.recv();
        if matches!(panics, Panics::Closure | Panics::Payload) {
            std::panic::panic_any(Counted { drops: payload, panics: panics == Panics::Payload });
        }
        drop(captured);
        Counted { drops: result, panics: panics == Panics::Result }
    });
    let mut future = Some(future);
    let mut leave = |when| {
        if leaves == when {
            let dropped = catch_unwind(AssertUnwindSafe(|| drop(future.take())));
            drop(dropped.map_err(|payload| catch_unwind(AssertUnwindSafe(|| drop(payload)))));
        }
    };
    leave(Leaves::Queued);
    drop(hold);
    let ran = leaves != Leaves::Queued && begun.recv_timeout(LIMIT).is_ok();
    leave(Leaves::Running);
    drop(release);
    drop(crate::waker::block_on(blocker));
    if ran && leaves == Leaves::Done {
        // The one thread takes the next when it is done with this one.
        crate::waker::block_on(pool.unblock(|| ())).expect("it runs");
    }
    leave(Leaves::Done);
    if closes {
        assert_eq!(pool.shutdown(LIMIT).still_running, 0, "{case}");
    }
    if let Some(future) = future {
        match crate::waker::block_on(future) {
            Ok(result) => drop(catch_unwind(AssertUnwindSafe(|| drop(result)))),
            Err(BlockingError::Panicked(payload)) => {
                let dropped = catch_unwind(AssertUnwindSafe(|| drop(payload)));
                drop(dropped.map_err(|second| catch_unwind(AssertUnwindSafe(|| drop(second)))));
            }
            Err(error) => panic!("{case}: {error}"),
        }
    }
    drop(pool);
    let counts = || drops.each_ref().map(|count| count.load(Ordering::Acquire));
    // Each that panics in its drop has thrown one more of its kind.
    let planted = |is: bool| if is { 2 } else { 1 };
    let expected = [
        planted(panics == Panics::Captured),
        if ran && matches!(panics, Panics::Closure | Panics::Payload) {
            planted(panics == Panics::Payload)
        } else {
            0
        },
        if ran && matches!(panics, Panics::Nowhere | Panics::Result) {
            planted(panics == Panics::Result)
        } else {
            0
        },
    ];
    let start = Instant::now();
    while counts() != expected && start.elapsed() < LIMIT {
        std::thread::yield_now();
    }
    assert_eq!(counts(), expected, "{case}: captured, payloads, results");
}
