//! Scopes that were dropped where their tree could not be reached: on another thread, or inside another task.
//!
//! They leave their key here, and the thread that polls the task collects it before it delivers. Only trees with a
//! scope under a foreign waker are known here: for the others the tree sees by itself who was not polled.

use std::collections::BTreeMap;
use std::mem;

/// Those that are gone, by index and generation.
type Keys = Vec<(u32, u32)>;

// A lock that is real in a model too: nobody holds it over a point where a model switches threads, and loom's cannot
// be a static.
type Shard = parking_lot::Mutex<BTreeMap<u64, Keys>>;

const SHARDS: usize = 16;
static SHARDED: [Shard; SHARDS] = [const { Shard::new(BTreeMap::new()) }; SHARDS];

fn shard(task: u64) -> &'static Shard {
    // The remainder is below 16.
    &SHARDED[(task % SHARDS as u64) as usize]
}

/// The tree of `task` wants to know.
pub(super) fn register(task: u64) {
    shard(task).lock().insert(task, Keys::new());
}

/// The tree is no more.
pub(super) fn unregister(task: u64) {
    shard(task).lock().remove(&task);
}

/// A scope of `task` is gone.
pub(super) fn push(task: u64, index: u32, generation: u32) {
    if let Some(keys) = shard(task).lock().get_mut(&task) {
        keys.push((index, generation));
    }
}

/// Takes what has been left for `task`.
pub(super) fn take(task: u64) -> Keys {
    shard(task).lock().get_mut(&task).map(mem::take).unwrap_or_default()
}
