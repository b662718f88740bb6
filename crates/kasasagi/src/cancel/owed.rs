//! Cleanups that outlive the place they stood at: a combinator dropped it, so they become tasks of their own, owed by the
//! task that polled them last.

use crate::handle::Handle;
use kasasagi_primitive::task_context::current_id;
use kasasagi_primitive::tell::tell;
use kasasagi_task::{Deaf, FutureExt, TaskRef, try_current};
use std::panic::Location;
use std::pin::Pin;

/// A cleanup; it can be moved when it has begun.
pub(crate) type Cleanup = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Who owes a cleanup, and where it would run.
pub(crate) struct Owner {
    task: TaskRef,
    handle: Handle,
}

impl Owner {
    /// The task that this code runs in.
    pub(crate) fn current() -> Option<Self> {
        let owner = Self { task: try_current()?, handle: Handle::try_current().ok()? };
        owner.task.may_owe();
        Some(owner)
    }

    /// Makes the running task the owner, if it is not yet.
    pub(crate) fn renew(owner: &mut Option<Self>) {
        let is_same = match (owner.as_ref(), current_id()) {
            (Some(owner), Some(id)) => owner.task.id().as_u64() == id,
            (_, None) => true,
            (None, Some(_)) => false,
        };
        if !is_same {
            *owner = Self::current();
        }
    }
}

/// Runs `cleanup` as a task; the owner is not done before it is.
pub(crate) fn hand_over(cleanup: Cleanup, owner: Option<Owner>, place: &'static Location<'static>) {
    let Some(Owner { task, handle }) = owner else {
        tell(format_args!(
            "the cleanup at {place} does not run: it was dropped outside tasks, where nobody can run it. Drop it inside \
             a task of a runtime"
        ));
        return;
    };
    let spawner = &handle.engines().spawner;
    let owed = task.owe();
    let (is_owed, name) = (owed.is_some(), format!("cleanup of {}", task.name()));
    // Whoever shuts the runtime down waits for it, and does not interrupt it.
    let stretch = async move {
        cleanup.await;
        drop(owed);
    };
    if is_owed {
        drop(spawner.spawn_owed(place, Deaf(stretch.named(name))));
    } else if spawner.is_closed() {
        drop(stretch);
        tell(format_args!(
            "the cleanup at {place} does not run to its end: task `{}` was cut off, or its runtime has ended",
            task.name()
        ));
    } else {
        drop(spawner.spawn(place, Deaf(stretch.named(name))));
    }
}
