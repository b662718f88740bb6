//! A worker that ends in the middle of a job breaks that job, and nothing else.

use crate::drive::{eventually, run};
use crate::jobs::{
    Note, ask, forever, is_there, kill_itself, linger, segfault, spin, square, workers,
};
use futures_util::future::{join, join_all};
use kasasagi_process_pool::{BrokenProcessPool, JobError};
use kasasagi_reactor::time::timeout;
use rustix::process::Signal;
use std::time::Duration;

fn broken<R: std::fmt::Debug>(result: Result<R, JobError>) -> BrokenProcessPool {
    match result {
        Err(JobError::Broken(broken)) => broken,
        other => panic!("the worker broke: {other:?}"),
    }
}

#[test]
fn exec_19_a_crash_says_how_the_process_ended() {
    run(async {
        let workers = workers(1);
        let killed = broken(ask(&workers, kill_itself, ()).await);
        assert_eq!((killed.signal(), killed.code()), (Some(9), None));
        assert!(killed.job().ends_with("kill_itself") && killed.pid() != 0);
        let aborted = broken(ask(&workers, |()| -> () { std::process::abort() }, ()).await);
        assert_eq!(aborted.signal(), Some(6));
        let crashed = broken(ask(&workers, segfault, ()).await);
        assert_eq!(crashed.signal(), Some(11));
        let exited = broken(ask(&workers, |code| -> () { std::process::exit(code) }, 3).await);
        assert_eq!((exited.signal(), exited.code()), (None, Some(3)));
        assert!(exited.to_string().contains("exit status: 3"), "{exited}");
        assert_eq!(ask(&workers, square, 7).await.expect("a new worker does it"), 49);
    });
}

#[test]
fn exec_19_a_kill_from_outside_in_the_middle_of_a_job() {
    run(async {
        let (workers, note) = (workers(1), Note::new());
        let path = note.path();
        let killer = std::thread::spawn(move || {
            eventually("the job says who it is", || note.pid().is_some());
            let pid = note.pid().expect("it was said");
            rustix::process::kill_process(pid, Signal::KILL).expect("it runs");
            pid
        });
        let killed = broken(ask(&workers, spin, path).await);
        let pid = killer.join().expect("it found the worker");
        assert_eq!(killed.signal(), Some(9));
        assert_eq!(killed.pid(), pid.as_raw_nonzero().get() as u32);
    });
}

#[test]
fn a_job_that_eats_all_memory_breaks_its_worker_alone() {
    fn eat((): ()) -> usize {
        let limit = rustix::process::Rlimit { current: Some(1 << 28), maximum: Some(1 << 28) };
        rustix::process::setrlimit(rustix::process::Resource::As, limit)
            .expect("it can be lowered");
        let mut hoard = Vec::new();
        loop {
            hoard.push(vec![1_u8; 1 << 24]);
            std::hint::black_box(&hoard);
        }
    }
    run(async {
        let workers = workers(2);
        let (eaten, well) = join(ask(&workers, eat, ()), ask(&workers, square, 3)).await;
        assert_eq!(broken(eaten).signal(), Some(6));
        assert_eq!(well.expect("it is unharmed"), 9);
    });
}

#[test]
fn a_crash_harms_no_other_job_and_is_replaced() {
    fn every_third_aborts(n: u64) -> u64 {
        if n % 3 == 0 { std::process::abort() } else { n }
    }
    run(async {
        let workers = workers(3);
        let results = join_all((0..60).map(|n| ask(&workers, every_third_aborts, n))).await;
        for (n, result) in results.into_iter().enumerate() {
            match result {
                Ok(m) => assert_eq!(m, n as u64),
                Err(error) => assert!(n % 3 == 0 && error.is_broken(), "{n}: {error}"),
            }
        }
        assert!(workers.processes() <= 3);
    });
}

#[test]
fn a_job_that_is_dropped_is_killed_and_no_other() {
    run(async {
        let (workers, spins, lingers) = (workers(2), Note::new(), Note::new());
        let other = ask(&workers, linger, lingers.path());
        let endless = async {
            let endless = ask(&workers, spin, spins.path());
            let mut endless = Box::pin(endless);
            while spins.pid().is_none() || lingers.pid().is_none() {
                assert!(timeout(Duration::from_millis(2), &mut endless).await.is_err());
            }
            drop(endless);
            std::fs::write(format!("{}-go", lingers.path()), "").expect("it can be written");
        };
        let (lingered, ()) = join(other, endless).await;
        let lingered = lingered.expect("it is unharmed") as i32;
        assert_eq!(lingers.pid().map(|pid| pid.as_raw_nonzero().get()), Some(lingered));
        // The slot is free for a new one.
        assert_eq!(ask(&workers, square, 5).await.expect("it is replaced"), 25);
        workers.shutdown(false).await;
        let [spun, lingered] = [&spins, &lingers].map(|note| note.pid().expect("it was written"));
        assert!(!is_there(spun) && !is_there(lingered), "a shutdown has waited for all");
    });
}

#[test]
fn a_job_that_is_dropped_after_any_number_of_polls_leaves_the_pool_whole() {
    run(async {
        for polls in 0..16 {
            let workers = workers(1);
            let mut job = Box::pin(ask(&workers, forever, ()));
            for _ in 0..polls {
                assert!(futures_util::poll!(&mut job).is_pending());
                kasasagi_reactor::time::sleep(Duration::from_micros(500)).await;
            }
            drop(job);
            assert_eq!(ask(&workers, square, polls).await.expect("it has a worker"), polls * polls);
            workers.shutdown(false).await;
            assert_eq!(workers.processes(), 0);
        }
    });
}

