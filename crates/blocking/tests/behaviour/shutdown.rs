//! The end.

use crate::support::{LIMIT, begun, block_on, eventually, held, pool};
use kasasagi_blocking::{BlockingError, Pool};
use std::cell::RefCell;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

#[test]
fn shutdown_waits_for_what_runs_and_cancels_what_waits() {
    let pool = pool(|config| config.max_threads = 1);
    let (go, runs) = begun(&pool);
    let waits = pool.unblock(|| 2);
    let helper = {
        let pool = pool.clone();
        std::thread::spawn(move || pool.shutdown(LIMIT))
    };
    let Err(BlockingError::Closed) = block_on(waits) else { panic!("it was cancelled") };
    go.send(()).expect("the job waits");
    assert_eq!(helper.join().expect("shutdown does not panic").still_running, 0);
    assert_eq!(block_on(runs).ok(), Some(true));
    assert_eq!(pool.metrics().threads, 0);
    let Err(BlockingError::Closed) = block_on(pool.unblock(|| 3)) else { panic!("it is closed") };
}

#[test]
fn shutdown_reports_what_did_not_end() {
    let pool = pool(|_| ());
    let (go, job) = begun(&pool);
    let start = Instant::now();
    assert_eq!(pool.shutdown(Duration::from_millis(10)).still_running, 1);
    assert!(start.elapsed() >= Duration::from_millis(10));
    go.send(()).expect("the job waits");
    assert_eq!(block_on(job).ok(), Some(true), "what was left to itself still gives its result");
    assert_eq!(pool.shutdown(LIMIT).still_running, 0);
}

#[test]
fn a_job_may_shut_its_own_pool_down() {
    let pool = pool(|_| ());
    let job = {
        let pool = pool.clone();
        pool.clone().unblock(move || {
            let report = pool.shutdown(LIMIT);
            (report.still_running, report.jobs.len())
        })
    };
    assert_eq!(block_on(job).ok(), Some((0, 0)), "itself, it does not wait for");
}

#[test]
fn dropping_the_last_handle_closes_without_waiting() {
    let pool = pool(|config| config.max_threads = 1);
    let (go, runs) = held(&pool);
    eventually("it is taken", || pool.metrics().queued == 0);
    let waits = pool.unblock(|| 2);
    let other = pool.clone();
    drop(pool);
    assert_eq!(other.metrics().queued, 1, "another handle keeps it open");
    drop(other);
    let Err(BlockingError::Closed) = block_on(waits) else { panic!("it was cancelled") };
    go.send(()).expect("the job waits");
    assert_eq!(block_on(runs).ok(), Some(true));
}

#[test]
fn idle_threads_leave_at_once_at_shutdown() {
    let pool = pool(|config| config.keep_alive = Duration::from_secs(3600));
    assert_eq!(block_on(pool.unblock(|| 1)).ok(), Some(1));
    assert_eq!(pool.shutdown(LIMIT).still_running, 0);
}

#[test]
fn a_pool_that_is_drained_runs_all_even_if_its_last_handle_goes_meanwhile() {
    let pool = pool(|config| config.max_threads = 1);
    let (open, gate) = mpsc::channel::<()>();
    pool.unblock(move || gate.recv()).detach();
    let (tell, told) = mpsc::channel();
    pool.unblock(move || tell.send(1)).detach();
    pool.drain();
    drop(pool);
    drop(open);
    assert_eq!(told.recv_timeout(LIMIT), Ok(1));
}

#[test]
fn two_jobs_that_shut_their_pool_down_do_not_wait_for_each_other() {
    for _ in 0..200 {
        let pool = pool(|config| {
            config.max_threads = 2;
            config.stall = Duration::ZERO;
        });
        let both = Arc::new(Barrier::new(2));
        let (tell, told) = mpsc::channel();
        for _ in 0..2 {
            let (inside, both, tell) = (pool.clone(), Arc::clone(&both), tell.clone());
            let job = move || {
                both.wait();
                let left = inside.shutdown(Duration::MAX).still_running;
                // Neither ends before the other has come so far.
                both.wait();
                tell.send(left)
            };
            pool.unblock(job).detach();
        }
        assert_eq!(told.recv_timeout(LIMIT), Ok(0));
        assert_eq!(told.recv_timeout(LIMIT), Ok(0));
    }
}

