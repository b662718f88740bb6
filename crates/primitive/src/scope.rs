//! Cancel scopes: futures that own an inner future, and know what to do when a cancellation drops it early.
//!
//! A future becomes one by keeping a [`Scope`] and polling what is inside through it. The tree of a task's live scopes
//! is touched only by the thread that polls the task; see `docs/src/architecture/cancellation.md`.

mod entry;
mod gone;
mod runner;
mod sweep;
mod timed;
mod tree;
mod wait;

pub use entry::Delivery;
pub use runner::{Begun, Ended, begin, close, end};
pub(crate) use timed::count_wait;
pub use timed::{Due, adopt, apart, due_around, is_task_asked, leave_to_around, left_at, ticks};
pub use wait::{Awaited, accept, is_offering, leave_wait, pass_wait, poll_wait, wait_for};

use crate::cell::UnsafeCell;
use crate::request::Cause;
use crate::task_context::{self, TaskContext};
use crate::wake_batch::{drop_caught, wake_caught};
use entry::{DEAF, FOREIGN, Key, PASSING, SHIELD};
use std::cell::RefCell;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use tree::Errands;
pub(crate) use tree::Tree;

/// Where the tree of a task stands.
pub(crate) struct Scopes(pub(crate) UnsafeCell<RefCell<Option<Box<Tree>>>>);

impl Default for Scopes {
    fn default() -> Self {
        Self(UnsafeCell::new(RefCell::new(None)))
    }
}

/// What a poll through a scope led to.
#[derive(Debug)]
#[must_use = "a scope that was cancelled has to drop what is inside"]
pub enum Polled<T> {
    /// The inner future is ready. The scope calls [`Scope::leave`] and returns.
    Ready(T),
    /// It is not.
    Pending,
    /// A cancellation reached the scope: it drops the inner future, and then leaves, passes on, or gives back.
    Cancelled(Delivery),
}

/// A future's place among the live scopes of its task.
///
/// Dropped, it leaves; a delivery that reached it, and that it neither used up nor passed on, goes back to where it came
/// from, and comes again at the next suspension.
pub struct Scope {
    key: Key,
    shield: bool,
    passed: Option<Box<Delivery>>,
}

impl Scope {
    /// A scope that is not in a tree yet.
    pub const fn new() -> Self {
        Self { key: Key { task: 0, index: 0, generation: 0 }, shield: false, passed: None }
    }

    /// A scope at which deliveries from outside stop; they are kept until it leaves, and go back then.
    pub const fn shield() -> Self {
        Self { key: Key { task: 0, index: 0, generation: 0 }, shield: true, passed: None }
    }

    fn of(key: Key) -> Self {
        Self { key, shield: false, passed: None }
    }

    /// Makes it a shield, or an ordinary scope again.
    pub fn set_shield(&mut self, shield: bool) {
        self.shield = shield;
        let key = self.key;
        with_tree(|tree, _, _| {
            if let Some(i) = tree.find(key) {
                tree.at(i).set(SHIELD, shield);
            }
        });
    }

