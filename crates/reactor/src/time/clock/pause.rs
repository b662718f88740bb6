//! The hands of a clock that can be paused: they follow the system's until then, and at a distance afterwards.
//!
//! Read without a lock, set under one. The *era* says what they do: they move, are being stopped, stand, are being
//! started, and move again in the next. It is 0 as long as they were never stopped: then a look at them costs a load
//! more than one at the system's clock. Who reads moving hands looks at the era before and after, and so takes no
//! moment of one era for one of the next: time never goes back.

use crate::NEVER;
use kasasagi_primitive::hint;
use kasasagi_primitive::sync::Mutex;
use kasasagi_primitive::sync::atomic::{AtomicU64, Ordering, fence};

#[derive(Debug)]
pub(super) struct Hands {
    era: AtomicU64,
    /// Where they stand.
    stopped: AtomicU64,
    /// How far they are ahead of the system's clock while they move, wrapping.
    ahead: AtomicU64,
    /// Until when they may be moved on whoever holds them.
    forced: AtomicU64,
    setting: Mutex<()>,
}

/// What an era is, by its remainder.
const ERAS: u64 = 4;
const MOVING: u64 = 0;
const STANDING: u64 = 2;

impl Hands {
    /// Hands that go as the system's clock does; or stand at 0.
    pub(super) fn new(standing: bool) -> Self {
        Self {
            era: AtomicU64::new(if standing { STANDING } else { MOVING }),
            stopped: AtomicU64::new(0),
            ahead: AtomicU64::new(0),
            forced: AtomicU64::new(0),
            setting: Mutex::new(()),
        }
    }

    #[inline]
    pub(super) fn stand(&self) -> bool {
        self.era.load(Ordering::Acquire) % ERAS == STANDING
    }

    /// Whether they have gone as the system's clock does, up to the last look at that.
    #[inline]
    pub(super) fn never_stood(&self) -> bool {
        fence(Ordering::Acquire);
        // It only grows: it was 0 before, too.
        self.era.load(Ordering::Relaxed) == 0
    }

    /// What they show when the system's clock shows `system()`.
    pub(super) fn now(&self, system: impl Fn() -> u64) -> u64 {
        self.read(|stopped| stopped, |ahead| system().wrapping_add(ahead))
    }

    /// What the system's clock shows when these show `ns`. While they stand: 0 for what they have shown, and never for
    /// what they have not.
    #[inline]
    pub(super) fn to_system(&self, ns: u64) -> u64 {
        if ns == NEVER || self.era.load(Ordering::Acquire) == 0 {
            return ns;
        }
        self.read(
            |stopped| if ns <= stopped { 0 } else { NEVER },
            |ahead| {
                let ahead = ahead as i64;
                if ahead < 0 {
                    ns.saturating_add(ahead.unsigned_abs())
                } else {
                    ns.saturating_sub(ahead.unsigned_abs())
                }
            },
        )
    }

    #[cold]
    fn read(&self, standing: impl Fn(u64) -> u64, moving: impl Fn(u64) -> u64) -> u64 {
        loop {
            let era = self.era.load(Ordering::Acquire);
            let answer = match era % ERAS {
                STANDING => standing(self.stopped.load(Ordering::Acquire)),
                MOVING => moving(self.ahead.load(Ordering::Relaxed)),
                _ => {
                    hint::spin_loop();
                    continue;
                }
            };
            fence(Ordering::Acquire);
            if self.era.load(Ordering::Relaxed) == era {
                return answer;
            }
        }
    }

    /// Stops them; says whether they moved.
    pub(super) fn pause(&self, system: impl Fn() -> u64) -> bool {
        self.change(MOVING, || {
            let now = system().wrapping_add(self.ahead.load(Ordering::Relaxed));
            self.stopped.store(now, Ordering::Relaxed);
        })
    }

    /// Has them move on from where they stand; says whether they stood.
    pub(super) fn resume(&self, system: impl Fn() -> u64) -> bool {
        self.change(STANDING, || {
            let ahead = self.stopped.load(Ordering::Relaxed).wrapping_sub(system());
            self.ahead.store(ahead, Ordering::Relaxed);
        })
    }

    /// From an era of the kind `from` to the next but one, with `set` in the era between, in which nobody reads.
    fn change(&self, from: u64, set: impl FnOnce()) -> bool {
        let _setting = self.setting.lock();
        let era = self.era.load(Ordering::Relaxed);
        if era % ERAS != from {
            return false;
        }
        self.era.store(era + 1, Ordering::Relaxed);
        // Pairs with the one before a reader's second look: what is set is not seen in the era before.
        fence(Ordering::SeqCst);
        set();
        self.era.store(era + 2, Ordering::Release);
        true
    }

    /// Moves them on to `ns` if they stand, and before that.
    pub(super) fn jump(&self, ns: u64) {
        let _setting = self.setting.lock();
        if self.stand() {
            self.stopped.fetch_max(ns.min(NEVER - 1), Ordering::AcqRel);
        }
    }

    pub(super) fn force_until(&self, ns: u64) {
        self.forced.fetch_max(ns, Ordering::Relaxed);
    }

    pub(super) fn forced_until(&self) -> u64 {
        self.forced.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 3_600_000_000_000;

    #[test]
    fn hands_stand_jump_and_go_on_from_there() {
        let hands = Hands::new(false);
        assert_eq!(hands.now(|| 7), 7);
        assert!(hands.pause(|| 10));
        assert!(!hands.pause(|| 11), "they stand");
        assert_eq!(hands.now(|| 99), 10);
        hands.jump(HOUR);
        hands.jump(5);
        assert_eq!(hands.now(|| 99), HOUR);
        assert!(hands.resume(|| 100));
        assert!(!hands.resume(|| 101), "they move");
        assert_eq!(hands.now(|| 103), HOUR + 3);
        hands.jump(2 * HOUR);
        assert_eq!(hands.now(|| 104), HOUR + 4, "what moves is not moved");
    }

    #[test]
    fn moments_of_hands_are_told_in_those_of_the_system() {
        let hands = Hands::new(true);
        assert_eq!([0, 1, NEVER].map(|ns| hands.to_system(ns)), [0, NEVER, NEVER]);
        hands.jump(50);
        assert_eq!([50, 51].map(|ns| hands.to_system(ns)), [0, NEVER]);
        // Behind the system's.
        assert!(hands.resume(|| 1000));
        assert_eq!([0, 50, 60, NEVER].map(|ns| hands.to_system(ns)), [950, 1000, 1010, NEVER]);
        // Ahead of it.
        assert!(hands.pause(|| 1000));
        hands.jump(5000);
        assert!(hands.resume(|| 2000));
        assert_eq!([60, 5000, 5010].map(|ns| hands.to_system(ns)), [0, 2000, 2010]);
    }

    #[test]
    fn time_never_goes_back_while_hands_are_stopped_and_started() {
        let hands = Hands::new(false);
        let system = AtomicU64::new(0);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for _ in 0..20_000 {
                    hands.pause(|| system.fetch_add(1, Ordering::SeqCst));
                    system.fetch_add(1000, Ordering::SeqCst);
                    hands.resume(|| system.fetch_add(1, Ordering::SeqCst));
                }
            });
            let mut last = 0;
            for _ in 0..200_000 {
                let now = hands.now(|| system.fetch_add(1, Ordering::SeqCst));
                assert!(now >= last, "{now} after {last}");
                last = now;
            }
        });
    }
}
