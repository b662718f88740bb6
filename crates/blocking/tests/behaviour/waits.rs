//! Threads that wait: for a result, for a job of their own pool, for one that was taken back.

use crate::support::{LIMIT, begun, block_on, eventually, held, pool};
use kasasagi_blocking::{BlockingError, JobInfo, Pool, lend};
use std::ops::Range;
use std::panic::Location;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;

#[test]
fn a_thread_waits_for_a_result() {
    let pool = pool(|_| ());
    for n in 0..1000 {
        assert_eq!(pool.unblock(move || n).wait().ok(), Some(n));
    }
}

#[test]
fn a_wait_with_a_limit_may_be_too_short_and_asked_again() {
    let pool = pool(|_| ());
    let (go, mut job) = held(&pool);
    assert!(job.wait_timeout(Duration::from_millis(5)).is_none());
    assert!(!job.is_finished());
    go.send(()).expect("the job waits");
    assert_eq!(job.wait_timeout(LIMIT).and_then(Result::ok), Some(true));
    assert!(job.is_finished());
}

#[test]
fn exec_09_a_job_taken_back_before_it_starts_never_runs() {
    let pool = pool(|config| config.max_threads = 1);
    let (go, first) = held(&pool);
    let runs = Arc::new(AtomicUsize::new(0));
    let second = {
        let runs = Arc::clone(&runs);
        pool.unblock(move || runs.fetch_add(1, Ordering::Relaxed))
    };
    assert!(second.cancel(), "it had not started");
    assert!(!second.cancel(), "only once");
    assert_eq!(Arc::strong_count(&runs), 1, "the closure is dropped there and then");
    let Err(BlockingError::Cancelled) = second.wait() else { panic!("it was taken back") };
    go.send(()).expect("the first job waits");
    assert_eq!(block_on(first).ok(), Some(true));
    assert_eq!(pool.unblock(|| 3).wait().ok(), Some(3));
    assert_eq!(runs.load(Ordering::Relaxed), 0);
}

#[test]
fn a_job_that_runs_cannot_be_taken_back() {
    let pool = pool(|_| ());
    let (go, job) = begun(&pool);
    assert!(!job.cancel());
    go.send(()).expect("the job waits");
    assert_eq!(job.wait().ok(), Some(true));
}

#[test]
fn a_detached_job_runs() {
    let pool = pool(|config| config.max_threads = 1);
    let (go, first) = held(&pool);
    let (tell, told) = mpsc::channel();
    pool.unblock(move || tell.send(1).is_ok()).detach();
    go.send(()).expect("the first job waits");
    assert_eq!(told.recv_timeout(LIMIT), Ok(1));
    assert_eq!(first.wait().ok(), Some(true));
}

/// A job of `pool` that waits for another of the same pool.
fn nested(pool: &Pool) -> impl FnOnce() -> Result<u32, BlockingError> + Send + 'static {
    let pool = pool.clone();
    move || pool.unblock(|| 7).wait()
}

#[test]
fn a_job_may_wait_for_its_own_pool_while_a_thread_is_left() {
    let pool = pool(|config| config.max_threads = 2);
    for _ in 0..100 {
        assert_eq!(pool.unblock(nested(&pool)).wait().ok().and_then(Result::ok), Some(7));
    }
}

#[test]
fn a_deadlock_on_ones_own_pool_is_told_to_the_last_who_waits() {
    let pool = pool(|config| config.max_threads = 1);
    let inner = pool.unblock(nested(&pool)).wait().expect("the outer job runs");
    let Err(BlockingError::Deadlock { threads: 1 }) = inner else { panic!("{inner:?}") };
    let said = BlockingError::Deadlock { threads: 1 }.to_string();
    assert!(said.contains("all 1 threads"), "{said}");
    assert_eq!(pool.unblock(|| 1).wait().ok(), Some(1), "the thread goes on");
}

#[test]
fn of_several_that_wait_the_last_one_breaks_the_deadlock() {
    const THREADS: usize = 4;
    for _ in 0..50 {
        let pool = pool(|config| {
            config.max_threads = THREADS;
            config.stall = Duration::ZERO;
        });
        let all_here = Arc::new(std::sync::Barrier::new(THREADS));
        let outer = |_| {
            let (job, all_here) = (nested(&pool), Arc::clone(&all_here));
            pool.unblock(move || {
                all_here.wait();
                job()
            })
        };
        let outer: Vec<_> = (0..THREADS).map(outer).collect();
        let inner: Vec<_> =
            outer.into_iter().map(|job| job.wait().expect("the outer jobs run")).collect();
        let lost = |result: &&Result<u32, _>| matches!(result, Err(BlockingError::Deadlock { .. }));
        let lost = inner.iter().filter(lost).count();
        assert!((1..THREADS).contains(&lost), "one gives up, and its thread serves others: {lost}");
        assert_eq!(inner.iter().filter(|result| result.is_ok()).count(), THREADS - lost);
    }
}

