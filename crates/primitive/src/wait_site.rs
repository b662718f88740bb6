//! What a task waits for: kind, resource, place in the program, since when.
//!
//! Written by the thread that polls the task, whenever a leaf returns `Pending`; read by anybody at any
//! moment, under a sequence lock, so that a dump never dereferences anything that may be gone: the resource
//! is an address and stays one. Cleared, with one store, at the start of the next poll.
#![allow(
    unsafe_code,
    reason = "a place is stored as the pointer of a `&'static Location` and read back"
)]

use crate::MODEL;
use crate::const_new;
use crate::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence};
use std::panic::Location;

/// What sort of thing a task waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(u32)]
pub enum WaitKind {
    /// Something that does not say: a future of another library, or nothing at all.
    Unknown = 0,
    /// A moment in time.
    Sleep = 1,
    /// A source to become readable.
    Readable = 2,
    /// A source to become writable.
    Writable = 3,
    /// Another task to end.
    Join = 4,
    /// A turn of its own, after the others.
    Yield = 5,
    /// A lock.
    Lock = 6,
    /// A permit.
    Semaphore = 7,
    /// An event to be set.
    Event = 8,
    /// An item of, or room in, a queue.
    Queue = 9,
    /// A closure on another thread.
    Blocking = 10,
    /// A connection to be made.
    Connect = 11,
    /// A condition to be notified.
    Condition = 12,
    /// The others, at a barrier.
    Barrier = 13,
    /// A promise to be kept.
    Promise = 20,
    /// A message, or a new value, of a channel.
    Channel = 30,
    /// Another one to make what is made once.
    Once = 31,
    /// Its turn, or the moment, to start something whose rate is limited.
    Rate = 32,
}

impl WaitKind {
    fn from_u32(n: u32) -> Self {
        match n {
            1 => Self::Sleep,
            2 => Self::Readable,
            3 => Self::Writable,
            4 => Self::Join,
            5 => Self::Yield,
            6 => Self::Lock,
            7 => Self::Semaphore,
            8 => Self::Event,
            9 => Self::Queue,
            10 => Self::Blocking,
            11 => Self::Connect,
            12 => Self::Condition,
            13 => Self::Barrier,
            20 => Self::Promise,
            30 => Self::Channel,
            31 => Self::Once,
            32 => Self::Rate,
            _ => Self::Unknown,
        }
    }

    /// The word a dump uses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Sleep => "sleep",
            Self::Readable => "readable",
            Self::Writable => "writable",
            Self::Join => "join",
            Self::Yield => "yield",
            Self::Lock => "lock",
            Self::Semaphore => "semaphore",
            Self::Event => "event",
            Self::Queue => "queue",
            Self::Blocking => "blocking",
            Self::Connect => "connect",
            Self::Condition => "condition",
            Self::Barrier => "barrier",
            Self::Promise => "promise",
            Self::Channel => "channel",
            Self::Once => "once",
            Self::Rate => "rate",
        }
    }
}

/// A copy of a wait site.
#[derive(Debug, Clone, Copy)]
pub struct Wait {
    /// What sort of thing it is.
    pub kind: WaitKind,
    /// The resource's address, or the id of the task that is waited for; for display and comparison only.
    pub resource: usize,
    /// Where the program began to wait.
    pub place: Option<&'static Location<'static>>,
    /// Since when, in nanoseconds of the scheduler's coarse clock; late by up to one check interval.
    pub since: u64,
}

/// How often a reader tries to catch a whole site: a write takes some 5 ns, so even one retry is rare. In a model,
/// where each look multiplies the interleavings, two show all there is to see.
const LOOKS: u32 = if MODEL { 2 } else { 8 };

/// The words of one task.
#[derive(Debug)]
#[repr(C)]
pub struct WaitSite {
    seq: AtomicU32,
    kind: AtomicU32,
    resource: AtomicUsize,
    place: AtomicPtr<Location<'static>>,
    since: AtomicU64,
}

impl Default for WaitSite {
    fn default() -> Self {
        Self::new()
    }
}

