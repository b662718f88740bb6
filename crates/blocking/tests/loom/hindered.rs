//! Models of a pool whose threads are late, refused, in their last hook, or wait for each other.

use crate::{EVER, Gate, block_on};
use kasasagi_blocking::{Config, Pool};
use kasasagi_primitive::explore::explore;
use kasasagi_primitive::sync::Arc;
use kasasagi_primitive::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Race: a thread hangs in its initializer while the others come to rest, and two more jobs come, the first of which
/// waits for the second: a lookout takes that, though a thread is on its way.
///
/// Mutation `blocking-lookout-waits-for-the-late`: it leaves the job to the thread on its way, and looks on for ever.
#[test]
fn pool_lookout_meets_a_thread_that_hangs() {
    explore("pool_lookout_meets_a_thread_that_hangs", || {
        let mut config = Config::default();
        config.max_threads = 3;
        config.stall = Duration::ZERO;
        let (late, there) = (Arc::new(Gate::default()), Arc::new(AtomicUsize::new(0)));
        config.initializer = Some(std::sync::Arc::new({
            let late = Arc::clone(&late);
            move || {
                if there.fetch_add(1, Ordering::Relaxed) == 2 {
                    late.pass();
                }
            }
        }));
        let pool = Pool::new(config);
        let tiny = [pool.unblock(|| ()), pool.unblock(|| ()), pool.unblock(|| ())];
        for job in tiny {
            assert!(block_on(job).is_ok());
        }
        let gate = Arc::new(Gate::default());
        let first = {
            let gate = Arc::clone(&gate);
            pool.unblock(move || gate.pass())
        };
        assert!(block_on(pool.unblock(move || gate.open())).is_ok());
        late.open();
        drop((first, pool));
    });
}

/// Race: a thread that was on its way is refused while the only other one begins to wait for a job of its own pool: it
/// relied on the one on its way, and is told that nobody comes.
///
/// Mutation `blocking-refusal-strands-those-who-wait`: as long as there is a thread, the queue is left to it.
#[test]
fn pool_refusal_meets_a_wait_of_its_own() {
    explore("pool_refusal_meets_a_wait_of_its_own", || {
        let mut config = Config::default();
        config.max_threads = 2;
        config.stall = EVER;
        let granted = AtomicUsize::new(1);
        config.before_thread =
            Some(std::sync::Arc::new(move || match granted.swap(0, Ordering::Relaxed) {
                0 => Err(std::io::ErrorKind::WouldBlock.into()),
                _ => Ok(()),
            }));
        let pool = Pool::new(config);
        let (inside, begun) = (pool.clone(), Arc::new(Gate::default()));
        let outer = {
            let begun = Arc::clone(&begun);
            pool.unblock(move || {
                begun.open();
                drop(inside.unblock(|| ()).wait());
            })
        };
        begun.pass();
        pool.unblock(|| ()).detach();
        assert!(block_on(outer).is_ok());
        drop(pool);
    });
}

/// Race: a thread's keep-alive is over, and it is in its last hook, while the pool is shut down with a limit of nothing,
/// and then without one: the first says that it is there or that it has left, and does not wait; the second does.
///
/// Mutation `blocking-stopping-is-gone`: it is taken for one that has left, and joined without limit.
#[test]
fn pool_shutdown_meets_a_stop_hook() {
    explore("pool_shutdown_meets_a_stop_hook", || {
        let gate = Arc::new(Gate::default());
        let mut config = Config::default();
        config.max_threads = 1;
        config.keep_alive = Duration::ZERO;
        config.on_thread_stop = Some(std::sync::Arc::new({
            let gate = Arc::clone(&gate);
            move || gate.pass()
        }));
        let pool = Pool::new(config);
        assert!(block_on(pool.unblock(|| ())).is_ok());
        assert_eq!(pool.shutdown(Duration::ZERO).still_running, 1);
        gate.open();
        assert_eq!(pool.shutdown(EVER).still_running, 0);
    });
}

/// Race: two jobs of a pool shut it down, and each waits for all but those two, who also wait for each other afterwards.
///
/// Mutation `blocking-joiners-wait-for-each-other`: each waits for the other's thread to leave.
/// Mutation `blocking-joiner-leaves-quietly`: the first to see that all have left tells nobody, and goes: the other waits
/// for its end.
#[test]
fn pool_two_of_its_jobs_shut_it_down() {
    explore("pool_two_of_its_jobs_shut_it_down", || {
        let mut config = Config::default();
        config.max_threads = 2;
        config.stall = Duration::ZERO;
        let pool = Pool::new(config);
        // Both have started before either shuts the pool down; neither ends before both have.
        let gates = [(); 4].map(|()| Arc::new(Gate::default()));
        let jobs = [[0, 1], [1, 0]].map(|[mine, other]| {
            let (inside, gates) = (pool.clone(), gates.clone());
            pool.unblock(move || {
                gates[mine].open();
                gates[other].pass();
                assert_eq!(inside.shutdown(EVER).still_running, 0);
                gates[2 + mine].open();
                gates[2 + other].pass();
            })
        });
        for job in jobs {
            assert!(block_on(job).is_ok());
        }
        drop(pool);
    });
}
