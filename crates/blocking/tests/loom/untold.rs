//! Models of results that are told together.

use crate::{EVER, Gate, block_on};
use kasasagi_blocking::{Config, Pool};
use kasasagi_primitive::explore::explore;
use kasasagi_primitive::sync::Arc;
use std::time::Duration;

/// Race: a job ends quietly, since others wait and somebody watches; the next one of its thread waits for who waits for
/// the first: the lookout tells, if it does not go to work itself.
///
/// Mutation `blocking-lookout-tells-nobody`: the lookout does not tell: the first is not known until the next has ended.
#[test]
fn pool_result_is_told_by_the_lookout() {
    explore("pool_result_is_told_by_the_lookout", || {
        let mut config = Config::default();
        config.max_threads = 2;
        config.stall = Duration::ZERO;
        let pool = Pool::new(config);
        let gate = Arc::new(Gate::default());
        // The second thread finds that one was taken meanwhile, and watches.
        (0..2).for_each(|_| pool.unblock(|| ()).detach());
        let told = pool.unblock(|| ());
        let last = {
            let gate = Arc::clone(&gate);
            pool.unblock(move || gate.pass())
        };
        assert!(block_on(told).is_ok());
        gate.open();
        // The pool is closed, not awaited, which shortens the model; loom still demands that every thread ends.
        drop((last, pool));
    });
}

/// Race: a job ends quietly while the lookout that would have told of it goes to work: who takes the next one tells.
///
/// Mutation `blocking-untold-unwatched`: it relies on a lookout that is gone.
#[test]
fn pool_result_is_told_when_the_lookout_has_gone_to_work() {
    explore("pool_result_is_told_when_the_lookout_has_gone_to_work", || {
        let mut config = Config::default();
        config.max_threads = 2;
        config.stall = Duration::ZERO;
        let pool = Pool::new(config);
        let (gate, works) = (Arc::new(Gate::default()), Arc::new(Gate::default()));
        (0..2).for_each(|_| pool.unblock(|| ()).detach());
        let told = {
            let works = Arc::clone(&works);
            pool.unblock(move || works.pass())
        };
        for _ in 0..2 {
            let (gate, works) = (Arc::clone(&gate), Arc::clone(&works));
            let job = move || {
                works.open();
                gate.pass();
            };
            pool.unblock(job).detach();
        }
        assert!(block_on(told).is_ok());
        gate.open();
        drop(pool);
    });
}

/// Race: a pool is drained while jobs end quietly: all are told, the pool is quiet then, and all threads leave.
#[test]
fn pool_drain_meets_results_untold() {
    explore("pool_drain_meets_results_untold", || {
        let mut config = Config::default();
        config.max_threads = 2;
        config.stall = EVER;
        let pool = Pool::new(config);
        let jobs: Vec<_> = (0..4).map(|_| pool.unblock(|| ())).collect();
        pool.drain();
        for job in jobs {
            assert!(block_on(job).is_ok());
        }
        assert_eq!(pool.join(EVER).still_running, 0);
        assert!(pool.is_quiet());
    });
}
