//! A bar is for terminals: in a pipe there is none.

use futures_util::StreamExt;
use kasasagi::{ThreadPool, as_completed, run, stream, to_thread};
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
            let pool = ThreadPool::new(2);
            let doubles = pool.map(0..100, |n| 2 * n);
            let doubles = stream::progress(doubles.into_stream(), "doubling");
            let sum: u64 = doubles.map(|n| n.expect("it ends")).fold(0, async |a, b| a + b).await;
            assert_eq!(sum, 9_900);
            let task = to_thread(move || pool.map(0..100, |n| n).progress("on a thread").count());
            assert_eq!(task.await.expect("it ends"), 100);
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
