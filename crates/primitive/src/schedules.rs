//! Runs a model under many random schedules, counted and told.
//!
//! Half of them by PCT (Burckhardt et al., 2010), which finds what takes a few well-placed preemptions, half at random.
//! The seed is printed; the same seed runs the same schedules in the same order.

use shuttle::scheduler::{PctScheduler, RandomScheduler, Scheduler};
use shuttle::{Config, FailurePersistence, MaxSteps, Runner};
use std::sync::Arc;
use std::time::Instant;

/// Preemptions that PCT places: most races known take two or three.
const DEPTH: usize = 3;

/// More steps than any model takes; who gets there goes round and round.
const MOST_STEPS: usize = 400_000;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|value| value.parse().ok())
}

/// Tries `share` thousandths of `KASASAGI_SCHEDULES` schedules (10,000) and prints `SCHEDULES name seed count seconds`.
///
/// `KASASAGI_SCHEDULES_SEED` is where the schedules start from; without it, somewhere else each time.
///
/// # Panics
/// As the model does, having printed the seed and the schedule; also at a deadlock, which is a lost wake.
#[expect(clippy::disallowed_methods, reason = "how long it took, and a seed")]
pub fn schedules(name: &'static str, share: u64, model: impl Fn() + Send + Sync + 'static) {
    let count = (number("KASASAGI_SCHEDULES").unwrap_or(10_000) * share / 1000).max(2) as usize;
    let seed = number("KASASAGI_SCHEDULES_SEED").unwrap_or_else(|| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        now.map_or(1, |now| u64::from(now.subsec_nanos()) ^ now.as_secs())
    });
    let start = Instant::now();
    println!("SEED {name} {seed}: again with KASASAGI_SCHEDULES_SEED={seed}");
    let model = Arc::new(model);
    let pct = run(PctScheduler::new_from_seed(seed, DEPTH, count - count / 2), &model);
    let random = run(RandomScheduler::new_from_seed(seed, count / 2), &model);
    println!(
        "SCHEDULES {name} {seed} {} schedules {:.2} s",
        pct + random,
        start.elapsed().as_secs_f64()
    );
}

fn run<F: Fn() + Send + Sync + 'static>(
    scheduler: impl Scheduler + 'static,
    model: &Arc<F>,
) -> usize {
    let mut config = Config::new();
    config.stack_size = 256 << 10;
    config.max_steps = MaxSteps::FailAfter(MOST_STEPS);
    config.silence_warnings = true;
    config.failure_persistence = FailurePersistence::Print;
    // What a failed execution leaves behind is not taken apart: its threads are in the middle of something.
    config.ungraceful_shutdown_config.immediately_return_on_panic = true;
    let model = Arc::clone(model);
    Runner::new(scheduler, config).run(move || model())
}
