//! Which task is alone inside, and where it came in.

use kasasagi_primitive::const_new;
use kasasagi_primitive::sync::atomic::{AtomicU64, Ordering};
use kasasagi_primitive::task_context;
use kasasagi_primitive::wait_site::Spot;
use std::fmt;
use std::panic::Location;

/// Two words, written by whoever holds the lock, read by anybody: each is whole, and together they are a hint.
pub(crate) struct Holder {
    // Zero: nobody, or none that is a task.
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
    pub(crate) fn set(&self, place: &'static Location<'static>) {
        self.place.set(place);
        self.task.store(task_context::current_id().unwrap_or(0), Ordering::Relaxed);
    }

    #[inline]
    pub(crate) fn clear(&self) {
        self.task.store(0, Ordering::Relaxed);
    }

    /// The number of the task that holds it; `None` if none does, or what holds it is no task.
    fn task(&self) -> Option<u64> {
        Some(self.task.load(Ordering::Relaxed)).filter(|task| *task != 0)
    }

    /// Says which task it is, and where it came in, if it is one.
    pub(crate) fn tell(&self, text: &mut fmt::DebugStruct<'_, '_>) {
        if let Some(task) = self.task() {
            text.field("task", &task);
            if let Some(place) = self.place.get() {
                text.field("at", &format_args!("{place}"));
            }
        }
    }
}
