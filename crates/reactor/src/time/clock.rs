//! Clock: what time it is, by the system or set by hand.
//!
//! Inside the reactor a moment is a number of nanoseconds since the clock's epoch: for the system's clock the
//! moment it was first asked for in this process, for a clock set by hand the moment it was made. A clock that can
//! be paused is the system's until it is; its hands are in `pause.rs`.
#![expect(clippy::disallowed_methods, reason = "this is where the system's clock is read")]

mod pause;
mod system;

use crate::NEVER;
use kasasagi_primitive::sync::atomic::{AtomicU64, Ordering};
use kasasagi_primitive::sync::{Arc, Mutex};
use pause::Hands;
use std::fmt;
use std::task::Waker;
use std::time::{Duration, Instant};

/// What time it is: the system's, or set by hand, or the system's until it is paused.
///
/// Clones of a manual clock are the same clock, and so are those of one that can be paused. Time never goes back.
#[derive(Clone)]
pub struct Clock(Kind);

#[derive(Clone)]
enum Kind {
    System,
    Manual(Arc<Manual>),
    Pausable(Arc<Pausable>),
}

struct Pausable {
    base: Instant,
    hands: Hands,
}

struct Manual {
    base: Instant,
    now: AtomicU64,
    watchers: Mutex<Watchers>,
}

struct Watchers {
    last: u64,
    wakers: Vec<(u64, Waker)>,
}

impl Clock {
    /// The system's monotonic clock.
    pub fn system() -> Clock {
        system::epoch();
        Clock(Kind::System)
    }

    /// The system's clock, until it is [paused](crate::Timers::pause).
    pub fn pausable() -> Clock {
        Clock(Kind::Pausable(Arc::new(Pausable {
            base: system::epoch(),
            hands: Hands::new(false),
        })))
    }

    /// As `pausable`, and paused from the start: it shows the moment at which it was made.
    ///
    /// Its epoch is that moment, so that what depends on the number of nanoseconds is the same each time.
    pub fn paused() -> Clock {
        Clock(Kind::Pausable(Arc::new(Pausable { base: Instant::now(), hands: Hands::new(true) })))
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
        let manual = Manual { base: Instant::now(), now: AtomicU64::new(0), watchers };
        Clock(Kind::Manual(Arc::new(manual)))
    }

    /// Whether it was made by [`manual`](Self::manual).
    pub fn is_manual(&self) -> bool {
        matches!(self.0, Kind::Manual(_))
    }

    /// Whether it stands still now, until somebody moves it.
    pub(crate) fn stands_still(&self) -> bool {
        match &self.0 {
            Kind::System => false,
            Kind::Manual(_) => true,
            Kind::Pausable(pausable) => pausable.hands.stand(),
        }
    }

    /// Whether it can be paused, and is.
    #[inline]
    pub fn is_paused(&self) -> bool {
        matches!(&self.0, Kind::Pausable(pausable) if pausable.hands.stand())
    }

    /// The moment.
    pub fn now(&self) -> Instant {
        match &self.0 {
            Kind::System => Instant::now(),
            _ => self.instant(self.now_ns()),
        }
    }

    /// The moment, in nanoseconds since the clock's epoch.
    #[inline]
    pub fn now_ns(&self) -> u64 {
        let system = system::now_ns();
        // After the look at the system's clock.
        let is_systems = match &self.0 {
            Kind::Pausable(pausable) => pausable.hands.never_stood(),
            kind => matches!(kind, Kind::System),
        };
        if is_systems { system } else { self.other_now_ns() }
    }

    #[cold]
    fn other_now_ns(&self) -> u64 {
        match &self.0 {
            Kind::System => system::now_ns(),
            Kind::Manual(manual) => manual.now.load(Ordering::Acquire),
            Kind::Pausable(pausable) => pausable.hands.now(system::now_ns),
        }
    }

