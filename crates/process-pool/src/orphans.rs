//! Processes of a pool that were ended and not waited for yet: whoever ends or starts one next does it.
//!
//! A process that was killed is gone in a moment, but not at once, and who drops a job does not wait. Until it is waited
//! for, its number stays taken.

use kasasagi_blocking::Pool;
use kasasagi_primitive::sync::Mutex;
use kasasagi_sync::Lock;
use std::fmt;
use std::process::Child;
use std::sync::{Arc, LazyLock};

/// Of pools that are gone.
static LEFT: LazyLock<Mutex<Vec<Child>>> = LazyLock::new(|| Mutex::new(Vec::new()));

/// Of one pool.
pub(crate) struct Orphans {
    children: Mutex<Vec<Child>>,
    /// Held while a thread waits for some that it has taken out.
    settling: Arc<Lock<()>>,
}

impl Orphans {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { children: Mutex::new(Vec::new()), settling: Arc::new(Lock::new(())) })
    }

    /// Takes a process that has ended, or is about to.
    pub(crate) fn take(&self, child: Child) {
        self.children.lock().push(child);
        self.sweep();
    }

    /// Waits for those that have ended; none that has not.
    pub(crate) fn sweep(&self) {
        for children in [&self.children, &*LEFT] {
            children.lock().retain_mut(|child| matches!(child.try_wait(), Ok(None)));
        }
    }

    /// Waits until all have ended, on a thread of the pool.
    pub(crate) async fn settle(self: &Arc<Self>) {
        // Also until those have that another one waits for.
        let settling = Lock::lock_owned(Arc::clone(&self.settling)).await;
        self.sweep();
        let children = std::mem::take(&mut *self.children.lock());
        if children.is_empty() {
            return;
        }
        // Without a pool they go back.
        let waiting = Waiting { children, orphans: Arc::clone(self) };
        if let Some(pool) = Pool::current() {
            let waited = pool.unblock(move || {
                waiting.all();
                drop(settling);
            });
            let _ = waited.await;
        }
    }
}

impl Drop for Orphans {
    fn drop(&mut self) {
        self.sweep();
        LEFT.lock().append(&mut self.children.lock());
    }
}

impl fmt::Debug for Orphans {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Orphans").finish_non_exhaustive()
    }
}

struct Waiting {
    children: Vec<Child>,
    orphans: Arc<Orphans>,
}

impl Waiting {
    fn all(mut self) {
        while let Some(mut child) = self.children.pop() {
            let _ = child.wait();
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.orphans.children.lock().append(&mut self.children);
    }
}
