//! Reactor: readiness and timers together, turned by whoever has nothing better to do.

use crate::io::poller::{self, Patience, Poller};
use crate::registry::{Registry, Shared as Sources};
use crate::time::clock::Clock;
use crate::time::timers::{House, Timers};
use kasasagi_primitive::sync::Arc;
use std::fmt;
use std::io;
use std::task::Wake;
use std::time::Duration;

/// Wakes wakers on events of the outside world and on moments in time.
///
/// A handle: clones are the same reactor. It starts no thread and does nothing by itself; see the
/// [crate's page](crate) for how it is turned. Timers are kept in one shard a *seat*, so that a worker that
/// takes its own seat shares nothing with others.
///
/// The last handle that is dropped closes it.
#[derive(Clone)]
pub struct Reactor {
    shared: Arc<Shared>,
}

struct Shared {
    sources: Arc<Sources>,
    house: House,
    /// Our entry among those whom a clock set by hand tells of the new time.
    watch: Option<u64>,
}

impl Drop for Shared {
    fn drop(&mut self) {
        if let Some(watch) = self.watch {
            self.house.timers().clock_ref().unwatch(watch);
        }
        self.sources.close();
        self.house.close();
    }
}

impl Reactor {
    /// A reactor on the system's clock, with timers for `seats` seats.
    ///
    /// # Errors
    /// If the operating system gives no poller: mostly, too many open files.
    pub fn new(seats: usize) -> io::Result<Reactor> {
        Self::with_clock(seats, Clock::system())
    }

    /// A reactor on `clock`, with timers for `seats` seats (at least one).
    ///
    /// # Errors
    /// If the operating system gives no poller: mostly, too many open files.
    pub fn with_clock(seats: usize, clock: Clock) -> io::Result<Reactor> {
        Ok(Self::build(seats, clock, poller::open()?))
    }

    /// A reactor on the portable poller; `edge`: edge-triggered, else oneshot. For tests of that poller.
    ///
    /// # Errors
    /// If the operating system gives no poller.
    #[doc(hidden)]
    pub fn portable(seats: usize, clock: Clock, edge: bool) -> io::Result<Reactor> {
        Ok(Self::build(seats, clock, poller::portable::open_as(edge)?))
    }

    /// A reactor as on a kernel without `epoll_pwait2`. For tests.
    ///
    /// # Errors
    /// If the operating system gives no poller.
    #[doc(hidden)]
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub fn with_timerfd(seats: usize, clock: Clock) -> io::Result<Reactor> {
        Ok(Self::build(seats, clock, poller::epoll::open_with_timer()?))
    }

    fn build(seats: usize, clock: Clock, poller: Poller) -> Reactor {
        let sources = Arc::new(Sources::new(poller));
        let house = House::open(seats.max(1), clock);
        let watch = house.timers().clock_ref().watch(|| {
            let timers = house.timers().clone();
            std::sync::Arc::new(Watch { sources: Arc::clone(&sources), timers }).into()
        });
        Reactor { shared: Arc::new(Shared { sources, house, watch }) }
    }

    /// The handle for those who register sources.
    pub fn registry(&self) -> Registry {
        Registry { shared: Arc::clone(&self.shared.sources) }
    }

    /// The handle for those who set timers.
    pub fn timers(&self) -> Timers {
        self.shared.house.timers().clone()
    }

    fn clock(&self) -> &Clock {
        self.shared.house.timers().clock_ref()
    }

    /// The clock's moment, in nanoseconds since its epoch.
    ///
    /// With a clock that can be paused it is the system's, whether that is paused or not, and all moments that
    /// are given to the reactor, or come from it, are the system's.
    pub fn now(&self) -> u64 {
        self.clock().turner_ns()
    }

    /// Whether the clock is paused: then time moves by [`jump`](Self::jump) alone.
    pub fn is_paused(&self) -> bool {
        self.clock().is_paused()
    }

    /// Moves a paused clock on to the moment at which the first timer of any seat is due; says whether one is.
    ///
    /// It moves by nothing if one is due already. `held`: not beyond the moment until which it is
    /// [forced](Clock::force_until). Fires nothing. The caller sees to it that nobody has anything to do before.
    pub fn jump(&self, held: bool) -> bool {
        let (clock, timers) = (self.clock(), self.shared.house.timers());
        let Some(earliest) = timers.earliest().filter(|_| clock.is_paused()) else { return false };
        if held && earliest > clock.forced_until() && earliest > clock.now_ns() {
            return false;
        }
        clock.jump(earliest);
        true
    }

