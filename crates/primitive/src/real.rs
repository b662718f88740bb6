//! The real world: std's atomics and threads, parking_lot's locks, crossbeam's queues.

/// Whether the house runs inside a model: sizes shrink and time does not pass.
pub const MODEL: bool = false;

/// A number that no other call in this process gives. It orders nothing, and so a model need not see it.
pub(crate) fn number() -> u64 {
    static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1);
    NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed)
}

/// Shared ownership, locks and atomics.
pub mod sync {
    pub use parking_lot::{Condvar, Mutex, MutexGuard};
    pub use std::sync::Arc;

    /// Atomic integers and pointers.
    pub mod atomic {
        pub use std::sync::atomic::{
            AtomicBool, AtomicPtr, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence,
        };
    }
}

/// Interior mutability whose every access is visible to the model.
pub mod cell {
    /// A cell that is accessed through closures, so that loom can see each access.
    #[derive(Debug)]
    #[repr(transparent)]
    pub struct UnsafeCell<T: ?Sized>(std::cell::UnsafeCell<T>);

    impl<T> UnsafeCell<T> {
        /// Puts `value` into a cell.
        pub const fn new(value: T) -> Self {
            Self(std::cell::UnsafeCell::new(value))
        }

        /// Takes the value out.
        pub fn into_inner(self) -> T {
            self.0.into_inner()
        }
    }

    impl<T: ?Sized> UnsafeCell<T> {
        /// Reads through a shared pointer; the caller keeps writers away meanwhile.
        #[inline(always)]
        pub fn with<R>(&self, f: impl FnOnce(*const T) -> R) -> R {
            f(self.0.get())
        }

        /// Writes through an exclusive pointer; the caller keeps everybody else away meanwhile.
        #[inline(always)]
        pub fn with_mut<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
            f(self.0.get())
        }
    }
}

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
