//! What is called on the threads, and how they are told about.

use crate::support::{LIMIT, held, pool};
use kasasagi_blocking::{BlockingError, Hook, JobInfo, Pool};
use std::panic::Location;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

fn counts() -> (Arc<AtomicUsize>, Hook) {
    let count = Arc::new(AtomicUsize::new(0));
    let hook = {
        let count = Arc::clone(&count);
        move || {
            count.fetch_add(1, Ordering::Relaxed);
        }
    };
    (count, Arc::new(hook))
}

#[test]
fn hooks_are_called_once_a_thread_and_may_panic() {
    let ((started, start), (stopped, stop), (initialized, initialize)) =
        (counts(), counts(), counts());
    let pool = pool(|config| {
        config.max_threads = 1;
        config.on_thread_start = Some(Arc::new(move || {
            start();
            panic!("a hook");
        }));
        config.on_thread_stop = Some(Arc::new(move || {
            stop();
            panic!("a hook");
        }));
        config.initializer = Some(initialize);
    });
    assert_eq!(started.load(Ordering::Relaxed), 0, "no thread was asked for");
    for n in 0..10 {
        assert_eq!(pool.unblock(move || n).wait().ok(), Some(n));
    }
    assert_eq!(started.load(Ordering::Relaxed), 1);
    assert_eq!(initialized.load(Ordering::Relaxed), 1);
    assert_eq!(stopped.load(Ordering::Relaxed), 0);
    assert_eq!(pool.shutdown(LIMIT).still_running, 0);
    assert_eq!(stopped.load(Ordering::Relaxed), 1, "a shutdown waits for it");
}

#[test]
fn the_stop_hook_is_called_when_the_keep_alive_is_over() {
    let (tell, told) = mpsc::channel();
    let pool = pool(|config| {
        config.keep_alive = Duration::from_millis(1);
        config.on_thread_stop = Some(Arc::new(move || {
            let _ = tell.send(());
        }));
    });
    assert_eq!(pool.unblock(|| 1).wait().ok(), Some(1));
    assert_eq!(told.recv_timeout(LIMIT), Ok(()));
}

#[test]
fn an_initializer_that_panics_breaks_the_pool_for_all_that_waits() {
    let pool = pool(|config| {
        config.max_threads = 2;
        config.initializer = Some(Arc::new(|| panic!("no licence")));
    });
    let jobs: Vec<_> = (0..10).map(|n| pool.unblock(move || n)).collect();
    for job in jobs {
        let Err(BlockingError::Broken(text)) = job.wait() else { panic!("it is broken") };
        assert_eq!(&*text, "no licence");
    }
    let Err(error @ BlockingError::Broken(_)) = pool.unblock(|| 1).wait() else {
        panic!("it stays broken")
    };
    assert!(error.to_string().contains("no licence"), "{error}");
    assert_eq!(pool.shutdown(LIMIT).still_running, 0);
    assert_eq!(pool.metrics().threads, 0);
}

#[test]
fn what_still_runs_is_told_by_name_and_place() {
    let pool = pool(|_| ());
    let (go, wait) = mpsc::channel::<()>();
    let (started, has_started) = mpsc::channel();
    let place = Location::caller();
    let info = JobInfo::new(place).named(Some("counting stars".into()));
    let job = pool.unblock_as(info, move || {
        started.send(()).expect("the test waits for it");
        wait.recv().is_ok()
    });
    has_started.recv().expect("the job starts");
    let running = pool.running();
    assert_eq!(running.len(), 1);
    let report = pool.shutdown(Duration::ZERO);
    assert_eq!((report.still_running, report.jobs.len()), (1, 1));
    let said = report.jobs[0].to_string();
    assert!(said.contains("`counting stars`") && said.contains(&place.to_string()), "{said}");
    go.send(()).expect("the job waits");
    assert_eq!(job.wait().ok(), Some(true));
    assert!(pool.shutdown(LIMIT).jobs.is_empty());
    assert!(pool.running().is_empty());
}

