//! Panics of jobs: the text goes to who awaits the job, and not to the worker's stderr.

use std::any::Any;
use std::cell::{Cell, RefCell};

thread_local! {
    /// A job runs on this thread.
    static IN_JOB: Cell<bool> = const { Cell::new(false) };
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// From now on the place of a job's panic is known. Panics of other threads are told as before.
pub(super) fn remember() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if IN_JOB.try_with(Cell::get) == Ok(true) {
            let place = info.location().map(ToString::to_string);
            let _ = PLACE.try_with(|last| last.replace(place));
        } else {
            before(info);
        }
    }));
}

/// Runs a job, which catches its own panic.
pub(super) fn noted<T>(job: impl FnOnce() -> T) -> T {
    PLACE.with(|last| last.replace(None));
    IN_JOB.set(true);
    let outcome = job();
    IN_JOB.set(false);
    outcome
}

/// Where the last panic of a job was.
pub(super) fn place() -> Option<String> {
    PLACE.with(RefCell::take)
}

/// What it said.
pub(super) fn text_of(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| String::from(*text));
    text.or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "its payload is no text".into())
}
