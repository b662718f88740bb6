//! The tree of a task's live scopes: who is below whom, whom a delivery reaches, and whom it moves on to.
//!
//! Only the thread that polls the task touches it, and it calls no foreign code: wakers that are to be woken or
//! dropped are moved into the caller's batch. It owns the entries; a scope has only a key, so one that is
//! forgotten dangles nowhere.

use super::entry::{BUSY, DEAF, Delivery, Entry, FOREIGN, Key, NONE, PASSING, SHIELD};
use super::{gone, timed};
use crate::request::Cause;
use std::collections::BTreeMap;
use std::task::Waker;

/// The task itself.
pub(super) const ROOT: u32 = 0;

/// Below so many entries nobody looks for forgotten ones.
const SWEPT_FROM: usize = 16;

/// What a change of the tree leaves to be done outside it.
#[derive(Debug, Default)]
pub(super) struct Errands {
    pub(super) wake: Vec<Waker>,
    pub(super) drop: Vec<Waker>,
}

#[derive(Debug)]
pub(crate) struct Tree {
    pub(super) task: u64,
    pub(super) entries: Vec<Entry>,
    free: u32,
    live: usize,
    generation: u32,
    /// The scope that is being polled.
    pub(super) current: u32,
    /// Counts polls of scopes.
    pub(super) clock: u64,
    /// Counts polls of the task.
    pub(super) polls: u64,
    /// The waits for tasks that are entries, by the number of that task.
    joins: BTreeMap<u64, u32>,
    /// Something changed that the runner has to look at before the task sleeps.
    pub(super) restless: bool,
    /// The runner looks at the tree at the end of this poll.
    pub(super) attended: bool,
    /// What came back to the task as its origin.
    pub(super) returned: Option<Cause>,
    /// The list of those gone elsewhere knows this tree.
    registered: bool,
}

impl Tree {
    pub(super) fn new(task: u64) -> Self {
        Self {
            task,
            entries: vec![Entry::new(1)],
            free: NONE,
            live: 1,
            generation: 1,
            current: ROOT,
            clock: 0,
            polls: 0,
            joins: BTreeMap::new(),
            restless: false,
            attended: false,
            returned: None,
            registered: false,
        }
    }

    /// The moment of a poll of a scope: later than all before in this tree, and on this thread.
    pub(super) fn tick(&mut self) -> u64 {
        self.clock = timed::tick(self.clock);
        self.clock
    }

    pub(super) fn at(&mut self, i: u32) -> &mut Entry {
        &mut self.entries[i as usize]
    }

    pub(super) fn get(&self, i: u32) -> &Entry {
        &self.entries[i as usize]
    }

    /// The entry of a key, if it is one of this tree and alive.
    pub(super) fn find(&self, key: Key) -> Option<u32> {
        let entry = self.entries.get(key.index as usize)?;
        (key.task == self.task && entry.generation == key.generation).then_some(key.index)
    }

    pub(super) fn key_of(&self, i: u32) -> Key {
        Key { task: self.task, index: i, generation: self.get(i).generation }
    }

    // ---- who is below whom

    /// A new entry below the scope that is being polled.
    pub(super) fn add(&mut self, errands: &mut Errands) -> u32 {
        if self.free == NONE
            && self.live >= SWEPT_FROM
            && self.entries.len() == self.entries.capacity()
        {
            self.collect(errands);
            self.forget_stale();
        }
        self.generation = self.generation.wrapping_add(1).max(1);
        let i = self.free;
        let i = if i == NONE {
            self.entries.push(Entry::new(self.generation));
            u32::try_from(self.entries.len() - 1).unwrap_or(NONE)
        } else {
            self.free = self.get(i).next;
            *self.at(i) = Entry::new(self.generation);
            i
        };
        self.live += 1;
        self.link(i, self.current);
        i
    }

    fn link(&mut self, i: u32, parent: u32) {
        let first = self.get(parent).child;
        let entry = self.at(i);
        entry.parent = parent;
        entry.previous = NONE;
        entry.next = first;
        if first != NONE {
            self.at(first).previous = i;
        }
        self.at(parent).child = i;
        if self.get(i).is(BUSY) {
            self.at(parent).busy_below += 1;
        }
    }

    fn unlink(&mut self, i: u32) {
        let Entry { parent, previous, next, .. } = *self.get(i);
        if previous == NONE {
            self.at(parent).child = next;
        } else {
            self.at(previous).next = next;
        }
        if next != NONE {
            self.at(next).previous = previous;
        }
        if self.get(i).is(BUSY) {
            self.at(parent).busy_below -= 1;
        }
    }

    /// Puts `i` below `parent`, if it is not there.
    pub(super) fn put_below(&mut self, i: u32, parent: u32, errands: &mut Errands) {
        let before = self.get(i).parent;
        if before != parent {
            self.unlink(i);
            self.link(i, parent);
            self.refresh(before, errands);
            self.refresh(parent, errands);
        }
    }

