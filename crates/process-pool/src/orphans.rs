//! Processes of a pool that were ended and not waited for yet. Until somebody waits for it, a process that has ended keeps
//! its number and its place in the system's table.
//!
//! A process that was killed is gone in a moment, but not at once, and who drops a job does not wait. So a thread, the
//! keeper, does: it is there while there are orphans.

use crate::leaving::Leaving;
use kasasagi_blocking::Pool;
use kasasagi_primitive::sync::Mutex;
use kasasagi_primitive::thread::Builder;
use kasasagi_sync::oneshot;
use std::fmt;
use std::sync::Arc;

/// What the keeper needs of stack: a system call.
const STACK: usize = 64 * 1024;

/// A process to wait for, or what a model puts there.
pub(crate) trait Ends: Send + 'static {
    /// Whether it has ended; if so, it was waited for.
    fn has_ended(&mut self) -> bool;
    /// Waits for its end.
    fn wait(self);
}

/// Those of one pool.
pub(crate) struct Orphans<C: Ends = Leaving> {
    left: Mutex<Left<C>>,
}

struct Left<C> {
    children: Vec<C>,
    has_keeper: bool,
    /// Whoever waits until the keeper has waited for all.
    waiting: Vec<oneshot::Sender<()>>,
}

impl<C: Ends> Orphans<C> {
    pub(crate) fn new() -> Arc<Self> {
        let left = Left { children: Vec::new(), has_keeper: false, waiting: Vec::new() };
        Arc::new(Self { left: Mutex::new(left) })
    }

    /// Takes a process that has ended, or is about to.
    pub(crate) fn take(self: &Arc<Self>, mut child: C) {
        if child.has_ended() {
            return;
        }
        let keeper = {
            let mut left = self.left.lock();
            left.children.push(child);
            if std::mem::replace(&mut left.has_keeper, true) {
                return;
            }
            Keeper::new(self)
        };
        let thread = Builder::new().name("kasasagi-orphans".into()).stack_size(STACK);
        // An error: there is no thread. The keeper went with it, and the next to come tries again.
        let _ = thread.spawn(move || keeper.wait_for_all());
    }

    /// Waits for those that have ended; none that has not.
    pub(crate) fn sweep(&self) {
        self.left.lock().children.retain_mut(|child| !child.has_ended());
    }

    /// Waits until all have ended, on this thread.
    pub(crate) fn settle(self: &Arc<Self>) {
        loop {
            let told = {
                let mut left = self.left.lock();
                if left.has_keeper {
                    let (sender, receiver) = oneshot::channel();
                    left.waiting.push(sender);
                    Some(receiver)
                } else if left.children.is_empty() {
                    return;
                } else {
                    left.has_keeper = true;
                    None
                }
            };
            match told {
                Some(told) => drop(told.blocking_recv()),
                None => Keeper::new(self).wait_for_all(),
            }
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        let left = self.left.lock();
        left.children.is_empty() && !left.has_keeper
    }
}

impl Orphans {
    /// As [`settle`](Self::settle), on a thread of the pool.
    pub(crate) async fn settled(self: &Arc<Self>) {
        let Some(pool) = Pool::current().filter(|_| !self.is_empty()) else { return };
        let orphans = Arc::clone(self);
        let _ = pool.unblock(move || orphans.settle()).await;
    }
}

/// Whoever waits for the orphans of a pool: one at a time.
struct Keeper<C: Ends> {
    orphans: Arc<Orphans<C>>,
    is_done: bool,
}

impl<C: Ends> Keeper<C> {
    fn new(orphans: &Arc<Orphans<C>>) -> Self {
        Self { orphans: Arc::clone(orphans), is_done: false }
    }

    fn wait_for_all(mut self) {
        while let Some(child) = self.next() {
            child.wait();
        }
    }

    fn next(&mut self) -> Option<C> {
        let mut left = self.orphans.left.lock();
        let child = left.children.pop();
        if child.is_none() {
            // In the same breath: who brings one to a keeper relies on it.
            self.is_done = true;
            let told = left.dismiss();
            drop(left);
            drop(told);
        }
        child
    }
}

impl<C: Ends> Drop for Keeper<C> {
    fn drop(&mut self) {
        if !self.is_done {
            let told = self.orphans.left.lock().dismiss();
            drop(told);
        }
    }
}

impl<C> Left<C> {
    /// The keeper goes. What it gives is dropped without the lock, and tells whoever waits to look again.
    fn dismiss(&mut self) -> Vec<oneshot::Sender<()>> {
        self.has_keeper = false;
        std::mem::take(&mut self.waiting)
    }
}

impl fmt::Debug for Orphans {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Orphans").finish_non_exhaustive()
    }
}