#[test]
fn exec_12_draining_runs_what_was_handed_in_and_refuses_what_comes_later() {
    for stall in [Duration::ZERO, Duration::from_secs(1)] {
        let pool = pool(|config| {
            config.max_threads = 3;
            config.stall = stall;
        });
        let runs = Arc::new(AtomicUsize::new(0));
        let jobs: Vec<_> = (0..100)
            .map(|n| {
                let runs = Arc::clone(&runs);
                pool.unblock(move || {
                    runs.fetch_add(1, Ordering::Relaxed);
                    n
                })
            })
            .collect();
        pool.drain();
        let Err(BlockingError::Closed) = pool.unblock(|| 1).wait() else { panic!("it is closed") };
        assert_eq!(pool.join(LIMIT).still_running, 0);
        assert_eq!(runs.load(Ordering::Relaxed), 100);
        for (n, job) in jobs.into_iter().enumerate() {
            assert_eq!(job.wait().ok(), Some(n));
        }
    }
}

#[test]
fn a_drained_pool_still_grows_for_what_blocks() {
    let pool = pool(|config| config.max_threads = 4);
    let meeting = Arc::new(std::sync::Barrier::new(4));
    let jobs: Vec<_> = (0..4)
        .map(|_| {
            let meeting = Arc::clone(&meeting);
            pool.unblock(move || meeting.wait().is_leader())
        })
        .collect();
    pool.drain();
    assert_eq!(pool.join(LIMIT).still_running, 0);
    assert!(jobs.into_iter().all(|job| job.wait().is_ok()));
}

#[test]
fn who_waits_for_the_last_thread_in_a_task_is_woken() {
    let pool = pool(|_| ());
    let (go, job) = held(&pool);
    pool.drain();
    let waiter = {
        let pool = pool.clone();
        std::thread::spawn(move || crate::support::block_on(pool.deserted()))
    };
    go.send(()).expect("the job waits");
    waiter.join().expect("it is woken");
    assert_eq!(job.wait().ok(), Some(true));
    assert_eq!(pool.metrics().threads, 0);
}

#[test]
fn threads_come_and_go_and_no_job_is_lost() {
    let pool = pool(|config| {
        config.max_threads = 4;
        config.keep_alive = Duration::from_micros(50);
        config.stall = Duration::from_micros(10);
    });
    let runs = Arc::new(AtomicUsize::new(0));
    let submitters: Vec<_> = (0..4)
        .map(|_| {
            let (pool, runs) = (pool.clone(), Arc::clone(&runs));
            std::thread::spawn(move || {
                for n in 0..2_000_usize {
                    let runs = Arc::clone(&runs);
                    let job = pool.unblock(move || {
                        runs.fetch_add(1, Ordering::Relaxed);
                        n
                    });
                    match n % 4 {
                        0 => assert_eq!(job.wait().ok(), Some(n)),
                        1 => job.detach(),
                        2 if job.cancel() => drop(runs_instead(&pool)),
                        _ => assert_eq!(job.wait().ok(), Some(n)),
                    }
                }
            })
        })
        .collect();
    for submitter in submitters {
        submitter.join().expect("it does not panic");
    }
    pool.drain();
    assert_eq!(pool.join(LIMIT).still_running, 0);
    let runs = runs.load(Ordering::Relaxed);
    assert!((6_000..=8_000).contains(&runs), "{runs}");
}

/// What was taken back did not run; something else does.
fn runs_instead(pool: &kasasagi_blocking::Pool) -> Option<u8> {
    pool.unblock(|| 1).wait().ok()
}