    /// When the next timer of `seat` is due; [`NEVER`](crate::NEVER) without timers. With a paused clock 0 if it is
    /// due, and never if not.
    ///
    /// Takes no lock. Exact as a rule. Too early, by a part of the time that is left, when one of very many timers
    /// that lie far ahead together was cancelled. Late, by 0.25 ms at most, where the seat has so many timers that it
    /// would do nothing but wake for them: then some are taken together.
    ///
    /// Who asks is taken to be about to wait: the first answer that is a moment asks the operating system to wake the
    /// thread on time, if it is the one that has [entered](Timers::enter) with a seat, for as long as it is entered.
    /// (On Linux a thread is else woken up to 50 µs late.)
    pub fn deadline(&self, seat: usize) -> u64 {
        let timers = self.shared.house.timers();
        let deadline = timers.clock_ref().in_turners(timers.shard(seat).deadline());
        if deadline != crate::NEVER {
            Timers::be_prompt();
        }
        deadline
    }

    /// Wakes those whose timers of `seat` are due at `now`, in the order of their deadlines; returns how many.
    ///
    /// Any thread may do it for any seat. At most some thousands a call, so that a turn stays short, and none at times:
    /// if more are due, [`deadline`](Self::deadline) stays in the past. No lock is held while it wakes. Timers of
    /// equal deadlines are woken in no particular order, as are those of more than 1,024 that are due within
    /// the same 65 µs.
    pub fn fire(&self, seat: usize, now: u64) -> usize {
        self.fire_some(seat, now, 4096)
    }

    /// As [`fire`](Self::fire), but `max` timers at most.
    pub fn fire_some(&self, seat: usize, now: u64, max: usize) -> usize {
        let timers = self.shared.house.timers();
        timers.shard(seat).fire(timers.clock_ref().at_turners(now), max)
    }

    /// Wakes those whose sources are ready, without waiting; returns the number of events.
    ///
    /// Fetches `max_events` at most. Returns 0 at once if another thread looks or attends.
    pub fn look(&self, max_events: usize) -> usize {
        self.shared.sources.look(max_events)
    }

    /// Waits for an event, an [`interrupt`](Self::interrupt) or the moment `until`, and wakes those whose
    /// sources are ready; returns the number of events.
    ///
    /// One system call. May return early for no reason. Fires no timers. For one thread at a time: a second
    /// one first waits for the first, and nothing interrupts it meanwhile. With a [manual](Clock::manual)
    /// clock it waits until the clock is set to `until` or beyond.
    ///
    /// # Panics
    /// If the operating system refuses to poll, which only happens when someone closes descriptors that are
    /// not theirs.
    pub fn attend(&self, until: u64, max_events: usize) -> usize {
        self.shared.sources.attend(max_events, || self.patience(until))
    }

    fn patience(&self, until: u64) -> Patience {
        if until == crate::NEVER {
            return Patience::Forever;
        }
        let left = until.saturating_sub(self.now());
        if left == 0 {
            Patience::Look
        } else if self.clock().is_manual() {
            Patience::Forever
        } else {
            Patience::For(Duration::from_nanos(left))
        }
    }

    /// Makes the [`attend`](Self::attend) under way, or else the next, return.
    ///
    /// Any thread may call it, as often as it likes: many interrupts cost one system call. What the caller
    /// did before is seen by the thread that returns.
    pub fn interrupt(&self) {
        self.shared.sources.interrupt();
    }

    /// Ends all waiting: operations of sources fail with `BrokenPipe`, sleeps complete at once.
    ///
    /// Who waits is woken to hear of it. Closing again does nothing.
    pub fn close(&self) {
        self.shared.sources.close();
        self.shared.house.shut();
    }
}

impl fmt::Debug for Reactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reactor").field("clock", self.clock()).finish_non_exhaustive()
    }
}

/// Tells the reactor that a clock was set by hand.
struct Watch {
    sources: Arc<Sources>,
    timers: Timers,
}

impl Wake for Watch {
    fn wake(self: std::sync::Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &std::sync::Arc<Self>) {
        self.timers.hurry_due();
        self.sources.interrupt();
    }
}
