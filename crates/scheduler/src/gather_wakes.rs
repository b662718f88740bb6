//! Several wakes in a row by a thread without a seat, and one call for all of them.
//!
//! A worker that is called may be put on the caller's processor, in its place. It finds one task, does it, sleeps again, and
//! is called for the next: two changes of threads for each. So the tasks are queued first.

use crate::shared::Shared;
use kasasagi_primitive::sync::Arc;
use kasasagi_primitive::thread_local;
use std::cell::{Cell, RefCell};

thread_local! {
    static GATHERS: Cell<bool> = Cell::new(false)
}

thread_local! {
    // Whose worker is to be called at the end; looked at while `GATHERS`.
    static WHOM: RefCell<Option<Arc<Shared>>> = RefCell::new(None)
}

/// Runs `f`. For the tasks that it wakes, as a thread without a seat, a worker is called at its end: it must not take long.
pub fn gather_wakes(f: &mut dyn FnMut()) {
    let _end = (!GATHERS.with(|gathers| gathers.replace(true))).then_some(End);
    f();
}

/// The end of it, also by a panic.
struct End;

impl Drop for End {
    fn drop(&mut self) {
        GATHERS.with(|gathers| gathers.set(false));
        if let Some(shared) = WHOM.with(RefCell::take) {
            shared.wake_from_outside();
        }
    }
}

/// A task was queued for `shared` by this thread, which has no seat: calls somebody, now or at the end.
pub(crate) fn call(shared: Arc<Shared>) {
    if !GATHERS.with(Cell::get) {
        return shared.wake_from_outside();
    }
    let is_noted =
        WHOM.with(|whom| whom.borrow().as_ref().is_some_and(|noted| Arc::ptr_eq(noted, &shared)));
    if !is_noted {
        let before = WHOM.with(|whom| whom.replace(Some(shared)));
        if let Some(before) = before {
            before.wake_from_outside();
        }
    }
}
