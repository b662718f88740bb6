//! Runtimes that are built and ended while the system refuses what they are made of.

use crate::outcome::{Outcome, Settings};
use kasasagi::time::sleep;
use kasasagi::{Runtime, spawn, yield_now};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

async fn work() -> u64 {
    let tasks: Vec<_> = (1..=100)
        .map(|n| {
            spawn(async move {
                yield_now().await;
                n
            })
        })
        .collect();
    sleep(Duration::from_millis(1)).await;
    let mut sum = 0;
    for task in tasks {
        sum += task.await.expect("it ends");
    }
    sum
}

/// Builds `rounds` runtimes; each either works, or is refused with an error.
pub(crate) fn build(settings: &Settings) -> Outcome {
    let mut outcome = Outcome { wanted: settings.number("rounds", 3), ..Outcome::default() };
    for _ in 0..outcome.wanted {
        match Runtime::builder().workers(settings.size("workers", 3)).build() {
            Ok(runtime) => {
                if runtime.run(work()).ok() != Some(5050) {
                    outcome.fail("a runtime does not work");
                }
                if !runtime.shutdown(Duration::from_secs(5)).is_clean() {
                    outcome.fail("the shutdown left something");
                }
                outcome.done += 1;
            }
            Err(error) => {
                eprintln!("faults: refused: {error}");
                outcome.error("build", &error);
                outcome.lost += 1;
            }
        }
    }
    outcome
}

/// The same by `kasasagi::run`, which makes do with fewer threads, and panics only where there is no poller.
pub(crate) fn run(settings: &Settings) -> Outcome {
    let mut outcome = Outcome { wanted: settings.number("rounds", 3), ..Outcome::default() };
    for _ in 0..outcome.wanted {
        match catch_unwind(AssertUnwindSafe(|| kasasagi::run(work()))) {
            Ok(5050) => outcome.done += 1,
            Ok(_) => outcome.fail("a runtime does not work"),
            Err(payload) => {
                let text = payload.downcast_ref::<String>().cloned().unwrap_or_default();
                let clean = text.starts_with("`kasasagi::run` could not build a runtime");
                outcome.error_named(if clean { "run:refused".into() } else { "run:panic".into() });
                outcome.lost += 1;
            }
        }
    }
    outcome
}

/// Tasks of a runtime that nobody runs, whose thread is denied: they wait until somebody does.
pub(crate) fn caretaker(settings: &Settings) -> Outcome {
    let mut outcome = Outcome { wanted: settings.number("tasks", 50), ..Outcome::default() };
    let runtime = match Runtime::builder().current_thread().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            outcome.error("build", &error);
            return outcome;
        }
    };
    let handle = runtime.handle();
    let tasks: Vec<_> = (0..outcome.wanted).map(|n| handle.spawn(async move { n })).collect();
    let main = async {
        let mut done = 0;
        for (n, task) in (0..).zip(tasks) {
            done += u64::from(task.await.is_ok_and(|output| output == n));
        }
        done
    };
    match runtime.run(main) {
        Ok(done) => outcome.done = done,
        Err(error) => outcome.fail(error),
    }
    if !runtime.shutdown(Duration::from_secs(5)).is_clean() {
        outcome.fail("the shutdown left something");
    }
    outcome
}
