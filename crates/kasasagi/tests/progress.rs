//! A bar is for terminals: in a pipe there is none.

use kasasagi::{as_completed, run};
use std::process::{Command, Stdio};

const CHILD: &str = "KASASAGI_PROGRESS_CHILD";

#[test]
fn all_come_through_the_bar_and_nothing_of_it_into_a_pipe() {
    if std::env::var_os(CHILD).is_some() {
        return run(async {
            let mut ends = as_completed((0..100).map(|n| async move { n })).progress("counting");
            assert_eq!(ends.len(), 100);
            let mut sum = 0;
            while let Some(end) = ends.next().await {
                sum += end.expect("it ends");
            }
            assert!(ends.is_empty());
            assert_eq!(sum, 4_950);
        });
    }
    let child = Command::new(std::env::current_exe().expect("it runs"))
        .args(["--nocapture", "--test-threads=1"])
        .env(CHILD, "1")
        .stdin(Stdio::null())
        .output()
        .expect("it starts");
    assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stdout));
    assert_eq!(String::from_utf8_lossy(&child.stderr), "");
}