#[test]
fn a_pool_may_be_shut_down_by_a_thread_local_of_its_own_thread() {
    struct Closes(Pool, mpsc::Sender<usize>);
    impl Drop for Closes {
        fn drop(&mut self) {
            let _ = self.1.send(self.0.shutdown(LIMIT).still_running);
        }
    }
    std::thread_local! {
        static KEPT: RefCell<Option<Closes>> = const { RefCell::new(None) }
    }
    let pool = pool(|config| config.keep_alive = Duration::from_millis(1));
    let (tell, told) = mpsc::channel();
    let inside = pool.clone();
    let keep = move || KEPT.with(|kept| *kept.borrow_mut() = Some(Closes(inside, tell)));
    assert!(pool.unblock(keep).wait().is_ok());
    assert_eq!(told.recv_timeout(LIMIT), Ok(0));
}

/// Says, when it is dropped, whether the pool is quiet.
struct AsksInDrop(Pool, mpsc::Sender<bool>);

impl Drop for AsksInDrop {
    fn drop(&mut self) {
        let _ = self.1.send(self.0.is_quiet());
    }
}

/// A job that never runs, and the answer of what it holds.
fn asks(pool: &Pool) -> (impl FnOnce() + Send + 'static, mpsc::Receiver<bool>) {
    let (tell, told) = mpsc::channel();
    let asks = AsksInDrop(pool.clone(), tell);
    (move || drop(asks), told)
}

/// Counts how often the pool has become quiet.
fn count_quiet(pool: &Pool) -> Arc<AtomicUsize> {
    let quiet = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&quiet);
    pool.on_quiet(move || {
        count.fetch_add(1, Ordering::Relaxed);
    });
    quiet
}

#[test]
fn a_pool_is_not_quiet_before_those_whom_it_cancels_have_ended() {
    let (open, gate) = mpsc::channel::<()>();
    let gate = Mutex::new(gate);
    let pool = pool(|config| {
        config.on_thread_start = Some(Arc::new(move || {
            let _ = gate.lock().unwrap_or_else(PoisonError::into_inner).recv();
        }));
    });
    let quiet = count_quiet(&pool);
    let (job, told) = asks(&pool);
    pool.unblock(job).detach();
    pool.close();
    assert_eq!(told.recv_timeout(LIMIT), Ok(false));
    assert!(pool.is_quiet());
    assert_eq!(quiet.load(Ordering::Relaxed), 1, "it is told of");
    assert_eq!(Arc::strong_count(&quiet), 1, "and nobody else will be");
    drop(open);
}

#[test]
fn a_pool_without_threads_is_not_quiet_before_all_are_told() {
    let pool = pool(|config| {
        config.before_thread = Some(Arc::new(|| Err(io::ErrorKind::WouldBlock.into())));
    });
    let quiet = count_quiet(&pool);
    let (job, told) = asks(&pool);
    pool.unblock(job).detach();
    assert_eq!(told.recv_timeout(LIMIT), Ok(false));
    assert!(pool.is_quiet());
    assert_eq!(quiet.load(Ordering::Relaxed), 1, "it is told of");
}

#[test]
fn a_closed_pool_tells_when_it_has_become_quiet() {
    let pool = pool(|_| ());
    let quiet = count_quiet(&pool);
    let (open, gate) = mpsc::channel::<()>();
    pool.unblock(move || gate.recv()).detach();
    eventually("it is taken", || pool.metrics().queued == 0);
    pool.drain();
    assert_eq!(quiet.load(Ordering::Relaxed), 0);
    drop(open);
    assert_eq!(pool.join(LIMIT).still_running, 0);
    assert_eq!(quiet.load(Ordering::Relaxed), 1);
}
