//! The stage. Without an argument, or with a part of a name, plays each scene in a child, prints a line for each like a
//! harness, and says at the end how many passed.

mod copies;
mod leaving;

#[path = "../processes/drive.rs"]
mod drive;
#[path = "../processes/jobs.rs"]
#[allow(dead_code, reason = "the other tests need more of it")]
mod jobs;

use drive::{eventually, run};
use futures_util::future::{join, join_all};
use jobs::{Note, ask, forever, is_there, pid, spin, square, workers};
use kasasagi_process_pool::JobError;
use rustix::process::{Pid, Resource, Rlimit, Signal};
use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, Command, ExitCode, Stdio};

const SCENE: &str = "KASASAGI_SCENE";

/// A name, what a child does, and how that is judged.
type Scene = (&'static str, fn(), fn(&str));

const ALL: &[Scene] = &[
    ("no_worker_outlives_a_parent_that_is_killed", keep_busy_and_idle, kill_over_its_workers),
    ("ctrl_c_is_for_the_parent_and_leaves_workers_alone", interrupt_the_group, judge_by_itself),
    ("a_parent_that_ends_takes_its_workers_along", end_over_workers, judge_by_itself),
    ("out_of_descriptors_a_pool_makes_do_with_fewer_workers", few_descriptors, judge_by_itself),
    ("out_of_processes_a_pool_makes_do_with_fewer_workers", few_processes, judge_by_itself),
    ("a_flood_of_output_goes_where_the_parents_goes", flood, count_the_flood),
    ("many_crashes_leave_neither_descriptors_nor_processes", crash_often, judge_by_itself),
    ("a_program_whose_file_is_gone_still_has_workers", lose_the_file, judge_as_a_copy),
    (
        "processes_of_pools_that_nobody_shuts_down_are_waited_for",
        leaving::leave_pools,
        judge_by_itself,
    ),
    ("a_worker_that_hangs_at_its_exit_is_ended", leaving::hang_at_the_exit, judge_by_itself),
    ("a_worker_that_stands_still_is_ended", leaving::stand_still, judge_by_itself),
    (
        "a_worker_that_dies_while_it_is_written_to_is_no_signal",
        leaving::die_while_it_is_written_to,
        judge_by_itself,
    ),
    ("a_pool_does_without_pidfd", leaving::do_without_pidfd, judge_by_itself),
    (
        "children_that_the_system_waits_for_are_no_loss",
        leaving::leave_children_to_the_system,
        judge_by_itself,
    ),
    ("a_large_argument_is_copied_no_more_often_than_it_must", copies::count, judge_by_itself),
];

pub(crate) fn main() -> ExitCode {
    if let Ok(name) = std::env::var(SCENE) {
        let scene = ALL.iter().find(|scene| scene.0 == name).expect("a scene's name");
        scene.1();
        return ExitCode::SUCCESS;
    }
    let (mut filters, mut skips, mut is_list) = (Vec::new(), Vec::new(), false);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--list" => is_list = true,
            "--skip" => skips.extend(arguments.next()),
            option if option.starts_with('-') => {}
            _ => filters.push(argument),
        }
    }
    if is_list {
        ALL.iter().for_each(|scene| println!("{}: test", scene.0));
        println!("\n{} tests, 0 benchmarks", ALL.len());
        return ExitCode::SUCCESS;
    }
    let has = |parts: &[String], name: &str| parts.iter().any(|part| name.contains(part.as_str()));
    let is_chosen = |name: &str| (filters.is_empty() || has(&filters, name)) && !has(&skips, name);
    let chosen: Vec<_> = ALL.iter().filter(|scene| is_chosen(scene.0)).collect();
    println!("running {} tests", chosen.len());
    let mut failed = 0;
    for (name, _, judge) in &chosen {
        let judged = std::panic::catch_unwind(|| judge(name)).is_ok();
        println!("test {name} ... {}", if judged { "ok" } else { "FAILED" });
        failed += usize::from(!judged);
    }
    let result = if failed == 0 { "ok" } else { "FAILED" };
    println!("test result: {result}. {} passed; {failed} failed", chosen.len() - failed);
    ExitCode::from(u8::from(failed > 0))
}

fn play(name: &str, program: PathBuf) -> Child {
    let mut command = Command::new(program);
    command.env(SCENE, name).stdin(Stdio::null()).stdout(Stdio::piped());
    command.spawn().expect("a scene starts")
}

