//! Models of the pool, through its public face.
//!
//! Time does not pass in a model: a limit of zero looks once and does not wait, and so ends at any moment of the
//! others; any longer limit never ends.
#![cfg(kasasagi_loom)]

mod hindered;
mod lent;
#[path = "../../../kasasagi/src/threads/scope.rs"]
mod scope;
mod untold;

use kasasagi_blocking::{BlockingError, Config, Pool};
use kasasagi_primitive::explore::explore;
use kasasagi_primitive::park::Parker;
use kasasagi_primitive::sync::atomic::{AtomicUsize, Ordering};
use kasasagi_primitive::sync::{Arc, Condvar, Mutex};
use kasasagi_primitive::thread;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll};
use std::time::Duration;

const EVER: Duration = Duration::from_secs(1);

fn block_on<F: Future>(future: F) -> F::Output {
    let parker = Parker::new();
    let waker = parker.unparker().into_waker();
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        parker.park();
    }
}

fn pool(keep_alive: Duration) -> Pool {
    let mut config = Config::default();
    config.max_threads = 1;
    config.keep_alive = keep_alive;
    Pool::new(config)
}

/// Counts the runs of a closure, and whether it is gone.
fn job(runs: &Arc<AtomicUsize>) -> impl FnOnce() + Send + 'static {
    let runs = Arc::clone(runs);
    move || {
        runs.fetch_add(1, Ordering::Relaxed);
    }
}

/// Race (P15): a job is handed to an idle thread whose keep-alive is over at that moment.
///
/// Mutation `blocking-retire-anyway`: a thread that is no longer on the stack leaves all the same: its job is lost.
/// Mutation `blocking-leave-late`: the thread leaves the stack under one lock and the count under another: the next
/// job counts on it, and waits for ever.
#[test]
fn pool_hand_off_meets_keep_alive() {
    explore("pool_hand_off_meets_keep_alive", || {
        let pool = pool(Duration::ZERO);
        let runs = Arc::new(AtomicUsize::new(0));
        assert!(block_on(pool.unblock(job(&runs))).is_ok());
        assert!(block_on(pool.unblock(job(&runs))).is_ok());
        assert_eq!(runs.load(Ordering::Relaxed), 2);
        assert_eq!(pool.shutdown(EVER).still_running, 0);
        assert_eq!(pool.metrics().threads, 0);
    });
}

/// Race: a job comes while the thread that has ended one searches, or goes to rest: it relies on that thread, which looks
/// once more under the lock.
///
/// Mutation `blocking-search-rests-unseen`: who searched in vain rests without that look: the job waits for ever.
/// Mutation `blocking-search-stays-counted`: who rests goes on being counted as one who comes: nobody is called.
#[test]
fn pool_submit_meets_the_end_of_a_search() {
    explore("pool_submit_meets_the_end_of_a_search", || {
        let pool = pool(EVER);
        for _ in 0..2 {
            assert!(block_on(pool.unblock(|| ())).is_ok());
        }
        drop(pool);
    });
}

/// Race: the thread that works goes to rest while another watches; the next job finds nobody at work whom to watch, and
/// the lookout, who never looks in this model, has to be called, or the one who rests.
///
/// Mutation `blocking-watch-over-nobody`: a lookout is relied on although nobody works: the job waits for its look.
#[test]
fn pool_job_meets_a_lookout_over_nobody() {
    explore("pool_job_meets_a_lookout_over_nobody", || {
        let mut config = Config::default();
        config.max_threads = 2;
        config.stall = EVER;
        let pool = Pool::new(config);
        let jobs = [pool.unblock(|| ()), pool.unblock(|| ())];
        for job in jobs {
            assert!(block_on(job).is_ok());
        }
        assert!(block_on(pool.unblock(|| ())).is_ok());
        drop(pool);
    });
}

