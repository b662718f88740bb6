//! Runs a model: every interleaving of a closure under loom, counted and told.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

/// Explores `model` to its end and prints `MODEL name bound iterations seconds complete`.
///
/// The preemption bound is 2, or `LOOM_MAX_PREEMPTIONS`. No time limit is set: loom ends a model that runs
/// out of time silently and calls it passed.
#[expect(clippy::disallowed_methods, reason = "how long the exploration took")]
pub fn explore(name: &str, model: impl Fn() + Sync + Send + 'static) {
    let bound =
        std::env::var("LOOM_MAX_PREEMPTIONS").ok().and_then(|n| n.parse().ok()).unwrap_or(2);
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(bound);
    builder.max_branches = 50_000;
    builder.max_duration = None;
    let count = std::sync::Arc::new(AtomicUsize::new(0));
    let counter = std::sync::Arc::clone(&count);
    let start = Instant::now();
    builder.check(move || {
        counter.fetch_add(1, Ordering::Relaxed);
        model();
    });
    let iterations = count.load(Ordering::Relaxed);
    println!(
        "MODEL {name} P={bound} {iterations} iterations {:.2} s complete",
        start.elapsed().as_secs_f64()
    );
}
