//! What a task notes of the lines in which futures wait that it has polled.

use kasasagi_primitive::offers::{self, At, Line, Taken};
use kasasagi_primitive::task_context::{self, TaskContext};
use std::sync::Arc;

/// A line in which nobody is offered anything.
struct Quiet;

impl Line for Quiet {
    fn has_offers(&self) -> bool {
        false
    }

    fn take_back(&self, _: At, _: &mut Taken) {}
}

#[test]
#[expect(unsafe_code, reason = "this is the runner")]
fn lines_that_nobody_else_has_are_forgotten() {
    let context = TaskContext::new(7);
    // SAFETY: the context outlives the guard, and this thread alone polls.
    let entered = unsafe { task_context::enter(&context) };
    let mut lines = Vec::new();
    for _ in 0..1000 {
        let line = Arc::new(Quiet);
        let _ = offers::join(&line);
        lines.push(Arc::downgrade(&line));
        // Its future goes to another task, which ends: nobody tells this one.
    }
    drop(entered);
    let kept = lines.iter().filter(|line| line.strong_count() > 0).count();
    assert!(kept < 16, "{kept} lines are kept");
}
