//! Permits: as many as there are, and none lost.

use crate::hand::{Inside, block_on, join, leave, threads};
use kasasagi_primitive::schedules::schedules;
use kasasagi_primitive::sync::Arc;
use kasasagi_primitive::sync::atomic::{AtomicUsize, Ordering};
use kasasagi_primitive::thread;
use kasasagi_sync::{BoundedSemaphore, Semaphore};

/// Three permits, five who want one or two, one who tries, two who leave.
#[test]
fn permits_are_conserved_and_nobody_is_left_asleep() {
    schedules("permits", 100, || {
        let shared = Arc::new((Semaphore::new(3), AtomicUsize::new(0)));
        let all = threads(7, &shared, |shared, number| {
            let (semaphore, out) = &**shared;
            for round in 0..2 {
                let permits = 1 + (number + round) % 2;
                if number >= 5 {
                    leave(semaphore.acquire_many(permits));
                    continue;
                }
                let permit = if number == 4 {
                    let Ok(permit) = semaphore.try_acquire() else { continue };
                    permit
                } else {
                    block_on(semaphore.acquire_many(permits)).expect("it is open")
                };
                let taken = if number == 4 { 1 } else { permits };
                assert!(out.fetch_add(taken, Ordering::AcqRel) + taken <= 3);
                thread::yield_now();
                out.fetch_sub(taken, Ordering::AcqRel);
                drop(permit);
            }
        });
        join(all);
        assert_eq!(shared.0.available_permits(), 3);
    });
}

/// Permits of a bounded one that are dropped, or forgotten and added for: never more than at first.
#[test]
fn a_bounded_semaphore_has_no_more_than_at_first() {
    schedules("bounded", 100, || {
        let shared = Arc::new((BoundedSemaphore::new(2), Inside::default()));
        let all = threads(6, &shared, |shared, number| {
            let (semaphore, inside) = &**shared;
            for round in 0..2 {
                if number >= 4 {
                    leave(semaphore.acquire());
                    continue;
                }
                let permit = block_on(semaphore.acquire()).expect("it is open");
                inside.among(2);
                if (number + round) % 2 == 0 {
                    permit.forget();
                    semaphore.add_permits(1).expect("one was forgotten");
                }
            }
        });
        join(all);
        assert_eq!(shared.0.available_permits(), 2);
        assert!(shared.0.add_permits(1).is_err());
    });
}

/// Closed while some hold permits, some wait, some come and some leave: everybody is told.
#[test]
fn a_close_reaches_everybody() {
    schedules("close", 100, || {
        let shared = Arc::new(Semaphore::new(1));
        let all = threads(6, &shared, |semaphore, number| match number {
            0 => semaphore.close(),
            5 => leave(semaphore.acquire()),
            _ => {
                while block_on(semaphore.acquire()).is_ok() {
                    thread::yield_now();
                }
            }
        });
        join(all);
        assert_eq!(shared.available_permits(), 1);
        assert!(shared.is_closed());
    });
}