    /// Polls `inner` inside the scope, unless a cancellation has reached it: then `inner` is to be dropped without a
    /// last poll.
    #[inline]
    pub fn poll<F>(&mut self, inner: Pin<&mut F>, cx: &mut Context<'_>) -> Polled<F::Output>
    where
        F: Future + ?Sized,
    {
        self.poll_with(cx, |cx| inner.poll(cx))
    }

    /// As `poll`, for what is not one future.
    pub fn poll_with<T>(
        &mut self,
        cx: &mut Context<'_>,
        inner: impl FnOnce(&mut Context<'_>) -> Poll<T>,
    ) -> Polled<T> {
        let (delivery, around) = self.enter(cx, true);
        if let Some(delivery) = delivery {
            return Polled::Cancelled(delivery);
        }
        if self.passed.is_some() {
            return Polled::Pending;
        }
        let below = Below::new(self.key, around, self.shield);
        match inner(cx) {
            Poll::Ready(value) => Polled::Ready(value),
            Poll::Pending => below.end_pending().map_or(Polled::Pending, Polled::Cancelled),
        }
    }

    /// Says that the scope is being polled, and takes a cancellation that has reached it: what a scope does that has
    /// nothing inside to poll, since it waits for something else to end.
    pub fn attend(&mut self, cx: &mut Context<'_>) -> Option<Delivery> {
        self.enter(cx, false).0
    }

    /// As `attend`; if nothing has reached it and `below`, what is polled next is below it. Also says what is around it.
    fn enter(&mut self, cx: &mut Context<'_>, below: bool) -> (Option<Delivery>, u32) {
        let waker = cx.waker();
        let below = below && self.passed.is_none();
        let mut spare = None;
        loop {
            let (key, shield) = (self.key, self.shield);
            let entered = with_tree_or_new(|tree, errands, context| {
                let foreign = !task_context::is_own(waker, context);
                let i = tree.find(key);
                if foreign && spare.is_none() {
                    let kept = i.and_then(|i| tree.get(i).waker.as_ref());
                    if !kept.is_some_and(|kept| kept.will_wake(waker)) {
                        return None;
                    }
                }
                let i = i.unwrap_or_else(|| tree.add(errands));
                let around = tree.current;
                tree.put_below(i, around, errands);
                let now = tree.tick();
                if foreign {
                    tree.register();
                }
                let entry = tree.at(i);
                entry.polled = now;
                entry.set(FOREIGN, foreign);
                entry.set(SHIELD, shield);
                entry.set(DEAF, false);
                if spare.is_some() || !foreign {
                    errands.drop.extend(std::mem::replace(&mut entry.waker, spare.take()));
                }
                let delivery = tree.take_mark(i, errands);
                if below && delivery.is_none() {
                    tree.current = i;
                    tree.at(i).first_wait = 0;
                }
                Some((tree.key_of(i), delivery, around))
            });
            match entered {
                Some(Some((now, delivery, around))) => {
                    // An entry that is new has been told nothing yet: what was passed on before is passed on again.
                    let moved = std::mem::replace(&mut self.key, now);
                    self.moved(moved);
                    return (delivery, around);
                }
                // Cloned outside: it is foreign code.
                Some(None) => spare = Some(waker.clone()),
                None => return (None, tree::ROOT),
            }
        }
    }

    /// After it entered anew: leaves where it was before, and passes on here what it passed on there.
    fn moved(&mut self, from: Key) {
        if from == self.key {
            return;
        }
        if from.task != 0 && from.task != self.key.task {
            gone::push(from.task, from.index, from.generation);
        }
        if let Some(delivery) = self.passed.take() {
            self.pass(*delivery);
        }
    }

    /// A cancellation that has reached the scope since it was last asked. From then on the scope has it: it leaves, passes
    /// on or gives back.
    pub fn take(&mut self) -> Option<Delivery> {
        let key = self.key;
        with_tree(|tree, errands, _| tree.take_mark(tree.find(key)?, errands))?
    }

    /// What a shield has kept, which from now on the scope has.
    pub fn take_kept(&mut self) -> Option<Delivery> {
        let key = self.key;
        with_tree(|tree, errands, _| {
            let i = tree.find(key)?;
            let news = tree.at(i).news.as_deref_mut()?;
            let kept = news.kept.take()?;
            news.held = Some(kept.clone());
            tree.refresh(i, errands);
            Some(kept)
        })?
    }

    /// Passes a delivery on, and what it has kept as a shield, to the scope around this one, once no other branch below that is still busy. The scope returns
    /// `Pending` from then on, until it is dropped.
    pub fn pass(&mut self, delivery: Delivery) {
        let key = self.key;
        self.passed = Some(Box::new(delivery.clone()));
        with_tree(|tree, errands, _| {
            let Some(i) = tree.find(key) else { return };
            let parent = tree.get(i).parent;
            let kept = tree.at(i).news.as_deref_mut().and_then(|news| news.kept.take());
            let delivery = match kept {
                // It came later.
                Some(kept) => tree.merged(Some(delivery), kept),
                None => delivery,
            };
            let entry = tree.at(i);
            entry.set(PASSING, true);
            if let Some(news) = entry.news.as_deref_mut() {
                news.held = None;
            }
            tree.refresh(i, errands);
            let delivery = if delivery.origin == Some(key) {
                Delivery::of_task(delivery.cause)
            } else {
                delivery
            };
            tree.arrive(parent, delivery, errands);
        });
    }

    /// Whether it has passed a delivery on, and waits to be dropped.
    pub fn is_passing(&self) -> bool {
        self.passed.is_some()
    }

    /// The scope returns: what it had taken is used up.
    #[inline]
    pub fn leave(&mut self) {
        self.end(true);
    }

    /// The scope returns, and not because of what it had taken: that goes back, and comes again at the next suspension.
    pub fn give_back(&mut self) {
        self.end(false);
    }

    #[inline]
    fn end(&mut self, used: bool) {
        if self.key.task != 0 {
            self.end_entered(used);
        }
    }

    fn end_entered(&mut self, used: bool) {
        let key = std::mem::take(&mut self.key);
        self.passed = None;
        let here = with_tree(|tree, errands, _| {
            if key.task != tree.task {
                return false;
            }
            if let Some(i) = tree.find(key) {
                tree.leave(i, used, errands);
            }
            true
        });
        if here != Some(true) {
            gone::push(key.task, key.index, key.generation);
        }
    }

    /// Cancels what is below this scope, and nothing else. `false`: nobody is below, and the scope itself drops what is
    /// inside.
    ///
    /// To be called from the scope's own poll, when nothing below is being polled.
    pub fn deliver(&mut self, cause: Cause) -> bool {
        let key = self.key;
        let delivered = with_tree(|tree, errands, context| {
            let Some(i) = tree.find(key) else { return false };
            let delivery = Delivery { origin: Some(key), cause };
            tree.deliver(i, &delivery, context.first_wait() != 0, errands)
        });
        delivered == Some(true)
    }

    /// Whether this scope caused the delivery.
    pub fn is_origin_of(&self, delivery: &Delivery) -> bool {
        self.key.task != 0 && delivery.origin == Some(self.key)
    }

    /// A delivery that this scope caused, and that nobody used up: it is to be delivered again.
    pub fn take_returned(&mut self) -> Option<Delivery> {
        let key = self.key;
        with_tree(|tree, _, _| {
            let i = tree.find(key)?;
            tree.at(i).news.as_deref_mut()?.again.take()
        })?
    }

    /// Whether it is in a tree.
    pub fn is_entered(&self) -> bool {
        self.key.task != 0
    }
}

impl Default for Scope {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Scope {
    #[inline]
    fn drop(&mut self) {
        self.end(false);
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope").field("passing", &self.is_passing()).finish_non_exhaustive()
    }
}

/// Cancels the scope around the calling code, as if its inner future had been told: what a rethrow does. `false` outside
/// tasks.
pub fn pass_up(delivery: Delivery) -> bool {
    with_tree_or_new(|tree, errands, _| {
        let current = tree.current;
        tree.arrive(current, delivery, errands);
    })
    .is_some()
}

/// How many requests to cancel it the polled task has counted, and not taken back.
pub fn requests() -> u32 {
    let requests = task_context::with(TaskContext::requests).unwrap_or(0);
    u32::try_from(requests).unwrap_or(u32::MAX)
}

/// What is polled meanwhile is below a scope.
struct Below {
    key: Key,
    around: u32,
    deadline: u64,
}

impl Below {
    /// The scope has been entered, and `around` was the one that was polled before.
    fn new(key: Key, around: u32, shield: bool) -> Self {
        let deadline = timed::deadline();
        if shield {
            timed::set_deadline(u64::MAX);
        }
        Self { key, around, deadline }
    }

    /// What is inside is pending: takes a cancellation that has reached the scope meanwhile.
    fn end_pending(self) -> Option<Delivery> {
        std::mem::ManuallyDrop::new(self).end(true)
    }

    fn end(&self, takes: bool) -> Option<Delivery> {
        timed::set_deadline(self.deadline);
        with_tree(|tree, errands, _| {
            let i = tree.find(self.key)?;
            tree.settle(i, errands);
            tree.current = self.around;
            if takes { tree.take_mark(i, errands) } else { None }
        })?
    }
}

impl Drop for Below {
    fn drop(&mut self) {
        let _ = self.end(false);
    }
}

/// Shows the tree of the polled task, if it has one; then does what the change leaves to be done.
fn with_tree<R>(f: impl FnOnce(&mut Tree, &mut Errands, &TaskContext) -> R) -> Option<R> {
    visit(false, f)
}

/// As `with_tree`, and makes the tree if there is none; `None` outside tasks.
fn with_tree_or_new<R>(f: impl FnOnce(&mut Tree, &mut Errands, &TaskContext) -> R) -> Option<R> {
    visit(true, f)
}

fn visit<R>(make: bool, f: impl FnOnce(&mut Tree, &mut Errands, &TaskContext) -> R) -> Option<R> {
    let mut errands = Errands::default();
    let (result, unseen) = task_context::with(|context| {
        task_context::with_scopes(context, make, |slot| {
            let tree = slot.get_or_insert_with(|| Box::new(Tree::new(context.id)));
            let result = f(tree, &mut errands, context);
            (result, tree.restless && !tree.attended)
        })
    })??;
    if unseen {
        // The tree was made in this poll, and the runner does not look at it yet: once more.
        task_context::mark_yielded();
    }
    errands.run();
    Some(result)
}

impl Errands {
    /// Foreign code, outside the tree: a panic of it is not the scope's.
    #[inline]
    fn run(self) {
        if self.wake.capacity() == 0 && self.drop.capacity() == 0 {
            // Nothing was left to be done, nor is there anything to drop.
            return std::mem::forget(self);
        }
        self.run_some();
    }

    #[cold]
    fn run_some(self) {
        self.wake.into_iter().for_each(wake_caught);
        self.drop.into_iter().for_each(drop_caught);
    }
}
