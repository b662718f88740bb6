//! Starts that come to nothing, and what a worker is born with.

use crate::drive::{eventually, run};
use crate::jobs::{Note, ask, is_there, pid, spin, square, with, workers};
use futures_util::future::join;
use kasasagi_process_pool::{JobError, Request};
use kasasagi_reactor::time::{sleep, timeout};
use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

/// Children of this process, dead ones that nobody has waited for included, by what the system calls them.
#[cfg(target_os = "linux")]
fn children(name: &str) -> usize {
    let threads = std::fs::read_dir("/proc/self/task").expect("there is a /proc").flatten();
    let lists = threads.filter_map(|it| std::fs::read_to_string(it.path().join("children")).ok());
    let lists = lists.collect::<String>();
    let called = |pid: &str| std::fs::read_to_string(format!("/proc/{pid}/comm"));
    lists.split_whitespace().filter(|pid| called(pid).is_ok_and(|it| it.trim() == name)).count()
}

/// `/bin/cat` by another name: it reads its standard input, and never says hello. It is gone with this.
#[cfg(target_os = "linux")]
struct Silent(std::path::PathBuf);

#[cfg(target_os = "linux")]
impl Silent {
    fn named(name: &str) -> Self {
        let folder = format!("kasasagi-{name}-{}", std::process::id());
        let folder = std::env::temp_dir().join(folder);
        std::fs::create_dir_all(&folder).expect("it can be made");
        std::os::unix::fs::symlink("/bin/cat", folder.join(name)).expect("it can be made");
        Self(folder.join(name))
    }
}

