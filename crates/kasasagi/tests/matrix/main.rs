//! The life of a task in every order: where it panics, when it is cancelled, what becomes of its handle, which wakers
//! outlive it, and how its runtime ends, on each flavour of runtime.
//!
//! Each combination has a probe that counts what is made and what is dropped, and on which threads.

#![allow(unsafe_code, reason = "wakers that panic in their clone or drop")]

mod axes;
#[path = "../counting/bytes.rs"]
mod bytes;
mod canceller;
mod drive;
mod pool;
mod probe;
mod verdict;
mod waker;

use axes::{Case, End, Flavour};
use canceller::Canceller;
use drive::{Suspended, begin, finish};
use kasasagi::{Handle, Runtime};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What something that has to happen may take on a busy machine, under a sanitizer.
pub(crate) const LIMIT: Duration = Duration::from_secs(20);

/// How many combinations are told of; after so many, the rest of a flavour is left out.
const ENOUGH: usize = 3;

/// How many bytes may be left by all combinations together: garbage of queues that is collected later. A fault that
/// leaves something behind in one combination of a thousand is above it; a single one is for AddressSanitizer.
const SLACK: usize = 16 * 1024;

fn runtime(flavour: Flavour) -> Runtime {
    let builder = Runtime::builder().workers(flavour.workers()).thread_name("matrix");
    builder.build().expect("a runtime can be built")
}

/// Runs all combinations of one flavour and one end on one runtime, and returns how many there were and what is wrong.
fn batch(flavour: Flavour, end: End, canceller: &Canceller) -> (usize, Vec<String>) {
    let runtime = runtime(flavour);
    let handle = runtime.handle();
    let cases: Vec<Case> = axes::cases(flavour, end).collect();
    let mut wrong = Vec::new();
    let main = async {
        let mut left = Vec::new();
        for case in &cases {
            if wrong.len() >= ENOUGH {
                break;
            }
            let suspended = begin(*case, canceller).await;
            match end {
                End::Itself => wrong.extend(finish(suspended).await.err()),
                End::Shutdown | End::DroppedByItsTask => left.push(suspended),
            }
        }
        left
    };
    let left = runtime.run(main).expect("main ends");
    match end {
        End::Itself | End::Shutdown => {
            let report = runtime.shutdown(LIMIT);
            if !report.is_clean() {
                wrong.push(format!("{flavour:?} {end:?}: the shutdown left something: {report}"));
            }
        }
        End::DroppedByItsTask => drop_by_its_own_task(runtime),
    }
    wrong.extend(emptiness(&handle).err().map(|text| format!("{flavour:?} {end:?}: {text}")));
    wrong.extend(finish_all(left));
    (cases.len(), wrong)
}

fn drop_by_its_own_task(runtime: Runtime) {
    let (give, given) = std::sync::mpsc::channel::<Runtime>();
    drop(runtime.handle().spawn(async move {
        drop(given.recv().expect("it is given"));
    }));
    give.send(runtime).expect("it waits");
}

/// Waits until no task is left.
fn emptiness(handle: &Handle) -> Result<(), String> {
    let start = Instant::now();
    loop {
        let live = handle.metrics().live;
        if live == 0 && handle.tasks().is_empty() {
            return Ok(());
        }
        if start.elapsed() > LIMIT {
            return Err(format!("{live} tasks are left: {:?}", handle.tasks()));
        }
        std::thread::yield_now();
    }
}

/// What is still to be done with handles and wakers, when their runtime is gone.
fn finish_all(left: Vec<Suspended>) -> Vec<String> {
    let mut wrong = Vec::new();
    for suspended in left {
        if wrong.len() >= ENOUGH {
            break;
        }
        wrong.extend(waker::block_on(finish(suspended)).err());
    }
    wrong
}

/// The planted panics are not told; every other one is.
fn quiet() {
    let loud = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        let text = info.payload().downcast_ref::<&'static str>().copied().unwrap_or_default();
        let planted = info.payload().is::<probe::Payload>() || info.payload().is::<pool::Counted>();
        if !planted && !text.starts_with("planted") {
            loud(info);
        }
    }));
}

#[test]
fn whatever_happens_to_a_task_everything_is_dropped_once_and_where_it_may() {
    quiet();
    let canceller = Canceller::start();
    let (mut count, mut wrong) = (0, Vec::new());
    // The first runtimes of each size fill what is kept for good.
    for flavour in Flavour::ALL {
        if wrong.is_empty() {
            wrong.extend(batch(flavour, End::Itself, &canceller).1);
        }
    }
    let kept = bytes::live_without_garbage();
    for flavour in Flavour::ALL {
        for end in End::ALL {
            if !wrong.is_empty() {
                break;
            }
            let (cases, broken) = batch(flavour, end, &canceller);
            count += cases;
            wrong.extend(broken);
        }
    }
    canceller.stop();
    let text = wrong.iter().take(20).map(|line| format!("\n  {line}")).collect::<String>();
    assert!(wrong.is_empty(), "not as it should be:{text}");
    assert!(count >= 3000, "only {count} combinations");
    // The threads of a runtime that was dropped by its own task end when they do.
    let start = Instant::now();
    while bytes::live_without_garbage() > kept + SLACK && start.elapsed() < LIMIT {
        std::thread::yield_now();
    }
    let grown = bytes::live_without_garbage().saturating_sub(kept);
    assert!(grown <= SLACK, "{grown} bytes are left after {count} combinations");
    println!("matrix: {count} combinations, {grown} bytes grown");
}

/// A probe that is wrong about drops would make the matrix worthless: leave a handle's output alive, and it says so.
#[test]
fn the_judge_sees_a_drop_too_few_and_one_too_many() {
    let case = axes::cases(Flavour::One, End::Itself).next().expect("there are cases");
    let probe = Arc::new(probe::Probe::new(case));
    assert_eq!(verdict::balance(&probe), Ok(()));
    let output = probe::Output::new(&probe);
    assert!(verdict::balance(&probe).is_err_and(|text| text.contains("outputs")));
    drop(output);
    assert_eq!(verdict::balance(&probe), Ok(()));
    probe.outputs.lost();
    assert!(verdict::balance(&probe).is_err_and(|text| text.contains("outputs")));
}
