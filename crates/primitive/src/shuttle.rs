//! The world of random schedules: shuttle's atomics, locks and threads under the names of `real.rs`.
//!
//! Where loom explores all of a small model, shuttle tries very many schedules of a large one; it knows no weak
//! memory, and takes a thread away at every atomic access, lock and wait.

/// Whether the house runs inside a model: sizes shrink and time does not pass.
pub const MODEL: bool = true;

/// See `task_context::CONTEXT_AT`: the words before it are larger in a model.
pub(crate) const CONTEXT_AT: usize = 248;

/// Shared ownership, locks and atomics.
pub mod sync {
    pub use std::sync::Arc;

    use std::ops::{Deref, DerefMut};
    use std::time::Duration;

    /// shuttle's mutex with parking_lot's face: no poison.
    #[derive(Debug)]
    pub struct Mutex<T>(shuttle::sync::Mutex<T>);

    /// Access for as long as it lives.
    #[derive(Debug)]
    pub struct MutexGuard<'a, T>(Option<shuttle::sync::MutexGuard<'a, T>>);

    impl<T> Mutex<T> {
        /// Puts `value` behind a lock.
        pub const fn new(value: T) -> Self {
            Self(shuttle::sync::Mutex::new(value))
        }

        /// Takes the value out.
        pub fn into_inner(self) -> T {
            self.0.into_inner().unwrap_or_else(|e| e.into_inner())
        }

        /// Waits for the lock.
        pub fn lock(&self) -> MutexGuard<'_, T> {
            MutexGuard(Some(self.0.lock().unwrap_or_else(|e| e.into_inner())))
        }

        /// Takes the lock if it is free.
        pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
            self.0.try_lock().ok().map(|guard| MutexGuard(Some(guard)))
        }

        /// The value, without locking, as nobody else can have it.
        pub fn get_mut(&mut self) -> &mut T {
            self.0.get_mut().unwrap_or_else(|e| e.into_inner())
        }
    }

    /// The same: in the real world it is held for some instructions only.
    pub type ShortLock<T> = Mutex<T>;

    /// Access for as long as it lives.
    pub type ShortLockGuard<'a, T> = MutexGuard<'a, T>;

    impl<T: Default> Default for Mutex<T> {
        fn default() -> Self {
            Self::new(T::default())
        }
    }

    impl<T> Deref for MutexGuard<'_, T> {
        type Target = T;
        fn deref(&self) -> &T {
            self.0.as_ref().expect("a guard is whole except while its condvar waits")
        }
    }

    impl<T> DerefMut for MutexGuard<'_, T> {
        fn deref_mut(&mut self) -> &mut T {
            self.0.as_mut().expect("a guard is whole except while its condvar waits")
        }
    }

    /// shuttle's lock of many readers or one writer, with parking_lot's face: no poison.
    #[derive(Debug)]
    pub struct RwLock<T>(shuttle::sync::RwLock<T>);

    /// Shared access for as long as it lives.
    pub type RwLockReadGuard<'a, T> = shuttle::sync::RwLockReadGuard<'a, T>;

    /// Sole access for as long as it lives.
    pub type RwLockWriteGuard<'a, T> = shuttle::sync::RwLockWriteGuard<'a, T>;

    impl<T> RwLock<T> {
        /// Puts `value` behind a lock.
        pub fn new(value: T) -> Self {
            Self(shuttle::sync::RwLock::new(value))
        }

        /// Waits until nobody writes.
        pub fn read_recursive(&self) -> RwLockReadGuard<'_, T> {
            self.0.read().unwrap_or_else(|e| e.into_inner())
        }

        /// Waits until nobody reads or writes.
        pub fn write(&self) -> RwLockWriteGuard<'_, T> {
            self.0.write().unwrap_or_else(|e| e.into_inner())
        }
    }

    /// shuttle's condition variable with parking_lot's face.
    #[derive(Debug, Default)]
    pub struct Condvar(shuttle::sync::Condvar);

    /// Whether a timed wait ended by its time; in a model it never does.
    #[derive(Debug, Clone, Copy)]
    pub struct WaitTimeoutResult;

    impl WaitTimeoutResult {
        /// Time does not pass in a model.
        pub fn timed_out(&self) -> bool {
            false
        }
    }

    impl Condvar {
        /// A condition nobody waits for yet.
        pub const fn new() -> Self {
            Self(shuttle::sync::Condvar::new())
        }

        /// Gives the lock up, waits for a notification, takes the lock again.
        pub fn wait<T>(&self, guard: &mut MutexGuard<'_, T>) {
            let inner = guard.0.take().expect("a guard is whole except while its condvar waits");
            guard.0 = Some(self.0.wait(inner).unwrap_or_else(|e| e.into_inner()));
        }

        /// As `wait`: time does not pass in a model.
        pub fn wait_for<T>(&self, guard: &mut MutexGuard<'_, T>, _: Duration) -> WaitTimeoutResult {
            self.wait(guard);
            WaitTimeoutResult
        }

        /// Wakes one waiter.
        pub fn notify_one(&self) -> bool {
            self.0.notify_one();
            true
        }

        /// Wakes all waiters.
        pub fn notify_all(&self) -> usize {
            self.0.notify_all();
            0
        }
    }

    /// Atomic integers and pointers.
    pub mod atomic {
        pub use shuttle::sync::atomic::{
            AtomicBool, AtomicPtr, AtomicU8, AtomicU16, AtomicU32, AtomicU64, AtomicUsize,
            Ordering, fence,
        };
    }
}

