//! Remembers where the last panic of this thread happened, since a caught payload does not say.
//!
//! A panic hook is the only place that sees the location. Ours calls the one that was there before; a hook
//! that the program sets later replaces it, and then places are unknown, and `JoinError` says none.

use std::cell::RefCell;
use std::panic;
use std::sync::{Arc, Once};

thread_local! {
    static LAST: RefCell<Option<Arc<str>>> = const { RefCell::new(None) };
}

/// Begins to remember; once a process, later calls do nothing.
pub fn remember() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let place = info.location().map(|place| Arc::from(place.to_string()));
            // A panic while thread-locals are being destroyed keeps no place.
            let _ = LAST.try_with(|last| last.replace(place));
            before(info);
        }));
    });
}

/// Has the next error of a panic on this thread say `place`: the payload was caught elsewhere, and goes on here.
pub fn put(place: Option<Arc<str>>) {
    let _ = LAST.try_with(|last| last.replace(place));
}

/// Where the last panic of this thread happened; asked once.
pub fn take() -> Option<Arc<str>> {
    LAST.try_with(RefCell::take).ok().flatten()
}
