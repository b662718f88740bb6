//! Threads that come and go.

use crate::support::{LIMIT, block_on, eventually, pool};
use kasasagi_blocking::{BlockingError, Hook};
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

/// Jobs that wait until `n` of them run at the same time.
fn meet(n: usize) -> impl Fn() -> bool + Clone + Send + 'static {
    let meeting = Arc::new((Mutex::new(0), Condvar::new()));
    move || {
        let mut there = meeting.0.lock().unwrap_or_else(PoisonError::into_inner);
        *there += 1;
        meeting.1.notify_all();
        let waited = meeting.1.wait_timeout_while(there, LIMIT, |there| *there < n);
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }
}

#[test]
fn blocked_jobs_get_threads_up_to_the_limit() {
    const MOST: usize = 16;
    let pool = pool(|config| config.max_threads = MOST);
    let job = meet(MOST);
    // No submit after these: only the lookout can see the stall.
    let jobs: Vec<_> = (0..MOST + 4).map(|_| pool.unblock(job.clone())).collect();
    for job in jobs {
        assert_eq!(block_on(job).ok(), Some(true));
    }
    assert_eq!(pool.metrics().threads, MOST);
}

#[test]
fn a_second_job_is_served_while_the_first_blocks() {
    let pool = pool(|_| ());
    let job = meet(2);
    let first = pool.unblock(job.clone());
    eventually("the first one is taken", || pool.metrics().queued == 0);
    let second = pool.unblock(job);
    assert_eq!(block_on(second).ok(), Some(true));
    assert_eq!(block_on(first).ok(), Some(true));
}

#[test]
fn one_thread_does_what_comes_one_by_one() {
    let pool = pool(|_| ());
    for n in 0..1000 {
        assert_eq!(block_on(pool.unblock(move || n)).ok(), Some(n));
        eventually("the thread is idle again", || pool.metrics().idle == pool.metrics().threads);
    }
    assert_eq!(pool.metrics().threads, 1);
}

#[test]
fn a_thousand_tiny_jobs_use_few_threads() {
    // A stall of a second: what the machine does beside this test is not the pool's stall.
    let pool = pool(|config| config.stall = Duration::from_secs(1));
    let jobs: Vec<_> = (0..1000).map(|n| pool.unblock(move || n)).collect();
    for (n, job) in jobs.into_iter().enumerate() {
        assert_eq!(block_on(job).ok(), Some(n));
    }
    let threads = pool.metrics().threads;
    // Three as a rule; one more for each time that all are interrupted in a job. One for each job would be hundreds.
    assert!(threads <= 40, "{threads} threads for a thousand tiny jobs");
}

#[test]
fn idle_threads_leave_after_the_keep_alive() {
    let pool = pool(|config| config.keep_alive = Duration::from_millis(10));
    let job = meet(3);
    let jobs: Vec<_> = (0..3).map(|_| pool.unblock(job.clone())).collect();
    for job in jobs {
        assert_eq!(block_on(job).ok(), Some(true));
    }
    eventually("all threads have left", || pool.metrics().threads == 0);
    assert_eq!(block_on(pool.unblock(|| 1)).ok(), Some(1), "and one comes back");
}

#[test]
fn no_job_is_lost_between_keep_alive_and_hand_off() {
    let pool = pool(|config| {
        config.keep_alive = Duration::from_micros(1);
        config.max_threads = 2;
    });
    for n in 0..2000 {
        assert_eq!(block_on(pool.unblock(move || n)).ok(), Some(n));
    }
}

#[test]
fn a_refused_thread_is_an_error_only_when_there_is_none() {
    let granted = Arc::new(AtomicUsize::new(0));
    let pool = {
        let granted = Arc::clone(&granted);
        pool(|config| {
            config.before_thread = Some(Arc::new(move || {
                granted
                    .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1))
                    .map(drop)
                    .map_err(|_| io::Error::from(io::ErrorKind::WouldBlock))
            }));
        })
    };
    let job = block_on(pool.unblock(|| 1));
    let Err(BlockingError::NoThread(error)) = job else { panic!("there is no thread: {job:?}") };
    assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    assert_eq!(pool.metrics().threads, 0);

    granted.store(1, Ordering::Relaxed);
    let jobs: Vec<_> = (0..100).map(|n| pool.unblock(move || n)).collect();
    for (n, job) in jobs.into_iter().enumerate() {
        assert_eq!(block_on(job).ok(), Some(n), "one thread does them all");
    }
    assert_eq!(pool.metrics().threads, 1);
}