/// Race: a pool is closed while a lookout is its only thread, as the others have left at the end of their keep-alive.
///
/// Mutation `blocking-close-forgets-lookout`: close tells the idle ones to leave and not the lookout.
#[test]
fn pool_close_meets_a_lookout_alone() {
    explore("pool_close_meets_a_lookout_alone", || {
        let mut config = Config::default();
        config.max_threads = 2;
        config.stall = EVER;
        config.keep_alive = Duration::ZERO;
        let pool = Pool::new(config);
        let jobs = [pool.unblock(|| ()), pool.unblock(|| ())];
        for job in jobs {
            assert!(block_on(job).is_ok());
        }
        drop(pool);
    });
}

/// Race (P15): a shutdown meets a job on its way; the job runs, or is cancelled, and the thread leaves.
///
/// Mutation `blocking-close-looks-early`: `submit` looks whether the pool is closed before it takes the lock that it
/// queues under: a job is queued that nobody will ever take or cancel.
#[test]
fn pool_shutdown_meets_submit() {
    explore("pool_shutdown_meets_submit", || {
        let pool = pool(EVER);
        let runs = Arc::new(AtomicUsize::new(0));
        let closer = {
            let pool = pool.clone();
            thread::spawn(move || assert_eq!(pool.shutdown(EVER).still_running, 0))
        };
        let ran = match block_on(pool.unblock(job(&runs))) {
            Ok(()) => 1,
            Err(BlockingError::Closed) => 0,
            Err(error) => panic!("neither run nor cancelled: {error}"),
        };
        assert_eq!(runs.load(Ordering::Relaxed), ran);
        closer.join().expect("the closer does not panic");
        assert_eq!(pool.metrics().threads, 0);
    });
}

/// Race (P15): a shutdown meets a thread that goes to rest, or whose keep-alive is over.
///
/// Mutation `blocking-close-forgets-idle`: close leaves idle threads alone: the shutdown waits for ever.
#[test]
fn pool_shutdown_meets_a_thread_that_goes_to_rest() {
    for keep_alive in [Duration::ZERO, EVER] {
        explore("pool_shutdown_meets_a_thread_that_goes_to_rest", move || {
            let pool = pool(keep_alive);
            let runs = Arc::new(AtomicUsize::new(0));
            assert!(block_on(pool.unblock(job(&runs))).is_ok());
            assert_eq!(pool.shutdown(EVER).still_running, 0);
            assert_eq!(pool.metrics().threads, 0);
        });
    }
}

/// Race (P15): a future is dropped while its job is taken: it runs once or never, and the closure is gone either way.
///
/// Mutation `blocking-abandon-leaks`: `abandon` loses the closure instead of dropping it: what it holds is never given
/// back.
#[test]
fn pool_cancel_meets_start() {
    explore("pool_cancel_meets_start", || {
        let pool = pool(EVER);
        let runs = Arc::new(AtomicUsize::new(0));
        drop(pool.unblock(job(&runs)));
        assert_eq!(pool.shutdown(EVER).still_running, 0);
        assert!(runs.load(Ordering::Relaxed) <= 1);
        assert_eq!(Arc::strong_count(&runs), 1);
    });
}

/// A place where jobs wait until it is opened.
#[derive(Default)]
struct Gate {
    open: Mutex<bool>,
    opened: Condvar,
}

impl Gate {
    fn open(&self) {
        *self.open.lock() = true;
        self.opened.notify_all();
    }

    fn pass(&self) {
        let mut open = self.open.lock();
        while !*open {
            self.opened.wait(&mut open);
        }
    }
}

/// Race (P15): a future is dropped while its job stands in the queue, behind one that runs and before one that is
/// awaited: it does not run.
///
/// Mutation `blocking-run-abandoned`: `abandon` leaves a closure that waits where it is, and so it runs.
#[test]
fn pool_cancel_in_the_queue_meets_its_turn() {
    explore("pool_cancel_in_the_queue_meets_its_turn", || {
        let pool = pool(EVER);
        let (gate, runs) = (Arc::new(Gate::default()), Arc::new(AtomicUsize::new(0)));
        let first = {
            let gate = Arc::clone(&gate);
            pool.unblock(move || gate.pass())
        };
        let second = pool.unblock(job(&runs));
        let third = pool.unblock(|| ());
        drop(second);
        gate.open();
        assert!(block_on(first).is_ok());
        assert!(block_on(third).is_ok());
        assert_eq!(runs.load(Ordering::Relaxed), 0);
        assert_eq!(pool.shutdown(EVER).still_running, 0);
    });
}

