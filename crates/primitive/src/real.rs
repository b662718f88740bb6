//! The real world: std's atomics and threads, parking_lot's locks, crossbeam's queues.
#![allow(unsafe_code, reason = "parking_lot's face for a lock of our own is an unsafe trait")]

/// Whether the house runs inside a model: sizes shrink and time does not pass.
pub const MODEL: bool = false;

/// See `task_context::CONTEXT_AT`: the words before it are larger in a model.
pub(crate) const CONTEXT_AT: usize = 56;

/// Shared ownership, locks and atomics.
pub mod sync {
    use crate::bolt::Bolt;
    use parking_lot::lock_api::{self, GuardNoSend, RawMutex};

    pub use parking_lot::{Condvar, Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};
    pub use std::sync::Arc;

    /// A mutex that is held for some instructions only: one compare-exchange, and a store. Nothing foreign may run under it but
    /// what is as short.
    pub type ShortLock<T> = lock_api::Mutex<Bolt, T>;

    /// Access for as long as it lives.
    pub type ShortLockGuard<'a, T> = lock_api::MutexGuard<'a, Bolt, T>;

    // SAFETY: of those who shut the bolt one at a time has, says its word.
    unsafe impl RawMutex for Bolt {
        const INIT: Self = Self::new();
        type GuardMarker = GuardNoSend;

        #[inline]
        fn lock(&self) {
            self.shut();
        }

        #[inline]
        fn try_lock(&self) -> bool {
            self.try_shut()
        }

        #[inline]
        unsafe fn unlock(&self) {
            self.open();
        }
    }

    /// Atomic integers and pointers.
    pub mod atomic {
        pub use std::sync::atomic::{
            AtomicBool, AtomicPtr, AtomicU8, AtomicU16, AtomicU32, AtomicU64, AtomicUsize,
            Ordering, fence,
        };
    }
}

#[path = "cell.rs"]
pub mod cell;

/// Threads.
pub mod thread {
    pub use std::thread::{
        Builder, JoinHandle, Thread, ThreadId, current, park, park_timeout, sleep, spawn, yield_now,
    };
}

/// Hints to the processor.
pub mod hint {
    pub use std::hint::spin_loop;
}

/// Raw memory; the model watches it for leaks.
pub mod alloc {
    pub use std::alloc::{Layout, alloc, dealloc};
}

/// Run queues: owner, thieves, and the queue for strangers.
pub mod deque {
    pub use crossbeam_deque::{Injector, Steal, Stealer, Worker};
}

/// `std::thread_local!`, or loom's.
#[macro_export]
#[doc(hidden)]
macro_rules! __thread_local {
    ($(#[$attr:meta])* $vis:vis static $name:ident : $t:ty = $init:expr) => {
        ::std::thread_local! { $(#[$attr])* $vis static $name: $t = const { $init }; }
    };
}
#[doc(inline)]
pub use crate::__thread_local as thread_local;

/// A constructor that is `const`; in a model, whose atomics are made at run time, it is not.
#[macro_export]
#[doc(hidden)]
macro_rules! __const_new {
    ($(#[$attr:meta])* $vis:vis const fn $name:ident ($($arg:ident : $t:ty),* $(,)?) -> $out:ty $body:block) => {
        $(#[$attr])* $vis const fn $name($($arg: $t),*) -> $out $body
    };
}
#[doc(inline)]
pub use crate::__const_new as const_new;
