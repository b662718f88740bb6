//! How often a seat that has very many timers wakes for them.
//!
//! A leaky bucket, into which each turn pours for every timer that it fired but one. Where timers are far enough apart
//! to be fired one by one, each is on time. Where they are so dense that several are due at each turn, however soon it
//! follows, the next turn comes a grain later and fires them together.

/// How far apart turns are when timers are dense. A turn costs 20 µs of processor time, with the sleep before it and
/// with those that it wakes: a twelfth of it.
const GRAIN: u64 = 250_000;

/// What a timer pours that shares its turn with another. With one each 25 µs, a turn for each would be most of what a
/// seat does.
const DROP: u64 = 25_000;

/// How much has to come together.
const FULL: u64 = 4 * GRAIN;

#[derive(Debug, Default)]
pub(super) struct Pace {
    /// When the bucket is empty.
    empty: u64,
    /// When the next turn may come.
    pub(super) not_before: u64,
}

impl Pace {
    /// All that was due at `now` was fired, which was `count` timers.
    pub(super) fn fired(&mut self, now: u64, count: usize) {
        let pour = (count as u64).saturating_sub(1).saturating_mul(DROP).min(GRAIN);
        let most = now.saturating_add(FULL + GRAIN);
        self.empty = self.empty.max(now).saturating_add(pour).min(most);
        let full = self.empty - now > FULL;
        self.not_before = if full { now.saturating_add(GRAIN) } else { 0 };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    /// A second of timers that are `every` nanoseconds apart, with turns that take 10 µs each: how many turns there are, and
    /// how late the latest timer is fired.
    fn in_a_second(every: u64) -> (u64, u64) {
        let (mut pace, mut now, mut turns, mut latest) = (Pace::default(), 0, 0, 0);
        let mut due = every;
        while now < SECOND {
            now = due.max(pace.not_before).max(now + 10_000);
            latest = latest.max(now - due);
            let count = (now - due) / every + 1;
            pace.fired(now, count as usize);
            turns += 1;
            due += count * every;
        }
        (turns, latest)
    }

    #[test]
    fn timers_that_are_few_are_on_time() {
        for every in [10_000, 50_000, 1_000_000] {
            let (turns, latest) = in_a_second(every);
            assert!(turns >= SECOND / every, "{turns} turns");
            assert_eq!(latest, 0);
        }
    }

    #[test]
    fn timers_that_are_many_share_turns_and_are_late_by_a_grain_at_most() {
        for every in [1, 1_000, 2_000, 5_000] {
            let (turns, latest) = in_a_second(every);
            assert!(turns <= SECOND / GRAIN + 100, "{turns} turns of timers {every} ns apart");
            assert!(latest <= GRAIN, "late by {latest} ns");
        }
    }

    #[test]
    fn a_burst_delays_nothing_and_after_dense_timers_single_ones_are_on_time_again() {
        let mut pace = Pace::default();
        pace.fired(0, 1_000_000);
        assert_eq!(pace.not_before, 0);
        let mut now = 0;
        for _ in 1..100 {
            now += 10_000;
            pace.fired(now, 100);
        }
        assert_eq!(pace.not_before, now + GRAIN);
        for _ in 0..4 {
            now += GRAIN;
            pace.fired(now, 1);
        }
        assert_eq!(pace.not_before, 0);
    }
}
