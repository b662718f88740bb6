//! The packed word that says who sleeps, who searches, and who attends the driver.
//!
//! ```text
//! bits  0..32  PARKED    one bit a seat: it sleeps, or is about to
//!      32..40  SEARCHING how many look for work in others' queues
//!          40  ATTENDED  somebody waits in the driver
//!          41  SENTINEL  somebody sleeps with a limit and looks after what is neglected
//!          42  CLOSED    no new tasks; the seats drain
//!          43  HELD      the tasks are too small to be shared: whoever is awake keeps them, for a while
//!      48..56  who attends, while ATTENDED
//! ```
//! The race it answers: a push that sees nobody to wake against a worker that sees nothing to do. Who pushes
//! from outside does *push, fence, load of this word*; who goes to sleep does *set PARKED, fence, look at
//! the queues once more*. By the two fences at least one of them sees the other. The same pair guards the
//! last searcher: it leaves SEARCHING, fences and looks again, since pushes wake nobody while one searches.
//! HELD is of that kind, too: while it is set, pushes wake nobody, and sleepers do not look at others' queues.
//! It is only set while somebody is awake; who goes to sleep as the last one takes it out, fences, and looks.
//! `docs/src/architecture/sleeping.md` has the whole argument.

use kasasagi_primitive::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};

const PARKED_MASK: u64 = (1 << 32) - 1;
const SEARCHING: u64 = 1 << 32;
const SEARCHING_MASK: u64 = 0xff << 32;
const ATTENDED: u64 = 1 << 40;
const SENTINEL: u64 = 1 << 41;
const CLOSED: u64 = 1 << 42;
const HELD: u64 = 1 << 43;
const ATTENDANT_SHIFT: u32 = 48;
const ATTENDANT_MASK: u64 = 0xff << ATTENDANT_SHIFT;

/// How long tasks are kept together after a wake that was not worth it: at first, and at most, doubled each time. A
/// wake costs both sides some 10 µs, so 1 % and less; and what turns out to be larger waits no longer than for this,
/// or for the next look of the one who has it, or for the sentinel.
const HOLD_MIN: u64 = 1_000_000;
const HOLD_DOUBLINGS: u32 = 3;

#[derive(Debug)]
pub(crate) struct Idle {
    word: AtomicU64,
    /// One bit for each seat that there is.
    seats: u32,
    /// Until when HELD is to stay, and how often in a row that has been doubled. Heuristics; races on them cost a
    /// wake more or less.
    held_until: AtomicU64,
    doublings: AtomicU32,
    /// One bit a seat: it sleeps without the watch, but with a limit, and looks again. Set by the seat while its
    /// PARKED bit is set, and cleared after that; so a sleeper with this bit is never without limit.
    relooks: AtomicU32,
}

/// How a sleeper finds itself after its sleep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(crate) enum Risen {
    /// It woke by itself, and took its bit out.
    Alone,
    /// A waker took the bit out and counted it among the searchers.
    Searcher,
}

impl Idle {
    pub(crate) fn new(seats: usize) -> Self {
        Self {
            word: AtomicU64::new(0),
            seats: u32::MAX >> (32 - seats),
            held_until: AtomicU64::new(0),
            doublings: AtomicU32::new(0),
            relooks: AtomicU32::new(0),
        }
    }

    /// One bit for each seat that there is.
    pub(crate) fn seats(&self) -> u32 {
        self.seats
    }

    fn load(&self) -> u64 {
        self.word.load(Ordering::Relaxed)
    }

    fn update(&self, f: impl Fn(u64) -> Option<u64>) -> Result<u64, u64> {
        let mut now = self.load();
        loop {
            let Some(next) = f(now) else { return Err(now) };
            match self.word.compare_exchange_weak(now, next, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return Ok(now),
                Err(actual) => now = actual,
            }
        }
    }

    /// Chooses a sleeper to wake, if one sleeps and none searches; it is a searcher from now on.
    ///
    /// After a push from outside the caller fences first. The common case is one load of a line that is
    /// rarely written.
    #[inline]
    pub(crate) fn choose(&self) -> Option<usize> {
        let now = self.load();
        if now & PARKED_MASK == 0 || now & (SEARCHING_MASK | HELD) != 0 {
            return None;
        }
        self.choose_slow()
    }

