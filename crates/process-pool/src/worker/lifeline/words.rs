//! The two words that a worker's threads share: whether a job runs, and whether the parent is gone.
//!
//! Each thread writes its own and then reads the other's, with a fence in between: whichever comes second sees the first.
//! So a job that the parent has left either does not begin or is ended.

use kasasagi_primitive::sync::atomic::{AtomicBool, Ordering, fence};

pub(crate) struct Words {
    works: AtomicBool,
    is_cut: AtomicBool,
}

impl Words {
    pub(crate) fn new() -> Self {
        Self { works: AtomicBool::new(false), is_cut: AtomicBool::new(false) }
    }

    /// A job is about to begin; `false` if it must not, since the parent is gone.
    pub(crate) fn begin(&self) -> bool {
        self.works.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        !self.is_cut.load(Ordering::Relaxed)
    }

    /// The job has ended. What comes next is a read of the stream, which tells its end.
    pub(crate) fn end(&self) {
        self.works.store(false, Ordering::Relaxed);
    }

    /// The parent is gone; `true` if a job runs, which does not notice.
    pub(crate) fn cut(&self) -> bool {
        self.is_cut.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        self.works.load(Ordering::Relaxed)
    }
}
