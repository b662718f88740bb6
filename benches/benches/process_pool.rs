//! How long does a call of a function in another process take, with a number there and a number back?
//!
//! The median of calls one after the other, the worker warm. Beside it Python's `ProcessPoolExecutor`, `submit` and
//! `result`, where there is a python3; and the floor, 40 bytes to `cat` and back over a socket pair, without a runtime on
//! either side. It does not show what large arguments cost, nor what the start of a worker does.

use kasasagi::ProcessPool;
use kasasagi_benches::column::{FLOOR, PYTHON};
use kasasagi_benches::row::percentile;
use kasasagi_benches::{Beside, Peer, Row, Suite};
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::time::Instant;

struct Call;

fn next(n: u64) -> u64 {
    n + 1
}

const SCRIPT: &str = "
import sys, time
from concurrent.futures import ProcessPoolExecutor

def next_of(n):
    return n + 1

with ProcessPoolExecutor(2) as pool:
    took = []
    for i in range(int(sys.argv[1]) + 10):
        start = time.perf_counter_ns()
        assert pool.submit(next_of, i).result() == i + 1
        took.append(time.perf_counter_ns() - start)
    print(sorted(took[10:])[len(took) // 2 - 5])
";

/// Python's; it brings its own clock.
fn python(ops: u64) -> f64 {
    let output = Command::new("python3").args(["-c", SCRIPT, &ops.to_string()]).output();
    let output = output.expect("it was there before");
    let text = String::from_utf8_lossy(&output.stdout);
    text.trim().parse().unwrap_or_else(|_| panic!("python3 gave no figure: {output:?}"))
}

fn floor(ops: u64) -> f64 {
    let (mut ours, theirs) = UnixStream::pair().expect("the system gives a pair");
    let output = theirs.try_clone().expect("it can be copied");
    let mut cat = Command::new("cat")
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .stdout(Stdio::from(OwnedFd::from(output)))
        .spawn()
        .expect("there is a cat");
    let mut bytes = [7; 40];
    let mut took = times(ops, |_| {
        ours.write_all(&bytes).expect("cat reads");
        ours.read_exact(&mut bytes).expect("cat writes");
    });
    drop(ours);
    cat.wait().expect("it is ours");
    percentile(&mut took, 0.5)
}

fn times(ops: u64, mut call: impl FnMut(u64)) -> Vec<f64> {
    let timed = |i| {
        let start = Instant::now();
        call(i);
        start.elapsed().as_nanos() as f64
    };
    (0..ops).map(timed).collect()
}

impl Row for Call {
    fn name(&self) -> String {
        "process pool, a call, median".into()
    }

    fn ops(&self) -> u64 {
        5_000
    }

    // The worker's is not in it.
    fn has_cpu(&self) -> bool {
        false
    }

    fn run<P: Peer>(&self, peer: P, ops: u64) -> f64 {
        peer.inside(async move {
            let pool = ProcessPool::new(2);
            let mut took = Vec::with_capacity(ops as usize);
            for i in 0..ops + 10 {
                let start = Instant::now();
                let answer = pool.submit(next, i).await;
                took.push(start.elapsed().as_nanos() as f64);
                assert_eq!(answer.expect("it ends"), i + 1);
            }
            pool.shutdown(false).await;
            percentile(&mut took[10..], 0.5)
        })
    }

    fn beside(&self) -> Vec<Beside> {
        let mut beside = vec![Beside::new(FLOOR, floor)];
        if Command::new("python3").arg("--version").output().is_ok_and(|out| out.status.success()) {
            beside.push(Beside::new(PYTHON, python));
        }
        beside
    }
}

pub(crate) fn rows(suite: &Suite) {
    suite.row_without(&Call, &["tokio", "smol", "smol-static"]);
}
