//! Tests that need a process of their own: they run this binary again, with themselves as the only test.

use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

const MARK: &str = "KASASAGI_TEST_CHILD";

/// What a child wrote and how it ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) success: bool,
}

/// Whether this process is the child of `test`.
pub(crate) fn is_me(test: &str) -> bool {
    std::env::var(MARK).is_ok_and(|name| name == test)
}

/// Runs `test` of this binary in a child, with whatever `change` does to the command.
///
/// `test` is the path of the test that calls: it must ask [`is_me`] first.
#[track_caller]
pub(crate) fn run(test: &str, change: impl FnOnce(&mut Command)) -> Ended {
    let me = std::env::current_exe().expect("a test knows its binary");
    let mut command = Command::new(me);
    command.args([test, "--exact", "--nocapture", "--test-threads=1"]);
    change(&mut command);
    command.env(MARK, test).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().expect("a child can be started");
    let output = wait(child);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let ended = Ended {
        stdout: text(&output.stdout),
        stderr: text(&output.stderr),
        success: output.status.success(),
    };
    assert!(ended.stdout.contains("running 1 test"), "there is no test `{test}`: {ended:?}");
    ended
}

fn wait(child: std::process::Child) -> Output {
    let id = child.id();
    let (ended, watch) = std::sync::mpsc::channel::<()>();
    std::thread::spawn(move || {
        let limit = Duration::from_secs(60);
        if watch.recv_timeout(limit) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
            let _ = Command::new("kill").args(["-9", &id.to_string()]).status();
        }
    });
    let start = Instant::now();
    let output = child.wait_with_output().expect("a child can be waited for");
    drop(ended);
    assert!(start.elapsed() < Duration::from_secs(60), "the child did not end: {output:?}");
    output
}
