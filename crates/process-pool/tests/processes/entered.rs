//! What runs before `main` has run before a job, on whichever side of the worker's own entry it stands.

use crate::drive::run;
use crate::jobs::{ask, workers};
use std::sync::atomic::{AtomicU32, Ordering};

static EARLY: AtomicU32 = AtomicU32::new(0);
static LATE: AtomicU32 = AtomicU32::new(0);

/// Where the linker puts this crate before the one it tests, as linkers of dependencies do.
#[used]
#[unsafe(link_section = ".init_array")]
static EARLY_ENTRY: extern "C" fn() = early;

/// LLVM's linker, the usual one of Rust's on x86-64, puts it behind all that say no number; GNU's puts it before them.
#[used]
#[unsafe(link_section = ".init_array.70000")]
static LATE_ENTRY: extern "C" fn() = late;

extern "C" fn early() {
    EARLY.fetch_add(1, Ordering::Relaxed);
}

extern "C" fn late() {
    LATE.fetch_add(1, Ordering::Relaxed);
}

fn ran((): ()) -> (u32, u32) {
    (EARLY.load(Ordering::Relaxed), LATE.load(Ordering::Relaxed))
}

#[test]
fn what_runs_before_main_has_run_once_before_a_job() {
    assert_eq!(ran(()), (1, 1));
    run(async {
        let workers = workers(1);
        for _ in 0..2 {
            assert_eq!(ask(&workers, ran, ()).await.expect("it ends"), (1, 1));
        }
    });
}
