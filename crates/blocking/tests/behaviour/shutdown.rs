//! The end.

use crate::support::{LIMIT, block_on, eventually, pool};
use kasasagi_blocking::BlockingError;
use std::sync::mpsc;
use std::time::{Duration, Instant};

#[test]
fn shutdown_waits_for_what_runs_and_cancels_what_waits() {
    let pool = pool(|config| config.max_threads = 1);
    let (go, wait) = mpsc::channel::<()>();
    let (started, has_started) = mpsc::channel();
    let runs = pool.unblock(move || {
        started.send(()).expect("the test waits for it");
        wait.recv().is_ok()
    });
    has_started.recv().expect("the job starts");
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
    let (go, wait) = mpsc::channel::<()>();
    let (started, has_started) = mpsc::channel();
    let job = pool.unblock(move || {
        started.send(()).expect("the test waits for it");
        wait.recv().is_ok()
    });
    has_started.recv().expect("the job starts");
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
    let (go, wait) = mpsc::channel::<()>();
    let runs = pool.unblock(move || wait.recv().is_ok());
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
