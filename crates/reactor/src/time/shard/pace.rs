//! How often a seat that has very many timers wakes for them.
//!
//! A leaky bucket: each turn that fires something is a drop. Few timers are exact; where turns would follow each other
//! without end, the next comes a grain later, and fires what has become due by then.

/// How far apart turns are when there are very many: what the kernel, too, allows itself by default. A turn costs
/// some 5 µs of processor time, so that is a tenth of it.
const GRAIN: u64 = 50_000;

/// So many turns may follow each other sooner.
const HASTE: u64 = 8;

#[derive(Debug, Default)]
pub(super) struct Pace {
    /// When the bucket is empty.
    empty: u64,
    /// When the next turn may come.
    pub(super) not_before: u64,
}

impl Pace {
    /// All that was due at `now` was fired, and it was something.
    pub(super) fn fired(&mut self, now: u64) {
        self.empty = self.empty.max(now).saturating_add(GRAIN);
        let full = self.empty - now > HASTE * GRAIN;
        self.not_before = if full { now.saturating_add(GRAIN) } else { 0 };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many turns there are in a second, if a timer is due every `every` nanoseconds, and how late the latest is.
    fn in_a_second(every: u64) -> (u64, u64) {
        let (mut pace, mut now, mut turns, mut latest) = (Pace::default(), 0_u64, 0, 0);
        let mut due = every;
        while now < 1_000_000_000 {
            now = due.max(pace.not_before);
            latest = latest.max(now - due);
            pace.fired(now);
            turns += 1;
            due = (now / every + 1) * every;
        }
        (turns, latest)
    }

    #[test]
    fn timers_that_are_few_are_exact() {
        for every in [GRAIN, GRAIN + 1, 1_000_000] {
            assert_eq!(in_a_second(every), (1_000_000_000 / every + u64::from(1_000_000_000 % every != 0), 0));
        }
    }

    #[test]
    fn timers_that_are_many_share_turns_and_are_late_by_less_than_a_grain() {
        for every in [1, 2_000, GRAIN / 2, GRAIN - 1] {
            let (turns, latest) = in_a_second(every);
            assert!(turns <= 1_000_000_000 / GRAIN + HASTE + 1, "{turns} turns of timers {every} ns apart");
            assert!(latest <= GRAIN, "late by {latest} ns");
        }
    }

    #[test]
    fn a_burst_is_exact_and_so_is_what_comes_after_a_rest() {
        let mut pace = Pace::default();
        for start in [0, 1_000_000_000, 2_000_000_000] {
            for n in 0..HASTE {
                pace.fired(start + n);
                assert_eq!(pace.not_before, 0, "turn {n}");
            }
        }
    }
}
