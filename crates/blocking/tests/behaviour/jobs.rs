//! One closure's way.

use crate::support::{block_on, eventually, held, pool};
use kasasagi_blocking::{BlockingError, Pool};
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::task::{Context, Waker};
use std::thread;

#[test]
fn a_job_runs_off_the_callers_thread() {
    let pool = pool(|_| ());
    let (id, name) = block_on(
        pool.unblock(|| (thread::current().id(), thread::current().name().map(String::from))),
    )
    .expect("it neither panics nor is cancelled");
    assert_ne!(id, thread::current().id());
    assert_eq!(name.as_deref(), Some("kasasagi-pool"));
}

#[test]
fn a_job_starts_at_the_call_and_not_at_the_first_poll() {
    let pool = pool(|_| ());
    let (tell, told) = mpsc::channel();
    let future = pool.unblock(move || tell.send(1).is_ok());
    assert_eq!(told.recv(), Ok(1));
    assert_eq!(block_on(future).ok(), Some(true));
}

#[test]
fn ten_jobs_run_once_each() {
    let pool = pool(|_| ());
    let runs = Arc::new(AtomicUsize::new(0));
    let jobs: Vec<_> = (0..10)
        .map(|n| {
            let runs = Arc::clone(&runs);
            pool.unblock(move || {
                runs.fetch_add(1, Ordering::Relaxed);
                n
            })
        })
        .collect();
    for (n, job) in jobs.into_iter().enumerate() {
        assert_eq!(block_on(job).ok(), Some(n));
    }
    assert_eq!(runs.load(Ordering::Relaxed), 10);
}

#[test]
fn a_panic_comes_out_of_the_future_and_the_thread_lives_on() {
    let pool = pool(|config| config.max_threads = 1);
    let job: Result<(), _> =
        block_on(pool.unblock(|| std::panic::panic_any(String::from("no sugar"))));
    let Err(BlockingError::Panicked(panic)) = job else { panic!("it panicked") };
    assert_eq!(panic.message(), Some("no sugar"));
    let payload = panic.into_payload();
    assert_eq!(payload.downcast_ref::<String>().map(String::as_str), Some("no sugar"));
    let error = BlockingError::Closed;
    assert!(error.to_string().contains("shut down"));
    assert_eq!(block_on(pool.unblock(|| 1)).ok(), Some(1));
    assert_eq!(pool.metrics().threads, 1);
}

#[test]
fn a_job_dropped_before_it_starts_never_runs() {
    let pool = pool(|config| config.max_threads = 1);
    let (go, first) = held(&pool);
    let runs = Arc::new(AtomicUsize::new(0));
    let second = {
        let runs = Arc::clone(&runs);
        pool.unblock(move || runs.fetch_add(1, Ordering::Relaxed))
    };
    drop(second);
    assert_eq!(Arc::strong_count(&runs), 1, "the closure is dropped with its future");
    go.send(()).expect("the first job waits");
    assert_eq!(block_on(first).ok(), Some(true));
    assert_eq!(block_on(pool.unblock(|| 3)).ok(), Some(3));
    assert_eq!(runs.load(Ordering::Relaxed), 0);
}

#[test]
fn a_job_dropped_while_it_runs_runs_to_its_end() {
    let pool = pool(|_| ());
    let (go, wait) = mpsc::channel::<()>();
    let (started, has_started) = mpsc::channel();
    let ended = Arc::new(AtomicUsize::new(0));
    let job = {
        let ended = Arc::clone(&ended);
        pool.unblock(move || {
            started.send(()).expect("the test waits for it");
            wait.recv().expect("the test lets it go");
            ended.store(1, Ordering::Release);
        })
    };
    has_started.recv().expect("the job starts");
    drop(job);
    go.send(()).expect("the job waits");
    eventually("the job ends", || ended.load(Ordering::Acquire) == 1);
}

#[test]
fn a_result_nobody_wants_is_dropped_and_may_panic() {
    struct Loud;
    impl Drop for Loud {
        fn drop(&mut self) {
            panic!("dropped");
        }
    }
    let pool = pool(|config| config.max_threads = 1);
    let (go, wait) = mpsc::channel::<()>();
    let (started, has_started) = mpsc::channel();
    let job = pool.unblock(move || {
        started.send(()).expect("the test waits for it");
        wait.recv().expect("the test lets it go");
        Loud
    });
    has_started.recv().expect("the job starts");
    drop(job);
    go.send(()).expect("the job waits");
    assert_eq!(block_on(pool.unblock(|| 1)).ok(), Some(1));
}

#[test]
fn a_polled_job_keeps_the_last_waker() {
    let pool = pool(|_| ());
    let (go, wait) = mpsc::channel::<()>();
    let mut job = pin!(pool.unblock(move || wait.recv().is_ok()));
    assert!(job.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    go.send(()).expect("the job waits");
    assert_eq!(block_on(job).ok(), Some(true));
}

#[test]
fn the_current_pool_is_the_one_entered_last() {
    assert!(Pool::current().is_none());
    let outer = pool(|config| config.max_threads = 1);
    let inner = pool(|_| ());
    let entered = outer.enter();
    {
        let _entered = inner.enter();
        let current = Pool::current().expect("one was entered");
        assert_eq!(block_on(current.unblock(|| 1)).ok(), Some(1));
        assert_eq!((inner.metrics().threads, outer.metrics().threads), (1, 0));
    }
    let current = Pool::current().expect("the outer one is back");
    assert_eq!(block_on(current.unblock(|| 1)).ok(), Some(1));
    assert_eq!(outer.metrics().threads, 1);
    drop(entered);
    assert!(Pool::current().is_none());
}

#[test]
fn short_jobs_are_told_of_although_a_long_one_comes_behind_them() {
    // Those before the long one end together, and so that somebody watches who tells of them.
    let pool = pool(|config| config.max_threads = 2);
    for round in 0..200 {
        let (open, opened) = mpsc::channel::<()>();
        let short: Vec<_> = (0..round).map(|i| pool.unblock(move || i)).collect();
        let long = pool.unblock(move || opened.recv().is_ok());
        for (i, job) in short.into_iter().enumerate() {
            assert_eq!(block_on(job).ok(), Some(i));
        }
        open.send(()).expect("the long one waits");
        assert_eq!(block_on(long).ok(), Some(true));
    }
}
