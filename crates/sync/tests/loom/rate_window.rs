//! Starts: counted once, whoever leaves, and never more than may be (RATE-02, RATE-03).

use crate::by_hand::block_on;
use kasasagi_primitive::explore::explore;
use kasasagi_primitive::sync::Arc;
use kasasagi_primitive::sync::atomic::{AtomicU64, Ordering};
use kasasagi_primitive::thread;
use kasasagi_sync::RateWindow;
use std::pin::pin;
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

/// A clock that everybody may set forward, and nobody back.
struct Clock(Instant, AtomicU64);

impl Clock {
    fn now(&self) -> Instant {
        self.0 + Duration::from_secs(self.1.load(Ordering::Relaxed))
    }

    fn sleep_until(&self, moment: Instant) {
        self.1.fetch_max((moment - self.0).as_secs(), Ordering::Relaxed);
    }
}

/// Race: two start, of which one a window may have one, while a third leaves, in line or with its turn: two starts are
/// counted, a whole period apart.
///
/// Mutation `sync-rate-window-one-more`: a window is full when it has one more than it may.
/// Mutation `sync-rate-window-turn-kept`: who was given its turn and drops it keeps it: the others wait for ever.
#[test]
fn rate_02_03_starts_meet_one_who_leaves() {
    explore("rate_02_03_starts_meet_one_who_leaves", || {
        let shared = Arc::new((
            RateWindow::new(1, Duration::from_secs(10)),
            Clock(Instant::now(), AtomicU64::new(0)),
        ));
        let threads: Vec<_> = (0..2)
            .map(|_| {
                let shared = Arc::clone(&shared);
                thread::spawn(move || {
                    let (window, clock) = &*shared;
                    let turn = block_on(window.turn());
                    loop {
                        match turn.start(clock.now()) {
                            Ok(permit) => return permit.start(),
                            Err(moment) => clock.sleep_until(moment),
                        }
                    }
                })
            })
            .collect();
        {
            let mut leaves = pin!(shared.0.turn());
            let _ = leaves.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        }
        let starts: Vec<_> = threads.into_iter().map(|it| it.join().expect("no panic")).collect();
        let (first, last) = (starts[0].min(starts[1]), starts[0].max(starts[1]));
        assert!(last - first >= Duration::from_secs(10), "two starts in one window");
        assert_eq!(shared.0.available(last), 0);
    });
}
