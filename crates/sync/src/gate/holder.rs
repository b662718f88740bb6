//! Which task is alone inside, and where it came in.

use kasasagi_primitive::const_new;
use kasasagi_primitive::holders::{self, Held};
use kasasagi_primitive::sync::atomic::{AtomicU64, Ordering};
use kasasagi_primitive::task_context;
use kasasagi_primitive::wait_site::Spot;
use std::fmt;
use std::panic::Location;

/// It stands in the table of holders too, which is written in debug mode.
const NOTED: u64 = 1 << 63;
/// Its guard may be with another task meanwhile.
const WANDERS: u64 = 1 << 62;

/// Two words, written by whoever holds the lock, read by anybody: each is whole, and together they are a hint.
pub(crate) struct Holder {
    // A task's number and the bits above; zero: nobody, or none that is a task.
    task: AtomicU64,
    place: Spot,
}

impl Holder {
    const_new! {
        pub(crate) const fn new() -> Self {
            Self { task: AtomicU64::new(0), place: Spot::new() }
        }
    }

    #[inline]
    pub(crate) fn set(&self, place: &'static Location<'static>, wanders: bool) {
        self.place.set(place);
        let (task, debug) = task_context::who();
        if task == 0 {
            return;
        }
        let mut word = if wanders { task | WANDERS } else { task };
        if debug {
            word |= NOTED;
            holders::note(self.address(), Held { task, place });
        }
        self.task.store(word, Ordering::Relaxed);
    }

    #[inline]
    pub(crate) fn clear(&self) {
        let word = self.task.load(Ordering::Relaxed);
        if word != 0 {
            self.task.store(0, Ordering::Relaxed);
        }
        if word & NOTED != 0 {
            holders::forget(self.address());
        }
    }

    /// Under which number the lock stands in the table, and in the wait sites of those who wait.
    pub(crate) fn address(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    /// Whether it is this very task, which cannot have given its guard away unnoticed.
    pub(crate) fn is(&self, task: u64) -> bool {
        self.task.load(Ordering::Relaxed) & !NOTED == task
    }

    /// Where it came in last.
    pub(crate) fn place(&self) -> Option<&'static Location<'static>> {
        self.place.get()
    }

    /// Says which task it is, and where it came in, if it is one.
    pub(crate) fn tell(&self, text: &mut fmt::DebugStruct<'_, '_>) {
        let task = self.task.load(Ordering::Relaxed) & !(NOTED | WANDERS);
        if task == 0 {
            return;
        }
        text.field("task", &task);
        if let Some(place) = self.place.get() {
            text.field("at", &format_args!("{place}"));
        }
    }
}