impl WaitSite {
    /// A task that waits for nothing yet.
    pub fn new() -> Self {
        Self {
            seq: AtomicU32::new(0),
            kind: AtomicU32::new(0),
            resource: AtomicUsize::new(0),
            place: AtomicPtr::new(std::ptr::null_mut()),
            since: AtomicU64::new(0),
        }
    }

    /// Says what the task waits for; only the thread that polls the task may.
    #[inline]
    pub fn set(
        &self,
        kind: WaitKind,
        resource: usize,
        place: &'static Location<'static>,
        since: u64,
    ) {
        let seq = self.seq.load(Ordering::Relaxed);
        self.seq.store(seq.wrapping_add(1), Ordering::Relaxed);
        // Orders the odd number before the words; pairs with the Acquire fence in `get`.
        fence(Ordering::Release);
        self.kind.store(kind as u32, Ordering::Relaxed);
        self.resource.store(resource, Ordering::Relaxed);
        self.place.store(std::ptr::from_ref(place).cast_mut(), Ordering::Relaxed);
        self.since.store(since, Ordering::Relaxed);
        self.seq.store(seq.wrapping_add(2), Ordering::Release);
    }

    /// Forgets it: the task runs. One store, outside the sequence, since every word is whole by itself.
    #[inline]
    pub fn clear(&self) {
        self.kind.store(WaitKind::Unknown as u32, Ordering::Relaxed);
    }

    /// Makes it what `get` gave, if it is not; only the thread that polls the task may.
    pub fn restore(&self, wait: Option<Wait>) {
        match wait {
            Some(Wait { kind, resource, place: Some(place), since }) => {
                let now = self.place.load(Ordering::Relaxed).cast_const();
                if !std::ptr::eq(now, place) || self.count().1 {
                    self.set(kind, resource, place, since);
                }
            }
            _ => self.clear(),
        }
    }

    /// How often it was set, and whether it says nothing at the moment; for the thread that polls the task.
    pub fn count(&self) -> (u32, bool) {
        let is_clear = self.kind.load(Ordering::Relaxed) == WaitKind::Unknown as u32;
        (self.seq.load(Ordering::Relaxed), is_clear)
    }

    /// A copy, unless the task rewrote its words several times meanwhile: then it does not wait long.
    pub fn get(&self) -> Option<Wait> {
        for _ in 0..LOOKS {
            let before = self.seq.load(Ordering::Acquire);
            let kind = WaitKind::from_u32(self.kind.load(Ordering::Relaxed));
            let resource = self.resource.load(Ordering::Relaxed);
            let place = self.place.load(Ordering::Relaxed);
            let since = self.since.load(Ordering::Relaxed);
            // Orders the words before the second look; pairs with the Release fence in `set`.
            fence(Ordering::Acquire);
            if before & 1 == 0 && self.seq.load(Ordering::Relaxed) == before {
                if kind == WaitKind::Unknown {
                    return None;
                }
                // SAFETY: `set` alone writes the word, and only with the address of a `&'static Location`.
                let place = unsafe { place.cast_const().as_ref() };
                return Some(Wait { kind, resource, place, since });
            }
        }
        None
    }
}

/// A place in the program, to be written by one and read by anybody at any moment.
#[derive(Debug)]
pub struct Spot(AtomicPtr<Location<'static>>);

impl Spot {
    const_new! {
        /// No place yet.
        pub const fn new() -> Self {
            Self(AtomicPtr::new(std::ptr::null_mut()))
        }
    }

    /// Notes a place.
    #[inline]
    pub fn set(&self, place: &'static Location<'static>) {
        self.0.store(std::ptr::from_ref(place).cast_mut(), Ordering::Relaxed);
    }

    /// The place that was noted last.
    pub fn get(&self) -> Option<&'static Location<'static>> {
        // SAFETY: `set` alone writes the word, and only with the address of a `&'static Location`.
        unsafe { self.0.load(Ordering::Relaxed).cast_const().as_ref() }
    }
}

impl Default for Spot {
    fn default() -> Self {
        Self::new()
    }
}
