//! Strace: the system calls of a process between two moments, counted by `strace -c`.
//!
//! Every call stops the process for some microseconds, so that it sleeps and wakes in other places than it would:
//! the counts are close, and no times are taken in such a run.

use crate::row::Figure;
use std::io;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

/// A strace that is attached to all threads of a process.
#[derive(Debug)]
pub struct Strace {
    child: Child,
    file: PathBuf,
}

impl Strace {
    /// Whether the machine has it.
    pub fn is_there() -> bool {
        Command::new("strace").arg("-V").output().is_ok()
    }

    /// Attaches to a process, and returns when it is there.
    pub fn attach(process: u32) -> io::Result<Self> {
        let file = std::env::temp_dir().join(format!("kasasagi-strace-{process}"));
        let child = Command::new("strace")
            .args(["-f", "-c", "-q", "-o"])
            .arg(&file)
            .args(["-p", &process.to_string()])
            .spawn()?;
        let limit = Instant::now() + Duration::from_secs(10);
        while !all_traced(process) && Instant::now() < limit {
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(Self { child, file })
    }

    /// Detaches; the calls by name, for each of `ops`, most first, and their sum.
    pub fn end(mut self, ops: f64) -> io::Result<Vec<Figure>> {
        let interrupt = format!("kill -INT {}", self.child.id());
        Command::new("sh").args(["-c", &interrupt]).status()?;
        self.child.wait()?;
        let summary = std::fs::read_to_string(&self.file)?;
        std::fs::remove_file(&self.file)?;
        let row = |line: &str| {
            let words: Vec<_> = line.split_whitespace().collect();
            let calls: f64 = words.get(3)?.parse().ok()?;
            let name = *words.last()?;
            Some((name.to_owned(), calls / ops)).filter(|(name, _)| name != "total")
        };
        let mut calls: Vec<(String, f64)> = summary.lines().filter_map(row).collect();
        calls.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        let all = Figure::new("system calls", calls.iter().map(|(_, calls)| calls).sum());
        let each =
            calls.into_iter().map(|(name, calls)| Figure::new(format!("calls of {name}"), calls));
        Ok(std::iter::once(all).chain(each).collect())
    }
}

/// Whether each thread of the process has a tracer.
fn all_traced(process: u32) -> bool {
    let Ok(threads) = std::fs::read_dir(format!("/proc/{process}/task")) else { return false };
    threads.flatten().all(|thread| {
        let status = std::fs::read_to_string(thread.path().join("status")).unwrap_or_default();
        !status.lines().any(|line| line.starts_with("TracerPid:") && line.ends_with("\t0"))
    })
}
