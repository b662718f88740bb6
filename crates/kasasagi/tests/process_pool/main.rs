//! Jobs in other processes, from tasks: on one thread and on workers. Feature `process`.

#[path = "../behaviour/flavour.rs"]
#[allow(dead_code, reason = "the other tests need more of it")]
mod flavour;

use flavour::{for_each_flavour, in_each_flavour, on_virtual_time, run};
use futures_util::StreamExt;
use kasasagi::process_pool::{Bytes, JobError};
use kasasagi::time::timeout;
use kasasagi::{BrokenProcessPool, ProcessPool, gather, task, time};
use std::time::Duration;

fn square(n: u64) -> u64 {
    n * n
}

fn pid((): ()) -> u32 {
    std::process::id()
}

fn spin((): ()) {
    loop {
        std::hint::spin_loop();
    }
}

fn abort((): ()) {
    std::process::abort();
}

fn broken<R>(result: Result<R, JobError>) -> BrokenProcessPool {
    match result {
        Err(JobError::Broken(broken)) => broken,
        Err(other) => panic!("another error: {other}"),
        Ok(_) => panic!("it ended well"),
    }
}

#[test]
fn exec_18_a_job_gives_its_result_and_may_run_a_runtime_of_its_own() {
    fn sleeps(name: String) -> String {
        kasasagi::run(async move {
            time::sleep(Duration::from_millis(1)).await;
            let task = kasasagi::spawn(async move { format!("hello {name}") });
            task.await.expect("it ends")
        })
    }
    for_each_flavour(|build| {
        let runtime = build();
        run(&runtime, async {
            let pool = ProcessPool::new(1);
            let hello = pool.submit(sleeps, "kasa".to_owned()).await;
            assert_eq!(hello.expect("it ends"), "hello kasa");
            assert_ne!(pool.submit(pid, ()).await.expect("it ends"), std::process::id());
            pool.shutdown(false).await;
        });
    });
}

#[test]
fn exec_19_a_crash_breaks_its_own_job_and_never_hangs_the_others() {
    for_each_flavour(|build| {
        let runtime = build();
        run(&runtime, async {
            let pool = ProcessPool::new(2);
            let crashes = pool.submit(abort, ());
            let others: Vec<_> = (0..20).map(|n| pool.submit(square, n)).collect();
            assert_eq!(broken(crashes.await).signal(), Some(6));
            for (n, other) in others.into_iter().enumerate() {
                assert_eq!(other.await.expect("it is unharmed"), (n * n) as u64);
            }
            pool.shutdown(false).await;
            assert_eq!(pool.processes(), 0);
        });
    });
}

#[test]
fn exec_16_map_submits_at_once_and_gives_results_in_order() {
    fn late_if_early(n: u64) -> u64 {
        // The earlier, the later it ends.
        std::thread::sleep(Duration::from_millis(20 - 2 * n));
        n
    }
    for_each_flavour(|build| {
        let runtime = build();
        run(&runtime, async {
            let pool = ProcessPool::new(3);
            let all = pool.map(late_if_early, 0..10).await.expect("they end");
            assert_eq!(all, (0..10).collect::<Vec<_>>());
            let mut some = pool.map(|n: u64| assert!(n != 2, "not two"), [0, 1, 2, 3]);
            let mut ends = Vec::new();
            while let Some(result) = some.next().await {
                ends.push(result.map_err(|error| error.is_panic()));
            }
            assert_eq!(ends, [Ok(()), Ok(()), Err(true), Ok(())]);
            let failed = pool.map(|n: u64| assert!(n != 2, "not two"), [0, 1, 2, 3]).await;
            assert!(failed.is_err_and(|error| error.is_panic()));
        });
    });
}

#[test]
fn a_job_that_times_out_is_killed_and_only_it() {
    for_each_flavour(|build| {
        let runtime = build();
        run(&runtime, async {
            let pool = ProcessPool::new(2);
            let stays = pool.submit(pid, ()).await.expect("it ends");
            let endless = [pool.submit(spin, ()), pool.submit(spin, ())];
            let [one, two] = endless;
            // Started by the call, and none of them ends.
            assert!(timeout(Duration::from_millis(100), one).await.is_err());
            let again = pool.submit(pid, ()).await.expect("it has a worker");
            assert_ne!(again, stays, "the one that was killed is replaced");
            assert!(!two.is_finished());
            two.cancel();
            assert!(matches!(two.await, Err(JobError::Cancelled)));
            pool.shutdown(true).await;
        });
    });
}

