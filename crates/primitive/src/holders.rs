//! Who holds which lock, while the runtime of the thread is in debug mode: for dumps, which dereference nothing.
//!
//! A lock enters by its address as it is taken, and leaves as it is released. Outside debug mode nothing is written.

use crate::sync::Mutex;
use std::collections::HashMap;
use std::panic::Location;
use std::sync::OnceLock;

/// Who holds a lock.
#[derive(Debug, Clone, Copy)]
pub struct Held {
    /// The number of the task that took it.
    pub task: u64,
    /// Where the program took it.
    pub place: &'static Location<'static>,
}

static TABLE: OnceLock<Mutex<HashMap<usize, Held>>> = OnceLock::new();

fn table() -> &'static Mutex<HashMap<usize, Held>> {
    TABLE.get_or_init(|| Mutex::new(HashMap::new()))
}

/// Notes that the lock at an address is taken.
pub fn note(address: usize, held: Held) {
    table().lock().insert(address, held);
}

/// Notes that it is released.
pub fn forget(address: usize) {
    table().lock().remove(&address);
}

/// Who holds the lock at an address, as far as that was noted.
pub fn of(address: usize) -> Option<Held> {
    TABLE.get()?.lock().get(&address).copied()
}
