//! How many futures of a task wait in lines, and how many of those the poll under way has not looked at.

use crate::sync::atomic::{AtomicU16, Ordering};

/// In the lower byte: how many wait; MANY: so many, or more.
const WAITING: u16 = 0xff;
const MANY: u16 = WAITING;
const ONE: u16 = 1;
/// In the upper byte: how many waited when the poll began, and were not looked at; never more than wait, as the poll has
/// looked at nobody while both are the same. While MANY wait they are not counted; it says MANY then, and afterwards until
/// the end of the poll at least one.
const UNSEEN: u16 = 0x100;

/// Both in one word, which is zero in most tasks; touched only by the thread that polls the task.
pub(crate) struct Looks(AtomicU16);

impl Looks {
    #[inline]
    pub(super) fn new() -> Self {
        Self(AtomicU16::new(0))
    }

    #[inline]
    fn get(&self) -> u16 {
        self.0.load(Ordering::Relaxed)
    }

    #[inline]
    fn set(&self, word: u16) {
        self.0.store(word, Ordering::Relaxed);
    }

    /// One more waits, and was looked at. Says whether the poll had looked at nobody who waits, as the ones below do too; of
    /// MANY that is not known, and it is said so each time.
    #[inline]
    pub(crate) fn add(&self) -> bool {
        let word = self.get();
        if word & WAITING != MANY {
            self.set(word + ONE);
        }
        is_untouched(word)
    }

    /// One is looked at; or somebody asks.
    #[inline]
    pub(crate) fn is_untouched(&self) -> bool {
        is_untouched(self.get())
    }

    /// The one that is looked at was not before, in this poll.
    #[inline]
    pub(crate) fn see(&self) {
        let word = self.get();
        if word & WAITING != MANY {
            self.set(word.wrapping_sub(UNSEEN));
        }
    }

    /// One waits no more, and so many are left. `is_current`: it was looked at in the last poll that looked at one.
    #[inline]
    pub(crate) fn remove(&self, is_current: bool, left: u32) {
        let word = self.get();
        if word & WAITING == MANY {
            return self.count(left);
        }
        let was_seen = is_current && !is_untouched(word);
        self.set(word.wrapping_sub(if was_seen { ONE } else { ONE + UNSEEN }));
    }

    /// So many wait.
    #[cold]
    pub(crate) fn count(&self, waiting: u32) {
        let waiting = u16::try_from(waiting).unwrap_or(MANY).min(MANY);
        let unseen = (self.get() / UNSEEN).min(waiting);
        self.set((unseen * UNSEEN) | waiting);
    }

    /// Ends a poll that has looked at all who wait; `false` if it has not, or that is not known.
    #[inline]
    pub(super) fn end(&self) -> bool {
        let word = self.get();
        // The usual word first.
        if word == 0 {
            return true;
        }
        if word < UNSEEN {
            self.set(word * (ONE + UNSEEN));
        }
        word < UNSEEN
    }

    /// The next poll has looked at nobody yet.
    pub(super) fn renew(&self) {
        self.set((self.get() & WAITING) * (ONE + UNSEEN));
    }
}

#[inline]
fn is_untouched(word: u16) -> bool {
    word & WAITING == word / UNSEEN
}
