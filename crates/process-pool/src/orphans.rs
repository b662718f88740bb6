//! Processes that were ended and not waited for yet: whoever ends or starts one next does it.
//!
//! A process that was killed is gone in a moment, but not at once, and who drops a job does not wait. Until it is waited
//! for, its number stays taken.

use kasasagi_blocking::Pool;
use kasasagi_primitive::sync::Mutex;
use std::process::Child;
use std::sync::LazyLock;

static ORPHANS: LazyLock<Mutex<Vec<Child>>> = LazyLock::new(|| Mutex::new(Vec::new()));

/// Takes a process that has ended, or is about to.
pub(crate) fn take(child: Child) {
    ORPHANS.lock().push(child);
    sweep();
}

/// Waits for those that have ended; none that has not.
pub(crate) fn sweep() {
    ORPHANS.lock().retain_mut(|child| matches!(child.try_wait(), Ok(None)));
}

/// Waits until all have ended, on a thread of the pool.
pub(crate) async fn settle() {
    sweep();
    let children = std::mem::take(&mut *ORPHANS.lock());
    if children.is_empty() {
        return;
    }
    // Dropped half way, or without a pool, they go back.
    let waiting = Waiting(children);
    if let Some(pool) = Pool::current() {
        let _ = pool.unblock(move || waiting.all()).await;
    }
}

struct Waiting(Vec<Child>);

impl Waiting {
    fn all(mut self) {
        while let Some(mut child) = self.0.pop() {
            let _ = child.wait();
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        ORPHANS.lock().append(&mut self.0);
    }
}
