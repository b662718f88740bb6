//! All tasks of a heap, found by scanning its blocks.

use crate::cell::Ptr;
use crate::slab::HeapRef;
use crate::task_ref::TaskRef;

/// References to every task of `heap` that has not ended.
///
/// A task that was spawned before the call and has not ended by its end is among them.
pub fn all(heap: &HeapRef) -> Vec<TaskRef> {
    let mut tasks = Vec::new();
    heap.scan(&mut |block| tasks.extend(TaskRef::try_of(Ptr(block.cast()))));
    tasks
}
