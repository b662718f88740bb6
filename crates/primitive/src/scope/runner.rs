//! What the runner of a task does with its tree: before a poll, and after it.

use super::Tree;
use super::entry::Delivery;
use super::tree::{Errands, ROOT};
use crate::cold::Cold;
use crate::request::Cause;
use crate::task_context::{self, TaskContext};

/// What a poll of a task begins with.
#[derive(Debug)]
#[must_use]
pub enum Begun {
    /// The future is polled.
    Poll,
    /// A cancellation reaches no scope: the future is dropped.
    Cancelled(Cause),
    /// As above, and the task has no cold part: the cause is [`TaskContext::plain_cause`].
    CancelledPlainly,
}

/// What a poll of a task that has scopes led to, where its future is pending.
#[derive(Debug)]
#[must_use]
pub enum Ended {
    /// Nothing that keeps the task from its sleep.
    Quiet,
    /// A scope was told and is to be polled: the task goes to the end of the queue.
    Again,
    /// A cancellation has passed all scopes: the future is dropped.
    Cancelled(Cause),
}

/// Delivers what was asked of the polled task, and begins the poll. Called by its runner, inside `enter`.
pub fn begin(context: &TaskContext) -> Begun {
    let mut errands = Errands::default();
    let begun = begin_in(context, &mut errands);
    errands.run();
    begun
}

fn begin_in(context: &TaskContext, errands: &mut Errands) -> Begun {
    let joins = context.first_wait() != 0;
    // What is offered to waits needs a tree, and so a cold part. A request that comes after this look is shown after it.
    if joins && context.is_asked_plainly() {
        let _ = context.cold_or_new();
    } else if !joins && context.take_plain() {
        return Begun::CancelledPlainly;
    }
    let Some(cold) = context.cold() else {
        context.begin();
        return Begun::Poll;
    };
    let returned = tree_of(context, false, |tree| {
        tree.collect(errands);
        tree.returned.take()
    });
    let (cause, is_cut) = {
        let mut request = cold.request.lock();
        if let Some(Some(cause)) = returned {
            let _ = request.give_back(cause);
        }
        (request.begin(), request.is_cut())
    };
    if let Some(mut cause) = cause {
        cause.interrupted = context.wait.get().and_then(|wait| wait.place);
        if is_cut {
            return Begun::Cancelled(cause);
        }
        let delivery = Delivery::of_task(cause);
        let tell = |tree: &mut Tree| tree.deliver(ROOT, &delivery, joins, errands);
        if tree_of(context, joins, tell) != Some(true) {
            return Begun::Cancelled(delivery.cause);
        }
    }
    context.begin();
    tree_of(context, false, |tree| {
        let now = tree.tick();
        tree.at(ROOT).polled = now;
        tree.polls += 1;
        tree.current = ROOT;
        tree.restless = false;
        tree.attended = true;
    });
    Begun::Poll
}

/// Ends a poll that `begin` began and whose future is pending; `idle`: the task was not woken meanwhile.
pub fn end(context: &TaskContext, idle: bool) -> Ended {
    let mut errands = Errands::default();
    let ended = tree_of(context, false, |tree| {
        tree.settle(ROOT, &mut errands);
        tree.pass_over(idle, &mut errands);
        tree.attended = false;
        let again = std::mem::take(&mut tree.restless) && tree.has_to_come();
        let mark = tree.at(ROOT).news.as_deref_mut().and_then(|news| news.mark.take());
        (mark, tree.returned.take(), again)
    });
    errands.run();
    let Some((mark, returned, again)) = ended else { return Ended::Quiet };
    if let Some(delivery) = mark {
        return Ended::Cancelled(delivery.cause);
    }
    let comes_back = returned.is_some_and(|cause| give_back(context, cause));
    if again || comes_back { Ended::Again } else { Ended::Quiet }
}

/// The future of the polled task is gone, and so is its tree: a scope that is elsewhere by now would have it keep a waker,
/// in which the task's own may be. Called by its runner, inside `enter`.
pub fn close(context: &TaskContext) {
    // Outside the tree: wakers are dropped.
    drop(task_context::with_scopes(context, false, Option::take));
}

fn give_back(context: &TaskContext, cause: Cause) -> bool {
    context.cold().is_some_and(|cold: &Cold| cold.request.lock().give_back(cause))
}

fn tree_of<R>(context: &TaskContext, make: bool, f: impl FnOnce(&mut Tree) -> R) -> Option<R> {
    task_context::with_scopes(context, make, |slot| {
        f(slot.get_or_insert_with(|| Box::new(Tree::new(context.id))))
    })
}
