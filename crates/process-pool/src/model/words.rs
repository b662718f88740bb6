//! The lifeline: the parent goes at any moment.

use crate::worker::lifeline::words::Words;
use kasasagi_primitive::explore::explore;
use kasasagi_primitive::sync::Arc;
use kasasagi_primitive::thread;

/// Race: the parent goes while a job begins: it does not begin, or it is ended.
///
/// Mutation `process-pool-job-begins-unseen`: whoever begins a job reads without a fence after its write.
/// Mutation `process-pool-cut-unseen`: the lifeline reads without a fence after its write.
#[test]
fn loom_lifeline_cut_meets_begin() {
    explore("lifeline_cut_meets_begin", || {
        let words = Arc::new(Words::new());
        let worker = Arc::clone(&words);
        let worker = thread::spawn(move || worker.begin());
        let kills = words.cut();
        let begins = worker.join().expect("it does not panic");
        assert!(kills || !begins, "a job runs, and its parent is gone");
    });
}

/// Race: as before, with the second job of a worker: that the first has ended says nothing of the second.
#[test]
fn loom_lifeline_cut_meets_the_next_job() {
    explore("lifeline_cut_meets_the_next_job", || {
        let words = Arc::new(Words::new());
        let worker = Arc::clone(&words);
        let worker = thread::spawn(move || {
            if !worker.begin() {
                return false;
            }
            worker.end();
            worker.begin()
        });
        let kills = words.cut();
        let begins = worker.join().expect("it does not panic");
        assert!(kills || !begins, "a job runs, and its parent is gone");
    });
}