fn myself() -> PathBuf {
    std::env::current_exe().expect("it has a name")
}

fn judge_by_itself(name: &str) {
    let output = play(name, myself()).wait_with_output().expect("it ends");
    assert!(output.status.success(), "{output:?}");
}

/// One worker in a job without end, and one without a job; their numbers are told.
fn keep_busy_and_idle() {
    run(async {
        let (workers, note) = (workers(2), Note::new());
        let endless = ask(&workers, spin, note.path());
        let told = async {
            let idle = ask(&workers, pid, ()).await.expect("it ends");
            while note.pid().is_none() {
                kasasagi_reactor::time::sleep(std::time::Duration::from_millis(1)).await;
            }
            println!("{} {idle}", note.pid().expect("it was written").as_raw_nonzero());
            std::io::stdout().flush().expect("it is read");
        };
        let _ = join(endless, told).await;
    });
}

fn told_by(child: &mut Child) -> Vec<Pid> {
    let mut line = String::new();
    let output = child.stdout.as_mut().expect("it is piped");
    std::io::BufRead::read_line(&mut std::io::BufReader::new(output), &mut line).expect("it tells");
    let numbers = line.split_whitespace().map(|pid| pid.parse().expect("a number"));
    numbers.map(|pid| Pid::from_raw(pid).expect("not zero")).collect()
}

fn kill_over_its_workers(name: &str) {
    for signal in [Signal::KILL, Signal::INT] {
        let mut child = play(name, myself());
        let pids = told_by(&mut child);
        assert_eq!(pids.len(), 2);
        assert!(pids.iter().all(|pid| is_there(*pid)));
        let parent = Pid::from_child(&child);
        rustix::process::kill_process(parent, signal).expect("it runs");
        child.wait().expect("it is ours");
        eventually("its workers are gone", || pids.iter().all(|pid| !runs(*pid)));
        let note = format!("kasasagi-note-{}-0", child.id());
        std::fs::remove_file(std::env::temp_dir().join(note)).expect("it was left behind");
    }
}

/// Whether it is there and not a dead one that whoever inherited it has not waited for.
fn runs(pid: Pid) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()));
    stat.is_ok_and(|stat| !stat.contains(") Z"))
}

/// What Ctrl-C at a terminal does: every process of the group gets the signal.
fn interrupt_the_group() {
    rustix::process::setpgid(None, None).expect("it may lead a group");
    run(async {
        let workers = workers(1);
        let before = ask(&workers, pid, ()).await.expect("it ends");
        // SAFETY: no handler is installed; and no worker is started after it, which would inherit it.
        unsafe { libc::signal(libc::SIGINT, libc::SIG_IGN) };
        let group = rustix::process::getpgrp();
        rustix::process::kill_process_group(group, Signal::INT).expect("it is there");
        assert_eq!(ask(&workers, pid, ()).await.expect("it lives"), before);
    });
}

/// Its main returns while a job runs: nobody waits for that, and it does not stay.
fn end_over_workers() {
    let note = Note::new();
    run(async {
        let workers = workers(1);
        let mut endless = Box::pin(ask(&workers, spin, note.path()));
        while note.pid().is_none() {
            let millisecond = std::time::Duration::from_millis(1);
            assert!(kasasagi_reactor::time::timeout(millisecond, &mut endless).await.is_err());
        }
    });
    let pid = note.pid().expect("it was written");
    eventually("the job is gone with its future", || !runs(pid));
}

fn few_descriptors() {
    run(async {
        let workers = workers(8);
        // What is open: a few of the runtime, three of a worker. Four more are enough for one, and not for two.
        let open = std::fs::read_dir("/proc/self/fd").expect("there is a /proc").count() as u64;
        let limit = |more| Rlimit { current: Some(open + more), maximum: Some(open + 100) };
        rustix::process::setrlimit(Resource::Nofile, limit(12)).expect("it can be lowered");
        let results = join_all((0..40).map(|n| ask(&workers, square, n))).await;
        for (n, result) in results.into_iter().enumerate() {
            assert_eq!(
                result.expect("there are fewer workers, and no fewer results"),
                (n * n) as u64
            );
        }
        let fewer = workers.processes();
        assert!((1..8).contains(&fewer), "{fewer} workers");
        rustix::process::setrlimit(Resource::Nofile, limit(100)).expect("it can be raised");
        join_all((0..40).map(|n| ask(&workers, square, n))).await;
        assert!(workers.processes() > fewer, "there is room again");
        workers.shutdown(false).await;
    });
    run(async {
        let workers = workers(2);
        let some = lower_to_nothing(Resource::Nofile);
        for result in join_all((0..5).map(|n| ask(&workers, square, n))).await {
            assert!(matches!(result, Err(JobError::Start(_))), "{result:?}");
        }
        rustix::process::setrlimit(Resource::Nofile, some).expect("it can be raised");
        assert_eq!(ask(&workers, square, 5).await.expect("there is room again"), 25);
    });
}

