//! The lines in which futures of a task wait; touched only by the thread that polls the task.

use super::{Line, address_of};
use std::cell::{Cell, RefCell};
use std::mem;
use std::ptr::null;
use std::sync::Arc;

/// How many lines are kept beside the first although nobody waits in them: a guess.
const KEPT: usize = 3;

/// The lines of a task, and how many wait in them.
pub(crate) struct Lines {
    poll: Cell<u32>,
    /// How many wait in all: in the first line, those who wait in no other.
    waiters: Cell<u32>,
    in_others: Cell<u32>,
    /// So many ends of polls until those who are gone are looked for again.
    until_tidy: Cell<usize>,
    /// Where the first line is; one that nobody waits in is kept for the next time.
    first_at: Cell<*const ()>,
    first: RefCell<Option<Arc<dyn Line>>>,
    others: RefCell<Vec<Known>>,
}

struct Known {
    line: Arc<dyn Line>,
    waiters: u32,
}

impl Default for Lines {
    fn default() -> Self {
        Self {
            poll: Cell::new(0),
            waiters: Cell::new(0),
            in_others: Cell::new(0),
            until_tidy: Cell::new(0),
            first_at: Cell::new(null()),
            first: RefCell::default(),
            others: RefCell::default(),
        }
    }
}

impl Lines {
    /// The number of the poll under way, which looks at a waiter; `is_first`: and has looked at none that still waits.
    #[inline]
    pub(super) fn touch(&self, is_first: bool) -> u32 {
        if is_first {
            self.poll.set(self.poll.get().wrapping_add(1));
        }
        self.poll.get()
    }

    /// Whether no poll of a later number looked at a waiter.
    #[inline]
    pub(super) fn is_current(&self, poll: u32) -> bool {
        self.poll.get() == poll
    }

    /// How many wait.
    #[inline]
    pub(super) fn waiters(&self) -> u32 {
        self.waiters.get()
    }

    fn in_first(&self) -> u32 {
        self.waiters.get() - self.in_others.get()
    }

    /// One more waits in this line.
    #[inline]
    pub(super) fn add<L: Line + 'static>(&self, line: &Arc<L>) {
        let at = address_of(&**line);
        if self.first_at.get() != at {
            self.add_to_other(at, || Arc::<L>::clone(line));
        }
        self.waiters.set(self.waiters.get() + 1);
    }

    #[cold]
    fn add_to_other<L: Line + 'static>(&self, at: *const (), line: impl FnOnce() -> Arc<L>) {
        let mut others = self.others.borrow_mut();
        if let Some(known) = others.iter_mut().find(|known| address_of(&*known.line) == at) {
            known.waiters += 1;
            self.in_others.set(self.in_others.get() + 1);
            return;
        }
        let is_full = others.len() >= KEPT;
        // A future that went to another task left its line behind. Looked for as often as the room would double.
        if is_full && others.len() == others.capacity() {
            self.forget_dead(&mut others);
        }
        let line = line();
        if self.first_at.get().is_null() || (is_full && self.in_first() == 0) {
            self.first_at.set(at);
            self.first.replace(Some(line));
            return;
        }
        self.in_others.set(self.in_others.get() + 1);
        let known = Known { line, waiters: 1 };
        if let Some(idle) = others.iter_mut().find(|known| is_full && known.waiters == 0) {
            *idle = known;
        } else {
            others.push(known);
        }
    }

    /// So many who were added wait no more in the line at this address.
    #[inline]
    pub(super) fn subtract(&self, at: *const (), waiters: u32) {
        if self.first_at.get() != at {
            self.subtract_from_other(at, waiters);
        }
        self.waiters.set(self.waiters.get() - waiters);
    }

    #[cold]
    fn subtract_from_other(&self, at: *const (), waiters: u32) {
        let mut others = self.others.borrow_mut();
        if let Some(known) = others.iter_mut().find(|known| address_of(&*known.line) == at) {
            known.waiters -= waiters;
            self.in_others.set(self.in_others.get() - waiters);
        }
    }

    /// Nobody is left who could wait in a line that only the task has: the futures were forgotten, or went elsewhere.
    fn forget_dead(&self, others: &mut [Known]) {
        let is_dead = |line: &Arc<dyn Line>| Arc::strong_count(line) == 1;
        if self.first.borrow().as_ref().is_some_and(is_dead) {
            self.waiters.set(self.in_others.get());
        }
        let mut dead = 0;
        for known in others.iter_mut().filter(|known| is_dead(&known.line)) {
            dead += mem::take(&mut known.waiters);
        }
        self.in_others.set(self.in_others.get() - dead);
        self.waiters.set(self.waiters.get() - dead);
    }

    /// Forgets whoever is gone, so that the task is less careful; the more lines there are, the more seldom.
    pub(super) fn tidy(&self) {
        if let Some(left) = self.until_tidy.get().checked_sub(1) {
            return self.until_tidy.set(left);
        }
        let mut others = self.others.borrow_mut();
        self.until_tidy.set(others.len());
        self.forget_dead(&mut others);
    }

    /// The first line that has offers and waiters of the task, from this number on; and its number.
    pub(super) fn next_offering(&self, from: usize) -> Option<(usize, Arc<dyn Line>)> {
        let (first, others) = (self.first.borrow(), self.others.borrow());
        let first = first.iter().map(|line| (line, self.in_first()));
        let lines = first.chain(others.iter().map(|known| (&known.line, known.waiters)));
        let (i, (line, _)) = lines
            .enumerate()
            .skip(from)
            .find(|(_, (line, waiters))| *waiters > 0 && line.has_offers())?;
        Some((i, Arc::clone(line)))
    }
}
