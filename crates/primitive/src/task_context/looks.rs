//! How many futures of a task wait in lines, and how many of those the poll under way has not looked at.

use crate::sync::atomic::{AtomicU16, Ordering};

/// So many, or more.
const MANY: u8 = u8::MAX;

/// Both in one word, which is zero in most tasks; touched only by the thread that polls the task.
pub(crate) struct Looks(AtomicU16);

impl Looks {
    #[inline]
    pub(crate) fn new() -> Self {
        Self(AtomicU16::new(0))
    }

    /// How many wait; and, of those who waited when the poll began, how many were not looked at.
    #[inline]
    fn get(&self) -> (u8, u8) {
        let [waiting, unseen] = self.0.load(Ordering::Relaxed).to_le_bytes();
        (waiting, unseen)
    }

    #[inline]
    fn set(&self, waiting: u8, unseen: u8) {
        self.0.store(u16::from_le_bytes([waiting, unseen]), Ordering::Relaxed);
    }

    /// Whether the poll has looked at nobody who waits. Of many that is not known, and it is said that it has not.
    #[inline]
    pub(crate) fn is_untouched(&self) -> bool {
        let (waiting, unseen) = self.get();
        waiting == unseen
    }

    /// One more waits, and was looked at.
    #[inline]
    pub(crate) fn add(&self) {
        let (waiting, unseen) = self.get();
        self.set(waiting.saturating_add(1), unseen);
    }

    /// One that was not looked at is.
    #[inline]
    pub(crate) fn see(&self) {
        let (waiting, unseen) = self.get();
        if unseen != MANY {
            self.set(waiting, unseen.saturating_sub(1));
        }
    }

    /// One waits no more, that was looked at or not; so many are left.
    #[inline]
    pub(crate) fn remove(&self, was_seen: bool, left: u32) {
        let (waiting, unseen) = self.get();
        if waiting == MANY {
            return self.count(left);
        }
        let is_less = !was_seen && unseen != MANY;
        self.set(waiting.saturating_sub(1), unseen.saturating_sub(u8::from(is_less)));
    }

    /// So many wait.
    #[cold]
    pub(crate) fn count(&self, waiting: u32) {
        let (_, unseen) = self.get();
        self.set(u8::try_from(waiting).unwrap_or(MANY), unseen);
    }

    /// Ends a poll that has looked at all who wait; `false` if it has not, or that is not known.
    #[inline]
    pub(crate) fn end(&self) -> bool {
        // The usual word first.
        if self.0.load(Ordering::Relaxed) == 0 {
            return true;
        }
        let is_all = self.get().1 == 0;
        if is_all {
            self.renew();
        }
        is_all
    }

    /// The next poll has looked at nobody yet.
    #[inline]
    pub(crate) fn renew(&self) {
        let (waiting, _) = self.get();
        self.set(waiting, waiting);
    }
}
