//! Chaos: under `--cfg kasasagi_chaos` the runtime takes every liberty that its promises leave it, by dice.
//!
//! Queues, slots, budgets and wakes ask here whether to do the unusual. Each thread has dice of its own, thrown
//! from one seed: `KASASAGI_CHAOS_SEED`, or one by the clock, which is printed. Without the flag, and in a model,
//! [`CHAOS`] is false and every question folds away.

use crate::counter::Counter;
use crate::hint;
use crate::thread;
use crate::thread_local;
use std::cell::Cell;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write;
use std::sync::OnceLock;

/// Whether dice are thrown. The cfg stands nowhere else.
pub const CHAOS: bool = cfg!(kasasagi_chaos) && !crate::MODEL;

/// Weyl's step of splitmix64 (Steele, Lea, Flood 2014).
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// Spins of a delay, at most: some microseconds, as long as a protocol that is to be met in its middle.
const SPINS: u32 = 512;

/// Threads of a runtime share few names, and are told apart by the order in which they first threw.
static THREADS: Counter = Counter::new(1);

thread_local! {
    static DICE: Cell<u64> = Cell::new(0)
}

/// Whether the unusual is to happen, once in `n` times.
#[inline(always)]
pub fn one_in(n: u32) -> bool {
    CHAOS && below(n) == 0
}

/// One of `0..n`; 0 without the flag.
#[inline(always)]
pub fn below(n: u32) -> u32 {
    if CHAOS { (throw() % u64::from(n.max(1))) as u32 } else { 0 }
}

/// Now and then a delay, where two threads may meet.
#[inline(always)]
pub fn delay() {
    if CHAOS {
        linger();
    }
}

#[cold]
fn linger() {
    match below(32) {
        0 => thread::yield_now(),
        1..4 => (0..below(SPINS)).for_each(|_| hint::spin_loop()),
        _ => {}
    }
}

#[cold]
fn throw() -> u64 {
    DICE.with(|dice| {
        let mut x = match dice.get() {
            0 => seed_of_thread(),
            x => x,
        };
        x = x.wrapping_add(STEP);
        dice.set(x);
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    })
}

/// By the thread's name, which is the test's where tests run; a runtime's threads by their order too.
fn seed_of_thread() -> u64 {
    // The model's threads have no names.
    let thread = std::thread::current();
    let name = thread.name().unwrap_or("kasasagi");
    let order = if name.starts_with("kasasagi") { THREADS.take(1) } else { 0 };
    hash((seed(), name, order))
}

fn hash(what: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    what.hash(&mut hasher);
    hasher.finish()
}

/// The seed of the process.
fn seed() -> u64 {
    static SEED: OnceLock<u64> = OnceLock::new();
    *SEED.get_or_init(|| {
        if let Ok(given) = std::env::var("KASASAGI_CHAOS_SEED") {
            return given.parse().unwrap_or_else(|_| hash(given));
        }
        let seed = hash((std::time::SystemTime::now(), std::process::id()));
        // Not eprintln: a harness that captures a test's output would keep it from whoever reads.
        let _ = writeln!(std::io::stderr(), "KASASAGI_CHAOS_SEED={seed}");
        seed
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dice_show_every_side_if_there_is_chaos_and_none_otherwise() {
        let mut seen = [0; 6];
        (0..600).for_each(|_| seen[below(6) as usize] += 1);
        if CHAOS {
            assert!(seen.iter().all(|&n| n > 30), "{seen:?}");
        } else {
            assert_eq!(seen, [600, 0, 0, 0, 0, 0]);
            assert!(!one_in(1), "nothing unusual without the flag");
        }
    }

    #[test]
    fn a_thread_of_a_name_throws_the_same_again() {
        let throws = || {
            let thread = std::thread::Builder::new().name("thrower".into());
            let thread = thread.spawn(|| [below(1000), below(1000), below(1000), below(1000)]);
            thread.expect("a thread can be started").join().expect("nobody panics")
        };
        assert_eq!(throws(), throws());
    }
}
