//! Children: the tasks that a combinator started or was given, and which of them have ended.

use crate::run::spawn_at;
use kasasagi_primitive::request::Cause;
use kasasagi_primitive::task_context;
use kasasagi_primitive::wait_site::WaitKind;
use kasasagi_task::{Ends, IntoTask, JoinError, Spawn, Spawner, Task, TaskHandle};
use std::panic::Location;
use std::task::{Context, Poll, ready};

type Place = &'static Location<'static>;

/// Spawns where the combinator was called.
pub(crate) struct Here(pub(crate) Place);

impl Spawner for Here {
    #[inline]
    fn spawn<F>(&mut self, what: F) -> Task<F::Output>
    where
        F: Spawn,
        F::Future: Send + 'static,
        F::Output: Send + 'static,
    {
        spawn_at(self.0, what)
    }
}

/// When a combinator is woken for the first time.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wake {
    /// When the first child has ended.
    First,
    /// When all have.
    All,
}

/// The children, in slots. A slot is free again when its child's output was taken.
pub(crate) struct Children<H: TaskHandle> {
    slots: Vec<Option<H>>,
    free: Vec<usize>,
    ends: Ends,
    place: Place,
}

impl<H: TaskHandle> Children<H> {
    /// Starts what `items` gives, all at once.
    pub(crate) fn all<I>(items: I, wake: Wake, place: Place) -> Self
    where
        I: Iterator,
        I::Item: IntoTask<Handle = H, Output = H::Output>,
    {
        let start = |item: I::Item| Some(item.into_task(&mut Here(place)));
        let mut slots: Vec<_> = items.map(start).collect();
        let count = slots.len();
        let mut ends = Ends::new(count, if wake == Wake::All { count } else { 1 });
        for (slot, child) in slots.iter_mut().enumerate() {
            if let Some(child) = child {
                ends.watch(slot, child.task());
            }
        }
        Self { slots, free: Vec::new(), ends, place }
    }

    /// None yet, and room for so many at a time.
    pub(crate) fn with_room(count: usize, place: Place) -> Self {
        let slots = std::iter::repeat_with(|| None).take(count).collect();
        Self { slots, free: (0..count).rev().collect(), ends: Ends::new(count, 1), place }
    }

    /// Whether one more may be started.
    pub(crate) fn has_room(&self) -> bool {
        !self.free.is_empty()
    }

    /// Starts one more; says in which slot.
    pub(crate) fn start<I>(&mut self, item: I) -> usize
    where
        I: IntoTask<Handle = H, Output = H::Output>,
    {
        let slot = self.free.pop().expect("who starts a child has seen that there is room");
        let child = self.slots[slot].insert(item.into_task(&mut Here(self.place)));
        self.ends.watch(slot, child.task());
        slot
    }

    /// How many slots there are.
    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    /// Waits until [`next`](Self::next) has something to say, or all have ended, as was asked for.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.ends.poll(cx).is_pending() {
            task_context::waiting(WaitKind::Join, 0, self.place);
            return Poll::Pending;
        }
        Poll::Ready(())
    }

    /// As `poll` and `next`, and takes one unit of the task's budget for each.
    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<usize>> {
        ready!(self.poll(cx));
        ready!(kasasagi_primitive::coop::poll_proceed(cx));
        Poll::Ready(self.ends.pop())
    }

    /// The slot of a child that has ended, in the order of the ends.
    pub(crate) fn next(&mut self) -> Option<usize> {
        self.ends.pop()
    }

    /// The output of a child that has ended.
    pub(crate) fn take(&mut self, slot: usize) -> Result<H::Output, JoinError> {
        let mut child = self.remove(slot);
        child.task().output()
    }

    /// A child that has ended, itself.
    pub(crate) fn remove(&mut self, slot: usize) -> H {
        self.free.push(slot);
        self.slots[slot].take().expect("an end is told once, of a child that is there")
    }

    pub(crate) fn get(&mut self, slot: usize) -> Option<&mut Task<H::Output>> {
        self.slots[slot].as_mut().map(TaskHandle::task)
    }

    /// All that are left, in the order of their slots; nothing waits for them any more.
    pub(crate) fn into_rest(self) -> impl Iterator<Item = H> {
        self.slots.into_iter().flatten()
    }

    /// Asks those to end that have not, and are not only lent. Says whether they are to be waited for.
    pub(crate) fn cancel(&mut self, cause: &Cause) -> bool {
        if H::LENT {
            return false;
        }
        for child in self.slots.iter_mut().flatten() {
            child.task().cancel_for(cause);
        }
        true
    }
}