    /// The moment by the clock that whoever turns the reactor goes by, in nanoseconds: the system's, also while a clock
    /// that can be paused is paused; and this one if it is set by hand.
    pub(crate) fn turner_ns(&self) -> u64 {
        match &self.0 {
            Kind::Manual(manual) => manual.now.load(Ordering::Acquire),
            _ => system::now_ns(),
        }
    }

    /// What the turner's clock will show when this one shows `ns`: 0 or never if it stands still.
    #[inline]
    pub(crate) fn in_turners(&self, ns: u64) -> u64 {
        match &self.0 {
            Kind::Pausable(pausable) => pausable.hands.to_system(ns),
            _ => ns,
        }
    }

    /// What this clock shows when the turner's shows `ns`.
    #[inline]
    pub(crate) fn at_turners(&self, ns: u64) -> u64 {
        match &self.0 {
            Kind::Pausable(pausable) => pausable.hands.now(|| ns),
            _ => ns,
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
        match &self.0 {
            Kind::System => system::epoch(),
            Kind::Manual(manual) => manual.base,
            Kind::Pausable(pausable) => pausable.base,
        }
    }

    /// Stops a clock that can be paused; others go on. Says whether it stands still because of this call.
    ///
    /// Whoever waits by it has to be told: see [`Timers::pause`](crate::Timers::pause).
    pub(crate) fn pause(&self) -> bool {
        self.hands().is_some_and(|hands| hands.pause(system::now_ns))
    }

    /// Has a paused clock go on from where it stands. Says whether it goes on because of this call.
    pub(crate) fn resume(&self) -> bool {
        self.hands().is_some_and(|hands| hands.resume(system::now_ns))
    }

    /// Moves a paused clock on to `ns`, unless that is past.
    pub(crate) fn jump(&self, ns: u64) {
        if let Some(hands) = self.hands() {
            hands.jump(ns);
        }
    }

    /// Until `ns` a paused clock moves on even while work on other threads [holds](crate::Reactor::jump) it.
    pub fn force_until(&self, ns: u64) {
        if let Some(hands) = self.hands() {
            hands.force_until(ns);
        }
    }

    /// See `force_until`.
    pub(crate) fn forced_until(&self) -> u64 {
        self.hands().map_or(0, Hands::forced_until)
    }

    fn hands(&self) -> Option<&Hands> {
        match &self.0 {
            Kind::Pausable(pausable) => Some(&pausable.hands),
            _ => None,
        }
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
        match &self.0 {
            Kind::Manual(manual) => manual,
            _ => panic!("only a clock made by `Clock::manual` can be set by hand"),
        }
    }

    /// Wakes a waker at each setting of a manual clock; the system's clock tells nobody.
    pub(crate) fn watch(&self, waker: impl FnOnce() -> Waker) -> Option<u64> {
        let Kind::Manual(manual) = &self.0 else { return None };
        let mut watchers = manual.watchers.lock();
        watchers.last += 1;
        let id = watchers.last;
        watchers.wakers.push((id, waker()));
        Some(id)
    }

    /// Ends a watch.
    pub(crate) fn unwatch(&self, id: u64) {
        let Kind::Manual(manual) = &self.0 else { return };
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
            Kind::System => f.write_str("Clock(system)"),
            Kind::Manual(_) => write!(f, "Clock(manual, {} ns)", self.now_ns()),
            Kind::Pausable(_) if self.is_paused() => {
                write!(f, "Clock(paused, {} ns)", self.now_ns())
            }
            Kind::Pausable(_) => write!(f, "Clock(pausable, {} ns)", self.now_ns()),
        }
    }
}

/// A duration in nanoseconds; what does not fit is never.
pub(crate) fn nanoseconds(time: Duration) -> u64 {
    let seconds = time.as_secs().checked_mul(1_000_000_000);
    seconds.and_then(|ns| ns.checked_add(time.subsec_nanos().into())).unwrap_or(NEVER)
}
