//! Tests that change or count what belongs to the process run in a process of their own.

use std::process::Command;

const VARIABLE: &str = "KASASAGI_TEST_ALONE";

/// Runs `test`, which is called `name`, in a child of this process that runs nothing else.
pub(crate) fn alone(name: &str, test: impl FnOnce()) {
    if std::env::var_os(VARIABLE).is_some() {
        return test();
    }
    let program = std::env::current_exe().expect("a test has a path");
    let output = Command::new(program)
        .args(["--exact", name, "--nocapture", "--test-threads=1"])
        .env(VARIABLE, "1")
        .output()
        .expect("the test starts again");
    let told = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}{complained}");
    assert!(told.contains("1 passed"), "the child ran no test called {name}: {told}");
}

/// How many sockets this process has open.
#[cfg(target_os = "linux")]
pub(crate) fn sockets() -> usize {
    let open = std::fs::read_dir("/proc/self/fd").expect("Linux has /proc");
    let targets = open.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok());
    targets.filter(|target| target.as_os_str().as_encoded_bytes().starts_with(b"socket:")).count()
}