/// Race: a thread that works, and a lookout that sees a stall, or that there is none any more; both jobs run once, and
/// all threads leave.
#[test]
fn pool_lookout_meets_a_worker() {
    explore("pool_lookout_meets_a_worker", || {
        let mut config = Config::default();
        config.max_threads = 3;
        config.stall = Duration::ZERO;
        let pool = Pool::new(config);
        let runs = Arc::new(AtomicUsize::new(0));
        let gate = Arc::new(Gate::default());
        let first = {
            let (gate, job) = (Arc::clone(&gate), job(&runs));
            pool.unblock(move || {
                gate.pass();
                job();
            })
        };
        let second = pool.unblock(job(&runs));
        gate.open();
        assert!(block_on(first).is_ok());
        assert!(block_on(second).is_ok());
        assert_eq!(runs.load(Ordering::Relaxed), 2);
        assert_eq!(pool.shutdown(EVER).still_running, 0);
        assert_eq!(pool.metrics().threads, 0);
    });
}

/// Race: two jobs block until a third has run; only a lookout that gives up its seat when it goes to work lets the
/// pool grow to three.
///
/// Mutation `blocking-take-leaves-unseen`: who takes a job sends nobody for those that wait on.
/// Mutation `blocking-arrive-uncounted`: a thread that arrives goes on being counted as on its way: no other is ever
/// started, or the books do not balance.
#[test]
fn pool_grows_until_all_run() {
    explore("pool_grows_until_all_run", || {
        let mut config = Config::default();
        config.max_threads = 3;
        config.stall = Duration::ZERO;
        let pool = Pool::new(config);
        let gate = Arc::new(Gate::default());
        let blocked: Vec<_> = (0..2)
            .map(|_| {
                let gate = Arc::clone(&gate);
                pool.unblock(move || gate.pass())
            })
            .collect();
        let gate = Arc::clone(&gate);
        assert!(block_on(pool.unblock(move || gate.open())).is_ok());
        // The pool is closed, not awaited, which halves the model; loom still demands that every thread ends.
        drop((blocked, pool));
    });
}

/// Race: a queue is served well, so that the second thread watches; then two jobs block until a last one has run.
///
/// Mutation `blocking-lookout-keeps-seat`: the lookout takes a job and keeps its seat: the last one is thought watched.
#[test]
fn pool_lookout_goes_to_work_and_is_missed() {
    explore("pool_lookout_goes_to_work_and_is_missed", || {
        let mut config = Config::default();
        config.max_threads = 3;
        config.stall = Duration::ZERO;
        let pool = Pool::new(config);
        let gate = Arc::new(Gate::default());
        pool.unblock(|| ()).detach();
        for _ in 0..2 {
            let gate = Arc::clone(&gate);
            pool.unblock(move || gate.pass()).detach();
        }
        let opener = Arc::clone(&gate);
        assert!(block_on(pool.unblock(move || opener.open())).is_ok());
        drop(pool);
    });
}

/// Race: a pool is drained while a job waits in the queue, a thread works and another is on its way; all that was handed
/// in runs, and all threads leave, the lookout too.
///
/// Mutation `blocking-drain-leaves-work`: a thread of a closed pool leaves although work waits: it never runs.
/// Mutation `blocking-drain-forgets-lookout`: who leaves last sends the lookout nowhere: it watches an empty queue.
#[test]
fn pool_drain_meets_what_waits() {
    for stall in [Duration::ZERO, EVER] {
        explore("pool_drain_meets_what_waits", move || {
            let mut config = Config::default();
            config.max_threads = 3;
            config.stall = stall;
            let pool = Pool::new(config);
            let runs = Arc::new(AtomicUsize::new(0));
            // Three: the second thread finds that one was taken meanwhile, and watches over the last.
            (0..3).for_each(|_| pool.unblock(job(&runs)).detach());
            pool.drain();
            assert_eq!(pool.join(EVER).still_running, 0);
            assert_eq!(runs.load(Ordering::Relaxed), 3);
            assert_eq!(pool.metrics().threads, 0);
        });
    }
}

