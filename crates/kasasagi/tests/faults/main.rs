//! The program that `.ci/faults` runs under faults: one workload a process, which checks itself.
//!
//! `faults WORKLOAD [key=value …]`. It prints one line of `key=value` words; what failed is told on stderr and in the
//! word `failed`. What was the same before the workload and after it is measured here: descriptors, threads, live
//! bytes; processor time and the greatest number of live bytes are for the table of cells to judge.

#![allow(unsafe_code, reason = "getrusage, a timer that sends signals")]

mod build;
#[path = "../counting/bytes.rs"]
mod bytes;
mod echo;
mod lookup;
mod measure;
mod outcome;
mod peers;
mod storm;
mod timers;

use measure::Baseline;
use outcome::{Outcome, Settings};
use std::os::unix::fs::FileExt;

/// What the runner has to complain about, so that it is known to complain.
fn break_on_purpose(what: &str, outcome: &mut Outcome) {
    match what {
        "descriptor" => std::mem::forget(std::fs::File::open("/dev/null").expect("it is there")),
        "thread" => drop(std::thread::spawn(|| {
            loop {
                std::thread::park()
            }
        })),
        "bytes" => std::mem::forget(std::hint::black_box(vec![1_u8; 1 << 20])),
        "spin" => {
            let start = measure::cpu();
            while measure::cpu() - start < std::time::Duration::from_millis(1500) {}
        }
        "hang" => std::thread::park(),
        "abort" => std::process::abort(),
        "lost" => outcome.done -= 1,
        "error" => outcome.error_named("read:Planted".into()),
        _ => {}
    }
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let workload = arguments.next().unwrap_or_default();
    let settings = Settings::new(arguments);
    let work: fn(&Settings) -> Outcome = match &*workload {
        "echo" => echo::echo,
        "storm" => storm::storm,
        "idle" => echo::idle,
        "timers" => timers::timers,
        "build" => build::build,
        "run" => build::run,
        "caretaker" => build::caretaker,
        "lookup" => lookup::lookup,
        "pool" => lookup::pool,
        "resets" => peers::resets,
        "halfclose" => peers::half_close,
        "deaf" => peers::deaf,
        "backlog" => peers::backlog,
        _ => {
            println!("this program is run by .ci/faults, which names a workload");
            return;
        }
    };
    let before = Baseline::take();
    let mut outcome = work(&settings);
    break_on_purpose(settings.word("break"), &mut outcome);
    let text = outcome.tell(&before);
    // By pwrite, and to a file: `write` is one of the calls that faults are injected into.
    match std::env::var_os("KASASAGI_FAULTS_OUT") {
        Some(path) => {
            let file = std::fs::File::create(path).expect("the runner names a file");
            file.write_at(text.as_bytes(), 0).expect("the file can be written to");
        }
        None => print!("{text}"),
    }
    std::process::exit(i32::from(outcome.has_failed()));
}
