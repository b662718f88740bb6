//! What lets tasks meet: kasasagi's, tokio's, and async-lock's, which smol's users take.
//!
//! A flag that stays is none of tokio's nor of async-lock's: there it is an atomic with what each of their pages tells to
//! put beside it, a `Notify` or an event-listener.

use std::future::Future;
use std::ops::DerefMut;
use std::sync::atomic::{AtomicBool, Ordering};

/// Locks, permits, a flag and a meeting.
pub trait Locks: Send + Sync + 'static {
    /// Guards a number.
    type Lock: Send + Sync + 'static;
    /// Guards a number, for readers and writers.
    type RwLock: Send + Sync + 'static;
    /// Permits.
    type Semaphore: Send + Sync + 'static;
    /// A flag that stays.
    type Event: Send + Sync + 'static;
    /// Where so many meet.
    type Barrier: Send + Sync + 'static;

    /// A lock that nobody holds.
    fn lock() -> Self::Lock;

    /// Takes it.
    fn locked(lock: &Self::Lock)
    -> impl Future<Output = impl DerefMut<Target = u64> + Send> + Send;

    /// A lock that nobody holds.
    fn rw_lock() -> Self::RwLock;

    /// Takes it to read.
    fn read(lock: &Self::RwLock) -> impl Future<Output = impl Send> + Send;

    /// Takes it to write.
    fn written(
        lock: &Self::RwLock,
    ) -> impl Future<Output = impl DerefMut<Target = u64> + Send> + Send;

    /// So many permits.
    fn semaphore(permits: usize) -> Self::Semaphore;

    /// Takes one; it returns when it is dropped.
    fn permit(semaphore: &Self::Semaphore) -> impl Future<Output = impl Send> + Send;

    /// One that is not set.
    fn event() -> Self::Event;

    /// Sets it.
    fn set(event: &Self::Event);

    /// Clears it.
    fn clear(event: &Self::Event);

    /// Waits until it is set.
    fn wait(event: &Self::Event) -> impl Future<Output = ()> + Send;

    /// For so many.
    fn barrier(parties: usize) -> Self::Barrier;

    /// Waits for all.
    fn meet(barrier: &Self::Barrier) -> impl Future<Output = ()> + Send;
}

/// kasasagi's.
#[derive(Debug)]
pub struct Kasasagi;

/// tokio's.
#[derive(Debug)]
pub struct Tokio;

/// async-lock's.
#[derive(Debug)]
pub struct Smol;

/// A flag, and what wakes those who wait for it.
#[derive(Debug, Default)]
pub struct Flag<W> {
    is_set: AtomicBool,
    waiters: W,
}

/// A flag that is an event of the peer's own.
pub trait Event: Default + Send + Sync + 'static {
    /// Sets it.
    fn set(&self);

    /// Clears it.
    fn clear(&self);

    /// Waits until it is set.
    fn wait(&self) -> impl Future<Output = ()> + Send;
}

impl Event for kasasagi::sync::Event {
    #[inline]
    fn set(&self) {
        self.set();
    }

    #[inline]
    fn clear(&self) {
        self.clear();
    }

    #[inline]
    fn wait(&self) -> impl Future<Output = ()> + Send {
        self.wait()
    }
}

impl Event for Flag<tokio::sync::Notify> {
    #[inline]
    fn set(&self) {
        self.is_set.store(true, Ordering::Release);
        self.waiters.notify_waiters();
    }

    #[inline]
    fn clear(&self) {
        self.is_set.store(false, Ordering::Release);
    }

    #[inline]
    async fn wait(&self) {
        // Made before the look: from then on it is notified, polled or not.
        let notified = self.waiters.notified();
        if !self.is_set.load(Ordering::Acquire) {
            notified.await;
        }
    }
}

impl Event for Flag<event_listener::Event> {
    #[inline]
    fn set(&self) {
        self.is_set.store(true, Ordering::Release);
        self.waiters.notify(usize::MAX);
    }

    #[inline]
    fn clear(&self) {
        self.is_set.store(false, Ordering::Release);
    }

    #[inline]
    async fn wait(&self) {
        if self.is_set.load(Ordering::Acquire) {
            return;
        }
        let listener = self.waiters.listen();
        if !self.is_set.load(Ordering::Acquire) {
            listener.await;
        }
    }
}

macro_rules! locks {
    ($peer:ty: $lock:ty, $rw_lock:ty, $semaphore:ty, $event:ty, $barrier:ty) => {
        impl Locks for $peer {
            type Lock = $lock;
            type RwLock = $rw_lock;
            type Semaphore = $semaphore;
            type Event = $event;
            type Barrier = $barrier;

            fn lock() -> Self::Lock {
                <$lock>::new(0)
            }

            #[inline]
            fn locked(
                lock: &Self::Lock,
            ) -> impl Future<Output = impl DerefMut<Target = u64> + Send> + Send {
                lock.lock()
            }

            fn rw_lock() -> Self::RwLock {
                <$rw_lock>::new(0)
            }

            #[inline]
            fn read(lock: &Self::RwLock) -> impl Future<Output = impl Send> + Send {
                lock.read()
            }

            #[inline]
            fn written(
                lock: &Self::RwLock,
            ) -> impl Future<Output = impl DerefMut<Target = u64> + Send> + Send {
                lock.write()
            }

            fn semaphore(permits: usize) -> Self::Semaphore {
                <$semaphore>::new(permits)
            }

            #[inline]
            fn permit(semaphore: &Self::Semaphore) -> impl Future<Output = impl Send> + Send {
                semaphore.acquire()
            }

            fn event() -> Self::Event {
                <$event>::default()
            }

            #[inline]
            fn set(event: &Self::Event) {
                Event::set(event);
            }

            #[inline]
            fn clear(event: &Self::Event) {
                Event::clear(event);
            }

            #[inline]
            fn wait(event: &Self::Event) -> impl Future<Output = ()> + Send {
                Event::wait(event)
            }

            fn barrier(parties: usize) -> Self::Barrier {
                <$barrier>::new(parties)
            }

            #[inline]
            async fn meet(barrier: &Self::Barrier) {
                let _ = barrier.wait().await;
            }
        }
    };
}

use kasasagi::sync as ours;
use tokio::sync as theirs;

locks!(Kasasagi: ours::Lock<u64>, ours::RwLock<u64>, ours::Semaphore, ours::Event, ours::Barrier);
locks!(Tokio: theirs::Mutex<u64>, theirs::RwLock<u64>, theirs::Semaphore, Flag<theirs::Notify>, theirs::Barrier);
locks!(
    Smol: async_lock::Mutex<u64>, async_lock::RwLock<u64>, async_lock::Semaphore, Flag<event_listener::Event>,
    async_lock::Barrier
);