/// Race: the last thread leaves while a task begins to wait for that.
///
/// Mutation `blocking-deserted-unseen`: who waits looks before it leaves its waker, and not after.
#[test]
fn pool_last_one_meets_who_waits_for_it() {
    explore("pool_last_one_meets_who_waits_for_it", || {
        let pool = pool(EVER);
        let runs = Arc::new(AtomicUsize::new(0));
        pool.unblock(job(&runs)).detach();
        pool.drain();
        block_on(pool.deserted());
        assert_eq!(runs.load(Ordering::Relaxed), 1);
        assert_eq!(pool.metrics().threads, 0);
    });
}

/// Race: the future of a job is detached, or takes it back, while it starts: detached it runs, taken back it runs or
/// says that it was.
///
/// Mutation `blocking-detach-abandons`: `detach` takes the closure along.
#[test]
fn pool_detach_and_take_back_meet_start() {
    explore("pool_detach_and_take_back_meet_start", || {
        let pool = pool(EVER);
        let runs = Arc::new(AtomicUsize::new(0));
        pool.unblock(job(&runs)).detach();
        let second = pool.unblock(job(&runs));
        let taken_back = second.cancel();
        match block_on(second) {
            Ok(()) => assert!(!taken_back),
            Err(BlockingError::Cancelled) => assert!(taken_back),
            Err(error) => panic!("neither run nor taken back: {error}"),
        }
        assert_eq!(pool.shutdown(EVER).still_running, 0);
        let ran = runs.load(Ordering::Relaxed) + usize::from(taken_back);
        // The detached one may have been cancelled by the shutdown, if the other was taken back.
        assert!(ran == 2 || taken_back && ran == 1);
        assert_eq!(Arc::strong_count(&runs), 1);
    });
}

/// Race: a job waits for another of its own pool, which is over just as the last other thread begins to wait for a third.
/// Nobody is stuck: the first thread is about to go on, and runs the third.
///
/// Mutation `blocking-deadlock-counts-the-woken`: a wait counts although its job is over: the pool is taken for dead.
#[test]
fn pool_waits_of_its_own_are_no_deadlock() {
    explore("pool_waits_of_its_own_are_no_deadlock", || {
        let mut config = Config::default();
        config.max_threads = 2;
        config.stall = Duration::ZERO;
        let pool = Pool::new(config);
        let gate = Arc::new(Gate::default());
        let outer = {
            let (inside, gate) = (pool.clone(), Arc::clone(&gate));
            pool.unblock(move || {
                let second = {
                    let inside = inside.clone();
                    move || {
                        assert!(inside.unblock(|| ()).wait().is_ok());
                        gate.open();
                    }
                };
                let first = {
                    let inside = inside.clone();
                    move || inside.unblock(second).detach()
                };
                assert!(inside.unblock(first).wait().is_ok());
            })
        };
        assert!(block_on(outer).is_ok());
        gate.pass();
        // The pool is closed, not awaited, which shortens the model; loom still demands that every thread ends.
        drop(pool);
    });
}

/// Race: a job waits for another that only its own thread could run: it is told.
///
/// Mutation `blocking-deadlock-unseen`: nobody counts who waits, and it does so for ever.
#[test]
fn pool_deadlock_is_told() {
    explore("pool_deadlock_is_told", || {
        let pool = pool(EVER);
        let outer = {
            let inside = pool.clone();
            pool.unblock(move || {
                matches!(inside.unblock(|| ()).wait(), Err(BlockingError::Deadlock { .. }))
            })
        };
        assert_eq!(block_on(outer).ok(), Some(true));
        assert_eq!(pool.shutdown(EVER).still_running, 0);
    });
}