#[test]
fn a_shutdown_does_not_wait_longer_than_its_limit_for_a_stop_hook() {
    let (tell, told) = mpsc::channel();
    let (open, gate) = mpsc::channel::<()>();
    let gate = Mutex::new(gate);
    let pool = pool(|config| {
        config.keep_alive = Duration::from_millis(1);
        config.on_thread_stop = Some(Arc::new(move || {
            let _ = tell.send(());
            let _ = gate.lock().unwrap_or_else(PoisonError::into_inner).recv();
        }));
    });
    assert!(pool.unblock(|| ()).wait().is_ok());
    assert_eq!(told.recv_timeout(LIMIT), Ok(()));
    let (tell, told) = mpsc::channel();
    let other = pool.clone();
    std::thread::spawn(move || tell.send(other.shutdown(Duration::from_millis(20)).still_running));
    assert_eq!(told.recv_timeout(LIMIT / 4), Ok(1));
    drop(open);
    assert_eq!(pool.shutdown(LIMIT).still_running, 0);
}

/// What `f` gives that the first thread of a pool calls in its stop hook, when its keep-alive is over.
fn in_a_stop_hook<T: Send + 'static>(f: impl Fn(&Pool) -> T + Send + Sync + 'static) -> T {
    let (tell, told) = mpsc::channel();
    let (itself, is_first) = (Arc::<Mutex<Option<Pool>>>::default(), AtomicUsize::new(0));
    let inside = Arc::clone(&itself);
    let pool = pool(|config| {
        config.max_threads = 1;
        config.keep_alive = Duration::from_millis(1);
        config.on_thread_stop = Some(Arc::new(move || {
            // A clone: `f` may be in here for long.
            let pool = inside.lock().unwrap_or_else(PoisonError::into_inner).clone();
            if let (0, Some(pool)) = (is_first.fetch_add(1, Ordering::Relaxed), pool) {
                let _ = tell.send(f(&pool));
            }
        }));
    });
    *itself.lock().unwrap_or_else(PoisonError::into_inner) = Some(pool.clone());
    assert!(pool.unblock(|| ()).wait().is_ok());
    let told = told.recv_timeout(LIMIT).expect("the hook ends");
    // Its hook holds the pool, which would never end.
    drop(itself.lock().unwrap_or_else(PoisonError::into_inner).take());
    let _ = pool.shutdown(LIMIT);
    told
}

#[test]
fn a_stop_hook_may_shut_its_pool_down() {
    assert_eq!(in_a_stop_hook(|pool| pool.shutdown(LIMIT).still_running), 0);
}

#[test]
fn a_wait_in_a_stop_hook_is_no_deadlock() {
    let ended = in_a_stop_hook(|pool| {
        let (tell, told) = mpsc::channel();
        let (open, gate) = mpsc::channel::<()>();
        let job = pool.unblock(move || {
            let _ = tell.send(());
            gate.recv_timeout(Duration::from_millis(50)).is_err()
        });
        let _ = told.recv();
        let ended = job.wait();
        drop(open);
        ended
    });
    assert!(matches!(ended, Ok(true)), "{ended:?}");
}

#[test]
fn a_stop_hook_does_not_hide_a_deadlock() {
    let (tell, told) = mpsc::channel();
    let (open, gate) = mpsc::channel::<()>();
    let (gate, is_first) = (Mutex::new(gate), AtomicUsize::new(0));
    let pool = pool(|config| {
        config.max_threads = 1;
        config.keep_alive = Duration::from_millis(1);
        config.on_thread_stop = Some(Arc::new(move || {
            if is_first.fetch_add(1, Ordering::Relaxed) == 0 {
                let _ = tell.send(());
                let _ = gate.lock().unwrap_or_else(PoisonError::into_inner).recv();
            }
        }));
    });
    assert!(pool.unblock(|| ()).wait().is_ok());
    assert_eq!(told.recv_timeout(LIMIT), Ok(()));
    let inside = pool.clone();
    let mut outer = pool.unblock(move || inside.unblock(|| ()).wait());
    let ended = outer.wait_timeout(LIMIT / 4).and_then(Result::ok);
    drop(open);
    assert!(matches!(ended, Some(Err(BlockingError::Deadlock { .. }))), "{ended:?}");
}

#[test]
#[should_panic(expected = "`Config::thread_name` has a NUL in it")]
fn a_name_that_no_thread_can_have_is_refused_at_once() {
    drop(pool(|config| config.thread_name = String::from("a\0b")));
}
