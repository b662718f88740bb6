//! Clock: what time it is, by the system or set by hand.
//!
//! Inside the reactor a moment is a number of nanoseconds since the clock's epoch: for the system's clock the
//! moment it was first asked for in this process, for a clock set by hand the moment it was made.
#![expect(clippy::disallowed_methods, reason = "this is where the system's clock is read")]

use crate::NEVER;
use kasasagi_primitive::sync::atomic::{AtomicU64, Ordering};
use kasasagi_primitive::sync::{Arc, Mutex};
use std::fmt;
use std::sync::OnceLock;
use std::task::Waker;
use std::time::{Duration, Instant};

/// What time it is: the system's, or set by hand.
///
/// Clones of a manual clock are the same clock. Time never goes back.
#[derive(Clone)]
pub struct Clock(Option<Arc<Manual>>);

struct Manual {
    base: Instant,
    now: AtomicU64,
    watchers: Mutex<Watchers>,
}

struct Watchers {
    last: u64,
    wakers: Vec<(u64, Waker)>,
}

fn epoch() -> Instant {
    static EPOCH: OnceLock<Instant> = OnceLock::new();
    *EPOCH.get_or_init(Instant::now)
}

impl Clock {
    /// The system's monotonic clock.
    pub fn system() -> Clock {
        epoch();
        Clock(None)
    }

    /// A clock that stands still until it is set.
    ///
    /// # Examples
    /// ```
    /// use kasasagi_reactor::Clock;
    /// use std::time::Duration;
    ///
    /// let clock = Clock::manual();
    /// let before = clock.now();
    /// clock.advance(Duration::from_secs(3600));
    /// assert_eq!(clock.now() - before, Duration::from_secs(3600));
    /// ```
    pub fn manual() -> Clock {
        let watchers = Mutex::new(Watchers { last: 0, wakers: Vec::new() });
        Clock(Some(Arc::new(Manual { base: Instant::now(), now: AtomicU64::new(0), watchers })))
    }

    /// Whether it is set by hand.
    pub fn is_manual(&self) -> bool {
        self.0.is_some()
    }

    /// The moment.
    pub fn now(&self) -> Instant {
        match &self.0 {
            None => Instant::now(),
            Some(_) => self.instant(self.now_ns()),
        }
    }

    /// The moment, in nanoseconds since the clock's epoch.
    #[inline]
    pub fn now_ns(&self) -> u64 {
        match &self.0 {
            None => nanoseconds(Instant::now().saturating_duration_since(epoch())),
            Some(manual) => manual.now.load(Ordering::Acquire),
        }
    }

    /// `instant` in nanoseconds since the clock's epoch; 0 for what was before it.
    pub fn to_ns(&self, instant: Instant) -> u64 {
        nanoseconds(instant.saturating_duration_since(self.base()))
    }

    /// The moment `ns` nanoseconds after the clock's epoch.
    pub fn instant(&self, ns: u64) -> Instant {
        self.base() + Duration::from_nanos(ns)
    }

    fn base(&self) -> Instant {
        self.0.as_ref().map_or_else(epoch, |manual| manual.base)
    }

    /// Sets a manual clock forward by `time`, and tells the reactors that go by it.
    ///
    /// Nothing is fired by the call itself: a reactor that attends comes back, and its owner fires.
    ///
    /// # Panics
    /// If it is the system's clock.
    #[track_caller]
    pub fn advance(&self, time: Duration) {
        let manual = self.manual_or_panic();
        let step = nanoseconds(time).min(NEVER - 1);
        let add = |now: u64| Some(now.saturating_add(step).min(NEVER - 1));
        // The closure never refuses.
        let _ = manual.now.fetch_update(Ordering::AcqRel, Ordering::Acquire, add);
        manual.tell();
    }

    /// Sets a manual clock to `ns` nanoseconds after its epoch, unless that is past, and tells the reactors
    /// that go by it.
    ///
    /// # Panics
    /// If it is the system's clock.
    #[track_caller]
    pub fn set(&self, ns: u64) {
        let manual = self.manual_or_panic();
        manual.now.fetch_max(ns.min(NEVER - 1), Ordering::AcqRel);
        manual.tell();
    }

    #[track_caller]
    fn manual_or_panic(&self) -> &Manual {
        self.0.as_deref().expect("only a clock made by `Clock::manual` can be set by hand")
    }

    /// Wakes a waker at each setting of a manual clock; the system's clock tells nobody.
    pub(crate) fn watch(&self, waker: impl FnOnce() -> Waker) -> Option<u64> {
        let mut watchers = self.0.as_ref()?.watchers.lock();
        watchers.last += 1;
        let id = watchers.last;
        watchers.wakers.push((id, waker()));
        Some(id)
    }

    /// Ends a watch.
    pub(crate) fn unwatch(&self, id: u64) {
        let Some(manual) = &self.0 else { return };
        let gone = {
            let mut watchers = manual.watchers.lock();
            let at = watchers.wakers.iter().position(|(other, _)| *other == id);
            at.map(|at| watchers.wakers.swap_remove(at))
        };
        drop(gone);
    }
}

impl Manual {
    fn tell(&self) {
        let wakers: Vec<Waker> =
            self.watchers.lock().wakers.iter().map(|(_, waker)| waker.clone()).collect();
        wakers.into_iter().for_each(Waker::wake);
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            None => f.write_str("Clock(system)"),
            Some(_) => write!(f, "Clock(manual, {} ns)", self.now_ns()),
        }
    }
}

/// A duration in nanoseconds; what does not fit is never.
pub(crate) fn nanoseconds(time: Duration) -> u64 {
    let seconds = time.as_secs().checked_mul(1_000_000_000);
    seconds.and_then(|ns| ns.checked_add(time.subsec_nanos().into())).unwrap_or(NEVER)
}