#[cfg(target_os = "linux")]
impl Drop for Silent {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(self.0.with_file_name(""));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_process_that_never_says_hello_is_ended_in_time() {
    let silent = Silent::named("mute");
    run(async {
        let workers = with(|config| {
            config.executable = Some(silent.0.clone());
            config.start_timeout = Duration::from_millis(100);
        });
        for _ in 0..2 {
            let refused = ask(&workers, square, 1).await;
            let Err(JobError::Start(error)) = refused else { panic!("it was not: {refused:?}") };
            assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
        }
        workers.shutdown(false).await;
        assert_eq!(children("mute"), 0);
    });
}

#[test]
fn a_hello_that_comes_by_the_byte_has_a_limit_in_all() {
    let path = std::env::temp_dir().join(format!("kasasagi-drip-{}", std::process::id()));
    let script = "#!/bin/sh\nwhile printf k >&0; do sleep 0.02; done\n";
    std::fs::write(&path, script).expect("it can be written");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    std::fs::set_permissions(&path, mode).expect("it is ours");
    run(async {
        let workers = with(|config| {
            config.executable = Some(path.clone());
            config.start_timeout = Duration::from_millis(150);
        });
        // Another thread may have forked while the file was written, and holds it open for a moment.
        let error = loop {
            let refused = ask(&workers, square, 1).await;
            let Err(JobError::Start(error)) = refused else { panic!("it was not: {refused:?}") };
            if error.kind() != ErrorKind::ExecutableFileBusy {
                break error;
            }
        };
        // After 32 bytes, that is 640 ms, it would be known that they are no hello.
        assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
    });
    let _ = std::fs::remove_file(path);
}

#[cfg(target_os = "linux")]
#[test]
fn a_job_that_is_dropped_while_its_worker_starts_leaves_no_process_and_nobody_waits() {
    let silent = Silent::named("dumb");
    run(async {
        let start = std::time::Instant::now();
        let workers = with(|config| config.executable = Some(silent.0.clone()));
        let mut job = Box::pin(ask(&workers, square, 1));
        while children("dumb") == 0 {
            assert!(timeout(Duration::from_millis(1), &mut job).await.is_err());
        }
        assert_eq!(workers.processes(), 1);
        drop(job);
        workers.shutdown(false).await;
        assert_eq!(children("dumb"), 0, "a shutdown has waited for it");
        assert_eq!(workers.processes(), 0);
        assert!(start.elapsed() < Duration::from_secs(15), "it did not wait for the hello");
    });
}

#[test]
fn no_more_processes_start_than_there_may_be_though_jobs_are_dropped() {
    run(async {
        let workers = workers(2);
        for round in 0..100 {
            let mut job = Box::pin(ask(&workers, square, round));
            let _ = futures_util::poll!(&mut job);
            drop(job);
            assert!(workers.processes() <= 2);
        }
        assert_eq!(ask(&workers, square, 9).await.expect("it has a worker"), 81);
        workers.shutdown(false).await;
    });
}

#[test]
fn an_initializer_that_hangs_is_killed_with_the_job_that_waits_for_it() {
    run(async {
        let note = Note::new();
        let workers = with(|config| config.initializer = Some(Request::of(spin, &note.path())));
        let mut job = Box::pin(ask(&workers, square, 1));
        while note.pid().is_none() {
            assert!(timeout(Duration::from_millis(1), &mut job).await.is_err());
        }
        let pid = note.pid().expect("it was written");
        // The next one waits for the slot.
        let mut next = Box::pin(ask(&workers, square, 2));
        assert!(futures_util::poll!(&mut next).is_pending());
        drop(job);
        let another = async {
            while note.pid().is_none_or(|now| now == pid) {
                sleep(Duration::from_millis(1)).await;
            }
        };
        // It has an initializer of its own, and so on.
        assert!(
            timeout(
                Duration::from_secs(60),
                join(another, async {
                    assert!(timeout(Duration::from_millis(300), &mut next).await.is_err());
                })
            )
            .await
            .is_ok()
        );
        drop(next);
        workers.shutdown(false).await;
        assert!(!is_there(pid) && !is_there(note.pid().expect("it was written")));
    });
}

#[cfg(target_os = "linux")]
#[test]
fn a_worker_holds_no_descriptor_of_its_parent_or_of_another_worker() {
    fn descriptors((): ()) -> (String, Vec<String>) {
        let open = std::fs::read_dir("/proc/self/fd").expect("there is a /proc").flatten();
        // Its output is its parent's, whatever that is.
        let inner = open.filter(|entry| !matches!(entry.file_name().to_str(), Some("1" | "2")));
        let targets = inner.filter_map(|entry| std::fs::read_link(entry.path()).ok());
        let input = std::fs::read_link("/proc/self/fd/0").expect("it is open");
        let text = |path: std::path::PathBuf| path.to_string_lossy().into_owned();
        (text(input), targets.map(text).collect())
    }
    run(async {
        let workers = workers(3);
        let jobs = [(); 3].map(|()| ask(&workers, descriptors, ()));
        let [one, two, three] = jobs;
        let (one, (two, three)) = join(one, join(two, three)).await;
        for open in [one, two, three] {
            let (input, open) = open.expect("it ends");
            assert_eq!(input, "/dev/null");
            let count = |what: &str| open.iter().filter(|name| name.starts_with(what)).count();
            assert_eq!(count("socket:"), 1, "its own: {open:?}");
            assert_eq!(count("anon_inode:"), 0, "{open:?}");
        }
    });
}

#[test]
fn a_job_may_have_workers_of_its_own_which_end_with_it() {
    fn nested(note: String) -> u64 {
        run(async {
            let own = workers(2);
            let square = ask(&own, square, 7).await.expect("it ends");
            if Path::new(&note).exists() {
                ask(&own, spin, note).await.expect("it never ends");
            }
            own.shutdown(false).await;
            square
        })
    }
    run(async {
        let workers = workers(1);
        assert_eq!(ask(&workers, nested, String::new()).await.expect("it ends"), 49);
        let note = Note::new();
        std::fs::write(&note.0, "").expect("it can be written");
        let outer = ask(&workers, pid, ()).await.expect("it ends");
        let mut job = Box::pin(ask(&workers, nested, note.path()));
        while note.pid().is_none() {
            assert!(timeout(Duration::from_millis(1), &mut job).await.is_err());
        }
        let inner = note.pid().expect("it was written");
        assert_ne!(inner.as_raw_nonzero().get() as u32, outer);
        drop(job);
        let stat = format!("/proc/{}/stat", inner.as_raw_nonzero());
        // A dead one may be there until whoever inherited it waits for it.
        eventually("it has ended with its parent", || {
            std::fs::read_to_string(&stat).map_or(true, |stat| stat.contains(") Z"))
        });
        workers.shutdown(false).await;
    });
}