/// Has the `n`th thread of a pool wait in its initializer until the sender is gone; says how many were there.
fn hang_in(n: usize) -> (mpsc::Sender<()>, Arc<AtomicUsize>, Hook) {
    let (release, hang) = mpsc::channel::<()>();
    let (hang, there) = (Mutex::new(hang), Arc::new(AtomicUsize::new(0)));
    let hook = {
        let there = Arc::clone(&there);
        move || {
            if there.fetch_add(1, Ordering::Relaxed) + 1 == n {
                let _ = hang.lock().unwrap_or_else(PoisonError::into_inner).recv();
            }
        }
    };
    (release, there, Arc::new(hook))
}

/// Which threads have gone to rest since they last worked.
mod resting {
    use std::sync::{Mutex, MutexGuard, PoisonError};
    use std::thread::{self, ThreadId};

    static ALL: Mutex<Vec<ThreadId>> = Mutex::new(Vec::new());

    fn all() -> MutexGuard<'static, Vec<ThreadId>> {
        ALL.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn contains(id: ThreadId) -> bool {
        all().contains(&id)
    }

    pub(super) fn rests() {
        works();
        all().push(thread::current().id());
    }

    /// Says who it is.
    pub(super) fn works() -> ThreadId {
        let me = thread::current().id();
        all().retain(|id| *id != me);
        me
    }
}

#[test]
fn the_lookout_does_not_wait_for_a_thread_that_is_long_in_its_initializer() {
    let (release, there, hook) = hang_in(3);
    let pool = pool(|config| {
        config.max_threads = 3;
        // So long that there is still a lookout when the last two jobs come.
        config.stall = Duration::from_millis(20);
        config.initializer = Some(hook);
        config.before_rest = Some(resting::rests);
    });
    let (open, gate) = mpsc::channel::<()>();
    let gate = Arc::new(Mutex::new(gate));
    let blocked = || {
        let gate = Arc::clone(&gate);
        pool.unblock(move || drop(gate.lock().map(|gate| gate.recv().is_ok())))
    };
    let blocked = [blocked(), blocked()];
    eventually("two threads are at it", || pool.running().len() == 2);
    let third = pool.unblock(|| ());
    eventually("a third one is on its way", || there.load(Ordering::Relaxed) == 3);
    drop(open);
    for job in blocked.into_iter().chain([third]) {
        assert!(job.wait().is_ok());
    }
    // Not in every round is there a lookout.
    for _ in 0..20 {
        // One thread does them; the other, called for them as well, finds that it is not needed, and looks out.
        let tiny: Vec<_> = (0..3000).map(|_| pool.unblock(resting::works)).collect();
        let last = tiny.into_iter().map(|job| job.wait().ok()).last().flatten();
        let last = last.expect("there are some");
        eventually("who did the last one rests", || resting::contains(last));
        // The one who rests takes the first, which blocks until the second runs.
        let job = meet(2);
        let (first, mut second) = (pool.unblock(job.clone()), pool.unblock(job));
        let ended = second.wait_timeout(LIMIT / 4).and_then(Result::ok);
        assert_eq!(ended, Some(true), "it was queued, a thread awake: {:?}", pool.metrics());
        assert_eq!(first.wait().ok(), Some(true));
    }
    drop(release);
}

#[test]
fn a_thread_that_is_too_long_on_its_way_is_not_waited_for_any_more() {
    let (release, there, hook) = hang_in(2);
    let pool = pool(|config| {
        config.max_threads = 3;
        config.initializer = Some(hook);
    });
    let (open, gate) = mpsc::channel::<()>();
    let first = pool.unblock(move || gate.recv().is_err());
    eventually("it is taken", || pool.metrics().queued == 0);
    let mut second = pool.unblock(|| 2);
    eventually("a second thread is on its way", || there.load(Ordering::Relaxed) == 2);
    let end = Instant::now() + LIMIT / 4;
    while !second.is_finished() && Instant::now() < end {
        drop(pool.unblock(|| ()));
        std::thread::yield_now();
    }
    let ended = second.wait_timeout(Duration::ZERO).and_then(Result::ok);
    drop((release, open));
    assert_eq!(ended, Some(2), "nobody else was started: {:?}", pool.metrics());
    assert_eq!(first.wait().ok(), Some(true));
}