#[test]
#[cfg(target_os = "linux")]
fn a_worker_that_dies_idle_is_nobodys_loss() {
    run(async {
        let workers = workers(1);
        for _ in 0..20 {
            let idle = ask(&workers, crate::jobs::pid, ()).await.expect("it says who it is") as i32;
            let idle = rustix::process::Pid::from_raw(idle).expect("a number");
            rustix::process::kill_process(idle, Signal::KILL).expect("it is there");
            // Its last thread has gone, and with it the socket.
            eventually("it is dead", || {
                let proc = format!("/proc/{}", idle.as_raw_nonzero());
                let stat = std::fs::read_to_string(format!("{proc}/stat"));
                let threads = std::fs::read_dir(format!("{proc}/task")).map_or(0, Iterator::count);
                stat.is_ok_and(|stat| stat.contains(") Z")) && threads == 1
            });
            assert_eq!(ask(&workers, square, 4).await.expect("another does it"), 16);
        }
    });
}

/// Stops every thread of a process.
#[cfg(target_os = "linux")]
fn stop(pid: rustix::process::Pid) {
    rustix::process::kill_process(pid, Signal::STOP).expect("it is there");
    eventually("all of it stands still", || {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", pid.as_raw_nonzero()));
        tasks.expect("it is there").flatten().all(|task| {
            let stat = std::fs::read_to_string(task.path().join("stat"));
            stat.is_ok_and(|stat| stat.contains(") T"))
        })
    });
}

#[cfg(target_os = "linux")]
#[test]
fn a_job_that_is_dropped_is_killed_though_its_process_stands_still() {
    run(async {
        let (workers, note) = (workers(1), Note::new());
        let mut job = Box::pin(ask(&workers, spin, note.path()));
        while note.pid().is_none() {
            assert!(timeout(Duration::from_millis(1), &mut job).await.is_err());
        }
        let pid = note.pid().expect("it was written");
        stop(pid);
        drop(job);
        workers.shutdown(false).await;
        assert!(!is_there(pid));
    });
}

#[cfg(target_os = "linux")]
#[test]
fn a_job_that_its_worker_had_not_read_is_another_workers() {
    run(async {
        let workers = workers(1);
        for _ in 0..20 {
            let stopped =
                ask(&workers, crate::jobs::pid, ()).await.expect("it says who it is") as i32;
            let stopped = rustix::process::Pid::from_raw(stopped).expect("a number");
            stop(stopped);
            // Sent by the first poll, before the kill.
            let kill = async { rustix::process::kill_process(stopped, Signal::KILL) };
            let (answer, killed) = join(ask(&workers, square, 4), kill).await;
            killed.expect("it is there");
            assert_eq!(answer.expect("another does it"), 16);
        }
    });
}

/// Leaves a child whose standard input is this worker's end of the stream; gives its number.
#[cfg(target_os = "linux")]
fn leave_a_child_that_holds_the_stream((): ()) -> u32 {
    let input = std::process::Stdio::from(std::os::fd::OwnedFd::from(crate::jobs::own_socket()));
    let child = std::process::Command::new("sleep").arg("600").stdin(input).spawn();
    child.expect("it starts").id()
}

#[cfg(target_os = "linux")]
#[test]
fn a_worker_that_dies_idle_is_nobodys_loss_though_a_child_holds_the_stream() {
    let number = |pid: u32| rustix::process::Pid::from_raw(pid as i32).expect("a number");
    run(async {
        let workers = workers(1);
        let idle = number(ask(&workers, crate::jobs::pid, ()).await.expect("it says who it is"));
        let child = ask(&workers, leave_a_child_that_holds_the_stream, ()).await;
        let child = number(child.expect("it is left behind"));
        rustix::process::kill_process(idle, Signal::KILL).expect("it is there");
        eventually("it is dead", || {
            let stat = std::fs::read_to_string(format!("/proc/{}/stat", idle.as_raw_nonzero()));
            let tasks = std::fs::read_dir(format!("/proc/{}/task", idle.as_raw_nonzero()));
            stat.is_ok_and(|stat| stat.contains(") Z")) && tasks.map_or(0, Iterator::count) == 1
        });
        let answer = ask(&workers, square, 4).await;
        rustix::process::kill_process(child, Signal::KILL).expect("it is there");
        assert_eq!(answer.expect("another does it"), 16);
    });
}

/// Where there is no pidfd, only the end of the stream tells.
#[cfg(target_os = "linux")]
#[test]
fn a_crash_is_seen_though_a_child_holds_the_stream() {
    fn leave_a_child((): ()) {
        let socket = crate::jobs::own_socket();
        // Standard input of a child that outlives its parent: the other end of the stream stays open.
        let input = std::process::Stdio::from(std::os::fd::OwnedFd::from(socket));
        let child = std::process::Command::new("sleep").arg("600").stdin(input).spawn();
        let note = std::env::temp_dir().join(format!("kasasagi-child-{}", std::process::id()));
        std::fs::write(note, child.expect("it starts").id().to_string()).expect("it is written");
        std::process::abort();
    }
    run(async {
        let workers = workers(1);
        let aborted = broken(ask(&workers, leave_a_child, ()).await);
        assert_eq!(aborted.signal(), Some(6));
        let note = std::env::temp_dir().join(format!("kasasagi-child-{}", aborted.pid()));
        let child: i32 =
            std::fs::read_to_string(&note).expect("it was written").parse().expect("a number");
        let _ = std::fs::remove_file(note);
        let child = rustix::process::Pid::from_raw(child).expect("a number");
        rustix::process::kill_process(child, Signal::KILL).expect("it is there");
    });
}
