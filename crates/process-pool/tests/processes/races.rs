//! What meets what: ends, drops, answers and shutdowns, at moments that differ from round to round.

use crate::drive::run;
use crate::jobs::{ask, square, workers};
use futures_util::future::{join, join_all};
use kasasagi_process_pool::JobError;
use kasasagi_reactor::time::timeout;
use rustix::process::Signal;
use std::time::{Duration, Instant};

fn wait(microseconds: u64) {
    let start = Instant::now();
    while start.elapsed() < Duration::from_micros(microseconds) {
        std::hint::spin_loop();
    }
}

/// Answers after the one time, and is killed after the other.
fn answer_and_die((answers, dies): (u64, u64)) -> u64 {
    std::thread::spawn(move || {
        wait(dies);
        let _ = rustix::process::kill_process(rustix::process::getpid(), Signal::KILL);
    });
    wait(answers);
    answers
}

#[test]
fn exec_19_a_workers_death_meets_its_answer() {
    run(async {
        let workers = workers(1);
        let (mut answered, mut broke) = (0, 0);
        for round in 0..300 {
            let (answers, dies) = (100 + round % 40, 60 + (round * 7) % 130);
            match ask(&workers, answer_and_die, (answers, dies)).await {
                Ok(said) => {
                    assert_eq!(said, answers);
                    answered += 1;
                }
                Err(JobError::Broken(broken)) => {
                    assert_eq!(broken.signal(), Some(9), "{broken}");
                    broke += 1;
                }
                other => panic!("neither: {other:?}"),
            }
            // It may die before that, amid that, or after it.
            match ask(&workers, square, round).await {
                Ok(answer) => assert_eq!(answer, round * round),
                Err(error) => assert!(error.is_broken(), "{error}"),
            }
        }
        println!("{answered} answered, {broke} broke");
        workers.shutdown(false).await;
        assert_eq!(workers.processes(), 0);
    });
}

#[test]
fn a_drop_meets_the_answer_and_whoever_waits_for_the_worker() {
    run(async {
        let workers = workers(2);
        let mut late = 0;
        for round in 0..200 {
            let jobs = (0..4).map(|job| {
                let call = ask(&workers, square, round + job);
                // From before the first word to long after the answer.
                let limit = if job % 2 == 0 { (round * 13 + job * 5) % 150 } else { 60_000_000 };
                async move { (job, timeout(Duration::from_micros(limit), call).await) }
            });
            for (job, result) in join_all(jobs).await {
                match result {
                    Ok(answer) => {
                        let n = round + job;
                        assert_eq!(answer.expect("it is nobody else's drop"), n * n);
                    }
                    Err(_) => {
                        assert_eq!(job % 2, 0, "a job hangs");
                        late += 1;
                    }
                }
            }
            assert!(workers.processes() <= 2);
        }
        println!("{late} dropped");
        workers.shutdown(false).await;
        assert_eq!(workers.processes(), 0);
    });
}

#[test]
fn a_shutdown_meets_jobs_in_flight() {
    run(async {
        for round in 0..60_u64 {
            let workers = workers(2);
            let jobs = join_all((0..5).map(|n| {
                let limit = if n == 0 { 200 * (round % 20) } else { 60_000_000 };
                timeout(Duration::from_micros(limit), ask(&workers, square, n))
            }));
            let shutdown = async {
                kasasagi_reactor::time::sleep(Duration::from_micros(150 * (round % 15))).await;
                workers.shutdown(round % 2 == 0).await;
                assert_eq!(workers.processes(), 0);
                assert!(matches!(ask(&workers, square, 1).await, Err(JobError::Closed)));
            };
            let (results, ()) = join(jobs, shutdown).await;
            for (n, result) in results.into_iter().enumerate() {
                match result {
                    Ok(Ok(answer)) => assert_eq!(answer, (n * n) as u64),
                    Ok(Err(JobError::Closed)) => {
                        assert_eq!(round % 2, 0, "it was handed in before")
                    }
                    Err(_) => assert_eq!(n, 0, "a job hangs"),
                    Ok(Err(error)) => panic!("{error}"),
                }
            }
        }
    });
}