    /// Takes `i` out; its children become its parent's.
    fn remove(&mut self, i: u32, errands: &mut Errands) {
        let parent = self.get(i).parent;
        self.unlink(i);
        let mut child = self.get(i).child;
        while child != NONE {
            let next = self.get(child).next;
            self.link(child, parent);
            child = next;
        }
        let join = self.get(i).join;
        if join != 0 && self.joins.get(&join) == Some(&i) {
            self.joins.remove(&join);
        }
        let free = self.free;
        let entry = self.at(i);
        errands.drop.extend(entry.waker.take());
        *entry = Entry::new(0);
        entry.next = free;
        self.free = i;
        self.live -= 1;
        self.refresh(parent, errands);
    }

    /// The scope leaves. `used`: it returns, and what it had taken is used up. What else it has goes back.
    pub(super) fn leave(&mut self, i: u32, used: bool, errands: &mut Errands) {
        let news = self.at(i).news.take();
        self.remove(i, errands);
        let Some(mut news) = news else { return };
        let held = if used { None } else { news.held.take() };
        for delivery in [news.mark.take(), news.kept.take(), held, news.arriving.take()] {
            self.give_back(delivery, errands);
        }
    }

    /// A delivery that nobody used up: pending again at its origin; void if that is gone.
    pub(super) fn give_back(&mut self, delivery: Option<Delivery>, errands: &mut Errands) {
        let Some(delivery) = delivery else { return };
        self.restless = true;
        let Some(origin) = delivery.origin else {
            self.returned = Some(delivery.cause);
            return;
        };
        if let Some(i) = self.find(origin) {
            self.at(i).news().again = Some(delivery);
            errands.wake.extend(self.at(i).waker.take());
        }
    }

    /// Whether `i` was polled when its parent was last polled, or may be without our seeing it.
    fn is_present(&self, i: u32) -> bool {
        let entry = self.get(i);
        if entry.is(FOREIGN) {
            !entry.is(DEAF)
        } else {
            entry.polled > self.get(entry.parent).polled
        }
    }

    /// The children of `parent` that were polled since `before`.
    pub(super) fn children_since(&self, parent: u32, before: u64) -> Vec<u32> {
        let mut found = Vec::new();
        let mut child = self.get(parent).child;
        while child != NONE {
            if self.get(child).polled > before {
                found.push(child);
            }
            child = self.get(child).next;
        }
        found
    }

    /// Those that were dropped where the tree could not be reached.
    pub(super) fn collect(&mut self, errands: &mut Errands) {
        if self.registered {
            for (index, generation) in gone::take(self.task) {
                let key = Key { task: self.task, index, generation };
                if let Some(i) = self.find(key) {
                    self.leave(i, false, errands);
                }
            }
        }
    }

    /// From now on who is dropped elsewhere says so.
    pub(super) fn register(&mut self) {
        if !std::mem::replace(&mut self.registered, true) {
            gone::register(self.task);
        }
    }

    /// Makes room: entries that are no part of the present await, and were told nothing.
    fn forget_stale(&mut self) {
        let mut errands = Errands::default();
        for i in 1..u32::try_from(self.entries.len()).unwrap_or(NONE) {
            let entry = self.get(i);
            if entry.generation != 0 && entry.is_blank() && !self.is_present(i) {
                // It has no waker: nothing of it is dropped here.
                self.remove(i, &mut errands);
            }
        }
    }

    // ---- whom a delivery reaches

    /// Tells every reachable leaf below `top`. `false`: there is none.
    pub(super) fn deliver(
        &mut self,
        top: u32,
        delivery: &Delivery,
        root_joins: bool,
        errands: &mut Errands,
    ) -> bool {
        let mut reached = false;
        let mut open = vec![top];
        while let Some(i) = open.pop() {
            if i != top && self.get(i).is(SHIELD) {
                let kept = self.at(i).news().kept.take();
                let kept = self.merged(kept, delivery.clone());
                self.at(i).news().kept = Some(kept);
                self.refresh(i, errands);
                reached = true;
                continue;
            }
            let mut is_leaf = true;
            let mut child = self.get(i).child;
            while child != NONE {
                if self.is_present(child) {
                    open.push(child);
                    is_leaf = false;
                }
                child = self.get(child).next;
            }
            let joins = if i == ROOT { root_joins } else { self.get(i).first_wait != 0 };
            if joins {
                self.offer(i, delivery, errands);
                is_leaf = false;
                reached = true;
            }
            if is_leaf && i != top {
                self.mark(i, delivery.clone(), errands);
                reached = true;
            }
        }
        reached
    }

    fn offer(&mut self, i: u32, delivery: &Delivery, errands: &mut Errands) {
        let offered = self.at(i).news().offered.take();
        let is_new = offered.is_none();
        let offered = self.merged(offered, delivery.clone());
        let news = self.at(i).news();
        news.offered = Some(offered);
        if is_new {
            news.accepted = false;
            // It holds a pass of a sibling back, until the poll shows who accepts it.
            self.at(i).busy_below += 1;
            self.refresh(i, errands);
        }
    }

