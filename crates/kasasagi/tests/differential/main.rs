//! Differential: the same small programs, in asyncio and here, leave the same trace.
//!
//! `programs.py` beside this file has the one half; where no `python3` of 3.11 or later is found, that is said, and
//! nothing is compared with it. Programs whose order does not hang on one worker run on two as well.

mod cancelling;
mod combinators;
mod groups;
mod later;
mod limits;
mod tasks;
mod trace;

use kasasagi::Runtime;
use std::collections::HashMap;
use std::path::Path;
use std::process::Command;
use trace::{Order, Program, Trace};

/// What each module has.
fn programs() -> impl Iterator<Item = &'static Program> {
    let all = [tasks::ALL, combinators::ALL, cancelling::ALL, groups::ALL, limits::ALL, later::ALL];
    all.into_iter().flatten()
}

/// The trace that `program` leaves on so many workers.
fn trace_of(program: &Program, workers: usize) -> Vec<String> {
    let builder = Runtime::builder().workers(workers).virtual_time();
    let runtime = builder.build().expect("a runtime can be built");
    let trace = runtime.run(async {
        let trace = Trace::begin();
        (program.run)(trace.clone()).await;
        trace
    });
    program.comparable(trace.expect("main ends").lines())
}

/// What asyncio leaves of all programs, by name; or why there is nothing to compare with.
fn asyncio() -> Result<HashMap<String, Vec<String>>, String> {
    let version = "import sys; sys.exit(sys.version_info < (3, 11))";
    match Command::new("python3").args(["-c", version]).status() {
        Err(error) => return Err(format!("python3 cannot be started: {error}")),
        Ok(status) if !status.success() => return Err("python3 is older than 3.11".to_owned()),
        Ok(_) => {}
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/differential/programs.py");
    let output = Command::new("python3").arg(script).output().expect("it was started before");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "the programs of asyncio failed: {errors}");
    let mut traces: HashMap<String, Vec<String>> = HashMap::new();
    let mut name = String::new();
    for line in String::from_utf8(output.stdout).expect("it writes text").lines() {
        if let Some(next) = line.strip_prefix("= ") {
            next.clone_into(&mut name);
            traces.insert(name.clone(), Vec::new());
        } else {
            traces.get_mut(&name).expect("a name comes first").push(line.to_owned());
        }
    }
    Ok(traces)
}

/// Both traces, line by line, where they differ.
fn difference(theirs: &[String], ours: &[String]) -> Option<String> {
    if theirs == ours {
        return None;
    }
    let lines = (0..theirs.len().max(ours.len())).map(|at| {
        let line = |trace: &[String]| trace.get(at).map_or("-", String::as_str).to_owned();
        let (theirs, ours) = (line(theirs), line(ours));
        let mark = if theirs == ours { ' ' } else { '!' };
        format!("  {mark} {theirs:<40} | {ours}\n")
    });
    Some(lines.collect())
}

#[test]
fn the_same_programs_leave_the_same_trace_in_asyncio_and_here() {
    let theirs = match asyncio() {
        Ok(theirs) => theirs,
        Err(why) => {
            // Past the harness, which keeps what passing tests print to itself.
            let text = format!("differential: skipped, nothing to compare with: {why}\n");
            let _ = std::io::Write::write_all(&mut std::io::stderr(), text.as_bytes());
            return;
        }
    };
    let mut wrong = String::new();
    let mut count = 0;
    for program in programs() {
        count += 1;
        let Some(theirs) = theirs.get(program.name) else {
            panic!("programs.py has no program `{}`", program.name)
        };
        assert!(!theirs.is_empty(), "`{}` says nothing in asyncio", program.name);
        let theirs = program.comparable(theirs.clone());
        if let Some(lines) = difference(&theirs, &trace_of(program, 1)) {
            wrong += &format!("{} (asyncio | here):\n{lines}", program.name);
        }
    }
    assert_eq!(count, theirs.len(), "programs.py has programs without a twin");
    assert!(count >= 50, "only {count} programs");
    assert!(wrong.is_empty(), "traces differ\n{wrong}");
}

#[test]
fn where_no_order_hangs_on_one_worker_the_trace_is_the_same_on_two() {
    let mut count = 0;
    for program in programs().filter(|program| program.order != Order::OneWorker) {
        count += 1;
        let one = trace_of(program, 1);
        for _ in 0..5 {
            let lines = difference(&one, &trace_of(program, 2)).unwrap_or_default();
            assert!(lines.is_empty(), "{} (one | two workers):\n{lines}", program.name);
        }
    }
    assert!(count >= 30, "only {count} programs");
}

#[test]
fn a_line_too_much_one_too_few_and_a_changed_one_are_seen() {
    let lines = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(difference(&lines("a b c"), &lines("a b c")), None);
    for other in ["a b", "a b c d", "a c b", "a b x"] {
        let text = difference(&lines("a b c"), &lines(other)).expect("they differ");
        assert!(text.contains('!'), "{text}");
    }
}
