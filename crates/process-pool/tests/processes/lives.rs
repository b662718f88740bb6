//! The lives of workers: when they start, what they do first, when they are replaced, and how they leave.

use crate::drive::run;
use crate::jobs::{Note, ask, is_there, linger, pid, square, with, workers};
use futures_util::future::join;
use kasasagi_process_pool::{JobError, Request};
use kasasagi_reactor::time::timeout;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

#[test]
fn a_worker_is_started_when_it_is_needed_and_kept() {
    run(async {
        let workers = workers(3);
        assert_eq!(workers.processes(), 0);
        let first = ask(&workers, pid, ()).await.expect("it ends");
        for _ in 0..10 {
            assert_eq!(ask(&workers, pid, ()).await.expect("it ends"), first);
        }
        assert_eq!(workers.processes(), 1);
    });
}

#[test]
fn a_worker_is_replaced_after_so_many_jobs() {
    run(async {
        let workers = with(|config| config.max_tasks_per_child = Some(3));
        let mut pids = Vec::new();
        for _ in 0..9 {
            pids.push(ask(&workers, pid, ()).await.expect("it ends"));
        }
        let mut distinct = pids.clone();
        distinct.dedup();
        assert_eq!(distinct.len(), 3, "{pids:?}");
        assert!(pids.chunks(3).all(|three| three.iter().all(|pid| *pid == three[0])), "{pids:?}");
    });
}

static LOADED: AtomicU32 = AtomicU32::new(0);

#[test]
fn the_initializer_runs_once_in_each_worker_and_before_its_jobs() {
    run(async {
        let load = |n: u32| {
            LOADED.fetch_add(n, Ordering::SeqCst);
        };
        let workers = with(|config| {
            config.max_tasks_per_child = Some(2);
            config.initializer = Some(Request::of(load, &5));
        });
        for _ in 0..6 {
            let loaded = ask(&workers, |()| LOADED.load(Ordering::SeqCst), ()).await;
            assert_eq!(loaded.expect("it ends"), 5);
        }
        assert_eq!(LOADED.load(Ordering::SeqCst), 0, "here nothing is loaded");
    });
}

#[test]
fn an_initializer_that_fails_fails_the_job_that_needed_the_worker() {
    run(async {
        let panics = |()| -> () { panic!("no model") };
        let exits = |()| -> () { std::process::exit(4) };
        for initializer in [Request::of(panics, &()), Request::of(exits, &()), Err("no".into())] {
            let workers = with(|config| config.initializer = Some(initializer));
            for _ in 0..2 {
                let failed = ask(&workers, square, 1).await;
                assert!(matches!(failed, Err(JobError::Initializer(_))), "{failed:?}");
            }
            workers.shutdown(false).await;
        }
    });
}

#[test]
fn a_job_that_leaves_the_line_kills_nobody() {
    run(async {
        let (workers, note) = (workers(1), Note::new());
        let lingers = ask(&workers, linger, note.path());
        let leaves = async {
            let waits = ask(&workers, square, 1);
            while note.pid().is_none() {
                kasasagi_reactor::time::sleep(Duration::from_millis(1)).await;
            }
            assert!(timeout(Duration::from_millis(5), waits).await.is_err());
            std::fs::write(format!("{}-go", note.path()), "").expect("it can be written");
        };
        let (lingered, ()) = join(lingers, leaves).await;
        assert_eq!(ask(&workers, pid, ()).await.expect("it ends"), lingered.expect("it lives"));
    });
}

#[test]
fn a_shutdown_does_what_waits_and_refuses_what_comes() {
    run(async {
        let workers = workers(1);
        let jobs = [1, 2, 3].map(|n| ask(&workers, square, n));
        let [one, two, three] = jobs;
        let (results, ()) =
            join(async { (one.await, two.await, three.await) }, workers.shutdown(false)).await;
        assert!(matches!(results, (Ok(1), Ok(4), Ok(9))), "{results:?}");
        let refused = ask(&workers, square, 1).await;
        assert!(matches!(refused, Err(JobError::Closed)), "{refused:?}");
        assert_eq!(workers.processes(), 0);
    });
}

#[test]
fn a_shutdown_that_cancels_tells_who_waits() {
    run(async {
        let (workers, note) = (workers(1), Note::new());
        let runs = ask(&workers, linger, note.path());
        let waits = ask(&workers, square, 2);
        let ends = async {
            while note.pid().is_none() {
                kasasagi_reactor::time::sleep(Duration::from_millis(1)).await;
            }
            workers.close(true);
            let refused = waits.await;
            assert!(matches!(refused, Err(JobError::Closed)), "{refused:?}");
            std::fs::write(format!("{}-go", note.path()), "").expect("it can be written");
            workers.shutdown(true).await;
        };
        let (ran, ()) = join(runs, ends).await;
        ran.expect("what runs is not cancelled");
        assert!(!is_there(note.pid().expect("it was written")));
    });
}

#[test]
fn the_last_handle_lets_the_jobs_end() {
    run(async {
        let workers = workers(1);
        let jobs = [6, 7].map(|n| ask(&workers, square, n));
        drop(workers);
        let [six, seven] = jobs;
        let (six, seven) = join(six, seven).await;
        assert_eq!((six.expect("it was handed in"), seven.expect("it was too")), (36, 49));
    });
}

#[test]
fn workers_may_be_used_from_one_runtime_after_the_other() {
    let workers = workers(2);
    let first = run(ask(&workers, pid, ()));
    let again = run(ask(&workers, pid, ()));
    assert_eq!(first.expect("it ends"), again.expect("it ends"));
    run(workers.shutdown(false));
}

#[test]
fn without_a_runtime_the_job_is_told_so() {
    let workers = workers(1);
    let job = ask(&workers, square, 1);
    let told = futures_util::FutureExt::now_or_never(job);
    assert!(
        matches!(told, Some(Err(JobError::Start(error))) if error.to_string().contains("no runtime"))
    );
}