/// What the limit was, to be put back: a sanitizer wants to look around at the end.
fn lower_to_nothing(resource: Resource) -> Rlimit {
    let some = rustix::process::getrlimit(resource);
    let none = Rlimit { current: Some(0), maximum: some.maximum };
    rustix::process::setrlimit(resource, none).expect("it can be lowered");
    some
}

fn few_processes() {
    run(async {
        let workers = workers(4);
        // A thread counts as a process; of root, none does.
        if rustix::process::geteuid().is_root() {
            let nobody = rustix::fs::Uid::from_raw(65_534);
            let become_nobody = rustix::thread::set_thread_res_uid(nobody, nobody, nobody);
            if become_nobody.is_err() {
                return;
            }
        }
        let some = lower_to_nothing(Resource::Nproc);
        for result in join_all((0..5).map(|n| ask(&workers, square, n))).await {
            assert!(matches!(result, Err(JobError::Start(_))), "{result:?}");
        }
        rustix::process::setrlimit(Resource::Nproc, some).expect("it can be raised");
    });
}

/// Descriptors that are open, and children that are there: of this very program, since a sanitizer has some of its own.
fn holdings() -> (usize, usize) {
    let open = std::fs::read_dir("/proc/self/fd").expect("there is a /proc").count();
    let threads = std::fs::read_dir("/proc/self/task").expect("there is a /proc").flatten();
    let children = |thread: std::fs::DirEntry| {
        let list = std::fs::read_to_string(thread.path().join("children"));
        let called = |who: &str| std::fs::read_to_string(format!("/proc/{who}/comm")).ok();
        let is_ours = |pid: &&str| called(pid) == called("self");
        list.map_or(0, |list| list.split_whitespace().filter(is_ours).count())
    };
    (open, threads.map(children).sum())
}

fn crash_often() {
    run(async {
        let before = holdings();
        let workers = workers(2);
        for round in 0..100_u64 {
            let crashes = ask(&workers, jobs::kill_itself, ());
            let (crashed, well) = join(crashes, ask(&workers, square, round)).await;
            assert!(crashed.is_err_and(|error| error.is_broken()));
            assert_eq!(well.expect("it is unharmed"), round * round);
            let mut dropped = Box::pin(ask(&workers, forever, ()));
            assert!(futures_util::poll!(&mut dropped).is_pending());
            drop(dropped);
        }
        // At most one that was not waited for a slot, while it goes on.
        let during = holdings();
        assert!(during.0 <= before.0 + 10 && during.1 <= 6, "{before:?}, {during:?}");
        workers.shutdown(false).await;
        assert_eq!(holdings(), before);
    });
}

const LINES: usize = 200_000;

fn flood() {
    run(async {
        let talk = |lines: usize| (0..lines).for_each(|n| println!("line {n:06}"));
        let workers = workers(2);
        let (talked, well) = join(ask(&workers, talk, LINES), ask(&workers, square, 3)).await;
        talked.expect("it ends");
        assert_eq!(well.expect("it ends"), 9);
    });
}

fn count_the_flood(name: &str) {
    let output = play(name, myself()).wait_with_output().expect("it ends");
    assert!(output.status.success());
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(text.lines().filter(|line| line.starts_with("line ")).count(), LINES);
}

fn lose_the_file() {
    std::fs::remove_file(myself()).expect("it is a copy");
    run(async {
        let answer = ask(&workers(1), square, 6).await;
        assert_eq!(answer.expect("the kernel holds the file"), 36);
    });
}

fn judge_as_a_copy(name: &str) {
    let copy = std::env::temp_dir().join(format!("kasasagi-copy-{}", std::process::id()));
    std::fs::copy(myself(), &copy).expect("it can be copied");
    let output = play(name, copy).wait_with_output().expect("it ends");
    assert!(output.status.success(), "{output:?}");
}
