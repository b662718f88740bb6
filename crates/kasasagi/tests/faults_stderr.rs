//! What a runtime says on stderr may be lost, and nothing else with it.
#![cfg(unix)]

use kasasagi::spawn;
use kasasagi::time::sleep;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::time::Duration;

const MARK: &str = "KASASAGI_TEST_CHILD";

/// In debug mode a report of the task that is left goes to a stderr that nobody reads any more.
#[test]
fn a_report_that_nobody_can_read_does_not_end_the_program() {
    if std::env::var_os(MARK).is_some() {
        let answer = kasasagi::run(async {
            drop(spawn(sleep(Duration::from_secs(3600))));
            42
        });
        assert_eq!(answer, 42);
        return;
    }
    let (reader, writer) = UnixStream::pair().expect("there is room for a pair");
    drop(reader);
    let me = std::env::current_exe().expect("a test knows its binary");
    let output = Command::new(me)
        .args(["a_report_that_nobody_can_read_does_not_end_the_program", "--exact", "--nocapture"])
        .env(MARK, "1")
        .env("KASASAGI_DEBUG", "1")
        .stdin(Stdio::null())
        .stderr(OwnedFd::from(writer))
        .output()
        .expect("a child can be started");
    assert!(output.status.success(), "{output:?}");
}
