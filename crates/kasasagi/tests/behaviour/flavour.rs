//! The flavours of a runtime that every promise has to hold under, and the limit on how long that may take.

use kasasagi::Runtime;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

pub(crate) type Build = fn() -> Runtime;

/// A test that hangs has failed; the slowest takes a few seconds on one busy processor.
const LIMIT: Duration = Duration::from_secs(120);

fn built(workers: usize) -> Runtime {
    Runtime::builder().workers(workers).build().expect("the system gives threads and a poller")
}

pub(crate) fn one() -> Runtime {
    Runtime::builder().current_thread().build().expect("the system gives a poller")
}

pub(crate) fn two() -> Runtime {
    built(2)
}

pub(crate) fn four() -> Runtime {
    built(4)
}

/// Runs `test` on one worker, on two, and on more than the machine may have processors.
pub(crate) fn for_each_flavour(test: impl Fn(Build)) {
    on(&[("current_thread", one as Build), ("workers(2)", two), ("workers(4)", four)], test);
}

/// The same for what only several workers can show.
pub(crate) fn for_several_workers(test: impl Fn(Build)) {
    on(&[("workers(2)", two as Build), ("workers(4)", four)], test);
}

/// The same for what is promised of one worker only: orders.
pub(crate) fn for_one_worker(test: impl Fn(Build)) {
    on(&[("current_thread", one as Build)], test);
}

/// The same where time is virtual.
pub(crate) fn on_virtual_time(test: impl Fn(Build)) {
    on(
        &[
            ("current_thread", || still(1)),
            ("workers(2)", || still(2)),
            ("workers(4)", || still(4)),
        ],
        test,
    );
}

/// A runtime whose clock stands still.
pub(crate) fn still(workers: usize) -> Runtime {
    let builder = Runtime::builder().workers(workers).virtual_time();
    builder.build().expect("the system gives threads and a poller")
}

fn on(flavours: &[(&str, Build)], test: impl Fn(Build)) {
    for (name, build) in flavours {
        println!("flavour: {name}");
        limited(|| test(*build));
    }
}

/// Ends the process if `f` does not come to its end: what hangs cannot be unwound.
pub(crate) fn limited<R>(f: impl FnOnce() -> R) -> R {
    let (ended, watch) = channel::<()>();
    let name = std::thread::current().name().unwrap_or("?").to_owned();
    std::thread::spawn(move || {
        if watch.recv_timeout(LIMIT) == Err(RecvTimeoutError::Timeout) {
            // To the real stderr: the harness shows what it captured only for tests that end.
            let text = format!("test `{name}` did not end within {} s\n", LIMIT.as_secs());
            let _ = std::io::Write::write_all(&mut std::io::stderr(), text.as_bytes());
            std::process::abort();
        }
    });
    let result = f();
    drop(ended);
    result
}

/// Runs `test` on one thread, then on two workers, within the limit.
pub(crate) fn in_each_flavour(test: impl AsyncFn()) {
    for builder in [Runtime::builder().current_thread(), Runtime::builder().workers(2)] {
        let runtime = builder.build().expect("a runtime can be built");
        let outcome = runtime.run(async { kasasagi::time::timeout(LIMIT, test()).await });
        outcome.expect("it runs to its end").expect("it ends within the limit");
    }
}

/// Shows `test` a runtime of one thread, of two workers and of four.
pub(crate) fn on_each(test: impl Fn(&Runtime)) {
    for workers in [1, 2, 4] {
        test(&Runtime::builder().workers(workers).build().expect("a runtime can be built"));
    }
}

/// Runs `main`, which nothing cancels.
pub(crate) fn run<F: Future>(runtime: &Runtime, main: F) -> F::Output {
    runtime.run(main).expect("main is neither nested nor cancelled")
}