#[test]
fn a_job_is_a_task_that_has_a_name_and_is_gone_with_its_handle() {
    for_each_flavour(|build| {
        let runtime = build();
        run(&runtime, async {
            let pool = ProcessPool::new(1);
            let job = pool.submit(spin, ());
            let names = || task::all().iter().filter(|task| task.name.contains("spin")).count();
            assert!(job.task().is_some_and(|task| task.name().contains("spin")));
            assert_eq!(names(), 1);
            drop(job);
            // Its task has ended when its worker was handed on.
            assert_eq!(pool.submit(square, 2).await.expect("it has a worker"), 4);
            assert_eq!(names(), 0);
        });
    });
}

#[test]
fn a_job_that_is_detached_runs_to_its_end() {
    in_each_flavour(async || {
        let file = std::env::temp_dir().join(format!("kasasagi-detached-{}", std::process::id()));
        let _ = std::fs::remove_file(&file);
        let pool = ProcessPool::new(1);
        let write = |path: String| std::fs::write(path, "done").is_ok();
        pool.submit(write, file.to_str().expect("letters").to_owned()).detach();
        pool.shutdown(false).await;
        assert_eq!(std::fs::read_to_string(&file).expect("it was written"), "done");
        let _ = std::fs::remove_file(file);
    });
}

#[test]
fn jobs_can_be_gathered_and_large_ones_do_not_hold_the_runtime() {
    fn length(bytes: Bytes) -> (usize, Bytes) {
        (bytes.len(), bytes)
    }
    in_each_flavour(async || {
        let pool = ProcessPool::new(2);
        let squares = gather((0..50).map(|n| pool.submit(square, n))).await;
        for (n, result) in squares.into_iter().enumerate() {
            let result = result.expect("it is not cancelled");
            assert_eq!(result.expect("it ends"), (n * n) as u64);
        }
        let ticks = kasasagi::spawn(async {
            for _ in 0..20 {
                time::sleep(Duration::from_millis(1)).await;
            }
        });
        let large = pool.submit(length, Bytes::from(vec![7; 16 << 20])).await.expect("it ends");
        assert!(large.0 == 16 << 20 && large.1.iter().all(|byte| *byte == 7));
        ticks.await.expect("it ends");
    });
}

#[test]
fn an_argument_that_cannot_be_sent_is_the_jobs_error() {
    in_each_flavour(async || {
        let pool = ProcessPool::builder().max_workers(1).max_message(100).build();
        let refused = pool.submit(|text: String| text.len(), "x".repeat(200));
        assert!(refused.is_finished() && refused.task().is_none());
        assert!(matches!(refused.await, Err(JobError::Argument(_))));
        assert_eq!(pool.processes(), 0);
    });
}

#[test]
fn a_pool_may_be_shared_by_runtimes_that_come_and_go() {
    let pool = ProcessPool::new(1);
    let builds = [flavour::one, flavour::two, flavour::four, flavour::one];
    let pids = builds.map(|build| run(&build(), async { pool.submit(pid, ()).await }));
    let pids = pids.map(|pid| pid.expect("it ends"));
    assert!(pids.iter().all(|pid| *pid == pids[0]), "{pids:?}");
}

#[test]
fn virtual_time_does_not_hurry_a_worker() {
    on_virtual_time(|build| {
        let runtime = build();
        run(&runtime, async {
            let pool = ProcessPool::new(1);
            assert_eq!(pool.submit(square, 12).await.expect("it ends"), 144);
        });
    });
}

#[test]
fn a_runtime_that_ends_kills_what_runs() {
    for_each_flavour(|build| {
        let pool = ProcessPool::new(1);
        let runtime = build();
        run(&runtime, async {
            let before = pool.submit(pid, ()).await.expect("it ends");
            pool.submit(spin, ()).detach();
            assert_ne!(before, std::process::id());
        });
        let report = runtime.shutdown(Duration::from_secs(30));
        assert!(report.is_clean(), "{report}");
        let runtime = build();
        assert_eq!(run(&runtime, async { pool.submit(square, 3).await }).expect("it ends"), 9);
    });
}
