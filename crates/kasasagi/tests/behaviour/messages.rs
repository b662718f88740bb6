//! What is said when something is done wrong: each text names the call and what to write instead.

use crate::flavour::two;
use crate::hand::panic_of;
use kasasagi::net::{TcpListener, TcpStream};
use kasasagi::time::{interval, sleep, sleep_until, timeout};
use kasasagi::{Handle, RunError, spawn, spawn_local};
use std::time::{Duration, Instant};

const HERE: &str = "crates/kasasagi/tests/behaviour/messages.rs";

#[track_caller]
fn assert_parts(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "no `{part}` in: {text}");
    }
}

#[test]
fn a_nested_run_is_told_to_await() {
    assert_eq!(
        RunError::Nested.to_string(),
        "`run` was called inside a task of a running runtime, whose worker it would block: write \
         `future.await`, or `kasasagi::spawn(future).await` for a task of its own"
    );
}

#[test]
fn an_interrupted_run_says_by_what() {
    assert_eq!(RunError::Interrupted.to_string(), "main was interrupted by Ctrl-C");
}

#[test]
fn a_run_after_the_end_is_told_to_come_earlier() {
    assert_eq!(
        RunError::Closed.to_string(),
        "`run` was called on a runtime that is shut down: call it before `shutdown`, or build another runtime"
    );
}

#[test]
fn a_main_that_was_cancelled_says_by_whom_where_and_why() {
    let runtime = two();
    let line = line!() + 2;
    let error = runtime.run(async {
        kasasagi::task::current().cancel();
        std::future::pending::<()>().await;
    });
    let error = error.expect_err("it was cancelled");
    let text = error.to_string();
    assert!(
        text.starts_with(&format!("main was cancelled by itself, at {HERE}:{line}:")),
        "{text}"
    );
    let error = std::error::Error::source(&error).expect("the error of the task");
    assert!(error.to_string().ends_with(" was cancelled"), "{error}");

    let by = std::sync::Mutex::new(String::new());
    let main = || async {
        let main = kasasagi::task::current();
        let child = spawn(async move { main.cancel_with("the child said so") });
        *by.lock().expect("no panic in here") = child.id().to_string();
        std::future::pending::<()>().await;
    };
    let text = runtime.run(main()).expect_err("it was cancelled").to_string();
    let start = format!(
        "main was cancelled by task `{}`, at {HERE}:",
        by.lock().expect("no panic in here")
    );
    assert!(text.starts_with(&start), "{text}");
    assert!(text.ends_with(": the child said so"), "{text}");
    let text = panic_of(|| kasasagi::run(main()));
    assert_parts(
        &text,
        &[
            "`kasasagi::run` has no output: main was cancelled by task `Task-",
            ": the child said so. Await what may be cancelled in a task of its own or in `catch_cancel`, or use \
             `Runtime::run`, which returns this as an error",
        ],
    );
}

#[test]
fn a_spawn_without_a_runtime_names_the_place_and_the_way_out() {
    let text = panic_of(|| spawn(async {}));
    assert_parts(
        &text,
        &[
            "`kasasagi::spawn` was called where no runtime runs, at ",
            HERE,
            "call it inside `kasasagi::run(async { … })`, or use `Handle::spawn` with the handle of a runtime",
        ],
    );
    let text = panic_of(|| spawn_local(async {}));
    assert_parts(&text, &["`kasasagi::spawn_local` was called where no runtime runs, at ", HERE]);
}

#[test]
fn a_local_spawn_on_a_thread_that_is_no_worker_names_the_place_and_the_way_out() {
    let runtime = two();
    let text = runtime.handle().block_on(async { panic_of(|| spawn_local(async {})) });
    assert_parts(
        &text,
        &[
            "`spawn_local` was called on a thread that is no worker, at ",
            HERE,
            "call it inside a task, or use `spawn` with a future that is `Send`",
        ],
    );
}

#[test]
fn time_without_a_runtime_names_the_call_and_the_way_out() {
    let hour = Duration::from_secs(3600);
    for (call, text) in [
        ("`sleep`", panic_of(|| sleep(hour))),
        ("`sleep_until`", panic_of(|| sleep_until(Instant::now()))),
        ("`interval`", panic_of(|| interval(hour))),
        ("`timeout`", panic_of(|| poll_outside(timeout(hour, std::future::pending::<()>())))),
    ] {
        assert!(text.starts_with(call), "{text}");
        assert_parts(&text, &["`kasasagi::run(async { … })`"]);
        assert!(!text.contains("reactor"), "{text}");
    }
}

/// Polls a future where no runtime runs.
fn poll_outside<F: Future>(future: F) -> F::Output {
    let mut future = std::pin::pin!(future);
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    match future.as_mut().poll(&mut cx) {
        std::task::Poll::Ready(output) => output,
        std::task::Poll::Pending => panic!("it waits, where nothing can wake it"),
    }
}

#[test]
fn a_socket_without_a_runtime_is_an_error_that_names_the_way_out() {
    for error in [
        poll_outside(TcpStream::connect("127.0.0.1:9")).expect_err("no runtime"),
        poll_outside(TcpListener::bind("127.0.0.1:0")).expect_err("no runtime"),
    ] {
        assert_parts(&error.to_string(), &["kasasagi::run"]);
        assert!(!error.to_string().contains("no reactor"), "{error}");
    }
}

#[test]
fn the_current_handle_and_task_outside_name_the_way_out() {
    assert_eq!(
        panic_of(Handle::current),
        "`Handle::current` failed: no runtime runs on this thread: call this inside `kasasagi::run(async { … })`, \
         or keep a `Handle` and use it"
    );
    assert_eq!(
        panic_of(kasasagi::task::current),
        "`task::current` was called outside tasks: call it inside `kasasagi::run(async { … })` or a spawned \
         future, or use `task::try_current`"
    );
}

#[test]
fn a_block_on_inside_a_task_is_told_to_await() {
    let text = two().run(async { panic_of(|| Handle::current().block_on(async {})) });
    assert_eq!(
        text.expect("main ends"),
        "`Handle::block_on` was called inside a task, whose worker it would block: write `future.await`"
    );
}