    #[cold]
    fn choose_slow(&self) -> Option<usize> {
        let before = self.update(|now| {
            if now & PARKED_MASK == 0 || now & (SEARCHING_MASK | HELD) != 0 {
                return None;
            }
            Some((now & !(1 << Self::first(now))) + SEARCHING)
        });
        before.ok().map(|now| Self::first(now) as usize)
    }

    /// The lowest sleeper, the one that attends the driver last: its wake costs more, and then nobody does.
    fn first(word: u64) -> u32 {
        let parked = word & PARKED_MASK;
        let attendant = if word & ATTENDED == 0 {
            0
        } else {
            1u64 << ((word & ATTENDANT_MASK) >> ATTENDANT_SHIFT)
        };
        let others = parked & !attendant;
        if others == 0 { parked.trailing_zeros() } else { others.trailing_zeros() }
    }

    /// Any sleeper, whether somebody searches or not, for the watch over the others.
    pub(crate) fn choose_any(&self) -> Option<usize> {
        let before = self.update(|now| {
            (now & PARKED_MASK != 0).then(|| (now & !(1 << Self::first(now))) + SEARCHING)
        });
        before.ok().map(|now| Self::first(now) as usize)
    }

    /// Counts the caller among the searchers, unless there are enough, half of the seats, at least one; or what
    /// others have is theirs.
    pub(crate) fn try_search(&self, seats: usize) -> bool {
        self.update(|now| {
            if now & HELD != 0 {
                return None;
            }
            let searching = ((now & SEARCHING_MASK) >> 32) as usize;
            let awake = seats - (now & PARKED_MASK).count_ones() as usize;
            (searching < (awake / 2).max(1)).then(|| now + SEARCHING)
        })
        .is_ok()
    }

    /// The caller found work. Says whether it was the last searcher, who must look at the queues again,
    /// since pushes woke nobody as long as it searched; the fence is made here.
    pub(crate) fn stop_searching(&self) -> bool {
        let before = self.word.fetch_sub(SEARCHING, Ordering::AcqRel);
        let last = before & SEARCHING_MASK == SEARCHING;
        if last {
            // Pairs with the fence between push and `choose`.
            fence(Ordering::SeqCst);
        }
        last
    }

    /// Announces that the caller is about to sleep; it must look at the queues once more before it does.
    ///
    /// `vacant` has a bit for each seat that nobody sits in. `hold`: what the others have is to stay theirs; it is
    /// ignored if nobody else is awake.
    pub(crate) fn park(&self, seat: usize, searching: bool, hold: bool, vacant: &AtomicU32) {
        let sub = if searching { SEARCHING } else { 0 };
        let add = if hold { HELD } else { 0 };
        let _ = self.update(|now| Some((now | (1 << seat) | add) - sub));
        // Pairs with the fence between push and `choose`, and with the one in `release`.
        fence(Ordering::SeqCst);
        let now = self.load();
        let absent = (now & PARKED_MASK) as u32 | vacant.load(Ordering::Relaxed);
        if now & HELD != 0 && self.seats & !absent == 0 {
            self.release();
        }
    }

    /// From now on the others' queues are to be looked at again: nobody may be awake who has them.
    pub(crate) fn release(&self) {
        // Pairs with the one in `park`: who sets HELD sees that this seat is vacant, or this sees HELD.
        fence(Ordering::SeqCst);
        if self.is_held() {
            self.word.fetch_and(!HELD, Ordering::AcqRel);
            // Who pushed meanwhile woke nobody; this looks at the queues from here on.
            fence(Ordering::SeqCst);
        }
    }

    /// The caller is awake again, and so may keep what there is until the hold is over.
    pub(crate) fn hold_again(&self, now: u64) {
        if !self.is_held() && !self.is_hold_over(now) {
            self.word.fetch_or(HELD, Ordering::AcqRel);
        }
    }

    #[inline]
    pub(crate) fn is_held(&self) -> bool {
        self.load() & HELD != 0
    }

    /// Whether HELD has been set for as long as it was to be.
    pub(crate) fn is_hold_over(&self, now: u64) -> bool {
        now >= self.held_until.load(Ordering::Relaxed)
    }

    /// A wake was not worth it: the next `park` with `hold` is to last until then.
    pub(crate) fn wake_was_futile(&self, now: u64) {
        let doublings = self.doublings.load(Ordering::Relaxed);
        self.held_until.store(now.saturating_add(HOLD_MIN << doublings), Ordering::Relaxed);
        if doublings < HOLD_DOUBLINGS {
            self.doublings.store(doublings + 1, Ordering::Relaxed);
        }
    }