#[path = "cell.rs"]
pub mod cell;

/// Threads.
pub mod thread {
    pub use shuttle::thread::{Builder, JoinHandle, ThreadId, spawn, yield_now};

    use super::sync::{Arc, Condvar, Mutex};

    // shuttle's own park may end for no reason, as std's may. That hides a wake that was lost, so each thread gets a
    // place of its own to park at, which it leaves for a token only.
    #[derive(Debug, Default)]
    struct Place {
        token: Mutex<bool>,
        left: Condvar,
    }

    shuttle::thread_local! {
        static PLACE: Thread = Thread(Arc::new(Place::default()))
    }

    /// A thread, to be unparked.
    #[derive(Debug, Clone)]
    pub struct Thread(Arc<Place>);

    impl Thread {
        /// Leaves a token; a thread that parks goes on.
        pub fn unpark(&self) {
            *self.0.token.lock() = true;
            self.0.left.notify_one();
        }
    }

    /// The calling thread.
    pub fn current() -> Thread {
        PLACE.with(Clone::clone)
    }

    /// Waits for a token, and takes it.
    pub fn park() {
        let thread = current();
        let mut token = thread.0.token.lock();
        while !*token {
            thread.0.left.wait(&mut token);
        }
        *token = false;
    }

    /// As `park`: time does not pass in a model.
    pub fn park_timeout(_: std::time::Duration) {
        park();
    }

    /// Lets others run: time does not pass in a model.
    pub fn sleep(_: std::time::Duration) {
        yield_now();
    }
}

/// Hints to the processor.
pub mod hint {
    pub use shuttle::hint::spin_loop;
}

/// Raw memory.
pub mod alloc {
    pub use std::alloc::{Layout, alloc, dealloc};
}

/// `std::thread_local!`, or shuttle's.
#[macro_export]
#[doc(hidden)]
macro_rules! __thread_local {
    ($(#[$attr:meta])* $vis:vis static $name:ident : $t:ty = $init:expr) => {
        $crate::__shuttle::thread_local! { $(#[$attr])* $vis static $name: $t = $init; }
    };
}
#[doc(inline)]
pub use crate::__thread_local as thread_local;

#[path = "model/deque.rs"]
pub mod deque;

/// A constructor that is `const`.
#[macro_export]
#[doc(hidden)]
macro_rules! __const_new {
    ($(#[$attr:meta])* $vis:vis const fn $name:ident ($($arg:ident : $t:ty),* $(,)?) -> $out:ty $body:block) => {
        $(#[$attr])* $vis const fn $name($($arg: $t),*) -> $out $body
    };
}
#[doc(inline)]
pub use crate::__const_new as const_new;