    /// The poll of what is below `i` is over: what was offered to waits for tasks, and not accepted, goes back.
    pub(super) fn settle(&mut self, i: u32, errands: &mut Errands) {
        let Some(news) = self.at(i).news.as_deref_mut() else { return };
        let Some(offered) = news.offered.take() else { return };
        let accepted = std::mem::take(&mut news.accepted);
        self.at(i).busy_below -= 1;
        if !accepted {
            self.give_back(Some(offered), errands);
        }
        self.refresh(i, errands);
    }

    /// A wait for task `join`, directly below the scope that is polled, accepts what was offered, and is an entry now.
    pub(super) fn accept(&mut self, join: u64, errands: &mut Errands) -> Option<Delivery> {
        let current = self.current;
        let news = self.at(current).news.as_deref_mut()?;
        let delivery = news.offered.clone()?;
        news.accepted = true;
        let i = self.add_join(join, errands);
        self.at(i).news().held = Some(delivery.clone());
        self.refresh(i, errands);
        Some(delivery)
    }

    /// An entry for a wait for task `join`.
    pub(super) fn add_join(&mut self, join: u64, errands: &mut Errands) -> u32 {
        let i = self.add(errands);
        let now = self.tick();
        let entry = self.at(i);
        entry.join = join;
        entry.polled = now;
        self.joins.insert(join, i);
        i
    }

    pub(super) fn find_join(&self, join: u64) -> Option<u32> {
        self.joins.get(&join).copied()
    }

    /// Whether the scope that the wait `i` has passed on to is still around it.
    pub(super) fn has_passed_to(&self, i: u32) -> bool {
        let entry = self.get(i);
        let to = entry.news.as_deref().and_then(|news| news.passed_to);
        to.is_some_and(|to| self.find(to) == Some(entry.parent))
    }

    /// Tells one scope; whom it is told is dropped at its next poll.
    fn mark(&mut self, i: u32, delivery: Delivery, errands: &mut Errands) {
        if self.get(i).is(PASSING) {
            let parent = self.get(i).parent;
            self.arrive(parent, delivery, errands);
            return;
        }
        self.put_mark(i, delivery, errands);
        self.refresh(i, errands);
    }

    fn put_mark(&mut self, i: u32, delivery: Delivery, errands: &mut Errands) {
        let mark = self.at(i).news().mark.take();
        let delivery = self.merged(mark, delivery);
        let (clock, polls) = (self.clock, self.polls);
        let entry = self.at(i);
        let news = entry.news();
        news.mark = Some(delivery);
        news.marked_at = clock;
        news.marked_in = polls;
        errands.wake.extend(entry.waker.take());
        self.restless = true;
    }

    /// What `i` was told, which from now on it has.
    pub(super) fn take_mark(&mut self, i: u32, errands: &mut Errands) -> Option<Delivery> {
        let news = self.at(i).news.as_deref_mut()?;
        let mark = news.mark.take()?;
        news.held = Some(mark.clone());
        self.refresh(i, errands);
        Some(mark)
    }

    /// A child of `parent` passes on: the parent is told once none of its children is busy.
    pub(super) fn arrive(&mut self, parent: u32, delivery: Delivery, errands: &mut Errands) {
        let arriving = self.at(parent).news().arriving.take();
        let arriving = self.merged(arriving, delivery);
        self.at(parent).news().arriving = Some(arriving);
        self.refresh(parent, errands);
    }

    /// What is known of `i` changed: its parents learn whether it is busy, and what waited for that goes on.
    pub(super) fn refresh(&mut self, mut i: u32, errands: &mut Errands) {
        loop {
            if self.get(i).busy_below == 0 {
                let arrived = self.at(i).news.as_deref_mut().and_then(|news| news.arriving.take());
                if let Some(delivery) = arrived {
                    self.put_mark(i, delivery, errands);
                }
            }
            let entry = self.at(i);
            let (is, was) = (entry.is_busy(), entry.is(BUSY));
            if is == was {
                return;
            }
            entry.set(BUSY, is);
            i = entry.parent;
            if i == NONE {
                return;
            }
            let parent = self.at(i);
            parent.busy_below = if is { parent.busy_below + 1 } else { parent.busy_below - 1 };
        }
    }

    /// Two deliveries that meet: the outermost origin wins, and the task is the outermost.
    pub(super) fn merged(&self, earlier: Option<Delivery>, later: Delivery) -> Delivery {
        let Some(earlier) = earlier else { return later };
        let origin = |delivery: &Delivery| delivery.origin.and_then(|key| self.find(key));
        match (origin(&earlier), origin(&later)) {
            (None, None) if later.cause.reason.is_none() => earlier,
            (_, None) => later,
            (None, Some(_)) => earlier,
            (Some(a), Some(b)) => {
                if self.is_above(b, a) {
                    later
                } else {
                    earlier
                }
            }
        }
    }

    fn is_above(&self, above: u32, below: u32) -> bool {
        let mut i = below;
        while i != NONE && i != above {
            i = self.get(i).parent;
        }
        i == above
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        let wakers = self.entries.iter_mut().filter_map(|entry| entry.waker.take());
        wakers.for_each(crate::wake_batch::drop_caught);
        if self.registered {
            gone::unregister(self.task);
        }
    }
}