    /// The next `park` with `hold` is to last for so long.
    pub(crate) fn hold_for(&self, now: u64, time: u64) {
        self.held_until.store(now.saturating_add(time), Ordering::Relaxed);
    }

    /// A wake was worth it.
    pub(crate) fn wake_was_worth_it(&self) {
        if self.doublings.load(Ordering::Relaxed) != 0 {
            self.doublings.store(0, Ordering::Relaxed);
            self.held_until.store(0, Ordering::Relaxed);
        }
    }

    /// The tasks are large enough to be shared, or the time is over.
    pub(crate) fn end_hold(&self) {
        self.held_until.store(0, Ordering::Relaxed);
        self.release();
    }

    /// The sleeper is up: takes its bit out, if no waker has.
    pub(crate) fn rise(&self, seat: usize) -> Risen {
        match self.update(|now| (now & (1 << seat) != 0).then(|| now & !(1 << seat))) {
            Ok(_) => Risen::Alone,
            Err(_) => Risen::Searcher,
        }
    }

    /// Takes the place in the driver, if it is free.
    pub(crate) fn try_attend(&self, seat: usize) -> bool {
        self.update(|now| {
            (now & ATTENDED == 0)
                .then_some((now & !ATTENDANT_MASK) | ATTENDED | ((seat as u64) << ATTENDANT_SHIFT))
        })
        .is_ok()
    }

    pub(crate) fn leave_driver(&self) {
        self.word.fetch_and(!ATTENDED, Ordering::AcqRel);
    }

    /// Who attends.
    pub(crate) fn attendant(&self) -> Option<usize> {
        let now = self.load();
        (now & ATTENDED != 0).then_some(((now & ATTENDANT_MASK) >> ATTENDANT_SHIFT) as usize)
    }

    pub(crate) fn is_attended(&self) -> bool {
        self.load() & ATTENDED != 0
    }

    /// Takes the watch, if nobody has it.
    pub(crate) fn try_watch(&self) -> bool {
        self.update(|now| (now & SENTINEL == 0).then_some(now | SENTINEL)).is_ok()
    }

    pub(crate) fn stop_watching(&self) {
        self.word.fetch_and(!SENTINEL, Ordering::AcqRel);
    }

    /// `seat`, which has its PARKED bit set and not the watch, sleeps until the next time the watch may be
    /// passed on, and not for ever.
    pub(crate) fn will_look_again(&self, seat: usize) {
        self.relooks.fetch_or(1 << seat, Ordering::AcqRel);
    }

    /// The counterpart, after `rise`.
    pub(crate) fn looks_again(&self, seat: usize) {
        self.relooks.fetch_and(!(1 << seat), Ordering::AcqRel);
    }

    /// Whether somebody sleeps and nobody has the watch; `soon`: nor will look again by itself.
    ///
    /// Asked by a seat that runs from now on, after its own change of the word. A seat that goes to sleep later
    /// sees that one running.
    pub(crate) fn lacks_watch(&self, soon: bool) -> bool {
        let now = self.load();
        let mut sleepers = (now & PARKED_MASK) as u32;
        if now & SENTINEL != 0 || sleepers == 0 {
            return false;
        }
        if soon {
            sleepers &= self.relooks.load(Ordering::Acquire);
        }
        !soon || sleepers == 0
    }

    /// Which seats sleep: for heuristics and looks, not for decisions that need it exact.
    pub(crate) fn parked(&self) -> u32 {
        (self.load() & PARKED_MASK) as u32
    }

    #[cfg(test)]
    pub(crate) fn is_watched(&self) -> bool {
        self.load() & SENTINEL != 0
    }

    #[cfg(test)]
    pub(crate) fn searchers(&self) -> usize {
        ((self.load() & SEARCHING_MASK) >> 32) as usize
    }

    /// Closes; says whether it was open.
    pub(crate) fn close(&self) -> bool {
        self.word.fetch_or(CLOSED, Ordering::AcqRel) & CLOSED == 0
    }

    #[inline]
    pub(crate) fn is_closed(&self) -> bool {
        self.word.load(Ordering::Acquire) & CLOSED != 0
    }
}