#[test]
fn a_wait_with_a_limit_is_no_deadlock() {
    let pool = pool(|config| config.max_threads = 1);
    let job = {
        let inside = pool.clone();
        pool.unblock(move || inside.unblock(|| 7).wait_timeout(Duration::from_millis(5)).is_none())
    };
    assert_eq!(job.wait().ok(), Some(true));
}

#[test]
fn work_runs_where_it_is_run_and_ends_if_it_is_dropped() {
    let (result, work) = lend(JobInfo::new(Location::caller()), || std::thread::current().id());
    let other = std::thread::spawn(move || {
        work.run();
        std::thread::current().id()
    });
    let other = other.join().expect("it does not panic");
    assert_eq!(result.wait().ok(), Some(other));

    let (result, work) = lend(JobInfo::new(Location::caller()), || 1);
    drop(work);
    let Err(BlockingError::Dropped) = result.wait() else { panic!("it was dropped") };
}

#[test]
fn those_who_give_up_on_a_pool_that_hangs_do_not_fill_its_queue() {
    let pool = pool(|config| config.max_threads = 1);
    let (go, first) = held(&pool);
    eventually("the first one is taken", || pool.metrics().queued == 0);
    let kept = pool.unblock(|| 5);
    for _ in 0..100_000 {
        drop(pool.unblock(|| ()));
    }
    assert!(pool.metrics().queued <= 2 * 4096, "{:?}", pool.metrics());
    go.send(()).expect("the first job waits");
    assert_eq!(first.wait().ok(), Some(true));
    assert_eq!(kept.wait().ok(), Some(5), "what is wanted is not swept away");
}

/// What a job gets that waits for another of its pool, where the system refuses the threads of these numbers.
fn with_refused(refused: Range<usize>) -> Option<Result<u32, BlockingError>> {
    let asked = Arc::new(AtomicUsize::new(0));
    let pool = pool(|config| {
        config.max_threads = 4;
        config.before_thread = Some(Arc::new(move || {
            let number = asked.fetch_add(1, Ordering::Relaxed);
            match refused.contains(&number) {
                true => Err(std::io::ErrorKind::WouldBlock.into()),
                false => Ok(()),
            }
        }));
    });
    let inside = pool.clone();
    let mut outer = pool.unblock(move || {
        let inner = inside.unblock(|| 7);
        // Time is the subject: longer than a pool makes do with the threads it has.
        std::thread::sleep(Duration::from_millis(150));
        inner.wait()
    });
    let ended = outer.wait_timeout(LIMIT / 4).and_then(Result::ok);
    // Whatever came of it, it ends.
    pool.unblock(|| ()).detach();
    ended
}

#[test]
fn who_waits_for_its_own_pool_asks_once_more_for_a_thread_that_was_refused() {
    let ended = with_refused(1..2);
    assert!(matches!(ended, Some(Ok(7))), "{ended:?}");
}

#[test]
fn who_waits_for_its_own_pool_is_told_when_a_thread_is_refused_again() {
    let ended = with_refused(1..usize::MAX);
    let Some(Err(BlockingError::NoThread(_))) = ended else { panic!("{ended:?}") };
}

/// Cannot be dropped in peace.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("it goes off");
    }
}

#[test]
fn work_does_not_panic_though_what_it_drops_does() {
    let (open, gate) = mpsc::channel::<()>();
    let (started, has_started) = mpsc::channel();
    let (result, work) = lend(JobInfo::new(Location::caller()), move || {
        let _ = started.send(());
        let _ = gate.recv();
        Bomb
    });
    let thread = std::thread::spawn(move || work.run());
    has_started.recv().expect("it starts");
    drop((result, open));
    assert!(thread.join().is_ok(), "a result that nobody wants goes off");

    let bomb = Bomb;
    let (result, work) = lend(JobInfo::new(Location::caller()), move || drop(bomb));
    assert!(std::thread::spawn(move || drop(work)).join().is_ok(), "a closure goes off");
    let Err(BlockingError::Dropped) = result.wait() else { panic!("it was dropped") };
}
