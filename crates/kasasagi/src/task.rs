//! Who is running: the current task, and all tasks.

pub use kasasagi_task::{TaskId, TaskInfo, TaskRef, TaskState, try_current};

/// The task that this code runs in.
///
/// # Panics
/// Outside tasks; [`try_current`] asks first.
///
/// # Examples
/// ```
/// kasasagi::run(async {
///     let task = kasasagi::spawn(async { kasasagi::task::current().id() });
///     let id = task.id();
///     assert_eq!(task.await.expect("it ends"), id);
/// });
/// assert!(kasasagi::task::try_current().is_none());
/// ```
///
/// Counterpart: `asyncio.current_task`.
#[track_caller]
pub fn current() -> TaskRef {
    match try_current() {
        Some(task) => task,
        None => panic!(
            "`task::current` was called outside tasks: call it inside `kasasagi::run(async {{ … }})` or a \
             spawned future, or use `task::try_current`"
        ),
    }
}

/// What is known of every task of this runtime that has not ended, by number; none outside runtimes.
///
/// Counterpart: `asyncio.all_tasks`.
pub fn all() -> Vec<TaskInfo> {
    crate::runtime::tasks()
}
