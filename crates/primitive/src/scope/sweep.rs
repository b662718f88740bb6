//! Those that were told and did not come: a future that was put aside, forgotten, or is no longer polled by whom it
//! was given to. What they were told moves on, or their parents would wait for ever.

use super::entry::{BUSY, DEAF, Entry, FOREIGN, NONE};
use super::tree::{Errands, ROOT, Tree};

/// So many polls of the task a scope under a foreign waker may take to come: a `FuturesUnordered` polls only a few
/// children at a time.
const PATIENCE: u64 = 64;

impl Tree {
    /// After a poll of the task; `idle`: it is about to sleep, and who has not come by now will not.
    pub(super) fn pass_over(&mut self, idle: bool, errands: &mut Errands) {
        if self.get(ROOT).busy_below == 0 {
            return;
        }
        self.collect(errands);
        let mut open = vec![ROOT];
        let mut missing = Vec::new();
        while let Some(i) = open.pop() {
            let mut child = self.get(i).child;
            while child != NONE {
                if self.get(child).is(BUSY) {
                    open.push(child);
                    if self.is_missing(child, idle) {
                        missing.push(self.key_of(child));
                    }
                }
                child = self.get(child).next;
            }
        }
        for key in missing {
            if let Some(i) = self.find(key) {
                self.pass_over_one(i, errands);
            }
        }
    }

    /// Whether a scope under the task's own waker was told, and can come only if the task is polled again.
    pub(super) fn has_to_come(&self) -> bool {
        let mut open = vec![ROOT];
        while let Some(i) = open.pop() {
            let news = self.get(i).news.as_deref();
            let told = news.is_some_and(|news| news.mark.is_some() || news.again.is_some());
            if told && i != ROOT && !self.get(i).is(FOREIGN) {
                return true;
            }
            let mut child = self.get(i).child;
            while child != NONE {
                open.push(child);
                child = self.get(child).next;
            }
        }
        false
    }

    fn is_missing(&self, i: u32, idle: bool) -> bool {
        let entry: &Entry = self.get(i);
        let Some(news) = entry.news.as_deref() else { return false };
        let since = self.get(entry.parent).polled;
        if entry.is(FOREIGN) {
            return news.mark.is_some() && (idle || self.polls - news.marked_in >= PATIENCE);
        }
        let skipped = entry.polled < since;
        if news.mark.is_some() {
            return skipped && since > news.marked_at;
        }
        skipped && (news.held.is_some() || news.kept.is_some())
    }

    fn pass_over_one(&mut self, i: u32, errands: &mut Errands) {
        let parent = self.get(i).parent;
        let is_kept = self.get(i).is(FOREIGN) && self.get(i).join == 0;
        let Some(mut news) = self.at(i).news.take() else { return };
        let told = [news.mark.take(), news.held.take(), news.kept.take()];
        if is_kept {
            // Its offers and returns are of a poll that is over: nothing else is in it.
            self.at(i).set(DEAF, true);
            self.refresh(i, errands);
        } else {
            self.leave(i, true, errands);
        }
        for delivery in told.into_iter().flatten() {
            self.arrive(parent, delivery, errands);
        }
    }
}
