//! An item between its queue and whoever gets it.

use super::shared::Shared;

/// Declared before the lock is taken, and so dropped after it. An item that is in it still was lost, as the `Ord` of
/// another one panicked: nobody has it who could call it done, so that happens here.
pub(super) struct Taking<'a, T> {
    queue: &'a Shared<T>,
    pub(super) item: Option<T>,
}

impl<'a, T> Taking<'a, T> {
    #[inline]
    pub(super) fn from(queue: &'a Shared<T>) -> Self {
        Self { queue, item: None }
    }
}

impl<T> Drop for Taking<'_, T> {
    #[inline]
    fn drop(&mut self) {
        if let Some(lost) = self.item.take() {
            let _ = self.queue.task_done();
            // Foreign, and so last.
            drop(lost);
        }
    }
}
